"""Bulk actions: each selected row is done once, whatever dies meanwhile, and all is counted."""

import os
import signal
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs import bulk_actions, job_verbs
from jobs.bulk_actions import (
    BULK_ACTION_JOB,
    GONE,
    Asked,
    BulkActionKind,
    Outcome,
    each,
    kind_of,
    register_bulk_action,
    request_bulk_action,
    run_bulk_action,
)
from jobs.choices import JobPriority, JobStatus
from jobs.exceptions import NotRequeueable
from jobs.managers import bulk_action as managers
from jobs.models import BulkAction, BulkActionItem, Job, Worker
from jobs.services.retention import PURGE_JOB, run_purge_job
from jobs.services.runner import JobRunner
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.processes import worker_pool
from tests.waiting import wait_for

#: A runner looks after its connection between jobs, which it can only outside of a transaction.
pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "maintenance"

#: So many rows that a worker is seen before it has done them all.
MANY = 1_000


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_actions, "_kinds", dict(bulk_actions._kinds))


@pytest.fixture
def worker() -> Worker:
    return WorkerFactory.create(queues=[QUEUE])


def kind_of_probe(verb: Any, *, batch_size: int = 2) -> BulkActionKind:
    """Register something to be done to jobs of type PROBE."""
    return register_bulk_action(
        BulkActionKind("probe", Job, verb, "Probe jobs", "Probed {}.", batch_size=batch_size)
    )


def probes(count: int, **fields: Any) -> Any:
    """Make jobs of type PROBE, which no worker of these tests serves; return all there are."""
    for _ in range(count):
        JobFactory.create(job_type="PROBE", queue_name="documents", **fields)
    return Job.objects.filter(job_type="PROBE")


def asked(rows: Any, kind: BulkActionKind = job_verbs.CANCEL, **options: Any) -> BulkAction:
    return request_bulk_action(kind=kind, rows=rows, asked=Asked(**options))


def told(action: BulkAction) -> tuple[str, int, dict[str, int]]:
    """Return status, how many it was done to, and the reasons of the others."""
    action.refresh_from_db()
    return action.status, action.done_count, action.refusals


def test_it_is_done_to_what_was_selected_and_to_nothing_else(worker: Worker) -> None:
    selected = probes(5)
    action = asked(selected.order_by("created_at")[:3])
    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == ("COMPLETED", 3, {})
    assert selected.filter(status=JobStatus.CANCELLED).count() == 3
    assert action.finished_at is not None
    assert not BulkActionItem.objects.exists()


def test_what_no_longer_fits_the_filter_was_selected_all_the_same(worker: Worker) -> None:
    action = asked(probes(1).filter(priority=JobPriority.NORMAL))
    Job.objects.filter(job_type="PROBE").update(priority=JobPriority.HIGH)

    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == ("COMPLETED", 1, {})


def test_refusals_are_counted_by_reason_over_all_batches(worker: Worker) -> None:
    kind_of_probe(job_verbs._cancel)
    rows = probes(3, completed=True) | probes(2, failed=True)
    action = asked(rows | probes(2), kind_of("probe"))

    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == (
        "COMPLETED",
        2,
        {"the job is COMPLETED": 3, "the job is FAILED": 2},
    )
    assert (action.refused_count, action.total_count) == (5, 7)


def test_a_row_that_is_gone_is_refused(worker: Worker) -> None:
    rows = probes(2)
    action = asked(rows)
    rows.first().delete()

    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == ("COMPLETED", 1, {GONE: 1})


def test_reasons_without_end_are_told_together(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managers, "MAX_REASONS", 2)
    kind_of_probe(lambda rows, asked: Outcome(0, Counter(str(row.pk) for row in rows)))
    action = asked(probes(5), kind_of("probe"))

    JobRunner(worker=worker).drain(QUEUE)

    _, _, refusals = told(action)
    assert sum(refusals.values()) == action.refused_count == 5
    assert refusals[managers.OTHER_REASONS] == 3


def test_a_row_of_a_join_is_selected_once() -> None:
    first, second = JobFactory.create(), JobFactory.create()
    JobFactory.create(blocked=True, after=[first, second])

    action = asked(Job.objects.filter(depends_on__in=[first, second]))

    assert action.total_count == 1


def test_asked_for_twice_with_one_key_it_is_one() -> None:
    rows = probes(2)
    first = asked(rows)

    again = request_bulk_action(kind=job_verbs.RETRY, rows=rows, asked=Asked(), pk=first.pk)

    assert (again, again.action) == (first, "jobs.cancel")
    assert Job.objects.filter(job_type=BULK_ACTION_JOB).count() == 1


def test_nothing_selected_is_done_at_once(worker: Worker) -> None:
    action = asked(Job.objects.none())

    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == ("COMPLETED", 0, {})


def test_a_verb_is_told_who_asked_and_what_for(worker: Worker) -> None:
    seen: list[Asked] = []

    def note(rows: Any, asked: Asked) -> Outcome:
        seen.append(asked)
        return Outcome(len(rows))

    user = User.objects.create_user("staff")
    asked(probes(1), kind_of_probe(note), by=user, options={"priority": 4})

    JobRunner(worker=worker).drain(QUEUE)

    assert seen == [Asked(by=user, options={"priority": 4})]


