"""The repository of work: every transition from every status, the fence, the claim, the rescue."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from jobs import handlers
from jobs.choices import TERMINAL, TRANSITIONS, WAITING, JobPriority, JobStatus
from jobs.exceptions import NotRequeueable, UnknownJobType
from jobs.managers import work
from jobs.managers.rescue import Rescue
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS, POISON_CRASH_COUNT
from jobs.models import Job, Work, Worker
from processing.choices import CHUNK_QUEUE
from processing.models import ChunkTask, ProcessingTask
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory
from tests.jobs.conftest import QUEUE, Register
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

#: status -> what a factory makes it of; SCHEDULED rows are due, so that they may promote.
MADE_OF: dict[JobStatus, dict[str, Any]] = {
    JobStatus.BLOCKED: {"status": JobStatus.BLOCKED},
    JobStatus.QUEUED: {},
    JobStatus.SCHEDULED: {"due": True},
    JobStatus.COMPLETED: {"completed": True},
    JobStatus.FAILED: {"failed": True},
    JobStatus.CANCELLED: {"cancelled": True},
}


@dataclass(frozen=True)
class Kind:
    """A kind of work: its factory, the trait of its PROCESSING rows, what completing it stores."""

    factory: Any
    processing: str
    results: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()

    def make(self, status: JobStatus, **fields: Any) -> Any:
        traits = {self.processing: True} if status == JobStatus.PROCESSING else MADE_OF[status]
        return self.factory(**(self.options | traits | fields))

    @property
    def model(self) -> type[Work]:
        model: type[Work] = self.factory._meta.model
        return model


KINDS = {
    "job": Kind(JobFactory, "processing", {}, {"probe": True}),
    "chunk": Kind(
        ChunkTaskFactory,
        "claimed",
        {"result": [[["heard", 0.0, 0.5, 0.9]]]},
        lacks=("unblock",),  # nothing waits for a chunk but its run
    ),
}

Verb = Callable[[Kind, Any], Any]

#: event -> the verb that makes it happen to one row.
VERBS: dict[str, Verb] = {
    "claim": lambda kind, row: only(row).claim(
        queue_name=row.queue_name, worker=WorkerFactory.create()
    ),
    "complete": lambda kind, row: only(row).complete(row, **kind.results),
    "fail": lambda kind, row: only(row).fail(row, code="permanent", message="no use"),
    "retry": lambda kind, row: only(row).retry(row, delay_seconds=9, code="away", message="later"),
    "rescue": lambda kind, row: only(row).rescue(),
    "promote": lambda kind, row: only(row).promote(),
    "unblock": lambda kind, row: only(row).unblock(),
    "expire": lambda kind, row: only(row).expire(),
    "cancel": lambda kind, row: only(row).cancel(),
    "requeue": lambda kind, row: only(row).requeue(row),
}
FENCED = ["complete", "fail", "retry"]

#: event -> what a row needs besides its status for the event to concern it.
NEEDS: dict[str, dict[str, Any]] = {
    "expire": {"expires_at": timezone.now() - timedelta(hours=1)},
}

WALK = [
    (kind, event, status, status in TRANSITIONS[event][0])
    for kind in KINDS
    for event in TRANSITIONS
    for status in JobStatus
    if event not in KINDS[kind].lacks
]


def walk(*, allowed: bool, to: tuple[JobStatus, ...] = tuple(JobStatus)) -> list[Any]:
    return [
        pytest.param(KINDS[kind], event, status, id=f"{kind}-{event}-{status}")
        for kind, event, status, is_allowed in WALK
        if is_allowed is allowed and TRANSITIONS[event][1] in to
    ]


@pytest.fixture(autouse=True)
def _registry(register: Register) -> None:
    """Jobs of type PROBE, and chunks that may be requeued one by one."""
    register(lambda job: None)
    source = replace(handlers.source_of(CHUNK_QUEUE), requeued=lambda chunk: None)
    handlers.register_work(CHUNK_QUEUE, source)


@pytest.fixture(params=list(KINDS.values()), ids=list(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


def only(row: Any) -> Any:
    return type(row).objects.filter(pk=row.pk)


def columns(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = only(row).values().get()
    return found


def fresh(row: Any) -> Any:
    return only(row).get()


def queue_of(kind: Kind, *, crash_counts: list[int]) -> list[Any]:
    """Make ready rows of one queue, in the order in which they are due."""
    now = timezone.now()
    return [
        kind.make(JobStatus.QUEUED, crash_count=count, due_by=now + timedelta(seconds=place))
        for place, count in enumerate(crash_counts)
    ]


def claim(kind: Kind, row: Any, *, limit: int) -> list[Any]:
    """Claim from the queue that ``row`` is on."""
    queue_name, worker = row.queue_name, WorkerFactory.create()
    claimed: list[Any] = kind.model.objects.claim(queue_name=queue_name, worker=worker, limit=limit)
    return claimed


# Transitions


def test_every_event_has_a_verb() -> None:
    assert set(VERBS) == set(TRANSITIONS)


@pytest.mark.parametrize(("kind", "event", "status"), walk(allowed=True))
def test_an_event_changes_a_row_in_its_sources_to_its_target(
    kind: Kind, event: str, status: JobStatus
) -> None:
    row = kind.make(status, **NEEDS.get(event, {}))

    answer = VERBS[event](kind, row)

    assert answer
    assert fresh(row).status == TRANSITIONS[event][1]


@pytest.mark.parametrize(("kind", "event", "status"), walk(allowed=False))
def test_an_event_changes_nothing_in_a_row_of_any_other_status(
    kind: Kind, event: str, status: JobStatus
) -> None:
    row = kind.make(status, **NEEDS.get(event, {}))
    before = columns(row)

    answer = VERBS[event](kind, row)

    assert not answer
    assert columns(row) == before


@pytest.mark.parametrize(("kind", "event", "status"), walk(allowed=True, to=TERMINAL))
def test_what_is_over_has_an_end_and_no_lease(kind: Kind, event: str, status: JobStatus) -> None:
    row = kind.make(status, **NEEDS.get(event, {}))

    VERBS[event](kind, row)

    assert fresh(row).completed_at is not None
    assert fresh(row).lease_expires_at is None


def test_only_a_requeue_leads_out_of_a_terminal_status() -> None:
    leading_out = {
        event for event, (sources, _) in TRANSITIONS.items() if not {*TERMINAL}.isdisjoint(sources)
    }

    assert leading_out == {"requeue"}


def test_nothing_leads_out_of_completion() -> None:
    sources = {status for allowed, _ in TRANSITIONS.values() for status in allowed}

    assert JobStatus.COMPLETED not in sources


# The fence


@pytest.mark.parametrize("event", FENCED)
def test_an_outcome_is_refused_once_the_row_was_claimed_again(kind: Kind, event: str) -> None:
    stale = kind.make(JobStatus.PROCESSING)
    only(stale).rescue()
    [current] = only(stale).claim(queue_name=stale.queue_name, worker=WorkerFactory.create())
    before = columns(stale)

    answer = VERBS[event](kind, stale)

    assert answer is False
    assert columns(stale) == before
    assert current.attempt == stale.attempt + 1


@pytest.mark.parametrize("event", FENCED)
def test_an_outcome_is_refused_once_the_row_was_cancelled(kind: Kind, event: str) -> None:
    row = kind.make(JobStatus.PROCESSING)
    only(row).cancel()
    before = columns(row)

    answer = VERBS[event](kind, row)

    assert answer is False
    assert columns(row) == before


@pytest.mark.parametrize("event", FENCED)
def test_an_outcome_is_refused_while_a_rescued_row_waits_for_its_next_worker(
    kind: Kind, event: str
) -> None:
    row = kind.make(JobStatus.PROCESSING)
    only(row).rescue()

    answer = VERBS[event](kind, row)

    assert answer is False
    assert fresh(row).status == JobStatus.QUEUED


def test_a_result_is_stored_once() -> None:
    chunk = ChunkTaskFactory.create(claimed=True)
    first = ChunkTask.objects.complete(chunk, result=[[["first", 0.0, 0.5, 0.9]]])

    second = ChunkTask.objects.complete(chunk, result=[[["second", 0.0, 0.5, 0.9]]])

    assert (first, second) == (True, False)
    assert fresh(chunk).result == [[["first", 0.0, 0.5, 0.9]]]
    assert ProcessingTask.objects.get().completed_chunks == 1


# The claim


def test_a_claim_takes_what_is_due_first() -> None:
    now = timezone.now()
    late = JobFactory.create(due_by=now + timedelta(minutes=9))
    soon = JobFactory.create(due_by=now + timedelta(minutes=1))
    overdue = JobFactory.create(due_by=now - timedelta(hours=1))

    claimed = Job.objects.claim(queue_name="transcription", worker=WorkerFactory.create(), limit=3)

    assert claimed == [overdue, soon, late]


def test_a_claim_takes_what_is_due_together_by_id() -> None:
    due_by = timezone.now()
    jobs = [JobFactory.create(due_by=due_by) for _ in range(6)]

    claimed = Job.objects.claim(queue_name="transcription", worker=WorkerFactory.create(), limit=6)

    assert claimed == sorted(jobs, key=lambda job: job.pk)


def test_a_claim_leaves_what_is_due_last() -> None:
    now = timezone.now()
    jobs = [JobFactory.create(due_by=now + timedelta(minutes=9 - n)) for n in range(9)]

    claims = [claim(KINDS["job"], jobs[0], limit=4) for _ in range(3)]

    assert claims == [jobs[:4:-1], jobs[4:0:-1], jobs[:1]]


def test_a_claim_leaves_the_last_ids_of_what_is_due_together() -> None:
    due_by = timezone.now()
    jobs = sorted([JobFactory.create(due_by=due_by) for _ in range(9)], key=lambda job: job.pk)

    claims = [claim(KINDS["job"], jobs[0], limit=4) for _ in range(3)]

    assert claims == [jobs[:4], jobs[4:8], jobs[8:]]


def test_a_claim_takes_no_more_than_its_limit() -> None:
    JobFactory.create_batch(3)

    claimed = Job.objects.claim(queue_name="transcription", worker=WorkerFactory.create(), limit=2)

    assert len(claimed) == 2
    assert Job.objects.ready().count() == 1


def test_a_claim_takes_nothing_of_another_queue() -> None:
    JobFactory.create(queue_name="maintenance")

    claimed = Job.objects.claim(queue_name="transcription", worker=WorkerFactory.create())

    assert claimed == []


def test_a_claim_is_written_in_the_row_and_in_what_it_returns(kind: Kind) -> None:
    row, worker = kind.make(JobStatus.QUEUED), WorkerFactory.create()

    [claimed] = kind.model.objects.claim(queue_name=row.queue_name, worker=worker)

    stored = fresh(row)
    assert (stored.status, stored.attempt, stored.worker) == (JobStatus.PROCESSING, 1, worker)
    assert (claimed.status, claimed.attempt, claimed.worker) == (JobStatus.PROCESSING, 1, worker)
    assert stored.lease_expires_at - stored.started_at == timedelta(seconds=settings.LEASE_SECONDS)


def test_two_claims_in_a_row_get_different_rows() -> None:
    JobFactory.create_batch(2)

    [first] = Job.objects.claim(queue_name="transcription", worker=WorkerFactory.create())
    [second] = Job.objects.claim(queue_name="transcription", worker=WorkerFactory.create())

    assert first != second


def test_a_suspect_at_the_head_of_the_queue_is_handed_out_alone(kind: Kind) -> None:
    suspect, other = queue_of(kind, crash_counts=[1, 0])

    first = claim(kind, suspect, limit=5)
    second = claim(kind, suspect, limit=5)

    assert (first, second) == ([suspect], [other])


def test_a_claim_ends_before_the_first_suspect(kind: Kind) -> None:
    sound, also_sound, suspect, last = queue_of(kind, crash_counts=[0, 0, 2, 0])

    claims = [claim(kind, sound, limit=5) for _ in range(3)]

    assert claims == [[sound, also_sound], [suspect], [last]]


def test_two_suspects_are_handed_out_one_by_one(kind: Kind) -> None:
    first, second = queue_of(kind, crash_counts=[1, 1])

    claims = [claim(kind, first, limit=5) for _ in range(3)]

    assert claims == [[first], [second], []]


def test_what_a_claim_leaves_behind_a_suspect_is_untouched() -> None:
    suspect, other = queue_of(KINDS["job"], crash_counts=[1, 0])
    before = columns(other)

    claim(KINDS["job"], suspect, limit=5)

    assert columns(other) == before


# Many at once


def test_all_current_claims_are_completed_at_once() -> None:
    jobs = JobFactory.create_batch(3, probe=True, processing=True)

    accepted = Job.objects.complete_all(jobs)

    assert accepted == jobs
    assert set(Job.objects.values_list("status", "lease_expires_at")) == {("COMPLETED", None)}
    assert not Job.objects.filter(completed_at=None).exists()


def test_what_is_completed_among_others_says_so() -> None:
    jobs = JobFactory.create_batch(2, probe=True, processing=True)

    accepted = Job.objects.complete_all(jobs)

    assert [job.status for job in accepted] == [JobStatus.COMPLETED] * 2


def test_completing_at_once_forgets_why_an_earlier_attempt_failed() -> None:
    retried = {"error_code": "transient", "error_message": "the provider was away"}
    job = JobFactory.create(probe=True, processing=True, attempt=2, **retried)

    Job.objects.complete_all([job])

    assert (fresh(job).error_code, fresh(job).error_message) == ("", "")


def test_a_stale_claim_is_refused_alone() -> None:
    stale, *current = JobFactory.create_batch(3, probe=True, processing=True)
    only(stale).rescue()
    only(stale).claim(queue_name=QUEUE, worker=WorkerFactory.create())
    before = columns(stale)

    accepted = Job.objects.complete_all([stale, *current])

    assert accepted == current
    assert columns(stale) == before
    assert [fresh(job).status for job in current] == [JobStatus.COMPLETED] * 2


def test_a_cancelled_claim_is_refused_alone() -> None:
    first, cancelled, last = JobFactory.create_batch(3, probe=True, processing=True)
    only(cancelled).cancel()
    before = columns(cancelled)

    accepted = Job.objects.complete_all([first, cancelled, last])

    assert accepted == [first, last]
    assert columns(cancelled) == before
    assert [fresh(job).status for job in (first, last)] == [JobStatus.COMPLETED] * 2


def test_what_was_deleted_meanwhile_is_refused_alone() -> None:
    JobFactory.create_batch(2, probe=True)
    job, deleted = Job.objects.claim(queue_name=QUEUE, worker=WorkerFactory.create(), limit=2)
    Job.objects.filter(pk=deleted.pk).delete()

    assert Job.objects.complete_all([deleted, job]) == [job]


def test_completing_many_claims_asks_as_often_as_completing_one() -> None:
    JobFactory.create_batch(11, probe=True)
    worker = WorkerFactory.create()
    one, many = (
        Job.objects.claim(queue_name=QUEUE, worker=worker, limit=limit) for limit in (1, 10)
    )

    for_one = queries_of(lambda: Job.objects.complete_all(one))
    for_many = queries_of(lambda: Job.objects.complete_all(many))

    assert len(for_many) == len(for_one)


def test_a_claim_of_many_asks_as_often_as_a_claim_of_one() -> None:
    JobFactory.create_batch(11, probe=True)
    claim_some = partial(Job.objects.claim, queue_name=QUEUE, worker=WorkerFactory.create())

    for_one = queries_of(lambda: claim_some(limit=1))
    for_many = queries_of(lambda: claim_some(limit=10))

    assert len(for_many) == len(for_one)


def test_claims_of_different_attempts_are_completed_together() -> None:
    jobs = [
        JobFactory.create(probe=True, processing=True, attempt=attempt, max_attempts=9)
        for attempt in (3, 1, 2, 1)
    ]

    accepted = Job.objects.complete_all(jobs)

    assert accepted == jobs
    assert set(Job.objects.values_list("status", "attempt")) == {
        ("COMPLETED", 1),
        ("COMPLETED", 2),
        ("COMPLETED", 3),
    }


def test_of_two_claims_of_one_row_the_current_is_completed() -> None:
    stale = JobFactory.create(probe=True, processing=True)
    only(stale).rescue()
    [current] = only(stale).claim(queue_name=QUEUE, worker=WorkerFactory.create())

    accepted = Job.objects.complete_all([current, stale])

    assert [work.attempt for work in accepted] == [2]
    assert fresh(stale).status == JobStatus.COMPLETED


def test_a_claim_named_twice_is_completed_once(register: Register) -> None:
    settled: list[Job] = []
    register(lambda job: None, settled=settled.append)
    job = JobFactory.create(probe=True, processing=True)

    accepted = Job.objects.complete_all([job, job])

    assert (accepted, settled) == ([job], [job])


def test_the_same_claims_are_completed_at_once_only_once(register: Register) -> None:
    settled: list[Job] = []
    register(lambda job: None, settled=settled.append)
    jobs = JobFactory.create_batch(2, probe=True, processing=True)

    accepted = [Job.objects.complete_all(jobs), Job.objects.complete_all(jobs)]

    assert accepted == [jobs, []]
    assert settled == jobs


def test_completing_nothing_at_once_accepts_nothing() -> None:
    assert Job.objects.complete_all([]) == []


def test_what_follows_is_done_for_what_was_accepted_and_for_nothing_else(
    register: Register,
) -> None:
    settled: list[tuple[Job, str]] = []
    register(lambda job: None, settled=lambda job: settled.append((job, job.status)))
    refused, *current = JobFactory.create_batch(3, probe=True, processing=True)
    Job.objects.filter(pk=refused.pk).update(attempt=2)

    Job.objects.complete_all([refused, *current])

    assert settled == [(job, JobStatus.COMPLETED) for job in current]


def test_nothing_is_completed_when_what_follows_from_one_fails(register: Register) -> None:
    jobs = JobFactory.create_batch(3, probe=True, processing=True)

    def settled(job: Job) -> None:
        if job == jobs[-1]:
            raise ZeroDivisionError

    register(lambda job: None, settled=settled)

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Job.objects.complete_all(jobs)

    assert set(Job.objects.values_list("status", flat=True)) == {JobStatus.PROCESSING}


def test_the_chunks_of_a_run_are_not_completed_without_their_results() -> None:
    chunk = ChunkTaskFactory.create(claimed=True)

    with pytest.raises(IntegrityError, match="chunk_result_iff_completed"):
        ChunkTask.objects.complete_all([chunk])


# The lease


def test_renewing_extends_a_lease_to_its_full_length(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING, lease_expires_at=timezone.now() + timedelta(seconds=1))
    before = timezone.now()

    count = kind.model.objects.held_by([row.worker_id]).renew()

    assert count == 1
    assert fresh(row).lease_expires_at >= before + timedelta(seconds=settings.LEASE_SECONDS - 1)


def test_renewing_touches_nothing_that_other_workers_hold(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING)
    before = columns(row)

    count = kind.model.objects.held_by([WorkerFactory.create().pk]).renew()

    assert count == 0
    assert columns(row) == before


def test_only_a_row_whose_lease_ran_out_is_stalled(kind: Kind) -> None:
    kind.make(JobStatus.PROCESSING)
    stalled = kind.factory(stalled=True)

    assert list(kind.model.objects.stalled()) == [stalled]


# The rescue


def test_a_rescued_row_is_as_if_it_had_not_been_claimed_but_for_its_attempt(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING)

    rescue = only(row).rescue()

    stored = fresh(row)
    assert rescue == Rescue(requeued=(row.pk,))
    assert (stored.worker, stored.started_at, stored.lease_expires_at) == (None, None, None)
    assert (stored.attempt, stored.crash_count) == (1, 1)


def test_the_attempt_that_a_rescue_lost_is_given_back(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING, attempt=3, max_attempts=3)

    only(row).rescue()

    assert fresh(row).max_attempts == 4
    assert only(row).claim(queue_name=row.queue_name, worker=WorkerFactory.create())[0].attempt == 4


def test_work_that_crashed_its_worker_often_enough_is_poison(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING, crash_count=POISON_CRASH_COUNT - 1)

    rescue = only(row).rescue()

    stored = fresh(row)
    assert rescue == Rescue(poisoned=(row.pk,))
    assert (stored.status, stored.error_code) == (JobStatus.FAILED, "poison")
    assert stored.crash_count == POISON_CRASH_COUNT
    assert stored.error_message == f"took its worker process down {POISON_CRASH_COUNT} times"


def test_work_one_crash_short_of_poison_is_tried_again(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING, crash_count=POISON_CRASH_COUNT - 2)

    rescue = only(row).rescue()

    assert rescue == Rescue(requeued=(row.pk,))


def test_work_that_was_given_back_is_never_poison(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING, crash_count=POISON_CRASH_COUNT - 1)

    rescue = only(row).rescue(crashed=False)

    assert rescue == Rescue(requeued=(row.pk,))
    assert fresh(row).crash_count == POISON_CRASH_COUNT - 1


def test_a_poisoned_chunk_is_counted_as_failed() -> None:
    chunk = ChunkTaskFactory.create(claimed=True, crash_count=POISON_CRASH_COUNT - 1)

    only(chunk).rescue()

    assert ProcessingTask.objects.get().failed_chunks == 1


def test_poison_of_a_type_that_is_no_longer_registered_does_not_stop_the_rescue() -> None:
    poison = JobFactory.create(stalled=True, crash_count=POISON_CRASH_COUNT - 1, job_type="RETIRED")
    other = JobFactory.create(stalled=True)

    rescue = Job.objects.stalled().rescue()

    assert rescue == Rescue(requeued=(other.pk,), poisoned=(poison.pk,))


# Retry, promotion, cancellation


def test_a_retry_is_scheduled_after_its_delay_with_its_reason(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING)
    before = timezone.now()

    only(row).retry(row, delay_seconds=90, code="away", message="come back later")

    stored = fresh(row)
    waits = stored.available_at - before
    assert timedelta(seconds=89) < waits < timedelta(seconds=99)
    assert (stored.error_code, stored.error_message) == ("away", "come back later")
    assert (stored.worker, stored.lease_expires_at) == (None, None)


def test_only_scheduled_work_that_is_due_is_promoted(kind: Kind) -> None:
    due, later = kind.factory(due=True), kind.factory(scheduled=True)

    count = kind.model.objects.promote()

    assert count == 1
    assert fresh(due).status == JobStatus.QUEUED
    assert fresh(later).status == JobStatus.SCHEDULED


def test_what_is_due_for_longest_is_promoted_first_and_only_so_much_at_once(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MAX_ROWS_AT_ONCE", 2)
    now = timezone.now()
    rows = [kind.factory(due=True, available_at=now - timedelta(hours=n)) for n in range(1, 4)]

    count = kind.model.objects.promote()

    assert count == 2
    assert [fresh(row).status for row in rows] == ["SCHEDULED", "QUEUED", "QUEUED"]


def test_the_time_until_due_is_that_of_the_earliest_scheduled_work() -> None:
    now = timezone.now()
    JobFactory.create(scheduled=True, available_at=now + timedelta(seconds=60))
    JobFactory.create(scheduled=True, available_at=now + timedelta(seconds=30))
    JobFactory.create(available_at=now - timedelta(days=1))

    wait = Job.objects.time_until_due()

    assert wait is not None
    assert timedelta(seconds=20) < wait <= timedelta(seconds=30)


def test_nothing_scheduled_has_no_time_until_due() -> None:
    JobFactory.create()

    assert Job.objects.time_until_due() is None


def test_cancelling_returns_the_ids_of_what_was_not_over_and_settles_it(kind: Kind) -> None:
    rows = [kind.make(status) for status in JobStatus]
    not_over = {row.pk for row in rows if row.status not in TERMINAL}

    cancelled = kind.model.objects.cancel()

    assert set(cancelled) == not_over
    assert kind.model.objects.filter(status=JobStatus.CANCELLED).count() == len(not_over) + 1
    assert not kind.model.objects.active().exists()


def test_a_cancellation_stores_its_reason(kind: Kind) -> None:
    row = kind.make(JobStatus.QUEUED)

    only(row).cancel(error_code="unwanted", error_message="nobody asked")

    assert (fresh(row).error_code, fresh(row).error_message) == ("unwanted", "nobody asked")


def test_a_cancellation_without_a_reason_leaves_the_last_error(kind: Kind) -> None:
    row = kind.make(JobStatus.SCHEDULED)

    only(row).cancel()

    assert fresh(row).error_code == "transient"


def test_what_follows_a_cancellation_sees_the_row_as_it_ended(register: Register) -> None:
    seen: list[tuple[str, str, bool]] = []
    register(
        lambda job: None,
        settled=lambda job: seen.append((job.status, job.error_code, job.completed_at is None)),
    )
    job = JobFactory.create(probe=True)

    only(job).cancel(error_code="unwanted")

    assert seen == [("CANCELLED", "unwanted", False)]


# Expiry


def test_what_was_not_begun_in_time_is_given_up_with_its_reason(kind: Kind) -> None:
    row = kind.make(JobStatus.QUEUED, **NEEDS["expire"])

    expired = kind.model.objects.expire()

    stored = fresh(row)
    assert expired == [row.pk]
    assert (stored.status, stored.error_code) == (JobStatus.FAILED, "expired")
    assert stored.error_message == "not done before it expired"


@pytest.mark.parametrize("status", WAITING)
def test_what_expires_later_or_never_waits_on(kind: Kind, status: JobStatus) -> None:
    kind.make(status, expires_at=timezone.now() + timedelta(minutes=1))
    kind.make(status, expires_at=None)

    assert kind.model.objects.expire() == []


def test_what_is_running_when_it_expires_may_end(kind: Kind) -> None:
    row = kind.make(JobStatus.PROCESSING, **NEEDS["expire"])

    assert kind.model.objects.expire() == []
    assert only(row).complete(row, **kind.results) is True


def test_what_follows_an_expiry_is_done_and_told_the_reason(register: Register) -> None:
    seen: list[tuple[str, str]] = []
    register(lambda job: None, settled=lambda job: seen.append((job.status, job.error_code)))
    JobFactory.create(probe=True, **NEEDS["expire"])

    Job.objects.expire()

    assert seen == [("FAILED", "expired")]


def test_what_expired_first_is_given_up_first_and_only_so_much_at_once(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "MAX_ROWS_AT_ONCE", 2)
    now = timezone.now()
    rows = [kind.make(JobStatus.QUEUED, expires_at=now - timedelta(hours=n)) for n in range(1, 4)]

    expired = [set(kind.model.objects.expire()) for _ in range(3)]

    assert expired == [{rows[2].pk, rows[1].pk}, {rows[0].pk}, set()]


def test_only_what_a_queryset_holds_expires() -> None:
    kept, given_up = JobFactory.create_batch(2, probe=True, **NEEDS["expire"])

    assert only(given_up).expire() == [given_up.pk]
    assert fresh(kept).status == JobStatus.QUEUED


# The requeue


@pytest.mark.parametrize("status", TRANSITIONS["requeue"][0])
def test_a_requeued_row_is_as_if_it_were_new_but_for_its_attempts(
    kind: Kind, status: JobStatus
) -> None:
    row = kind.make(status, attempt=2, max_attempts=2, crash_count=1, **NEEDS["expire"])
    before = timezone.now()

    only(row).requeue(row)

    stored = fresh(row)
    assert (stored.status, stored.attempt, stored.crash_count) == (JobStatus.QUEUED, 2, 0)
    assert (stored.error_code, stored.error_message) == ("", "")
    assert (stored.worker, stored.started_at, stored.completed_at) == (None, None, None)
    assert stored.expires_at is None
    assert stored.available_at >= before


def test_a_requeued_row_may_be_tried_as_often_as_a_new_one(kind: Kind) -> None:
    row = kind.make(JobStatus.FAILED, attempt=7, max_attempts=7)

    only(row).requeue(row)

    assert fresh(row).max_attempts == 7 + DEFAULT_MAX_ATTEMPTS


def test_a_result_from_before_a_requeue_is_refused(kind: Kind) -> None:
    stale = kind.make(JobStatus.PROCESSING)
    only(stale).cancel()
    only(stale).requeue(fresh(stale))
    claim(kind, stale, limit=1)

    assert only(stale).complete(stale, **kind.results) is False


def test_a_requeued_job_is_told_to_its_handler_as_it_is_now(register: Register) -> None:
    seen: list[tuple[str, int]] = []
    register(lambda job: None, requeued=lambda job: seen.append((job.status, job.max_attempts)))
    job = JobFactory.create(probe=True, failed=True)

    Job.objects.requeue(job)

    assert seen == [("QUEUED", 4)]


def test_a_job_that_its_handler_does_not_take_back_stays_as_it_was(register: Register) -> None:
    def refuse(job: Job) -> None:
        raise NotRequeueable("ask for a new one")

    register(lambda job: None, requeued=refuse)
    job = JobFactory.create(probe=True, failed=True)
    before = columns(job)

    with pytest.raises(NotRequeueable, match="ask for a new one"):
        Job.objects.requeue(job)

    assert columns(job) == before


def test_a_job_of_a_type_that_nobody_can_do_is_not_requeued() -> None:
    job = JobFactory.create(failed=True, job_type="RETIRED")

    with pytest.raises(UnknownJobType, match="RETIRED"):
        Job.objects.requeue(job)

    assert fresh(job).status == JobStatus.FAILED


def test_a_job_is_not_requeued_while_another_of_its_unique_key_is_active() -> None:
    failed = JobFactory.create(probe=True, failed=True, unique_key="nightly")
    JobFactory.create(probe=True, unique_key="nightly")

    with pytest.raises(NotRequeueable, match="unique key"):
        Job.objects.requeue(failed)

    assert fresh(failed).status == JobStatus.FAILED


def test_a_job_is_requeued_when_others_of_its_unique_key_are_over() -> None:
    failed = JobFactory.create(probe=True, failed=True, unique_key="nightly")
    JobFactory.create(probe=True, completed=True, unique_key="nightly")
    JobFactory.create(probe=True, unique_key="hourly")

    assert Job.objects.requeue(failed) is True


def test_a_requeue_rings_the_queue_after_the_commit(
    django_capture_on_commit_callbacks: Any, waiting_rings: Callable[[str], int]
) -> None:
    job = JobFactory.create(probe=True, failed=True)

    with django_capture_on_commit_callbacks(execute=True):
        Job.objects.requeue(job)
        rings_before_commit = waiting_rings(QUEUE)

    assert (rings_before_commit, waiting_rings(QUEUE)) == (0, 1)


def test_a_requeue_that_is_refused_rings_nothing(
    django_capture_on_commit_callbacks: Any, waiting_rings: Callable[[str], int]
) -> None:
    job = JobFactory.create(probe=True, completed=True)

    with django_capture_on_commit_callbacks(execute=True):
        Job.objects.requeue(job)

    assert waiting_rings(QUEUE) == 0


# Priorities


@pytest.mark.parametrize(
    ("priority", "patience"),
    [(JobPriority.URGENT, timedelta(0)), (1, timedelta(hours=1))],
    ids=["urgent", "low, as a number"],
)
def test_another_priority_is_another_deadline(
    priority: JobPriority | int, patience: timedelta
) -> None:
    job = JobFactory.create(probe=True)

    count = only(job).reprioritise(priority)

    assert count == 1
    assert fresh(job).priority == priority
    assert fresh(job).due_by == job.available_at + patience


@pytest.mark.parametrize("status", [*TERMINAL, JobStatus.PROCESSING])
def test_the_priority_of_what_has_begun_stays(status: JobStatus) -> None:
    job = KINDS["job"].make(status)
    before = columns(job)

    count = Job.objects.reprioritise(JobPriority.URGENT)

    assert count == 0
    assert columns(job) == before


def test_an_unknown_priority_is_given_to_no_job() -> None:
    job = JobFactory.create(probe=True)

    with pytest.raises(ValueError, match="9 is not a valid JobPriority"):
        Job.objects.reprioritise(9)

    assert fresh(job).priority == JobPriority.NORMAL


def test_a_job_with_a_higher_priority_is_claimed_first() -> None:
    first, second = JobFactory.create_batch(2, probe=True)
    only(second).reprioritise(JobPriority.URGENT)

    assert claim(KINDS["job"], first, limit=2) == [second, first]


# Workers


def test_a_worker_is_live_until_it_stops_or_falls_silent() -> None:
    live = WorkerFactory.create()
    gone = WorkerFactory.create(gone=True)
    WorkerFactory.create(stopped=True)

    assert list(Worker.objects.live()) == [live]
    assert list(Worker.objects.gone()) == [gone]


def test_a_worker_serves_the_queues_it_names() -> None:
    WorkerFactory.create(queues=["transcription"])
    both = WorkerFactory.create(queues=["transcription", "chunks"])

    assert list(Worker.objects.serving("chunks")) == [both]


def test_a_silent_worker_that_is_renewed_is_live_again() -> None:
    worker = WorkerFactory.create(gone=True)

    count = Worker.objects.renew()

    assert count == 1
    assert list(Worker.objects.live()) == [worker]


def test_a_worker_that_was_given_up_lives_again_when_its_supervisor_renews_it() -> None:
    WorkerFactory.create(stopped=True)

    Worker.objects.renew()

    assert Worker.objects.live().count() == 1


def test_workers_that_ended_long_ago_are_forgotten_and_others_kept() -> None:
    WorkerFactory.create(stopped_at=timezone.now() - timedelta(days=2))
    kept = [WorkerFactory.create(stopped=True), WorkerFactory.create()]

    assert Worker.objects.forget() == 1
    assert set(Worker.objects.all()) == set(kept)


def test_stopping_counts_the_workers_that_had_not_stopped() -> None:
    WorkerFactory.create(stopped=True)
    WorkerFactory.create()

    assert Worker.objects.stop() == 1
    assert not Worker.objects.live().exists()


def loads_of_workers() -> dict[Worker, int]:
    workers: Any = Worker.objects.with_load()
    return {worker: worker.load for worker in workers}


def test_the_load_of_a_worker_is_how_many_rows_it_holds_of_every_kind() -> None:
    busy, idle = WorkerFactory.create_batch(2)
    JobFactory.create_batch(2, processing=True, worker=busy)
    ChunkTaskFactory.create(claimed=True, worker=busy)

    assert loads_of_workers() == {busy: 3, idle: 0}


def test_what_a_worker_no_longer_does_is_no_load() -> None:
    worker = WorkerFactory.create()
    JobFactory.create(completed=True, worker=worker)
    JobFactory.create(failed=True, worker=worker)
    JobFactory.create(cancelled=True, worker=worker)

    assert loads_of_workers() == {worker: 0}


# Rows that cannot be

TIME = timezone.now()
IMPOSSIBLE_WORK: dict[str, dict[str, Any]] = {
    "status_known": {"status": "LOST"},
    "completed_at_iff_terminal": {"completed_at": TIME},
    "lease_iff_processing": {"lease_expires_at": TIME},
    "attempt_within_budget": {"attempt": 4, "max_attempts": 3},
}


@pytest.mark.parametrize("rule", list(IMPOSSIBLE_WORK))
def test_a_row_that_breaks_a_rule_of_all_work_is_refused(kind: Kind, rule: str) -> None:
    with pytest.raises(IntegrityError, match=f"{kind.model.__name__.lower()}_{rule}"):
        kind.factory(**IMPOSSIBLE_WORK[rule])


@pytest.mark.parametrize("status", TERMINAL)
def test_an_end_without_its_time_is_refused(kind: Kind, status: JobStatus) -> None:
    with pytest.raises(IntegrityError, match="completed_at_iff_terminal"):
        kind.make(status, completed_at=None)


def test_running_without_a_lease_is_refused(kind: Kind) -> None:
    with pytest.raises(IntegrityError, match="lease_iff_processing"):
        kind.make(JobStatus.PROCESSING, lease_expires_at=None)


def test_an_unknown_priority_is_refused() -> None:
    with pytest.raises(IntegrityError, match="job_priority_known"):
        JobFactory.create(priority=9)


def test_two_chunks_with_one_index_are_refused() -> None:
    processing = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=processing, index=0)

    with pytest.raises(IntegrityError, match="chunk_one_per_index"):
        ChunkTaskFactory.create(processing=processing, index=0)


@pytest.mark.parametrize(
    "offsets",
    [
        pytest.param((-1, 0, 9, 9), id="before the recording"),
        pytest.param((5, 4, 9, 9), id="core before the audio"),
        pytest.param((0, 5, 5, 9), id="empty core"),
        pytest.param((0, 0, 9, 8), id="core after the audio"),
    ],
)
def test_chunk_offsets_out_of_order_are_refused(offsets: tuple[int, int, int, int]) -> None:
    names = ("start_sample", "core_start_sample", "core_end_sample", "end_sample")

    with pytest.raises(IntegrityError, match="chunk_offsets_ordered"):
        ChunkTaskFactory.create(**dict(zip(names, offsets, strict=True)))


def test_a_completed_chunk_without_a_result_is_refused() -> None:
    with pytest.raises(IntegrityError, match="chunk_result_iff_completed"):
        ChunkTaskFactory.create(completed=True, result=None)


def test_a_result_of_a_chunk_that_is_not_completed_is_refused() -> None:
    with pytest.raises(IntegrityError, match="chunk_result_iff_completed"):
        ChunkTaskFactory.create(claimed=True, result=[])
