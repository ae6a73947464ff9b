"""Retention: what ended long ago is deleted in batches, and nothing else is."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from jobs import handlers
from jobs.choices import ACTIVE, TERMINAL, JobStatus
from jobs.models import Job, JobDependency
from jobs.services.enqueueing import enqueue_job
from jobs.services.retention import PURGE_JOB, purge_jobs, purgeable_jobs
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory
from tests.processes import manage

pytestmark = pytest.mark.django_db

MONTH = timedelta(days=30)

#: status -> the trait of the factory that has it.
TRAITS: dict[JobStatus, str] = {
    status: status.lower() for status in JobStatus if status != JobStatus.QUEUED
}
TERMINAL_TRAITS = {TRAITS[status] for status in TERMINAL}


def over(days: float, **fields: Any) -> Job:
    """Make a job that ended so many days ago, completed unless ``fields`` say otherwise."""
    at = timezone.now() - timedelta(days=days)
    trait = {} if TERMINAL_TRAITS & fields.keys() else {"completed": True}
    job: Job = JobFactory.create(completed_at=at, **trait, **fields)
    return job


def kept() -> set[Job]:
    return set(Job.objects.all())


@contextmanager
def locked_elsewhere(job: Job) -> Iterator[None]:
    """Have another session hold the row, as one that takes the job back does."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM processing_jobs WHERE id = %s FOR UPDATE", [job.pk])
        yield
    finally:
        other.close()


@pytest.mark.parametrize("status", TERMINAL)
def test_what_ended_long_ago_is_deleted_however_it_ended(status: JobStatus) -> None:
    over(31, **{TRAITS[status]: True})
    recent = over(29, **{TRAITS[status]: True})

    assert purge_jobs(older_than=MONTH) == 1
    assert kept() == {recent}


@pytest.mark.parametrize("status", ACTIVE)
def test_what_is_not_over_is_kept_however_old(status: JobStatus) -> None:
    trait = {TRAITS[status]: True} if status in TRAITS else {}
    job = JobFactory.create(created_at=timezone.now() - timedelta(days=900), **trait)

    assert purge_jobs(older_than=MONTH, statuses=list(JobStatus)) == 0
    assert kept() == {job}


def test_only_jobs_that_ended_as_named_are_deleted() -> None:
    failed = over(31, failed=True)
    completed = over(31)
    over(31, cancelled=True)

    count = purge_jobs(older_than=MONTH, statuses=[JobStatus.CANCELLED])

    assert count == 1
    assert kept() == {failed, completed}


def test_what_would_be_deleted_is_counted_without_deleting_it() -> None:
    over(31)
    over(29)

    assert purgeable_jobs(older_than=MONTH).count() == 1
    assert len(kept()) == 2


def test_jobs_are_deleted_in_batches() -> None:
    for _ in range(5):
        over(31)
    sizes: list[int] = []

    count = purge_jobs(older_than=MONTH, batch_size=2, after_batch=sizes.append)

    assert (count, sizes) == (5, [2, 2, 1])


def test_jobs_that_ended_at_the_same_moment_are_all_deleted() -> None:
    at = timezone.now() - timedelta(days=31)
    JobFactory.create_batch(5, completed=True, completed_at=at)

    assert purge_jobs(older_than=MONTH, batch_size=2) == 5


def test_a_purge_that_is_stopped_has_deleted_what_ended_first() -> None:
    last, first, second = over(31), over(40), over(39)

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        purge_jobs(older_than=MONTH, batch_size=2, after_batch=stop)

    assert kept() == {last}
    assert not Job.objects.filter(pk__in=[first.pk, second.pk]).exists()


def test_a_job_that_waits_for_others_too_outlives_one_that_it_followed() -> None:
    done, running = over(31), JobFactory.create(processing=True)
    waiting = enqueue_job(job_type="TRANSCRIPTION", after=[running])
    JobDependency.objects.create(job=waiting, depends_on=done)

    purge_jobs(older_than=MONTH)

    assert kept() == {running, waiting}
    assert Job.objects.get(pk=waiting.pk).status == JobStatus.BLOCKED
    assert JobDependency.objects.get().depends_on == running


def test_the_key_of_a_deleted_job_is_free_again() -> None:
    old = over(31, idempotency_key="once")
    purge_jobs(older_than=MONTH)

    new = enqueue_job(job_type="TRANSCRIPTION", idempotency_key="once")

    assert new.pk != old.pk


@pytest.mark.django_db(transaction=True)
def test_a_job_that_somebody_takes_back_meanwhile_is_left_to_them() -> None:
    over(31)
    busy = over(32, failed=True)

    with locked_elsewhere(busy):
        count = purge_jobs(older_than=MONTH)

    assert count == 1
    assert kept() == {busy}


@pytest.mark.django_db(transaction=True)
def test_purges_at_once_delete_each_job_once() -> None:
    jobs = [over(31 + number / 1000) for number in range(60)]
    JobDependency.objects.bulk_create(
        JobDependency(job=job, depends_on=other)
        for job, other in zip(jobs, reversed(jobs), strict=True)
    )

    counts = at_once([partial(purge_jobs, older_than=MONTH, batch_size=7)] * 3)

    assert sum(counts) == 60
    assert not Job.objects.exists()
    assert not JobDependency.objects.exists()


def test_a_batch_reads_the_index_of_what_is_over_in_order_and_no_more_than_it_takes() -> None:
    now = timezone.now()
    Job.objects.bulk_create(
        Job(
            queue_name="transcription",
            job_type="TRANSCRIPTION",
            status=JobStatus.COMPLETED,
            completed_at=now - timedelta(minutes=number),
        )
        for number in range(5_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_jobs")
    batch = purgeable_jobs(older_than=timedelta(hours=1))[:100]

    [document] = json.loads(batch.explain(format="json", analyze=True))

    [scan] = document["Plan"]["Plans"]
    assert scan["Index Name"] == "job_over_idx"
    assert scan["Actual Rows"] == 100


def test_the_nightly_job_deletes_what_is_older_than_the_installation_keeps(settings: Any) -> None:
    settings.JOB_RETENTION_DAYS = 7
    over(8)
    recent = over(6)

    purge()

    assert recent in kept()
    assert purgeable_jobs(older_than=timedelta(days=1)).get() == recent


def test_an_installation_that_keeps_jobs_for_ever_deletes_none(settings: Any) -> None:
    settings.JOB_RETENTION_DAYS = 0
    old = over(9_000)

    purge()

    assert old in kept()


def purge() -> None:
    """Do what the nightly job does."""
    job = JobFactory.create(job_type=PURGE_JOB, queue_name="maintenance")
    handlers.source_of("maintenance").run(job)


@pytest.mark.parametrize("days", ["-1", "36501"])
def test_a_retention_that_makes_no_sense_is_refused_at_start(days: str) -> None:
    done = manage("check", env={"JOB_RETENTION_DAYS": days})

    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].endswith(f"JOB_RETENTION_DAYS is {days}, not 0 to 36500.")
