"""The commands for jobs as their users call them: output and exit status."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone

from jobs import handlers
from jobs.choices import JobPriority, JobStatus
from jobs.exceptions import InvalidPayload
from jobs.handlers import JobHandler
from jobs.management.follow import follow
from jobs.management.terminal import interruptible
from jobs.managers.work import POISON_CRASH_COUNT
from jobs.models import Job, Work
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory
from tests.processes import environment
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db

#: The queue of jobs of type PROBE.
QUEUE = "maintenance"

#: Work that crashes once more is poison.
LAST_CHANCE = POISON_CRASH_COUNT - 1


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_handlers", dict(handlers._handlers))
    monkeypatch.setattr(handlers, "_sources", dict(handlers._sources))
    handlers.register_job(JobHandler("PROBE", QUEUE, lambda job: None, validate=dict))


@pytest.fixture
def _no_database(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[None]:
    """A server that nobody can reach."""
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", "1")
        yield
    connection.close()


def run(*arguments: str) -> tuple[int, list[str], list[str]]:
    """Return exit status, lines of output and lines of errors of a command."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except CommandError as error:
        status = error.returncode
        err.write(f"{error}\n")
    except SystemExit as error:
        status = int(error.code or 0)
    return status, out.getvalue().splitlines(), err.getvalue().splitlines()


def status_of(work: Work) -> str:
    work.refresh_from_db()
    return work.status


def old_job(days: float = 31, **fields: Any) -> Job:
    at = timezone.now() - timedelta(days=days)
    traits = {"failed", "cancelled"} & fields.keys() or {"completed"}
    job: Job = JobFactory.create(completed_at=at, **dict.fromkeys(traits, True) | fields)
    return job


# rescue


def test_rescue_requeues_what_lost_its_worker_and_rings(redis_connection: redis.Redis) -> None:
    job, chunk = JobFactory.create(stalled=True), ChunkTaskFactory.create(stalled=True)
    running = JobFactory.create(processing=True)

    status, out, _ = run("rescue")

    assert status == 0
    assert out == [
        f"job {job.pk}: requeued",
        f"chunk task {chunk.pk}: requeued",
        "2 requeued, 0 given up as poison",
    ]
    assert [status_of(work) for work in (job, chunk, running)] == [
        *[JobStatus.QUEUED] * 2,
        JobStatus.PROCESSING,
    ]
    assert redis_connection.llen("rq:queue:transcription") == 1
    assert redis_connection.llen("rq:queue:chunks") == 1


def test_rescue_says_what_it_gave_up() -> None:
    poison = JobFactory.create(stalled=True, crash_count=LAST_CHANCE, job_type="PROBE")

    status, out, _ = run("rescue")

    assert status == 0
    assert out == [f"job {poison.pk}: given up as poison", "0 requeued, 1 given up as poison"]
    assert status_of(poison) == JobStatus.FAILED


def test_a_dry_rescue_says_what_it_would_do_and_does_nothing() -> None:
    stalled = JobFactory.create(stalled=True)
    poison = JobFactory.create(stalled=True, crash_count=LAST_CHANCE)

    status, out, _ = run("rescue", "--dry-run")

    assert status == 0
    assert out == [
        f"job {stalled.pk}: would be requeued",
        f"job {poison.pk}: would be given up as poison",
        "1 would be requeued, 1 would be given up as poison",
    ]
    assert [status_of(work) for work in (stalled, poison)] == [JobStatus.PROCESSING] * 2


def test_rescue_of_what_cannot_be_given_up_fails_and_names_it() -> None:
    def refuse(job: Job) -> None:
        raise KeyError("processing_id")

    handlers.register_job(JobHandler("PROBE", QUEUE, lambda job: None, settled=refuse))
    stuck = JobFactory.create(
        stalled=True, crash_count=LAST_CHANCE, job_type="PROBE", queue_name=QUEUE
    )

    status, out, err = run("rescue")

    assert status == 1
    assert f"job {stuck.pk}: stuck" in out
    assert err == ["1 could not be given up: what follows from their end fails"]


# purge_jobs


def test_purge_jobs_deletes_what_ended_long_ago_and_says_how_many() -> None:
    old_job()
    recent = old_job(29)

    assert run("purge_jobs", "--older-than", "30d") == (0, ["Deleted 1 jobs."], [])
    assert Job.objects.get() == recent


