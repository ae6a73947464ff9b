"""Having what failed done again, from the Board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from jobs.exceptions import JobsError, NotRequeueable
from jobs.models import Job
from monitoring.board.failures import JOB, RETRYING, RUN, may_retry_job
from monitoring.board.viewer import Viewer
from processing.exceptions import ProcessingError
from processing.models import Transcript
from processing.services.requesting import retry_gaps

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse


@require_POST
def board_retry(request: HttpRequest, kind: str, object_id: UUID) -> HttpResponse:
    """Have one failed row done again, and lead back to the Board, which says what came of it."""
    retry = VERBS.get(kind)
    if retry is None:
        raise Http404
    try:
        said, level = retry(Viewer(request), object_id), messages.SUCCESS
    except (JobsError, ProcessingError) as error:
        said, level = f"Nothing was done: {error}.", messages.WARNING
    messages.add_message(request, level, said)
    return redirect("admin:index")


def _retry_run(viewer: Viewer, pk: UUID) -> str:
    rows = viewer.own(Transcript.objects.filter(pk=pk)).select_related("recording__workspace")
    transcript: Transcript | None = rows.first()
    if transcript is None:
        raise Http404
    if not viewer.may(RETRYING[RUN], transcript.workspace_id):
        raise PermissionDenied
    retry_gaps(transcript, created_by=viewer.user)
    return f"It is being heard again: {transcript.recording}."


def _retry_job(viewer: Viewer, pk: UUID) -> str:
    job = Job.objects.filter(pk=pk).first()
    if job is None or not (viewer.is_operator or viewer.is_member_of(job.workspace_id)):
        raise Http404
    if not may_retry_job(viewer, job):
        raise PermissionDenied
    if not Job.objects.requeue(job):
        raise NotRequeueable(f"the job is {job.status}")
    return f"It is in its queue again: {job}."


VERBS: dict[str, Callable[[Viewer, UUID], str]] = {RUN: _retry_run, JOB: _retry_job}
