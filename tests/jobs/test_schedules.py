"""Schedules: each slot becomes one job, whatever is lost and whoever looks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from jobs import schedules
from jobs.choices import JobPriority, JobStatus
from jobs.models import Job
from jobs.schedules import Schedule, due_slots, enqueue_slot, register_schedule
from jobs.services import retention, sweeper
from tests.concurrency.threads import at_once
from tests.jobs.conftest import QUEUE, Register
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

#: Just after a full hour.
NOW = datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _empty_timetable(monkeypatch: pytest.MonkeyPatch, register: Register) -> None:
    monkeypatch.setattr(schedules, "_schedules", {})
    monkeypatch.setattr(schedules, "_seen", {})
    register(lambda job: None)


@pytest.fixture
def _hourly() -> None:
    register_schedule(Schedule("hourly", "0 * * * *", "PROBE"))


def look_at(now: datetime) -> list[datetime]:
    """Sweep at ``now``; return the slots that have had jobs by then."""
    with time_machine.travel(now, tick=False):
        sweeper.sweep()
    return slots()


def slots() -> list[datetime]:
    keys = Job.objects.order_by("created_at").values_list("idempotency_key", flat=True)
    return [datetime.fromisoformat(str(key).split(":", 2)[2]) for key in keys]


def forget_what_was_seen() -> None:
    """Begin as a process that has just started."""
    schedules._seen.clear()


def test_a_slot_becomes_a_job_as_its_schedule_says() -> None:
    register_schedule(Schedule("report", "30 9 * * sun", "PROBE", {"to": "staff"}, JobPriority.LOW))

    look_at(NOW)

    job = Job.objects.get()
    assert (job.job_type, job.queue_name, job.status) == ("PROBE", QUEUE, JobStatus.QUEUED)
    assert (job.payload, job.priority) == ({"to": "staff"}, JobPriority.LOW)
    assert job.idempotency_key == "schedule:report:2026-11-22T09:30Z"


@pytest.mark.usefixtures("_hourly")
def test_a_slot_is_due_at_its_very_moment() -> None:
    at = datetime(2026, 11, 22, 10, tzinfo=UTC)

    assert look_at(at) == [at]


@pytest.mark.usefixtures("_hourly")
def test_a_slot_is_enqueued_once_by_a_sweeper_that_looks_often() -> None:
    look_at(NOW)
    look_at(NOW + timedelta(minutes=1))

    assert len(look_at(NOW + timedelta(minutes=2))) == 1


@pytest.mark.usefixtures("_hourly")
def test_a_slot_is_enqueued_once_by_sweepers_that_start_anew_on_an_emptied_redis(
    redis_connection: redis.Redis,
) -> None:
    look_at(NOW)
    forget_what_was_seen()
    redis_connection.flushdb()

    assert len(look_at(NOW + timedelta(minutes=1))) == 1


@pytest.mark.usefixtures("_hourly")
def test_a_slot_whose_job_is_over_is_not_enqueued_again() -> None:
    look_at(NOW)
    Job.objects.cancel()
    forget_what_was_seen()

    assert len(look_at(NOW + timedelta(minutes=1))) == 1


@pytest.mark.usefixtures("_hourly")
def test_the_next_slot_has_a_job_of_its_own() -> None:
    look_at(NOW)

    found = look_at(NOW + timedelta(hours=1))

    assert [slot.hour for slot in found] == [10, 11]


@pytest.mark.usefixtures("_hourly")
def test_of_the_slots_missed_in_an_outage_the_latest_is_made_up() -> None:
    look_at(NOW)

    found = look_at(NOW + timedelta(hours=7))

    assert [slot.hour for slot in found] == [10, 17]


def test_a_slot_missed_by_more_than_a_day_is_skipped() -> None:
    register_schedule(Schedule("monthly", "0 10 21 * *", "PROBE"))

    assert look_at(NOW) == []


def test_a_slot_missed_by_less_than_a_day_is_made_up() -> None:
    register_schedule(Schedule("monthly", "1 10 21 * *", "PROBE"))

    assert look_at(NOW) == [datetime(2026, 11, 21, 10, 1, tzinfo=UTC)]


@pytest.mark.usefixtures("_hourly")
def test_a_slot_whose_job_was_rolled_back_is_still_due() -> None:
    with time_machine.travel(NOW, tick=False):
        [(schedule, slot)] = due_slots()
        with transaction.atomic():
            enqueue_slot(schedule, slot)
            transaction.set_rollback(True)

        assert due_slots() == [(schedule, slot)]


@pytest.mark.usefixtures("_hourly")
def test_a_slot_that_is_taken_is_asked_for_once_and_then_costs_no_query() -> None:
    look_at(NOW)
    with time_machine.travel(NOW, tick=False):
        first = queries_of(due_slots)
        second = queries_of(due_slots)

    assert len(first) == 1
    assert first[0].startswith("SELECT")
    assert second == []


def test_many_schedules_are_asked_for_in_one_query() -> None:
    for number in range(5):
        register_schedule(Schedule(f"schedule-{number}", "0 * * * *", "PROBE"))

    assert len(queries_of(due_slots)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_hourly")
def test_sweepers_that_find_a_slot_at_once_enqueue_it_once() -> None:
    [(schedule, slot)] = due_slots()

    jobs = at_once([lambda: enqueue_slot(schedule, slot)] * 4)

    assert {job.pk for job in jobs} == {Job.objects.get().pk}


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        pytest.param("60 * * * *", "out of range", id="minute 60"),
        pytest.param("a b c d e", "not acceptable", id="letters"),
        pytest.param("0 0 30 2 *", "failed to find prev date", id="never"),
        pytest.param("* * * *", "no cron expression of five fields", id="four fields"),
        pytest.param("* * * * * *", "no cron expression of five fields", id="seconds"),
        pytest.param("", "no cron expression of five fields", id="empty"),
        pytest.param("R * * * *", "no cron expression of five fields", id="random"),
        pytest.param("r(0-5) * * * *", "no cron expression of five fields", id="random-range"),
    ],
)
def test_a_cron_expression_that_is_none_is_refused_at_start(cron: str, reason: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"'nightly'.*{reason}"):
        Schedule("nightly", cron, "PROBE")


def test_names_of_months_and_days_are_cron() -> None:
    schedule = Schedule("spring", "0 6 * mar thu", "PROBE")

    assert schedule.latest_slot(NOW) == datetime(2026, 3, 26, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"job_type": "NOBODY"}, "no handler for job type 'NOBODY'", id="type"),
        pytest.param({"payload": {"at": NOW}}, "not JSON", id="payload"),
        pytest.param({"priority": 9}, "priority 9", id="priority"),
        pytest.param({"name": "n" * 200}, "a key has 1 to 200", id="name"),
    ],
)
def test_what_could_not_be_enqueued_is_refused_at_start(
    fields: dict[str, Any], reason: str
) -> None:
    given: dict[str, Any] = {"name": "nightly", "cron": "0 3 * * *", "job_type": "PROBE"}

    with pytest.raises(ImproperlyConfigured, match=reason):
        register_schedule(Schedule(**given | fields))


@pytest.mark.usefixtures("_hourly")
def test_two_schedules_of_one_name_are_refused_at_start() -> None:
    with pytest.raises(ImproperlyConfigured, match="two schedules are called 'hourly'"):
        register_schedule(Schedule("hourly", "30 * * * *", "PROBE"))


def test_jobs_are_purged_every_night(settings: Any) -> None:
    settings.JOB_RETENTION_DAYS = 30
    retention.register()

    look_at(NOW)

    assert Job.objects.get().job_type == retention.PURGE_JOB
    assert slots() == [datetime(2026, 11, 22, 3, 17, tzinfo=UTC)]


def test_jobs_that_are_kept_for_ever_are_purged_by_no_schedule(settings: Any) -> None:
    settings.JOB_RETENTION_DAYS = 0
    retention.register()

    assert look_at(NOW) == []
