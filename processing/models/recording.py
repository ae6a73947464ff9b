"""The audio somebody trusts us with."""

from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from processing.managers.naming import words_of
from processing.managers.recording import RecordingManager
from processing.models.workspace import Workspace


class Recording(models.Model):
    """A stored file of audio, kept once per workspace whatever it was called.

    ``name`` is what its owner called it and is only ever shown; ``file`` has a name of ours.
    ``duration_seconds`` is what the container declares, None when it does not say.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="recordings")
    name = models.CharField(max_length=255)
    file = models.FileField(max_length=255)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.BigIntegerField()
    container = models.CharField(max_length=50)
    codec = models.CharField(max_length=50)
    sample_rate = models.PositiveIntegerField()
    channels = models.PositiveSmallIntegerField()
    duration_seconds = models.FloatField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="recordings",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = RecordingManager()

    class Meta:
        db_table = "recordings"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "sha256"], name="recording_one_per_content"
            ),
            models.CheckConstraint(
                name="recording_size_positive", condition=models.Q(size_bytes__gt=0)
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="recording_list_idx"),
            models.Index(fields=["-created_at", "-id"], name="recording_newest_idx"),
            models.Index(
                fields=["workspace"], include=["size_bytes"], name="recording_storage_idx"
            ),
            GinIndex(words_of("name"), name="recording_words_idx"),
        ]

    def __str__(self) -> str:
        return self.name
