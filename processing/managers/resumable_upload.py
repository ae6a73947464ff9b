"""The repository of uploads in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Now

if TYPE_CHECKING:
    from datetime import datetime

    from processing.models import Recording, ResumableUpload, Transcript, Workspace

#: Where the metadata say which transcript came of an upload.
TRANSCRIPT = "transcript"


class ResumableUploadQuerySet(models.QuerySet["ResumableUpload"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def alive(self) -> Self:
        """Those that are not expired, whoever has come to purge them."""
        return self.filter(expires_at__gt=Now())

    def expired(self) -> Self:
        return self.filter(~Q(expires_at__gt=Now()))

    def unfinished(self) -> Self:
        """Those of which no recording was made."""
        return self.filter(recording=None).exclude(metadata__has_key=TRANSCRIPT)

    def arrived_bytes(self) -> int:
        return int(self.aggregate(total=Sum("offset_bytes"))["total"] or 0)

    def left_whole(self) -> Self:
        """Those that are all here, and nobody has made recordings of them."""
        return self.unfinished().filter(offset_bytes=F("length_bytes"))

    def advance(self, upload: ResumableUpload, *, offset_bytes: int, expires_at: datetime) -> bool:
        """Note what has arrived; False when somebody else noted something meanwhile."""
        seen = self.filter(pk=upload.pk, offset_bytes=upload.offset_bytes)
        return seen.update(offset_bytes=offset_bytes, expires_at=expires_at) == 1

    def finish(
        self, upload: ResumableUpload, *, recording: Recording, transcript: Transcript
    ) -> None:
        """Note what came of an upload, in its row and in ``upload``."""
        upload.recording = recording
        upload.metadata = {**upload.metadata, TRANSCRIPT: str(transcript.pk)}
        upload.save(update_fields=["recording", "metadata"])


ResumableUploadManager = models.Manager.from_queryset(ResumableUploadQuerySet)
