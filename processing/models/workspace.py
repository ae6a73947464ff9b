"""Whom recordings belong to."""

from uuid import uuid4

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from processing.managers.workspace import WorkspaceManager


class Workspace(models.Model):
    """The border that recordings, transcripts and all that follows from them never cross.

    ``engines`` are asked in this order for what the engine of a request could not do; where a
    request names none, the first is meant. At most ``max_concurrent_chunks`` of a workspace are
    transcribed at once, None for no limit.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    engines = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    max_concurrent_chunks = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = WorkspaceManager()

    class Meta:
        db_table = "workspaces"
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name
