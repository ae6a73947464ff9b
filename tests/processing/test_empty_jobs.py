"""Jobs that somebody made by hand and that say nothing of what they are about."""

from contextlib import suppress

import pytest

from jobs import handlers
from jobs.choices import JobStatus
from jobs.exceptions import NotRequeueable
from jobs.models import Job
from tests.factories.jobs import JobFactory

pytestmark = pytest.mark.django_db


each_type = pytest.mark.parametrize("job_type", handlers.job_types())


@each_type
def test_a_job_about_nothing_fails_like_any_other(job_type: str) -> None:
    job = JobFactory.create(processing=True, job_type=job_type, payload={})

    assert Job.objects.fail(job, code="error", message="KeyError")


@each_type
def test_a_job_about_nothing_is_requeued_or_refused(job_type: str) -> None:
    job = JobFactory.create(failed=True, job_type=job_type, payload={})

    with suppress(NotRequeueable):
        Job.objects.requeue(job)

    job.refresh_from_db()
    assert job.status in (JobStatus.QUEUED, JobStatus.FAILED)


@each_type
def test_a_job_about_nothing_is_cancelled_like_any_other(job_type: str) -> None:
    job = JobFactory.create(job_type=job_type, payload={})

    assert Job.objects.filter(pk=job.pk).cancel() == [job.pk]
