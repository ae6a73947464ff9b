"""What failed lately and can be done again: runs, and the jobs of all else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils import timezone
from django.utils.text import Truncator

from jobs.choices import JobStatus
from jobs.models import Job
from jobs.presentation import error_line
from processing.admin.presentation import NAME_CHARACTERS, shown_name
from processing.choices import MERGE_JOB, TRANSCRIPTION_JOB, ProcessingStatus
from processing.models import ChunkTask, Document, Question, Transcript

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from monitoring.board.viewer import Viewer
    from processing.models import ProcessingTask

#: So many failures are shown, of all that ended within ``LATELY``.
SHOWN = 8
LATELY = timedelta(days=7)

#: The latest jobs that are looked at, of each workspace or of the whole installation.
LOOKED_AT = 50

#: What of a run a job does: that is shown as the run.
OF_RUNS = (TRANSCRIPTION_JOB, MERGE_JOB)

RUN, JOB = "run", "job"

#: Who may have a run done again, and the job of what else a workspace has, where it has one.
RETRYING = {RUN: "processing.change_transcript", JOB: "processing.change_document"}

#: Who may have any job done again.
OPERATING_JOBS = "jobs.change_job"


@dataclass(frozen=True)
class Failure:
    """One row that failed, or a transcript with gaps; ``kind`` and ``id`` say what to retry."""

    kind: str
    id: UUID
    title: str
    what: str
    address: str
    status: str
    reason: str
    ended_at: datetime
    may_retry: bool


def latest_failures(viewer: Viewer) -> list[Failure]:
    """Return what failed last and the viewer may see, the latest first.

    Runs and documents are those of the viewer's workspaces; an operator sees every job.
    """
    runs = _failed_runs(viewer)
    found = [*runs, *_failed_jobs(viewer, {run.id for run in runs})]
    since = timezone.now() - LATELY
    recent = [failure for failure in found if failure.ended_at >= since]
    return sorted(recent, key=lambda failure: failure.ended_at, reverse=True)[:SHOWN]


def may_retry_job(viewer: Viewer, job: Job) -> bool:
    """Whether somebody may have a job done again: as an operator, or as it is their workspace's."""
    if viewer.user.has_perm(OPERATING_JOBS):
        return True
    return viewer.may(RETRYING[JOB], job.workspace_id)


def _failed_runs(viewer: Viewer) -> list[Failure]:
    newest = Transcript.objects.order_by("-created_at", "-id")
    ids = viewer.first_of_each_workspace(
        newest.filter(status=ProcessingStatus.FAILED),
        newest.filter(status=ProcessingStatus.PARTIAL),
        limit=SHOWN,
    )
    rows = Transcript.objects.filter(pk__in=ids).without_content().with_runs()
    transcripts = list(rows.order_by("-created_at", "-id")[: 2 * SHOWN])
    reasons = _reasons_of_gaps([each.latest_processing.pk for each in transcripts])
    return [
        Failure(
            kind=RUN,
            id=transcript.pk,
            title=shown_name(transcript.recording),
            what="Recording",
            address=_address(transcript),
            status=run.status,
            reason=_reason(run, reasons.get(run.pk, "")),
            ended_at=run.completed_at or run.created_at,
            may_retry=viewer.may(RETRYING[RUN], transcript.workspace_id),
        )
        for transcript in transcripts
        for run in [transcript.latest_processing]
    ]


def _reason(run: ProcessingTask, of_its_gaps: str) -> str:
    if run.error_code:
        return error_line(run.error_code, run.error_message)
    if not run.failed_chunks:
        return "nothing was heard in some parts"
    count = f"{run.failed_chunks} of {run.total_chunks} chunks not heard"
    return f"{count}: {of_its_gaps}" if of_its_gaps else count


def _reasons_of_gaps(run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return why the first chunk was not heard that was not, of each run."""
    failed = ChunkTask.objects.filter(processing__in=run_ids, status=JobStatus.FAILED)
    first = failed.order_by("processing", "index").distinct("processing")
    rows = first.values_list("processing", "error_code", "error_message")
    return {pk: error_line(code, message) for pk, code, message in rows}


def _failed_jobs(viewer: Viewer, shown: set[UUID]) -> list[Failure]:
    """Return the failed jobs but for those whose subject is among ``shown``."""
    failed = Job.objects.filter(status=JobStatus.FAILED).order_by("-created_at", "-id")
    if not viewer.is_operator:
        ids = viewer.first_of_each_workspace(failed, limit=LOOKED_AT)
        failed = Job.objects.filter(pk__in=ids).order_by("-created_at", "-id")
    jobs = [
        job
        for job in failed.defer("payload")[:LOOKED_AT]
        if job.subject_id not in shown and not _is_shown_as_a_run(job, viewer)
    ]
    subjects = _subjects(viewer, jobs)
    return [
        Failure(
            kind=JOB,
            id=job.pk,
            title=title or job.job_type.replace("_", " ").capitalize(),
            what=job.job_type.replace("_", " ").capitalize() if title else "Job",
            address=_address(job) if viewer.is_operator else address,
            status=job.status,
            reason=error_line(job.error_code, job.error_message),
            ended_at=job.completed_at or job.created_at,
            may_retry=job.job_type not in OF_RUNS and may_retry_job(viewer, job),
        )
        for job in jobs
        for title, address in [subjects.get(job.subject_id, ("", ""))]
    ]


def _is_shown_as_a_run(job: Job, viewer: Viewer) -> bool:
    """Whether a job belongs to a run that the viewer sees, failed or begun again since."""
    sees_runs = viewer.user.is_superuser or not viewer.is_operator
    return job.job_type in OF_RUNS and sees_runs


def _subjects(viewer: Viewer, jobs: Iterable[Job]) -> dict[UUID | None, tuple[str, str]]:
    """Return title and address of the viewer's own documents and questions that jobs are about."""
    ids = {job.subject_id for job in jobs if job.subject_id}
    documents = viewer.own(Document.objects.filter(pk__in=ids)).order_by()
    questions = viewer.own(Question.objects.filter(pk__in=ids)).order_by()
    found: dict[UUID | None, tuple[str, str]] = {}
    for rows, name in ((documents, "title"), (questions, "text")):
        view = f"admin:processing_{rows.model._meta.model_name}_change"
        for pk, text in rows.values_list("pk", name):
            found[pk] = (Truncator(text).chars(NAME_CHARACTERS), reverse(view, args=[pk]))
    return found


def _address(row: Transcript | Job) -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk])