def test_purge_jobs_deletes_only_jobs_that_ended_as_named() -> None:
    old_job(failed=True)
    old_job(cancelled=True)
    completed = old_job()

    status, out, _ = run(
        "purge_jobs", "--older-than", "12h", "--status", "FAILED", "CANCELLED", "--batch-size", "1"
    )

    assert (status, out) == (0, ["Deleted 2 jobs."])
    assert Job.objects.get() == completed


def test_a_dry_purge_counts_and_deletes_nothing() -> None:
    old_job()

    status, out, _ = run("purge_jobs", "--older-than", "30d", "--dry-run")

    assert (status, out) == (0, ["Would delete 1 jobs."])
    assert Job.objects.count() == 1


def test_purge_jobs_shows_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    old_job()
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    _, out, _ = run("purge_jobs", "--older-than", "30d")

    assert "Deleting:   0%" in terminal.getvalue()
    assert "0/1" in terminal.getvalue()
    assert out == ["Deleted 1 jobs."]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param([], "--older-than", id="no age"),
        pytest.param(["--older-than", "30"], "'30' is no length of time", id="no unit"),
        pytest.param(["--older-than", "0d"], "0d is not between", id="no time at all"),
        pytest.param(["--older-than", "-1d"], "expected one argument", id="negative"),
        pytest.param(["--older-than", "1.5h"], "write 90s, 45m, 12h or 30d", id="fraction"),
        pytest.param(["--older-than", "999999999d"], "and 36500d", id="too long"),
        pytest.param(
            ["--older-than", "1d", "--status", "QUEUED"], "invalid choice: 'QUEUED'", id="active"
        ),
        pytest.param(["--older-than", "1d", "--batch-size", "0"], "less than 1", id="batch"),
    ],
)
def test_purge_jobs_refuses_what_it_does_not_understand(arguments: list[str], reason: str) -> None:
    old_job()

    _, _, err = run("purge_jobs", *arguments)

    assert reason in err[-1]
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_purge_ends_between_two_batches_and_says_how_far_it_got() -> None:
    at = timezone.now() - timedelta(days=31)
    count = 5_000
    Job.objects.bulk_create(
        Job(
            queue_name="transcription",
            job_type="TRANSCRIPTION",
            status=JobStatus.COMPLETED,
            completed_at=at + timedelta(seconds=number),
        )
        for number in range(count)
    )
    with subprocess.Popen(
        [sys.executable, "manage.py", "purge_jobs", "--older-than", "30d", "--batch-size", "2"],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: Job.objects.count() < count)

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    left = Job.objects.count()
    assert process.returncode == 130
    assert out == ""
    assert err == f"Stopped: {count - left} jobs are deleted; the same command goes on.\n"
    assert 0 < left < count
    assert left % 2 == 0


