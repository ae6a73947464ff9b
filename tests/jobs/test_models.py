"""What the database itself is told to do, and the rows that it refuses."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection

from jobs.choices import ACTIVE, TERMINAL, JobStatus
from jobs.models import Job, JobDependency
from tests.factories.jobs import JobFactory

pytestmark = pytest.mark.django_db


def in_status(status: JobStatus, **fields: Any) -> Job:
    trait = {} if status == JobStatus.QUEUED else {status.lower(): True}
    return JobFactory.create(**trait, **fields)


def test_a_session_that_stops_inside_a_transaction_loses_its_locks_after_ten_seconds() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setconfig FROM pg_db_role_setting JOIN pg_database d "
            "ON d.oid = setdatabase WHERE datname = current_database()"
        )
        [[settings]] = cursor.fetchall()

    assert "idle_in_transaction_session_timeout=10s" in settings


@pytest.mark.parametrize("workspace_id", [uuid4(), None], ids=["workspace", "no workspace"])
@pytest.mark.parametrize("status", JobStatus)
def test_a_second_job_of_an_idempotency_key_is_refused_whatever_became_of_the_first(
    status: JobStatus, workspace_id: Any
) -> None:
    in_status(status, idempotency_key="k", workspace_id=workspace_id)

    with pytest.raises(IntegrityError, match="job_one_per_idempotency_key"):
        JobFactory.create(idempotency_key="k", workspace_id=workspace_id)


@pytest.mark.parametrize("status", ACTIVE)
def test_a_second_active_job_of_a_unique_key_is_refused(status: JobStatus) -> None:
    in_status(status, unique_key="k")

    with pytest.raises(IntegrityError, match="job_one_active_per_unique_key"):
        JobFactory.create(unique_key="k")


@pytest.mark.parametrize("status", TERMINAL)
def test_a_second_job_of_a_unique_key_is_stored_when_the_first_is_over(status: JobStatus) -> None:
    in_status(status, unique_key="k")

    JobFactory.create(unique_key="k")

    assert Job.objects.count() == 2


def test_jobs_without_keys_are_as_many_as_one_likes() -> None:
    JobFactory.create_batch(3)

    assert Job.objects.count() == 3


def test_a_dependency_ends_with_either_of_its_jobs() -> None:
    first = JobFactory.create(completed=True)
    second = JobFactory.create(blocked=True, after=[first])
    JobFactory.create(blocked=True, after=[second])

    Job.objects.filter(pk=second.pk).delete()

    assert not JobDependency.objects.exists()


def test_a_job_names_its_type_and_itself() -> None:
    job = JobFactory.build()

    assert str(job) == f"TRANSCRIPTION {job.pk}"


def test_a_dependency_names_both_its_jobs() -> None:
    first, second = JobFactory.build_batch(2)

    assert str(JobDependency(job=second, depends_on=first)) == f"{second.pk} after {first.pk}"
