"""What a workspace may have at most: bytes stored, audio heard in a month, recordings at once.

A quota that is None is no limit, and costs no lock. Usage is counted either way.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from jobs.exceptions import InLine
from processing.choices import ProcessingStatus
from processing.exceptions import QuotaReached
from processing.models import (
    Document,
    ProcessingTask,
    Recording,
    Transcript,
    Workspace,
    WorkspaceUsage,
)

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

#: What a container declares and what is decoded differ by less, where it tells the truth.
TOLERANCE_SECONDS = 1.0

#: A run that waits asks again after as many seconds as there are runs before it, within these.
MIN_WAIT_SECONDS, MAX_WAIT_SECONDS = 2, 300


def stored_bytes(workspace: Workspace) -> int:
    """Return the size of all recordings and uploaded documents of a workspace."""
    recordings = Recording.objects.in_workspace(workspace)
    documents = Document.objects.in_workspace(workspace).uploaded()
    return recordings.total_bytes() + documents.total_bytes()


def refuse_over_storage(workspace: Workspace, size_bytes: int) -> None:
    """Raise ``QuotaReached`` where a file of so many bytes would find no room.

    To be asked before anything is read of it; nothing is reserved.
    """
    if workspace.max_storage_bytes is not None:
        _judge_storage(workspace.max_storage_bytes, stored_bytes(workspace), size_bytes)


def charge_storage(workspace: Workspace, size_bytes: int) -> None:
    """Raise ``QuotaReached`` where a file was one too many.

    To be called in the transaction that has made its row. Others who store in the workspace
    wait for it to end, so that no two files take the same room.
    """
    if workspace.max_storage_bytes is None:
        return
    limit = Workspace.objects.locked(workspace.pk).max_storage_bytes
    if limit is not None:
        _judge_storage(limit, stored_bytes(workspace) - size_bytes, size_bytes)


def charge_run(processing: ProcessingTask) -> None:
    """Count what the container declares against the minutes of the month.

    Once for all runs of a transcript, and each channel where each is heard by itself. To be
    called last in the transaction that begins the run and holds its transcript: others of the
    workspace wait for it to end. Raises ``QuotaReached`` where it is too much, and for a length
    that is not declared where nothing is left: such a recording is charged when it has been cut
    (``charge_rest``), which may pass the limit.
    """
    transcript, seconds = processing.transcript, processing.total_seconds
    if transcript.charged_seconds is not None:
        return
    workspace, month = transcript.recording.workspace, current_month()
    minutes = workspace.max_audio_minutes_per_month
    if seconds is not None and WorkspaceUsage.objects.charge(
        workspace.pk,
        month,
        seconds=seconds,
        limit_seconds=None if minutes is None else minutes * 60.0,
    ):
        Transcript.objects.filter(pk=transcript.pk).update(charged_seconds=seconds)
    elif minutes is not None:
        used = WorkspaceUsage.objects.audio_seconds(workspace, month) / 60
        if seconds is not None or used >= minutes:
            needed = "more is" if seconds is None else f"{seconds / 60:,.2f} min more are"
            raise QuotaReached(
                f"the workspace may have {minutes:,} min of audio transcribed in a month "
                f"(max_audio_minutes_per_month); {used:,.2f} min are used, and {needed} needed"
            )


@transaction.atomic
def charge_rest(transcript_id: UUID, *, heard_seconds: float) -> None:
    """Count what a recording turned out to have beyond what was charged for it.

    Whatever it is: the work was done. Done again, it counts nothing.
    """
    rows = Transcript.objects.select_for_update().without_content().filter(pk=transcript_id)
    transcript = rows.first()
    if transcript is None:
        return
    rest = heard_seconds - (transcript.charged_seconds or 0.0)
    if transcript.charged_seconds is not None and rest < TOLERANCE_SECONDS:
        return
    WorkspaceUsage.objects.charge(
        transcript.workspace_id, current_month(), seconds=rest, limit_seconds=None
    )
    Transcript.objects.filter(pk=transcript_id).update(charged_seconds=heard_seconds)


def take_turn(processing: ProcessingTask) -> None:
    """Raise ``InLine`` while the workspace transcribes as many recordings as it may.

    To be called in the transaction that begins the run. Runs that wait begin in the order of
    their deadlines, whichever of them asks first: one that is due earlier is never passed by,
    so none starves. A recording that two engines hear at once counts twice.
    """
    workspace = processing.transcript.recording.workspace
    has_begun = processing.status != ProcessingStatus.PENDING
    if has_begun or workspace.max_concurrent_recordings is None:
        return
    limit = Workspace.objects.locked(workspace.pk).max_concurrent_recordings
    if limit is None:
        return
    runs = ProcessingTask.objects.in_workspace(workspace)
    ahead = runs.due_before(processing)[:MAX_WAIT_SECONDS].count()
    if runs.begun().count() + ahead >= limit:
        seconds = max(MIN_WAIT_SECONDS, ahead) * random.uniform(0.5, 1.0)  # noqa: S311  jitter
        raise InLine(
            f"the workspace transcribes {limit} recordings at once; {ahead} wait before this one",
            seconds=seconds,
        )


def current_month() -> date:
    """Return the first day of the month that it is in UTC."""
    return timezone.now().date().replace(day=1)


def _judge_storage(limit: int, used: int, needed: int) -> None:
    if used + needed > limit:
        raise QuotaReached(
            f"the workspace may store {limit:,} bytes (max_storage_bytes); {used:,} are used, "
            f"and {needed:,} more are needed"
        )
