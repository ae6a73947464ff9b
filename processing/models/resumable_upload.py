"""Recordings that arrive in pieces."""

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from processing.managers.resumable_upload import ResumableUploadManager
from processing.models.recording import Recording
from processing.models.workspace import Workspace


class ResumableUpload(models.Model):
    """A file of ``length_bytes``, of which the first ``offset_bytes`` are here.

    ``file`` is where, under ``FILE_UPLOAD_TEMP_DIR``. ``metadata`` is what was said of it when it
    was announced: name, engine, language, parameters. Once all is here it becomes ``recording``.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="resumable_uploads"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    length_bytes = models.BigIntegerField()
    offset_bytes = models.BigIntegerField(default=0)
    metadata = models.JSONField(default=dict, blank=True)
    file = models.CharField(max_length=255)
    recording = models.ForeignKey(
        Recording,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="+",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField()

    objects = ResumableUploadManager()

    class Meta:
        db_table = "resumable_uploads"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="resumable_upload_offset_within_length",
                condition=Q(offset_bytes__gte=0, offset_bytes__lte=F("length_bytes")),
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="resumable_upload_list_idx"),
            models.Index(fields=["expires_at"], name="resumable_upload_expiry_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.offset_bytes} of {self.length_bytes} bytes"
