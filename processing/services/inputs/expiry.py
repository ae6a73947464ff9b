"""What programs have left behind: uploads that nobody goes on with, and answers that nobody
asks for again."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from jobs import handlers
from jobs.handlers import JobHandler, register_job
from jobs.schedules import Schedule, register_schedule
from jobs.services.retention import MAINTENANCE_QUEUE
from processing.exceptions import ProcessingError, UploadBusy
from processing.models import IdempotencyKey, ResumableUpload
from processing.services.inputs.resumable import (
    DIRECTORY,
    complete_upload,
    discard_upload,
    hold,
)

if TYPE_CHECKING:
    from jobs.models import Job

PURGE_JOB = "PURGE_UPLOADS"


def complete_left() -> int:
    """Make recordings of uploads that are all here and were left so; return how many.

    A process that dies between the last byte and the recording leaves one so.
    """
    count = 0
    for upload in ResumableUpload.objects.left_whole():
        with suppress(ProcessingError), hold(upload):
            complete_upload(upload)
            count += 1
    return count


def purge_uploads() -> int:
    """Delete expired uploads, and files of which no row knows; return how many."""
    count = 0
    for upload in ResumableUpload.objects.expired():
        with suppress(UploadBusy):
            discard_upload(upload)
            count += 1
    return count + _purge_files()


def _purge_files() -> int:
    directory = Path(settings.FILE_UPLOAD_TEMP_DIR) / DIRECTORY
    latest = (timezone.now() - timedelta(hours=settings.UPLOAD_EXPIRY_HOURS)).timestamp()
    old = [path for path in directory.glob("*") if path.stat().st_mtime < latest]
    files = [f"{DIRECTORY}/{path.stem}" for path in old]
    known = set(ResumableUpload.objects.filter(file__in=files).values_list("file", flat=True))
    lost = [path for path, file in zip(old, files, strict=True) if file not in known]
    for path in lost:
        path.unlink(missing_ok=True)
    return len(lost)


def run_purge_job(job: Job) -> None:
    """Delete and finish what was left behind; done again, it goes on."""
    IdempotencyKey.objects.purge()
    purge_uploads()
    complete_left()


def register() -> None:
    """Have that done every hour."""
    register_job(
        JobHandler(PURGE_JOB, MAINTENANCE_QUEUE, run_purge_job, validate=handlers.no_payload)
    )
    register_schedule(Schedule("purge_uploads", "7 * * * *", PURGE_JOB))
