"""A stretch of a recording that one worker transcribes."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from jobs.choices import JobStatus
from jobs.models import Work
from processing.engines.base import SAMPLE_RATE
from processing.managers.chunk import ChunkTaskManager
from processing.models.processing import ProcessingTask
from processing.models.workspace import Workspace


class ChunkTask(Work):
    """One chunk: where it lies, where its audio is, what was heard in it.

    All positions are sample offsets at 16 kHz on the recording's clock. The chunk's audio is
    ``[start_sample, end_sample)``; what it answers for is ``[core_start_sample,
    core_end_sample)``, which is less where there was no pause to cut at and neighbours overlap.
    ``channel`` is the one of the recording that it is of, None for all of them mixed.
    ``loudness`` has a byte for each 0.1 s of the audio, in dB below full scale; what is softer
    than ``pause_db`` is pause. ``engine`` is the one that hears it, which is another than the
    transcript's where that one could not. ``result`` is what ``services.hearing`` makes of a
    ``Speech``; ``busy_seconds`` is what its engine took, None when it was not asked.
    """

    processing = models.ForeignKey(ProcessingTask, on_delete=models.CASCADE, related_name="chunks")
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    index = models.PositiveIntegerField()
    channel = models.PositiveSmallIntegerField(null=True, blank=True)
    start_sample = models.BigIntegerField()
    core_start_sample = models.BigIntegerField()
    core_end_sample = models.BigIntegerField()
    end_sample = models.BigIntegerField()
    audio = models.FileField(max_length=255, blank=True)
    audio_sha256 = models.CharField(max_length=64)
    loudness = models.BinaryField(default=bytes)
    pause_db = models.FloatField(default=0.0)
    engine = models.CharField(max_length=50)
    cache_key = models.CharField(max_length=100)
    busy_seconds = models.FloatField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True)
    is_reused = models.BooleanField(default=False)

    objects: ClassVar[ChunkTaskManager["ChunkTask"]] = ChunkTaskManager()

    class Meta(Work.Meta):
        db_table = "chunk_tasks"
        ordering = ["processing", "index"]
        constraints = [
            *Work.Meta.constraints,
            models.UniqueConstraint(fields=["processing", "index"], name="chunk_one_per_index"),
            models.CheckConstraint(
                name="chunk_offsets_ordered",
                condition=Q(
                    start_sample__gte=0,
                    core_start_sample__gte=F("start_sample"),
                    core_end_sample__gt=F("core_start_sample"),
                    end_sample__gte=F("core_end_sample"),
                ),
            ),
            models.CheckConstraint(
                name="chunk_result_iff_completed",
                condition=Q(status=JobStatus.COMPLETED, result__isnull=False)
                | (~Q(status=JobStatus.COMPLETED) & Q(result__isnull=True)),
            ),
        ]
        indexes = [
            *Work.Meta.indexes,
            models.Index(
                "cache_key",
                name="chunktask_heard_idx",
                condition=Q(status=JobStatus.COMPLETED),
            ),
            models.Index(
                "completed_at",
                name="chunktask_over_idx",
                condition=Q(completed_at__isnull=False),
            ),
            models.Index("workspace", "id", name="chunktask_workspace_idx"),
            models.Index(
                "status",
                "id",
                name="chunktask_given_up_idx",
                condition=Q(status__in=[JobStatus.FAILED, JobStatus.CANCELLED]),
            ),
        ]

    def __str__(self) -> str:
        return f"chunk {self.index} of {self.processing_id}"

    @property
    def start_seconds(self) -> float:
        return self.core_start_sample / SAMPLE_RATE

    @property
    def end_seconds(self) -> float:
        return self.core_end_sample / SAMPLE_RATE
