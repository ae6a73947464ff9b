"""The repository of work: every transition from every status, the fence, the claim, the rescue."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from jobs.choices import TERMINAL, TRANSITIONS, JobStatus
from jobs.managers import POISON_CRASH_COUNT, Rescue
from jobs.models import Job, Work, Worker
from processing.models import ChunkTask, ProcessingTask
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory

pytestmark = pytest.mark.django_db

#: status -> the trait of a factory that has it; SCHEDULED rows are due, so that they may promote.
TRAITS = {
    JobStatus.QUEUED: "",
    JobStatus.SCHEDULED: "due",
    JobStatus.PROCESSING: "processing",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class Kind:
    """A kind of work: its factory, the trait of its PROCESSING rows, what completing it stores."""

    factory: Any
    processing: str
    results: dict[str, Any]

    def make(self, status: JobStatus, **fields: Any) -> Any:
        trait = self.processing if status == JobStatus.PROCESSING else TRAITS[status]
        return self.factory(**({trait: True} if trait else {}), **fields)

    @property
    def model(self) -> type[Work]:
        model: type[Work] = self.factory._meta.model
        return model


KINDS = {
    "job": Kind(JobFactory, "processing", {}),
    "chunk": Kind(ChunkTaskFactory, "claimed", {"result": [[["heard", 0.0, 0.5, 0.9]]]}),
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
    "cancel": lambda kind, row: only(row).cancel(),
}
FENCED = ["complete", "fail", "retry"]
ENDING = [event for event, (_, target) in TRANSITIONS.items() if target in TERMINAL]

WALK = [
    (kind, event, status, status in TRANSITIONS[event][0])
    for kind in KINDS
    for event in TRANSITIONS
    for status in JobStatus
]


def walk(*, allowed: bool) -> list[Any]:
    return [
        pytest.param(KINDS[kind], event, status, id=f"{kind}-{event}-{status}")
        for kind, event, status, is_allowed in WALK
        if is_allowed is allowed
    ]


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


# Transitions


def test_every_event_has_a_verb() -> None:
    assert set(VERBS) == set(TRANSITIONS)


@pytest.mark.parametrize(("kind", "event", "status"), walk(allowed=True))
def test_an_event_changes_a_row_in_its_sources_to_its_target(
    kind: Kind, event: str, status: JobStatus
) -> None:
    row = kind.make(status)

    answer = VERBS[event](kind, row)

    assert answer
    assert fresh(row).status == TRANSITIONS[event][1]


@pytest.mark.parametrize(("kind", "event", "status"), walk(allowed=False))
def test_an_event_changes_nothing_in_a_row_of_any_other_status(
    kind: Kind, event: str, status: JobStatus
) -> None:
    row = kind.make(status)
    before = columns(row)

    answer = VERBS[event](kind, row)

    assert not answer
    assert columns(row) == before


@pytest.mark.parametrize("event", ENDING)
def test_what_is_over_has_an_end_and_no_lease(kind: Kind, event: str) -> None:
    row = kind.make(JobStatus.PROCESSING)

    VERBS[event](kind, row)

    assert fresh(row).completed_at is not None
    assert fresh(row).lease_expires_at is None


def test_no_event_leads_out_of_a_terminal_status() -> None:
    sources = {status for allowed, _ in TRANSITIONS.values() for status in allowed}

    assert sources.isdisjoint(TERMINAL)


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