def test_a_first_interrupt_is_held_back_and_a_second_one_is_not() -> None:
    reached = []

    def be_interrupted_twice() -> None:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
            reached.append("after the first")
            signal.raise_signal(signal.SIGINT)
            reached.append("after the second")

    with pytest.raises(KeyboardInterrupt):
        be_interrupted_twice()

    assert reached == ["after the first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# job_stats


def test_job_stats_counts_by_queue_and_type_and_names_live_workers() -> None:
    WorkerFactory.create()
    WorkerFactory.create(gone=True)
    JobFactory.create_batch(2)
    JobFactory.create(completed=True, worker=None)

    status, out, err = run("job_stats")

    assert status == 0
    [line] = [line.split() for line in out if line.startswith("transcription  T")]
    assert line[:9] == ["transcription", "TRANSCRIPTION", "0", "0", "2", "0", "1", "0", "0"]
    assert ["transcription", "1"] in [line.split() for line in out]
    assert ["maintenance", "0"] in [line.split() for line in out]
    assert err == []


def test_job_stats_in_json_has_every_figure() -> None:
    WorkerFactory.create(queues=["transcription"])
    JobFactory.create(failed=True, worker=None)

    _, out, _ = run("job_stats", "--format", "json", "--window", "30m")

    document = json.loads("\n".join(out))
    [row] = document["statistics"]
    assert document["window_seconds"] == 1800
    assert (row["queue_name"], row["job_type"]) == ("transcription", "TRANSCRIPTION")
    assert row["counts"]["FAILED"] == 1
    assert set(row["wait"]) == {"p50", "p95", "p99"}
    assert document["live_workers"]["transcription"] == 1
    assert document["unserved"] == []


def test_job_stats_leaves_out_what_ended_before_the_window() -> None:
    old_job()

    _, out, _ = run("job_stats", "--format", "json", "--window", "1h")

    assert json.loads("\n".join(out))["statistics"] == []


@pytest.mark.parametrize("factory", [JobFactory, ChunkTaskFactory], ids=["job", "chunk"])
def test_job_stats_says_when_ready_work_waits_for_a_worker_that_nobody_runs(factory: Any) -> None:
    WorkerFactory.create(queues=["maintenance"])
    WorkerFactory.create(gone=True)
    work = factory.create()

    status, _, err = run("job_stats")

    assert status == 0
    assert err == [f"Ready work waits on {work.queue_name!r}, and no live worker serves it."]


def test_job_stats_says_so_too_of_a_queue_that_is_no_longer_registered() -> None:
    JobFactory.create(queue_name="retired")

    _, out, err = run("job_stats", "--format", "json")

    assert json.loads("\n".join(out))["unserved"] == ["retired"]
    assert err == ["Ready work waits on 'retired', and no live worker serves it."]


def test_job_stats_is_quiet_of_work_that_waits_for_a_time() -> None:
    JobFactory.create(scheduled=True)

    assert run("job_stats")[2] == []


# enqueue


def test_enqueue_prints_the_id_of_a_job_as_it_was_asked_for() -> None:
    WorkerFactory.create(queues=[QUEUE])

    status, [pk], err = run(
        *("enqueue", "PROBE", "--payload", '{"n": 1}', "--priority", "urgent"),
        *("--idempotency-key", "i", "--unique-key", "u", "--expires-in", "1h"),
    )

    job = Job.objects.get(pk=UUID(pk))
    assert (status, err) == (0, [])
    assert (job.job_type, job.payload, job.status) == ("PROBE", {"n": 1}, JobStatus.QUEUED)
    assert (job.priority, job.idempotency_key, job.unique_key) == (JobPriority.URGENT, "i", "u")
    assert job.expires_at is not None
    assert timedelta(minutes=59) < job.expires_at - timezone.now() <= timedelta(hours=1)


def test_enqueue_with_a_delay_schedules_the_job() -> None:
    _, [pk], _ = run("enqueue", "PROBE", "--delay", "10m")

    job = Job.objects.get(pk=pk)
    assert job.status == JobStatus.SCHEDULED
    assert timedelta(minutes=9) < job.available_at - timezone.now() <= timedelta(minutes=10)


def test_enqueue_reads_a_payload_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"from": "stdin"}'))

    _, [pk], _ = run("enqueue", "PROBE", "--payload", "-")

    assert Job.objects.get(pk=pk).payload == {"from": "stdin"}


def test_enqueue_says_when_the_job_existed_already() -> None:
    job = JobFactory.create(completed=True, idempotency_key="once")

    status, out, err = run("enqueue", "PROBE", "--idempotency-key", "once")

    assert (status, out) == (0, [str(job.pk)])
    assert err == ["This job existed already; it is COMPLETED."]


def test_enqueue_says_when_no_live_worker_serves_the_queue() -> None:
    WorkerFactory.create(queues=[QUEUE], gone=True)

    status, out, err = run("enqueue", "PROBE")

    assert (status, len(out)) == (0, 1)
    assert err == [
        "It waits: no live worker serves the queue 'maintenance'. Start one with: manage.py work"
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param(["NOBODY"], "INDEXING, MERGE, PROBE, PURGE_DELIVERIES, PURGE_JOBS", id="type"),
        pytest.param(["PROBE", "--payload", "{"], "this is not JSON", id="no JSON"),
        pytest.param(["PROBE", "--payload", "[]"], "not an object", id="no object"),
        pytest.param(["PROBE", "--payload", '{"a": NaN}'], "not JSON", id="NaN"),
        pytest.param(["PROBE", "--priority", "asap"], "invalid choice: 'asap'", id="priority"),
        pytest.param(
            ["PROBE", "--delay", "2h", "--expires-in", "1h"],
            "it expires before it may begin",
            id="expiry",
        ),
        pytest.param(["PROBE", "--unique-key", ""], "a key has 1 to 200", id="key"),
    ],
)
def test_enqueue_refuses_what_cannot_be_a_job(arguments: list[str], reason: str) -> None:
    status, out, err = run("enqueue", *arguments)

    assert status != 0
    assert out == []
    assert reason in err[-1]
    assert not Job.objects.exists()