def test_a_batch_that_fails_is_done_by_the_next_attempt_and_nothing_twice(worker: Worker) -> None:
    done: list[Any] = []

    def fail_once(rows: Any, asked: Asked) -> Outcome:
        keys = list(rows.values_list("pk", flat=True))
        done.extend(keys)
        if len(done) == 4:
            raise RuntimeError("the disk is full")
        rows.update(priority=JobPriority.HIGH)
        return Outcome(len(keys))

    action = asked(probes(6), kind_of_probe(fail_once))
    JobRunner(worker=worker).drain(QUEUE)
    assert told(action) == ("PROCESSING", 2, {})

    Job.objects.filter(status=JobStatus.SCHEDULED).update(available_at=timezone.now())
    Job.objects.promote()
    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == ("COMPLETED", 6, {})
    assert sorted(Counter(done).values()) == [1, 1, 1, 1, 2, 2]  # what failed was undone


def test_cancelled_half_way_it_says_how_far_it_came(worker: Worker) -> None:
    def cancel_me(rows: Any, asked: Asked) -> Outcome:
        Job.objects.filter(job_type=BULK_ACTION_JOB).cancel()
        return Outcome(len(rows))

    action = asked(probes(6), kind_of_probe(cancel_me))

    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == ("CANCELLED", 2, {})
    assert BulkActionItem.objects.count() == 4


def test_taken_up_again_it_goes_on_where_it_stopped(worker: Worker) -> None:
    action = asked(probes(3))
    job = Job.objects.about(action.pk).get()
    Job.objects.about(action.pk).cancel()
    assert told(action)[0] == "CANCELLED"

    job.refresh_from_db()
    Job.objects.requeue(job)
    JobRunner(worker=worker).drain(QUEUE)

    assert told(action) == ("COMPLETED", 3, {})


def test_a_worker_that_was_presumed_dead_does_nothing() -> None:
    rows = probes(3)
    action = asked(rows)
    (job,) = Job.objects.claim(queue_name=QUEUE, worker=WorkerFactory.create())
    stale = Job.objects.get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(attempt=2)

    run_bulk_action(stale)

    assert told(action)[1] == 0
    assert rows.filter(status=JobStatus.CANCELLED).count() == 0


def test_other_jobs_have_their_turn_before_it_goes_on(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_actions, "TURN_SECONDS", -1.0)
    action = asked(probes(3))

    JobRunner(worker=worker).drain(QUEUE)

    job = Job.objects.about(action.pk).get()
    assert (job.status, job.error_code, job.max_attempts - job.attempt) == (
        JobStatus.SCHEDULED,
        "next_turn",
        3,
    )


def test_an_action_that_nobody_registers_any_more_fails(worker: Worker) -> None:
    kind_of_probe(job_verbs._cancel)
    action = asked(probes(1), kind_of("probe"))
    bulk_actions._kinds.pop("probe")

    JobRunner(worker=worker).drain(QUEUE)

    status, count, _ = told(action)
    assert (status, count) == ("FAILED", 0)
    assert "'probe'" in action.error_message


def test_each_undoes_what_it_refuses() -> None:
    def half(job: Job) -> None:
        Job.objects.filter(pk=job.pk).update(priority=JobPriority.URGENT)
        raise NotRequeueable("it cannot be done again")

    outcome = each(probes(2), half, NotRequeueable)

    assert (outcome.done_count, outcome.refusals) == (0, {"it cannot be done again": 2})
    assert not Job.objects.filter(priority=JobPriority.URGENT).exists()


def test_what_ended_long_ago_is_forgotten_with_its_rows(settings: Any) -> None:
    settings.JOB_RETENTION_DAYS = 30
    old, recent = asked(probes(1)), asked(probes(1))
    Job.objects.filter(job_type=BULK_ACTION_JOB).cancel()
    BulkAction.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=31))

    run_purge_job(Job())

    assert list(BulkAction.objects.all()) == [recent]
    assert not BulkActionItem.objects.filter(bulk_action=old.pk).exists()


def count_attempts(rows: Any, asked: Asked) -> Outcome:
    count = 0
    for job in rows:
        Job.objects.filter(pk=job.pk).update(crash_count=job.crash_count + 1)
        count += 1
    return Outcome(count)


def test_two_workers_at_one_action_do_each_row_once() -> None:
    action = asked(probes(40), kind_of_probe(count_attempts, batch_size=3))
    (job,) = Job.objects.claim(queue_name=QUEUE, worker=WorkerFactory.create())

    at_once([lambda: run_bulk_action(Job.objects.get(pk=job.pk))] * 3)

    assert told(action)[1] == 40
    counts = Job.objects.filter(job_type="PROBE").values_list("crash_count", flat=True)
    assert set(counts) == {1}


def test_killed_half_way_it_neither_repeats_nor_forgets_a_row() -> None:
    known = {"job_type": PURGE_JOB, "queue_name": "documents"}  # which no worker serves here
    Job.objects.bulk_create([Job(**known) for _ in range(MANY)])
    action = asked(Job.objects.filter(job_type=PURGE_JOB))

    def is_half_way() -> bool:
        action.refresh_from_db()
        return 0 < action.settled_count < MANY

    with worker_pool("--queues", QUEUE, "chunks", concurrency=1) as pool:
        wait_for(is_half_way, every=0.005)
        for pid in pool.worker_pids:
            os.kill(pid, signal.SIGKILL)
        killed_at = told(action)
        wait_for(lambda: told(action)[0] == "COMPLETED")

    assert 0 < killed_at[1] < MANY
    assert told(action) == ("COMPLETED", MANY, {})  # done again, a row would have refused
    assert not BulkActionItem.objects.exists()
