"""Conditions on jobs: each against the same condition in plain Python, and combined at will."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.db.models import Q
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import specifications as spec
from jobs.choices import ACTIVE, TERMINAL, WAITING, JobPriority, JobStatus
from jobs.models import Job, Worker
from tests.factories.jobs import JobFactory, WorkerFactory

pytestmark = pytest.mark.django_db

Predicate = Callable[[Job], bool]

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WORKSPACE, SUBJECT = uuid4(), uuid4()

#: name -> a condition as the database is asked, and as it is meant.
CONDITIONS: dict[str, tuple[Q, Predicate]] = {
    "failed or queued": (
        spec.has_status(JobStatus.FAILED, "QUEUED"),
        lambda job: job.status in ("FAILED", "QUEUED"),
    ),
    "high": (
        spec.has_priority_of_at_least(JobPriority.HIGH),
        lambda job: job.priority >= JobPriority.HIGH,
    ),
    "from noon on": (spec.is_created_within(NOON), lambda job: job.created_at >= NOON),
    "before noon": (spec.is_created_within(end=NOON), lambda job: job.created_at < NOON),
    "in the hour from noon": (
        spec.is_created_within(NOON, NOON + HOUR),
        lambda job: NOON <= job.created_at < NOON + HOUR,
    ),
    "at any time": (spec.is_created_within(), lambda job: True),
    "A or B": (spec.has_type("A", "B"), lambda job: job.job_type in ("A", "B")),
    "subject": (spec.is_about(SUBJECT), lambda job: job.subject_id == SUBJECT),
    "workspace": (spec.is_in_workspace(WORKSPACE), lambda job: job.workspace_id == WORKSPACE),
    "ready": (spec.is_ready(), lambda job: job.status == "QUEUED"),
    "due": (spec.is_due(), lambda job: job.status == "SCHEDULED" and job.available_at == PAST),
    "stalled": (
        spec.is_stalled(),
        lambda job: job.status == "PROCESSING" and job.lease_expires_at == PAST,
    ),
    "expired": (
        spec.is_expired(),
        lambda job: job.status in WAITING and job.expires_at == PAST,
    ),
    "active": (spec.is_active(), lambda job: job.status in ACTIVE),
    "over": (spec.is_over(), lambda job: job.status in TERMINAL),
}
NAMED = [pytest.param(*pair, id=name) for name, pair in CONDITIONS.items()]


@pytest.fixture
def jobs() -> list[Job]:
    """Jobs of every status, on both sides of every condition."""
    count = len(JobStatus) * 24
    return Job.objects.bulk_create(
        Job(
            job_type="ABC"[n % 3],
            queue_name="transcription",
            status=(status := list(JobStatus)[n % len(JobStatus)]),
            priority=1 + n % 4,
            created_at=NOON + (n % 5 - 2) * HOUR / 2,
            available_at=PAST if n % 2 else FUTURE,
            lease_expires_at=(
                (FUTURE if n % 4 else PAST) if status == JobStatus.PROCESSING else None
            ),
            completed_at=NOON if status in TERMINAL else None,
            expires_at=(PAST, FUTURE, None)[n % 3],
            workspace_id=(WORKSPACE, None, SUBJECT)[n // 7 % 3],
            subject_id=(None, SUBJECT)[n // 7 % 2],
        )
        for n in range(count)
    )


def found(condition: Q) -> set[UUID]:
    return set(Job.objects.matching(condition).values_list("pk", flat=True))


def meant(jobs: list[Job], predicate: Predicate) -> set[UUID]:
    return {job.pk for job in jobs if predicate(job)}


@pytest.mark.parametrize(("condition", "predicate"), NAMED)
def test_a_condition_finds_what_it_says(
    jobs: list[Job], condition: Q, predicate: Predicate
) -> None:
    assert found(condition) == meant(jobs, predicate)


@pytest.mark.parametrize(("condition", "predicate"), NAMED)
def test_the_contrary_of_a_condition_finds_all_others(
    jobs: list[Job], condition: Q, predicate: Predicate
) -> None:
    assert found(~condition) == meant(jobs, lambda job: not predicate(job))


def both(pair: tuple[Q, Predicate], other: tuple[Q, Predicate]) -> tuple[Q, Predicate]:
    (a, in_a), (b, in_b) = pair, other
    return a & b, lambda job: in_a(job) and in_b(job)


def either(pair: tuple[Q, Predicate], other: tuple[Q, Predicate]) -> tuple[Q, Predicate]:
    (a, in_a), (b, in_b) = pair, other
    return a | b, lambda job: in_a(job) or in_b(job)


def contrary(pair: tuple[Q, Predicate]) -> tuple[Q, Predicate]:
    a, in_a = pair
    return ~a, lambda job: not in_a(job)


COMBINED = st.recursive(
    st.sampled_from(list(CONDITIONS.values())),
    lambda inner: (
        st.builds(both, inner, inner) | st.builds(either, inner, inner) | st.builds(contrary, inner)
    ),
    max_leaves=8,
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(combined=COMBINED)
def test_combined_conditions_find_what_they_say(
    jobs: list[Job], combined: tuple[Q, Predicate]
) -> None:
    condition, predicate = combined

    assert found(condition) == meant(jobs, predicate)


def test_no_status_is_the_status_of_nothing(jobs: list[Job]) -> None:
    assert found(spec.has_status()) == set()


def test_a_row_is_due_and_expired_at_its_very_time() -> None:
    now = timezone.now()
    due = JobFactory.create(scheduled=True, available_at=now)
    expired = JobFactory.create(expires_at=now)

    assert (found(spec.is_due()), found(spec.is_expired())) == ({due.pk}, {expired.pk})


def test_a_worker_has_a_heartbeat_within_a_span_until_it_stops() -> None:
    live = WorkerFactory.create()
    WorkerFactory.create(gone=True)
    WorkerFactory.create(stopped=True)

    assert list(Worker.objects.filter(spec.has_heartbeat_within(timedelta(seconds=5)))) == [live]


def test_a_queryset_is_narrowed_by_a_condition(jobs: list[Job]) -> None:
    mine = Job.objects.in_workspace(WORKSPACE).matching(spec.is_ready() | spec.is_over())

    assert set(mine.values_list("pk", flat=True)) == meant(
        jobs,
        lambda job: job.workspace_id == WORKSPACE and job.status in ("QUEUED", *TERMINAL),
    )
