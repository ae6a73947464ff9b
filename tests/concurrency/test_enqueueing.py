"""Jobs recorded at the same moment: one per key, and none that waits for what is over."""

from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import redis
from django.db import transaction

from jobs.choices import JobStatus
from jobs.exceptions import InvalidJob
from jobs.models import Job
from jobs.services.bulk import bulk_enqueue
from jobs.services.enqueueing import enqueue_job
from jobs.services.requests import JobRequest
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.jobs.conftest import QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("probe")]

THREADS = 8
KEYS = ["idempotency_key", "unique_key"]


def running() -> Job:
    return JobFactory.create(probe=True, processing=True)


def enqueue(**options: Any) -> UUID:
    return enqueue_job(job_type="PROBE", **options).pk


# Keys


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("workspace_id", [None, uuid4()], ids=["no workspace", "workspace"])
def test_all_who_enqueue_one_key_at_once_get_the_one_job(
    key: str, workspace_id: UUID | None
) -> None:
    ids = at_once(
        [partial(enqueue, workspace_id=workspace_id, **{key: "k"}) for _ in range(THREADS)]
    )

    assert set(ids) == {Job.objects.get().pk}


@pytest.mark.parametrize("key", KEYS)
def test_all_who_enqueue_one_key_after_another_job_at_once_get_the_one_job(key: str) -> None:
    first = running()

    ids = at_once([partial(enqueue, after=[first], **{key: "k"}) for _ in range(THREADS)])

    assert set(ids) == {first.dependents.get().pk}


def test_one_key_in_many_workspaces_is_many_jobs() -> None:
    ids = at_once(
        [partial(enqueue, workspace_id=uuid4(), idempotency_key="k") for _ in range(THREADS)]
    )

    assert len(set(ids)) == Job.objects.count() == THREADS


@pytest.mark.parametrize("attempt", range(5))
def test_a_unique_key_is_enqueued_again_or_not_while_its_job_ends(attempt: int) -> None:
    first = JobFactory.create(probe=True, processing=True, unique_key="k")

    def complete() -> UUID:
        Job.objects.complete(first)
        return first.pk

    enqueuing = [partial(enqueue, unique_key="k") for _ in range(THREADS)]
    ids: list[UUID] = at_once([complete, *enqueuing])

    others = set(ids) - {first.pk}
    assert Job.objects.get(pk=first.pk).status == JobStatus.COMPLETED
    assert set(Job.objects.active().values_list("pk", flat=True)) == others
    assert len(others) <= 1


@pytest.mark.parametrize("key", KEYS)
def test_all_who_enqueue_the_same_in_bulk_at_once_get_the_same_jobs(key: str) -> None:
    requests = [JobRequest("PROBE", **{key: f"k{n}"}) for n in range(500)]  # type: ignore[arg-type]

    reports = at_once([partial(bulk_enqueue, requests) for _ in range(THREADS)])

    assert len({tuple(report.ids) for report in reports}) == 1
    assert sum(report.enqueued_count for report in reports) == Job.objects.count() == 500


@pytest.mark.parametrize("attempt", range(3))
def test_who_enqueues_the_same_in_another_order_waits_for_nobody_who_waits_for_them(
    attempt: int,
) -> None:
    requests = [JobRequest("PROBE", idempotency_key=f"k{n}") for n in range(3_000)]
    orders = [requests, requests[::-1], requests, requests[::-1]]

    reports = at_once([partial(bulk_enqueue, order) for order in orders])

    assert sum(report.enqueued_count for report in reports) == Job.objects.count() == 3_000
    assert reports[0].ids == reports[2].ids == reports[1].ids[::-1]


def test_one_job_and_many_of_its_key_at_once_are_one_job() -> None:
    calls: list[Callable[[], UUID | None]] = [
        partial(enqueue, idempotency_key="k"),
        lambda: bulk_enqueue([JobRequest("PROBE", idempotency_key="k")] * 50).ids[49],
    ]

    ids = at_once(calls * 4)

    assert set(ids) == {Job.objects.get().pk}


# After other jobs


@pytest.mark.parametrize("attempt", range(8))
def test_a_job_after_one_that_completes_at_once_is_not_left_behind(attempt: int) -> None:
    others = [running() for _ in range(4)]
    calls: list[Callable[[], Any]] = [partial(enqueue, after=[other]) for other in others]
    calls += [partial(Job.objects.complete, other) for other in others]

    at_once(calls)

    assert not Job.objects.filter(status=JobStatus.BLOCKED).exists()
    assert Job.objects.ready().count() == 4


@pytest.mark.parametrize("attempt", range(5))
def test_a_job_after_many_that_complete_at_once_is_not_left_behind(attempt: int) -> None:
    others = [running() for _ in range(6)]

    calls: list[Callable[[], Any]] = [
        partial(enqueue, after=others[::step]) for step in (1, -1, 2, -2)
    ]
    calls.append(partial(Job.objects.complete_all, others))

    *pks, _ = at_once(calls)

    assert set(Job.objects.ready().values_list("pk", flat=True)) == set(pks)


@pytest.mark.parametrize("attempt", range(5))
def test_a_job_after_one_that_fails_at_once_is_refused_or_cancelled(attempt: int) -> None:
    first = running()

    def follow() -> Job | None:
        try:
            return enqueue_job(job_type="PROBE", after=[first])
        except InvalidJob:
            return None

    def fail() -> None:
        Job.objects.fail(first, code="error", message="no use")

    _, *followers = at_once([fail, *[follow for _ in range(6)]])

    assert not Job.objects.active().exists()
    assert first.dependents.count() == sum(job is not None for job in followers)


def test_a_job_that_a_claim_passed_over_because_it_was_being_followed_is_rung_for(
    redis_connection: redis.Redis,
) -> None:
    first = JobFactory.create(probe=True)
    worker = WorkerFactory.create()
    claim = partial(Job.objects.claim, queue_name=QUEUE, worker=worker)

    with transaction.atomic():
        enqueue(after=[first])
        [passed_over] = at_once([claim])

    assert passed_over == []
    assert redis_connection.llen(f"rq:queue:{QUEUE}") == 1
    assert claim() == [first]
