"""Whom recordings belong to."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from processing.managers.workspace import WorkspaceManager


class Workspace(models.Model):
    """The border that recordings, transcripts and all that follows from them never cross.

    ``engines`` are asked in this order for what the engine of a request could not do; where a
    request names none, the first is meant, and where it names no language, ``language``. What may
    be had at most is None for no limit: chunks and recordings that are transcribed at once (more
    of them wait), bytes that are stored, minutes of audio that are transcribed in a month.
    Recordings are deleted ``retention_days`` after they came in, None for never.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    engines = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    language = models.CharField(max_length=10, blank=True)
    max_concurrent_chunks = models.PositiveIntegerField(null=True, blank=True)
    max_concurrent_recordings = models.PositiveIntegerField(null=True, blank=True)
    max_storage_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    max_audio_minutes_per_month = models.PositiveIntegerField(null=True, blank=True)
    retention_days = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = WorkspaceManager()

    class Meta:
        db_table = "workspaces"
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name
