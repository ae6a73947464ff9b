"""What is measured once a minute, and that it costs little however much there is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from caching.models import CacheCounter
from jobs import schedules
from jobs.models import Job
from jobs.services import sweeper
from monitoring import catalogue, retention, sampling
from monitoring.catalogue import DEFINITIONS
from monitoring.managers import MINUTE, Sample, minute_of
from monitoring.models import Metric
from monitoring.sampling import sample, sample_if_due
from processing.models import Engine
from tests.concurrency.threads import at_once
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory

pytestmark = pytest.mark.django_db

QUEUE = {"queue": "transcription"}
CHUNKS = {"queue": "chunks"}


@pytest.fixture(autouse=True)
def _unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_seen", [])
    monkeypatch.setattr(schedules, "_schedules", {})


def sampled(now: datetime | None = None) -> Callable[..., float | None]:
    """Sample a minute; return what tells the value of one of its series."""
    now = now or timezone.now()
    sample(now)
    return lambda name, **labels: (
        Metric.objects.filter(name=name, labels=labels, time=minute_of(now))
        .values_list("value", flat=True)
        .first()
    )


def ended_a_minute_ago(now: datetime, **spans: float) -> dict[str, Any]:
    """Return the times of work that ended in the minute before ``now``."""
    end = minute_of(now) - timedelta(seconds=30)
    began = end - timedelta(seconds=spans["run"])
    return {
        "completed_at": end,
        "started_at": began,
        "available_at": began - timedelta(seconds=spans["wait"]),
    }


def test_every_value_has_a_name_of_the_catalogue_and_its_label() -> None:
    JobFactory.create(completed=True, **ended_a_minute_ago(timezone.now(), run=1, wait=1))
    CacheCounter.objects.create(level="L1", prefix="", event="hit", count=1)
    Engine.objects.create(name="sphinx", audio_seconds=1.0)

    sample(timezone.now())

    found = {(row.name, "".join(row.labels)) for row in Metric.objects.all()}
    assert found
    assert found <= {(one.name, one.label) for one in DEFINITIONS.values()}


def test_what_waits_and_what_runs_is_told_of_each_queue() -> None:
    now = timezone.now()
    JobFactory.create(available_at=now - timedelta(seconds=90))
    JobFactory.create(available_at=now - timedelta(seconds=10))
    JobFactory.create(processing=True)
    ChunkTaskFactory.create(claimed=True)

    value = sampled()

    assert value(catalogue.QUEUE_READY, **QUEUE) == 2
    assert value(catalogue.QUEUE_OLDEST_READY_AGE, **QUEUE) == pytest.approx(90, abs=5)
    assert value(catalogue.QUEUE_RUNNING, **QUEUE) == 1
    assert value(catalogue.QUEUE_RUNNING, **CHUNKS) == 1
    assert value(catalogue.QUEUE_READY, **CHUNKS) == 0


def test_what_ended_is_that_of_the_last_whole_minute() -> None:
    now = timezone.now()
    JobFactory.create(completed=True, **ended_a_minute_ago(now, run=4, wait=2))
    JobFactory.create(failed=True, **ended_a_minute_ago(now, run=4, wait=2))
    JobFactory.create(completed=True, completed_at=minute_of(now))
    JobFactory.create(completed=True, **ended_a_minute_ago(now - MINUTE, run=4, wait=2))

    value = sampled(now)

    assert value(catalogue.QUEUE_COMPLETED, **QUEUE) == 1
    assert value(catalogue.QUEUE_FAILED, **QUEUE) == 1
    assert value(catalogue.QUEUE_WAIT_P95, **QUEUE) == pytest.approx(2)
    assert value(catalogue.QUEUE_RUN_P95, **QUEUE) == pytest.approx(4)


def test_chunks_are_work_too() -> None:
    now = timezone.now()
    ChunkTaskFactory.create(completed=True, **ended_a_minute_ago(now, run=3, wait=1))

    value = sampled(now)

    assert value(catalogue.QUEUE_COMPLETED, **CHUNKS) == 1
    assert value(catalogue.QUEUE_RUN_P95, **CHUNKS) == pytest.approx(3)


def test_the_time_of_what_nobody_did_is_no_value() -> None:
    value = sampled()

    assert value(catalogue.QUEUE_COMPLETED, **QUEUE) == 0
    assert value(catalogue.QUEUE_WAIT_P95, **QUEUE) is None


def test_the_installation_is_told_as_a_whole() -> None:
    WorkerFactory.create()
    WorkerFactory.create(gone=True)
    ProcessingTaskFactory.create(splitting=True)
    ProcessingTaskFactory.create(completed=True)
    Engine.objects.create(name="sphinx", audio_seconds=1234.5)

    value = sampled()

    assert value(catalogue.WORKERS_LIVE) == 1
    assert value(catalogue.RECORDINGS_IN_PROGRESS) == 1
    assert value(catalogue.AUDIO_TRANSCRIBED, engine="sphinx") == 1234.5
    assert (value(catalogue.MEDIA_FREE) or 0) > 0
    assert (value(catalogue.DATABASE_CONNECTIONS) or 0) >= 1
    assert (value(catalogue.DATABASE_CONNECTIONS_MAX) or 0) >= 10


def test_a_level_of_the_cache_is_the_sum_of_its_prefixes() -> None:
    for prefix in ("a", "b"):
        CacheCounter.objects.create(level="L2", prefix=prefix, event="hit", count=3)
    CacheCounter.objects.create(level="L2", prefix="a", event="miss", count=2)
    CacheCounter.objects.create(level="", prefix="a", event="load", count=9)

    value = sampled()

    assert value(catalogue.CACHE_HITS, level="L2") == 6
    assert value(catalogue.CACHE_MISSES, level="L2") == 2


def test_a_breaker_is_told_of_remote_engines(settings: Any) -> None:
    settings.PROVIDERS = {"cloud": {"BASE_URL": "https://example.org"}}

    value = sampled()

    assert value(catalogue.ENGINE_BREAKER_OPEN, engine="cloud") == 0
    assert value(catalogue.ENGINE_CALLS_FAILING, engine="cloud") == 0
    assert value(catalogue.ENGINE_BREAKER_OPEN, engine="sphinx") is None


def test_what_cannot_be_measured_leaves_the_rest(settings: Any) -> None:
    settings.MEDIA_ROOT = settings.MEDIA_ROOT / "unmounted"

    value = sampled()

    assert value(catalogue.MEDIA_FREE) is None
    assert value(catalogue.WORKERS_LIVE) == 0


def test_a_minute_is_sampled_once() -> None:
    now = datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC)
    first = sample(now)
    JobFactory.create()

    assert (first > 0, sample(now + timedelta(seconds=58))) == (True, 0)
    assert sample(now + MINUTE) == first


def test_a_series_keeps_the_first_value_of_a_minute() -> None:
    now = timezone.now()
    Metric.objects.record_minute(now, [Sample("depth", 1, QUEUE)])

    stored = Metric.objects.record_minute(now, [Sample("depth", 2, QUEUE), Sample("depth", 3)])

    assert stored == 1
    assert sorted(Metric.objects.values_list("value", flat=True)) == [1, 3]


@pytest.mark.django_db(transaction=True)
def test_of_samplers_at_once_one_samples() -> None:
    now = timezone.now()

    counts = at_once([lambda: sample(now)] * 3)

    assert sorted(map(bool, counts)) == [False, False, True]


def test_a_sweep_samples_and_the_next_one_asks_nothing() -> None:
    with time_machine.travel(datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC), tick=False):
        sweeper.sweep()
        with CaptureQueriesContext(connection) as queries:
            assert sample_if_due() == 0

    assert Metric.objects.filter(name=catalogue.WORKERS_LIVE).count() == 1
    assert not queries.captured_queries


@pytest.fixture
def _failing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("the statement took too long")

    monkeypatch.setattr(sweeper, "_followers", [fail])


@pytest.mark.usefixtures("_failing")
def test_a_sweep_does_its_work_whatever_follows_it() -> None:
    job = JobFactory.create(due=True)

    report = sweeper.sweep()

    job.refresh_from_db()
    assert report is not None
    assert (report.promoted, job.status) == (1, "QUEUED")


def test_old_samples_are_purged(settings: Any) -> None:
    settings.METRICS_RETENTION_DAYS = 30
    now = timezone.now()
    for age in (31, 29):
        Metric.objects.record_minute(now - timedelta(days=age), [Sample("depth", age)])

    retention.run_purge_job(Job())

    assert list(Metric.objects.values_list("value", flat=True)) == [29]


def test_no_retention_keeps_samples_for_ever(settings: Any) -> None:
    settings.METRICS_RETENTION_DAYS = 0
    Metric.objects.record_minute(timezone.now() - timedelta(days=9_999), [Sample("depth", 1)])

    retention.run_purge_job(Job())

    assert Metric.objects.count() == 1
