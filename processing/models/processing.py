"""One run that turns a recording into a transcript."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.choices import JobPriority
from processing.choices import ACTIVE, READABLE, TERMINAL, ProcessingStatus
from processing.engines.base import SAMPLE_RATE
from processing.managers.processing import ProcessingTaskManager
from processing.models.transcript import Transcript


class ProcessingTask(models.Model):
    """The run: how it is cut, how far it is, how it ended.

    ``chunk_seconds`` is fixed before the first cut, so that a planner that is run again cuts
    at the same places. ``total_chunks`` and ``total_samples`` are None while cutting goes on;
    ``done_samples`` counts the samples of settled chunks (at 16 kHz, of each channel that is
    heard by itself). At most ``max_concurrent_chunks`` are transcribed at once, None for no limit.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    transcript = models.ForeignKey(Transcript, on_delete=models.CASCADE, related_name="processings")
    status = models.CharField(
        max_length=10,
        choices=ProcessingStatus.choices,
        default=ProcessingStatus.PENDING,
        editable=False,
    )
    priority = models.PositiveSmallIntegerField(
        choices=JobPriority.choices, default=JobPriority.NORMAL
    )
    max_concurrent_chunks = models.PositiveIntegerField(null=True, blank=True)
    chunk_seconds = models.FloatField(null=True, blank=True)
    total_chunks = models.PositiveIntegerField(null=True, blank=True)
    completed_chunks = models.PositiveIntegerField(default=0)
    failed_chunks = models.PositiveIntegerField(default=0)
    total_samples = models.BigIntegerField(null=True, blank=True)
    done_samples = models.BigIntegerField(default=0)
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = ProcessingTaskManager()

    class Meta:
        db_table = "processing_tasks"
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(
                name="processing_status_known", condition=Q(status__in=ProcessingStatus.values)
            ),
            models.UniqueConstraint(
                fields=["transcript"],
                condition=Q(status__in=ACTIVE),
                name="processing_one_active_per_transcript",
            ),
            models.CheckConstraint(
                name="processing_completed_at_iff_terminal",
                condition=Q(status__in=TERMINAL, completed_at__isnull=False)
                | Q(status__in=ACTIVE, completed_at__isnull=True),
            ),
            models.CheckConstraint(
                name="processing_settled_within_total",
                condition=Q(total_chunks__isnull=True)
                | Q(
                    total_chunks__gt=0, total_chunks__gte=F("completed_chunks") + F("failed_chunks")
                ),
            ),
            models.CheckConstraint(
                name="processing_done_within_total",
                condition=Q(total_samples__isnull=True) | Q(total_samples__gte=F("done_samples")),
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "id"], name="processing_list_idx"),
            models.Index(fields=["transcript", "-created_at"], name="processing_latest_idx"),
            models.Index("status", name="processing_active_idx", condition=Q(status__in=ACTIVE)),
            models.Index(
                "completed_at",
                name="processing_over_idx",
                condition=Q(completed_at__isnull=False),
            ),
            models.Index(
                fields=["status", "-created_at", "id"],
                name="processing_status_idx",
                condition=~Q(status=ProcessingStatus.COMPLETED),  # most, and found among all
            ),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.id}"

    @property
    def has_separate_channels(self) -> bool:
        """Whether each channel of the recording is heard by itself."""
        return bool(self.transcript.parameters.get("channels") == "separate")

    @property
    def done_seconds(self) -> float:
        """Seconds of audio whose chunks are settled."""
        return self.done_samples / SAMPLE_RATE

    @property
    def total_seconds(self) -> float | None:
        """Seconds of audio in all: counted once cut, declared by the container before.

        Those of each channel count where each is heard by itself.
        """
        if self.total_samples is not None:
            return self.total_samples / SAMPLE_RATE
        recording = self.transcript.recording
        declared = recording.duration_seconds
        if declared is None or not self.has_separate_channels:
            return declared
        return declared * recording.channels

    @property
    def progress(self) -> float:
        """How much of the audio is done, 0 to 1; never falls while the run goes on."""
        if self.status in READABLE:
            return 1.0
        total = self.total_seconds
        return min(self.done_seconds / total, 1.0) if total else 0.0

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE
