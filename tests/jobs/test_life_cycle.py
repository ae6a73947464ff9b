"""The whole life of jobs, against a model of it in plain Python, in whatever order it comes.

Each verb commits for real, as it does in production, and the rows of an example are deleted
after it. Inside one transaction rolled back per example, which is faster, verbs would only be
savepoints of it: a lock taken outside of a transaction would be no error, the checks that
PostgreSQL defers to the commit would never be made, and nothing would be done on commit.
A DELETE of some rows takes a millisecond; TRUNCATE makes new files for two tables and their
twenty indexes.

Time passes by moving all times of all rows into the past, so nothing sleeps. A lease is one unit
of it, and far longer than an example takes.

``LIFE_CYCLE_EXAMPLES`` and ``LIFE_CYCLE_STEPS`` in the environment make it look further.
"""

import copy
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from django.db.models import F
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pytest_django import Settings

from jobs.choices import ACTIVE, TERMINAL, TRANSITIONS, WAITING, JobPriority, JobStatus
from jobs.exceptions import BulkRefused, InvalidJob, NotRequeueable
from jobs.managers.rescue import Rescue
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS, POISON_CRASH_COUNT
from jobs.models import Job, JobDependency, Worker
from jobs.services import requests
from jobs.services.bulk import bulk_enqueue
from jobs.services.enqueueing import enqueue_job
from jobs.services.requests import JobRequest
from tests.factories.jobs import WorkerFactory
from tests.jobs.conftest import QUEUE, Register

EXAMPLES = int(os.environ.get("LIFE_CYCLE_EXAMPLES", "40"))
STEPS = int(os.environ.get("LIFE_CYCLE_STEPS", "40"))

#: One unit of time, in seconds: as long as a lease.
UNIT = 10_000
TIMES = ("available_at", "due_by", "expires_at", "lease_expires_at", "started_at", "completed_at")

BLOCKED, SCHEDULED, QUEUED = JobStatus.BLOCKED, JobStatus.SCHEDULED, JobStatus.QUEUED
PROCESSING, COMPLETED = JobStatus.PROCESSING, JobStatus.COMPLETED
FAILED, CANCELLED = JobStatus.FAILED, JobStatus.CANCELLED


@dataclass
class Row:
    """What a job should be; times are units on the machine's clock."""

    pk: UUID
    number: int
    status: JobStatus
    available_at: int
    expires_at: int | None = None
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    attempt: int = 0
    crash_count: int = 0
    lease: int | None = None
    worker: UUID | None = None
    error_code: str = ""
    after: set[UUID] = field(default_factory=set)
    idempotency_key: str | None = None
    unique_key: str | None = None

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE


def let_go(row: Row, status: JobStatus, **changes: Any) -> None:
    """Take a row from its worker, if it has one."""
    row.status, row.lease, row.worker = status, None, None
    for name, value in changes.items():
        setattr(row, name, value)


def moment(units: int | None) -> Any:
    return None if units is None else timezone.now() + timedelta(seconds=units * UNIT)


def some(pks: Iterable[UUID], *, most: int) -> st.SearchStrategy[list[UUID]]:
    return st.lists(st.sampled_from(list(pks)), min_size=1, max_size=most, unique=True)


class LifeCycle(RuleBasedStateMachine):
    """Jobs in the database and in a dictionary, through the same events."""

    #: What handlers were told of ends since the example began.
    settled: Counter[tuple[UUID, str]] = Counter()
    ids = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.clock = 0
        self.rows: dict[UUID, Row] = {}
        self.tokens: list[Job] = []
        self.claims: set[tuple[UUID, int]] = set()
        self.ends: Counter[tuple[UUID, str]] = Counter()
        self.final: dict[UUID, dict[str, Any]] = {}
        self.workers = WorkerFactory.create_batch(3)
        type(self).settled = Counter()
        type(self).ids = count(1)

    def teardown(self) -> None:
        JobDependency.objects.all().delete()
        Job.objects.all().delete()
        Worker.objects.all().delete()

    # The model

    def in_status(self, *statuses: JobStatus) -> list[Row]:
        return [row for row in self.rows.values() if row.status in statuses]

    def current(self, token: Job) -> Row | None:
        """Return the row that a token is the claim of."""
        row = self.rows.get(token.pk)
        is_current = row and row.status == PROCESSING and row.attempt == token.attempt
        return row if is_current else None

    def end(self, rows: Iterable[Row], status: JobStatus, error_code: str | None = None) -> None:
        """End rows together, then do what follows from it."""
        ended = list(rows)
        for row in ended:
            row.status, row.lease = status, None
            row.error_code = row.error_code if error_code is None else error_code
            self.ends[row.pk, status] += 1
        for row in ended:
            followers = [other for other in self.in_status(BLOCKED) if row.pk in other.after]
            if status != COMPLETED:
                self.end(followers, CANCELLED, "dependency")
                continue
            for other in followers:
                if all(self.rows[pk].status == COMPLETED for pk in other.after):
                    other.status, other.available_at = QUEUED, self.clock

    def held_by(self, worker: Worker) -> list[Row]:
        return [row for row in self.in_status(PROCESSING) if row.worker == worker.pk]

    def some_claims(self, *, most: int) -> st.SearchStrategy[list[Job]]:
        """Choose among all claims there ever were; those of rows that run, and of these those
        that are current, more often.
        """
        places = range(len(self.tokens))
        running = {row.pk for row in self.in_status(PROCESSING)}
        of_running = [place for place in places if self.tokens[place].pk in running]
        current = [place for place in places if self.current(self.tokens[place])]
        stale = [place for place in of_running if place not in current]
        kinds = [current or places, stale or places, places]
        any_of = st.one_of([st.sampled_from(kind) for kind in kinds])
        chosen = st.lists(any_of, min_size=1, max_size=most, unique=True)
        return chosen.map(lambda chosen: [copy.copy(self.tokens[place]) for place in chosen])

    def named_by(self, idempotency_key: str | None, unique_key: str | None) -> Row | None:
        """Return the first row that has one of the keys."""
        for row in self.rows.values():
            if idempotency_key and row.idempotency_key == idempotency_key:
                return row
            if unique_key and row.unique_key == unique_key and row.is_active:
                return row
        return None

    def add(self, job: Job | UUID, status: JobStatus, **fields: Any) -> None:
        pk = job if isinstance(job, UUID) else job.pk
        assert pk not in self.rows
        self.rows[pk] = Row(pk, len(self.rows), status, **{"available_at": self.clock, **fields})

    # What happens, in few rules: hypothesis leaves out some of them in every example

    @initialize()
    def begin_with_a_diamond(self) -> None:
        top, left, right = (
            enqueue_job(job_type="PROBE", priority=priority)
            for priority in (JobPriority.URGENT, JobPriority.HIGH, JobPriority.LOW)
        )
        for job in (top, left, right):
            self.add(job, QUEUED)
        bottom = enqueue_job(job_type="PROBE", after=[left, right])
        self.add(bottom, BLOCKED, after={left.pk, right.pk})
        last = enqueue_job(job_type="PROBE", after=[bottom, top])
        self.add(last, BLOCKED, after={bottom.pk, top.pk})

    @rule(data=st.data())
    def somebody_asks(self, data: st.DataObject) -> None:
        self.one_of(data, self.enqueue, self.enqueue_after, self.enqueue_in_bulk)

    @rule(data=st.data())
    def a_worker_claims(self, data: st.DataObject) -> None:
        self.claim(data)

    @precondition(lambda self: self.in_status(QUEUED))
    @rule(data=st.data())
    def a_worker_claims_and_is_done(self, data: st.DataObject) -> None:
        self.claim(data)
        self.a_worker_is_done(data)

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def a_worker_is_done(self, data: st.DataObject) -> None:
        self.one_of(data, self.complete, self.complete_all, self.fail, self.retry)

    @precondition(lambda self: self.in_status(PROCESSING))
    @rule(data=st.data())
    def a_worker_goes_on_or_dies(self, data: st.DataObject) -> None:
        self.one_of(data, self.renew, self.lose, self.lose, self.claim_and_lose)

    @rule(data=st.data())
    def time_passes(self, data: st.DataObject) -> None:
        units = data.draw(st.integers(1, 2), label="units")
        span = timedelta(seconds=units * UNIT)
        Job.objects.update(**{name: F(name) - span for name in TIMES})
        self.clock += units
        self.a_sweeper_comes(data)

    @rule(data=st.data())
    def a_sweeper_comes(self, data: st.DataObject) -> None:
        self.one_of(data, self.rescue, self.promote, self.expire, self.purge, self.unblock)

    @rule(data=st.data())
    def people_change_their_minds(self, data: st.DataObject) -> None:
        if self.rows:
            self.one_of(data, self.cancel, self.requeue, self.requeue, self.reprioritise)

    def one_of(self, data: st.DataObject, *verbs: Callable[[st.DataObject], None]) -> None:
        names = [verb.__name__ for verb in verbs]
        getattr(self, data.draw(st.sampled_from(names), label="verb"))(data)

    # Beginnings

    def enqueue(self, data: st.DataObject) -> None:
        delay = data.draw(st.none() | st.integers(1, 3), label="delay")
        life = data.draw(st.none() | st.integers(1, 3), label="life")
        max_attempts = data.draw(st.integers(1, 3), label="max_attempts")
        unique_key = data.draw(st.sampled_from([None, None, "u1", "u2"]), label="unique_key")
        idempotency_key = data.draw(st.sampled_from([None, None, "i1", "i2"]), label="key")
        expires_at = None if life is None else (delay or 0) + life
        existing = self.named_by(idempotency_key, unique_key)

        job = enqueue_job(
            job_type="PROBE",
            priority=data.draw(st.sampled_from(JobPriority), label="priority"),
            max_attempts=max_attempts,
            available_at=moment(delay),
            expires_at=moment(expires_at),
            unique_key=unique_key,
            idempotency_key=idempotency_key,
        )

        if existing is not None:
            assert job.pk == existing.pk
            return
        self.add(
            job,
            SCHEDULED if delay else QUEUED,
            available_at=self.clock + (delay or 0),
            expires_at=None if expires_at is None else self.clock + expires_at,
            max_attempts=max_attempts,
            unique_key=unique_key,
            idempotency_key=idempotency_key,
        )

    def enqueue_after(self, data: st.DataObject) -> None:
        others = data.draw(some([*self.rows, UUID(int=0)], most=3), label="after")
        unique_key = data.draw(st.sampled_from([None, None, None, "u1"]), label="unique_key")
        statuses = {self.rows[pk].status if pk in self.rows else "missing" for pk in others}
        existing = self.named_by(None, unique_key)
        after = [Job(pk=pk) for pk in others]

        if existing is None and statuses & {FAILED, CANCELLED, "missing"}:
            with pytest.raises(InvalidJob, match=r"could not begin|does not exist"):
                enqueue_job(job_type="PROBE", after=after, unique_key=unique_key)
            return
        job = enqueue_job(job_type="PROBE", after=after, unique_key=unique_key)

        if existing is not None:
            assert job.pk == existing.pk
            return
        status = QUEUED if statuses == {COMPLETED} else BLOCKED
        self.add(job, status, after=set(others), unique_key=unique_key)

    def enqueue_in_bulk(self, data: st.DataObject) -> None:
        keys = data.draw(st.lists(st.sampled_from([None, "i1", "i3"]), max_size=3), label="keys")
        bad = data.draw(st.sets(st.integers(0, 3), max_size=1), label="bad")
        continue_on_error = data.draw(st.booleans(), label="continue_on_error")
        asked = [
            JobRequest("PROBE", idempotency_key=key, max_attempts=0 if place in bad else 2)
            for place, key in enumerate(keys)
        ]
        refused = [place for place in range(len(keys)) if place in bad]

        if refused and not continue_on_error:
            with pytest.raises(BulkRefused):
                bulk_enqueue(asked)
            return
        report = bulk_enqueue(asked, continue_on_error=continue_on_error)

        assert [refusal.index for refusal in report.refused] == refused
        for place, (pk, key) in enumerate(zip(report.ids, keys, strict=True)):
            assert (pk is None) is (place in bad)
            if pk is None:
                continue
            existing = self.named_by(key, None)
            assert (place in report.existing) is (existing is not None)
            if existing is None:
                self.add(pk, QUEUED, max_attempts=2, idempotency_key=key)
            else:
                assert existing.pk == pk

    # Work

    def claim(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers), label="worker")
        limit = data.draw(st.integers(1, 4), label="limit")
        due = dict(Job.objects.filter(status=QUEUED).values_list("pk", "due_by"))
        in_order = sorted(self.in_status(QUEUED), key=lambda row: (due[row.pk], row.pk))[:limit]
        suspect = next((i for i, row in enumerate(in_order) if row.crash_count), limit)
        expected = in_order[: max(suspect, 1)]

        claimed = Job.objects.claim(queue_name=QUEUE, worker=worker, limit=limit)

        assert [job.pk for job in claimed] == [row.pk for row in expected]
        for job, row in zip(claimed, expected, strict=True):
            row.status, row.attempt = PROCESSING, row.attempt + 1
            row.lease, row.worker = self.clock + 1, worker.pk
            assert (job.pk, job.attempt) not in self.claims
            self.claims.add((job.pk, job.attempt))
            self.tokens.append(copy.copy(job))

    def renew(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.workers), label="worker")
        held = self.held_by(worker)

        assert Job.objects.held_by([worker.pk]).renew() == len(held)

        for row in held:
            row.lease = self.clock + 1

    def complete(self, data: st.DataObject) -> None:
        [token] = data.draw(self.some_claims(most=1), label="claim")
        row = self.current(token)

        assert Job.objects.complete(token) is (row is not None)

        if row is not None:
            self.end([row], COMPLETED, "")

    def complete_all(self, data: st.DataObject) -> None:
        tokens = data.draw(self.some_claims(most=5), label="claims")
        current = [row for row in map(self.current, tokens) if row is not None]

        accepted = Job.objects.complete_all(tokens)

        assert {job.pk for job in accepted} == {row.pk for row in current}
        assert len(accepted) == len(current)
        self.end(current, COMPLETED, "")

    def fail(self, data: st.DataObject) -> None:
        [token] = data.draw(self.some_claims(most=1), label="claim")
        row = self.current(token)

        assert Job.objects.fail(token, code="error", message="") is (row is not None)

        if row is not None:
            self.end([row], FAILED, "error")

    def retry(self, data: st.DataObject) -> None:
        [token] = data.draw(self.some_claims(most=1), label="claim")
        delay = data.draw(st.integers(0, 2), label="delay")
        row = self.current(token)
        if row is not None and row.attempt >= row.max_attempts:
            return  # its runner fails it instead

        is_retried = Job.objects.retry(token, delay_seconds=delay * UNIT, code="away", message="")

        assert is_retried is (row is not None)
        if row is not None:
            let_go(row, SCHEDULED, available_at=self.clock + delay, error_code="away")

    def lose(self, data: st.DataObject) -> None:
        holders = sorted({row.worker for row in self.in_status(PROCESSING) if row.worker}, key=str)
        holders = [worker.pk for worker in self.workers if worker.pk in holders]
        if not holders:
            return
        pk = data.draw(st.sampled_from(holders), label="worker")
        is_crashed = data.draw(st.sampled_from([True, True, False]), label="crashed")
        held = [row for row in self.in_status(PROCESSING) if row.worker == pk]

        rescue = Job.objects.held_by([pk]).rescue(crashed=is_crashed)

        self.expect_rescued(held, rescue, is_crashed=is_crashed)

    def claim_and_lose(self, data: st.DataObject) -> None:
        self.claim(data)
        self.lose(data)

    # What sweepers do

    def promote(self, data: st.DataObject) -> None:
        due = [row for row in self.in_status(SCHEDULED) if row.available_at <= self.clock]

        assert Job.objects.promote() == len(due)

        for row in due:
            row.status = QUEUED

    def rescue(self, data: st.DataObject) -> None:
        running = self.in_status(PROCESSING)
        stalled = [row for row in running if row.lease is not None and row.lease <= self.clock]

        rescue = Job.objects.stalled().rescue()

        self.expect_rescued(stalled, rescue, is_crashed=True)

    def expect_rescued(self, rows: list[Row], rescue: Rescue, *, is_crashed: bool) -> None:
        poisoned = []
        for row in rows:
            row.crash_count += is_crashed
            if row.crash_count >= POISON_CRASH_COUNT:
                poisoned.append(row)
            else:
                let_go(row, QUEUED, max_attempts=row.max_attempts + 1)
        self.end(poisoned, FAILED, "poison")

        assert set(rescue.poisoned) == {row.pk for row in poisoned}
        assert set(rescue.requeued) == {row.pk for row in rows} - set(rescue.poisoned)

    def expire(self, data: st.DataObject) -> None:
        waiting = self.in_status(*WAITING)
        expired = [row for row in waiting if row.expires_at and row.expires_at <= self.clock]

        assert set(Job.objects.expire()) == {row.pk for row in expired}

        self.end(expired, FAILED, "expired")

    def unblock(self, data: st.DataObject) -> None:
        assert Job.objects.unblock() == 0  # nothing was forgotten

    def purge(self, data: st.DataObject) -> None:
        before = timezone.now() - timedelta(seconds=UNIT)
        old = set(Job.objects.over_since(before)[:2].values_list("pk", flat=True))
        assert old <= {row.pk for row in self.in_status(*TERMINAL)}

        Job.objects.filter(pk__in=old).delete()

        self.rows = {pk: row for pk, row in self.rows.items() if pk not in old}
        self.final = {pk: job for pk, job in self.final.items() if pk not in old}
        for row in self.rows.values():
            row.after -= old

    # What people do

    def cancel(self, data: st.DataObject) -> None:
        chosen = data.draw(some(self.rows, most=2), label="jobs")
        active = [self.rows[pk] for pk in chosen if self.rows[pk].is_active]

        cancelled = Job.objects.filter(pk__in=chosen).cancel()

        assert set(cancelled) == {row.pk for row in active}
        self.end(active, CANCELLED)

    def requeue(self, data: st.DataObject) -> None:
        over = [row.pk for row in self.in_status(*TERMINAL)]
        [pk] = data.draw(some(over or self.rows, most=1), label="job")
        row = self.rows[pk]
        may_be = row.status in TRANSITIONS["requeue"][0]
        is_taken = self.named_by(None, row.unique_key) is not None
        is_unmet = any(self.rows[other].status != COMPLETED for other in row.after)
        job = Job.objects.get(pk=pk)

        if may_be and (is_taken or is_unmet):
            with pytest.raises(NotRequeueable):
                Job.objects.requeue(job)
            return
        assert Job.objects.requeue(job) is may_be

        if may_be:
            attempts = row.attempt + DEFAULT_MAX_ATTEMPTS
            let_go(row, QUEUED, expires_at=None, crash_count=0, max_attempts=attempts)
            row.error_code = ""
            self.final.pop(pk, None)

    def reprioritise(self, data: st.DataObject) -> None:
        chosen = data.draw(some(self.rows, most=3), label="jobs")
        priority = data.draw(st.sampled_from(JobPriority), label="priority")
        waiting = [pk for pk in chosen if self.rows[pk].status in WAITING]

        assert Job.objects.filter(pk__in=chosen).reprioritise(priority) == len(waiting)

    # What always holds

    @invariant()
    def rows_are_as_the_model_has_them(self) -> None:
        columns = ("status", "attempt", "max_attempts", "crash_count", "error_code")
        stored = {job["pk"]: job for job in Job.objects.values("pk", "worker", *TIMES, *columns)}

        assert {pk: tuple(job[name] for name in columns) for pk, job in stored.items()} == {
            pk: tuple(getattr(row, name) for name in columns) for pk, row in self.rows.items()
        }
        for pk, job in stored.items():
            is_running = job["status"] == PROCESSING
            assert (job["lease_expires_at"] is not None) is is_running
            assert (job["completed_at"] is not None) is (job["status"] in TERMINAL)
            if job["status"] not in TERMINAL:
                assert job["worker"] == (self.rows[pk].worker if is_running else None)

    @invariant()
    def what_is_over_changes_only_by_a_requeue(self) -> None:
        over = Job.objects.filter(status__in=TERMINAL).values()
        now = {
            job["id"]: {name: value for name, value in job.items() if name not in TIMES}
            for job in over
        }

        assert {pk: now.get(pk) for pk in self.final} == self.final
        self.final = now

    @invariant()
    def what_follows_from_an_end_is_done_once(self) -> None:
        assert self.settled == self.ends

    @invariant()
    def nothing_waits_for_what_is_over(self) -> None:
        for row in self.in_status(BLOCKED):
            assert any(self.rows[pk].is_active for pk in row.after)
            assert not any(self.rows[pk].status in (FAILED, CANCELLED) for pk in row.after)

    @invariant()
    def keys_are_kept(self) -> None:
        unique = Counter(row.unique_key for row in self.rows.values() if row.is_active)
        idempotent = Counter(row.idempotency_key for row in self.rows.values())
        del unique[None], idempotent[None]
        assert set(unique.values()) | set(idempotent.values()) <= {1}


@pytest.mark.django_db(transaction=True)
def test_jobs_live_as_the_model_says_whatever_happens_to_them(
    register: Register, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEASE_SECONDS = UNIT
    register(
        lambda job: None,
        settled=lambda job: LifeCycle.settled.update([(job.pk, str(job.status))]),
    )
    # Equal examples have equal ids, so that what is due at once comes in the same order again.
    monkeypatch.setattr(requests, "uuid7", lambda: UUID(int=next(LifeCycle.ids)))

    run_state_machine_as_test(
        LifeCycle,
        settings=hypothesis.settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
