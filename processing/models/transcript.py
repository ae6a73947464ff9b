"""What was said in a recording, as one engine heard it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import models
from django.db.models.functions import Now

from processing.choices import ProcessingStatus
from processing.managers.transcript import TranscriptManager
from processing.models.recording import Recording
from processing.models.workspace import Workspace

if TYPE_CHECKING:
    from processing.models.processing import ProcessingTask


class Transcript(models.Model):
    """The answer to one request: this recording, this engine, this language, these parameters.

    ``cache_key`` covers all of these and the versions of engine and pipeline, so that equal
    requests share one row and with it one run. ``segments`` is a list of
    ``{start, end, text, words: [{word, start, end, confidence}]}``, with ``speaker``, ``flags``
    and ``is_estimated`` where they say something; ``gaps`` is a list of ``{start, end, reason}``.
    Times are seconds on the recording's clock. ``seams`` is the audit of the overlaps: what was
    heard on both sides, and what was kept. All are empty until a processing has completed.
    ``status`` is that of the latest run: a trigger keeps it so, for lists.
    ``heard_language`` is what the engine found, where it was left to it. ``charged_seconds`` is
    what was counted of the workspace's minutes for it, once for all runs; None until then.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="transcripts")
    engine = models.CharField(max_length=50)
    language = models.CharField(max_length=10)
    parameters = models.JSONField(default=dict, blank=True)
    cache_key = models.CharField(max_length=100, unique=True)
    status = models.CharField(
        max_length=10,
        choices=ProcessingStatus.choices,
        default=ProcessingStatus.PENDING,
        db_default=ProcessingStatus.PENDING,
        editable=False,
    )
    text = models.TextField(blank=True)
    segments = models.JSONField(default=list, blank=True)
    gaps = models.JSONField(default=list, blank=True)
    seams = models.JSONField(default=list, blank=True)
    heard_language = models.CharField(max_length=10, blank=True)
    duration_seconds = models.FloatField(null=True, blank=True)
    charged_seconds = models.FloatField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TranscriptManager()

    class Meta:
        db_table = "transcripts"
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="transcript_list_idx"),
            models.Index(
                fields=["workspace", "-created_at", "-id"], name="transcript_workspace_idx"
            ),
            models.Index(
                fields=["workspace", "status", "-created_at", "-id"], name="transcript_status_idx"
            ),
            models.Index(
                fields=["workspace", "engine", "-created_at", "-id"], name="transcript_engine_idx"
            ),
            models.Index(
                fields=["workspace", "language", "-created_at", "-id"],
                name="transcript_language_idx",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recording} ({self.engine}, {self.language})"

    @property
    def is_readable(self) -> bool:
        """Whether a run has completed, in full or in part; a later run changes nothing of it."""
        return self.duration_seconds is not None

    @property
    def latest_processing(self) -> ProcessingTask:
        """The run that says how this transcript is doing; a request always starts one."""
        return self.processings.all()[0]
