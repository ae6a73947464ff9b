"""Measuring how the installation does, once a minute, for trends.

Sweepers call ``sample_if_due`` after each sweep. Of several sweepers the first in a minute
samples; were there two at once, a series would keep what was stored first. Nothing here is as
large as the tables: rows are found by partial indexes, what is ready is counted up to
``COUNT_LIMIT``, and what is over is looked at for one minute. Each question has two seconds; one
that fails leaves its own series without a value, and no other.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Count, F, Min, Q, Sum, Value
from django.db.models.functions import Extract, Greatest, Now
from django.utils import timezone

from caching.models import CacheCounter
from caching.statistics import Event
from jobs import handlers
from jobs import specifications as spec
from jobs.choices import JobStatus
from jobs.managers.job import PERCENTILES, Percentiles
from jobs.models import Work, Worker
from monitoring import catalogue
from monitoring.managers import MINUTE, Sample, minute_of
from monitoring.models import Metric
from processing.models import Engine, ProcessingTask
from processing.providers.circuit import CircuitStatus
from processing.services.engine_health import breaker_named

logger = logging.getLogger(__name__)

#: Key of the advisory lock that elects one sampler; any constant that no one else uses.
SAMPLER_LOCK = 0x73616D70

TIMEOUT_SECONDS = 2

#: Ready rows of a queue are counted up to here: a deeper queue shows this depth.
COUNT_LIMIT = 25_000

#: The oldest ready row of a queue is looked for among so many that are to be handed out first.
OLDEST_AMONG = 1_000

P95 = PERCENTILES.index(0.95)

#: The minute that this process has seen sampled.
_seen: list[datetime] = []


def sample_if_due() -> int:
    """Sample this minute unless that was done; costs nothing when this process knows it was."""
    now = timezone.now()
    if _seen == [minute_of(now)]:
        return 0
    count = sample(now)
    _seen[:] = [minute_of(now)]
    return count


def sample(now: datetime) -> int:
    """Measure everything and store it as the minute of ``now``; return how many values.

    0 when the minute was sampled before, or another sampler is at it.
    """
    minute = minute_of(now)
    with transaction.atomic():
        if not _is_elected() or _is_sampled(minute):
            return 0
        sources: list[Callable[[], Iterable[Sample]]] = [
            *(partial(_waiting, model) for model in handlers.work_models()),
            *(partial(_running, model) for model in handlers.work_models()),
            *(partial(_ended, model, minute) for model in handlers.work_models()),
            _installation,
            _cache,
            _audio,
            _database,
            _providers,
            _files,
        ]
        samples = [one for source in sources for one in _measured(source)]
        return Metric.objects.record_minute(minute, samples)


def _is_elected() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{TIMEOUT_SECONDS}s'")
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SAMPLER_LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])


def _is_sampled(minute: datetime) -> bool:
    return Metric.objects.named([catalogue.WORKERS_LIVE]).filter(time=minute).exists()


def _measured(source: Callable[[], Iterable[Sample]]) -> list[Sample]:
    try:
        with transaction.atomic():
            return list(source())
    except (DatabaseError, OSError) as error:
        logger.warning("a minute goes without some values: %s", error)
        return []


def _queues_of(model: type[Work]) -> list[str]:
    return [name for name in handlers.queue_names() if handlers.source_of(name).model is model]


def _waiting(model: type[Work]) -> Iterator[Sample]:
    for name in _queues_of(model):
        labels = {"queue": name}
        ready = model.objects.ready().on_queue(name)
        depth = ready.order_by()[:COUNT_LIMIT].count()
        yield Sample(catalogue.QUEUE_READY, depth, labels)
        first = ready.in_dispatch_order()[:OLDEST_AMONG]
        age = first.aggregate(age=_seconds(Now() - Min("available_at")))["age"]
        # a queue in which nothing waits keeps nobody waiting
        yield Sample(catalogue.QUEUE_OLDEST_READY_AGE, max(age or 0.0, 0.0), labels)


def _running(model: type[Work]) -> Iterator[Sample]:
    running = model.objects.matching(spec.has_status(JobStatus.PROCESSING)).order_by()
    counts = dict(running.values_list("queue_name").annotate(Count("pk")))
    for name in _queues_of(model):
        yield Sample(catalogue.QUEUE_RUNNING, counts.get(name, 0), {"queue": name})


def _ended(model: type[Work], minute: datetime) -> Iterator[Sample]:
    """Tell what ended in the minute before ``minute``, and how long it had waited and run."""
    ended = model.objects.matching(spec.is_over_within(minute - MINUTE, minute)).order_by()
    began = Q(started_at__isnull=False)
    wait = Greatest(F("started_at") - F("available_at"), Value(timedelta()))
    rows = ended.values("queue_name").annotate(
        completed=Count("pk", filter=Q(status=JobStatus.COMPLETED)),
        failed=Count("pk", filter=Q(status=JobStatus.FAILED)),
        wait=Percentiles(_seconds(wait), filter=began),
        run=Percentiles(_seconds(F("completed_at") - F("started_at")), filter=began),
    )
    found: dict[str, Any] = {row["queue_name"]: row for row in rows}
    for name in _queues_of(model):
        labels = {"queue": name}
        row = found.get(name, {})
        yield Sample(catalogue.QUEUE_COMPLETED, row.get("completed", 0), labels)
        yield Sample(catalogue.QUEUE_FAILED, row.get("failed", 0), labels)
        if row.get("wait"):
            yield Sample(catalogue.QUEUE_WAIT_P95, row["wait"][P95], labels)
        if row.get("run"):
            yield Sample(catalogue.QUEUE_RUN_P95, row["run"][P95], labels)


def _installation() -> Iterator[Sample]:
    yield Sample(catalogue.WORKERS_LIVE, Worker.objects.live().count())
    yield Sample(catalogue.RECORDINGS_IN_PROGRESS, ProcessingTask.objects.active().count())


def _cache() -> Iterator[Sample]:
    names = {Event.HIT: catalogue.CACHE_HITS, Event.MISS: catalogue.CACHE_MISSES}
    counted = CacheCounter.objects.filter(event__in=names).exclude(level="").order_by()
    totals = counted.values_list("level", "event").annotate(Sum("count"))
    for level, event, total in totals:
        yield Sample(names[Event(event)], total, {"level": level})


def _audio() -> Iterator[Sample]:
    for name, seconds in Engine.objects.values_list("name", "audio_seconds"):
        yield Sample(catalogue.AUDIO_TRANSCRIBED, seconds, {"engine": name})


def _database() -> Iterator[Sample]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(numbackends), current_setting('max_connections')::int FROM pg_stat_database"
        )
        used, most = cursor.fetchone() or (0, 0)
    yield Sample(catalogue.DATABASE_CONNECTIONS, used)
    yield Sample(catalogue.DATABASE_CONNECTIONS_MAX, most)


def _providers() -> Iterator[Sample]:
    for name in settings.PROVIDERS:
        breaker = breaker_named(name)
        state = breaker.state() if breaker else None
        if state is None or not state.is_shared:
            continue  # only Redis knows how it stands for all
        labels = {"engine": name}
        is_open = state.status is not CircuitStatus.CLOSED
        yield Sample(catalogue.ENGINE_BREAKER_OPEN, is_open, labels)
        yield Sample(catalogue.ENGINE_CALLS_FAILING, state.failure_count, labels)


def _files() -> Iterator[Sample]:
    yield Sample(catalogue.MEDIA_FREE, shutil.disk_usage(settings.MEDIA_ROOT).free)


def _seconds(span: models.Expression | models.F) -> Extract:
    duration = models.ExpressionWrapper(span, output_field=models.DurationField())
    return Extract(duration, "epoch", output_field=models.FloatField())