def test_enqueue_refuses_a_payload_that_the_type_refuses() -> None:
    def refuse(payload: dict[str, Any]) -> dict[str, Any]:
        raise InvalidPayload("it names no document")

    handlers.register_job(JobHandler("PROBE", QUEUE, lambda job: None, validate=refuse))

    status, _, err = run("enqueue", "PROBE")

    assert (status, err) == (2, ["it names no document"])


def test_enqueue_stores_the_payload_that_the_type_makes_of_it() -> None:
    handlers.register_job(
        JobHandler("PROBE", QUEUE, lambda job: None, validate=lambda payload: {"valid": True})
    )

    _, [pk], _ = run("enqueue", "PROBE")

    assert Job.objects.get(pk=pk).payload == {"valid": True}


def test_waiting_for_a_job_that_failed_ends_with_its_reason() -> None:
    JobFactory.create(failed=True, idempotency_key="once")

    status, _, err = run("enqueue", "PROBE", "--idempotency-key", "once", "--wait")

    assert status == 1
    assert err[-1] == "the job is FAILED: permanent: the engine gave up"


def test_waiting_for_a_job_that_was_cancelled_fails() -> None:
    JobFactory.create(cancelled=True, idempotency_key="once")

    status, _, err = run("enqueue", "PROBE", "--idempotency-key", "once", "--wait")

    assert (status, err[-1]) == (1, "the job is CANCELLED")


@pytest.mark.django_db(transaction=True)
def test_waiting_ends_well_when_the_job_completes() -> None:
    worker = WorkerFactory.create(queues=[QUEUE])

    def do_it() -> None:
        [job] = wait_for(lambda: Job.objects.claim(queue_name=QUEUE, worker=worker))
        time.sleep(0.3)
        Job.objects.complete(job)
        connections.close_all()

    thread = threading.Thread(target=do_it)
    thread.start()
    status, [pk], err = run("enqueue", "PROBE", "--wait")
    thread.join()

    assert status == 0
    assert status_of(Job.objects.get(pk=pk)) == JobStatus.COMPLETED
    assert err[-1] == "PROCESSING"


@pytest.mark.django_db(transaction=True)
def test_waiting_outlasts_a_database_that_goes_away() -> None:
    job = JobFactory.create(processing=True)

    def lose_all_connections_and_complete() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        Job.objects.complete(job)

    def tell(status: str) -> None:
        at_once([lose_all_connections_and_complete])

    follow(job, tell=tell)

    assert job.status == JobStatus.COMPLETED


# all of them


def test_a_database_that_is_out_of_date_is_one_clear_line() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE processing_jobs RENAME unique_key TO not_there_yet")

    status, out, err = run("enqueue", "PROBE", "--unique-key", "one")

    assert (status, out) == (1, [])
    assert err == ["the database is not up to date; run: manage.py migrate"]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["rescue"], id="rescue"),
        pytest.param(["purge_jobs", "--older-than", "1d"], id="purge_jobs"),
        pytest.param(["job_stats"], id="job_stats"),
        pytest.param(["enqueue", "PROBE", "--unique-key", str(uuid4())], id="enqueue"),
    ],
)
@pytest.mark.usefixtures("_no_database")
def test_a_database_that_is_away_is_one_clear_line(arguments: list[str]) -> None:
    status, out, err = run(*arguments)

    assert (status, out) == (1, [])
    assert len(err) == 1
    assert err[0].startswith("the database cannot be used: connection ")


def test_enqueue_refuses_a_type_that_only_the_application_enqueues() -> None:
    handlers.register_job(JobHandler("PROBE", QUEUE, lambda job: None))

    with pytest.raises(CommandError, match="PROBE are not enqueued from outside") as refused:
        call_command("enqueue", "PROBE")

    assert refused.value.returncode == 2
    assert not Job.objects.exists()
