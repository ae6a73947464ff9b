"""Workers that have done enough, or hold too much, are replaced; nothing is lost on the way."""

from collections.abc import Callable

import pytest
from django.db.models import QuerySet

from jobs.choices import JobStatus
from jobs.models import Job, Worker
from jobs.services.bulk import bulk_enqueue
from jobs.services.requests import JobRequest
from jobs.services.retention import PURGE_JOB
from tests.processes import worker_pool
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

JOB_COUNT = 30


def all_completed() -> bool:
    return Job.objects.filter(status=JobStatus.COMPLETED).count() >= JOB_COUNT


def ended_in_order() -> QuerySet[Worker]:
    return Worker.objects.filter(stopped_at__isnull=False)


def replaced(at_least: int) -> Callable[[], bool]:
    return lambda: ended_in_order().count() >= at_least


def test_a_worker_that_has_done_its_number_of_jobs_is_replaced_and_all_get_done() -> None:
    with worker_pool("--max-jobs", "3", concurrency=1):
        bulk_enqueue(JobRequest(PURGE_JOB) for _ in range(JOB_COUNT))

        wait_for(all_completed)
        wait_for(replaced(at_least=3))

    assert not Job.objects.filter(crash_count__gt=0).exists()


def test_a_worker_that_holds_too_much_memory_is_replaced_and_all_get_done() -> None:
    with worker_pool("--max-memory-mb", "1", concurrency=1):
        bulk_enqueue(JobRequest(PURGE_JOB) for _ in range(JOB_COUNT))

        wait_for(all_completed)
        wait_for(replaced(at_least=2))

    assert not Job.objects.filter(crash_count__gt=0).exists()


def test_a_worker_within_its_limits_stays() -> None:
    with worker_pool("--max-jobs", "100000", "--max-memory-mb", "100000", concurrency=1):
        bulk_enqueue(JobRequest(PURGE_JOB) for _ in range(JOB_COUNT))

        wait_for(all_completed)

        assert not ended_in_order().exists()
