"""Whom recordings belong to."""

from uuid import uuid4

from django.db import models
from django.db.models.functions import Now

from processing.managers.workspace import WorkspaceManager


class Workspace(models.Model):
    """The border that recordings, transcripts and all that follows from them never cross."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100)
    slug = models.SlugField(unique=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = WorkspaceManager()

    class Meta:
        db_table = "workspaces"
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name
