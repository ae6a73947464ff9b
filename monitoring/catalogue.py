"""Every metric that is sampled: its name, what it means, and how it is read.

Names, units and labels follow the conventions of Prometheus. A label's values are as many as
queues, levels or engines are configured, and no more.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """What a value is counted in."""

    COUNT = "count"
    SECONDS = "seconds"
    BYTES = "bytes"
    RATIO = "ratio"
    PER_SECOND = "per second"


class Kind(StrEnum):
    """A gauge goes up and down; a counter only grows, and is read by its rate."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Fold(StrEnum):
    """What several values are together: of several series, or of the minutes of a bucket."""

    SUM = "sum"
    AVERAGE = "avg"
    MAX = "max"


@dataclass(frozen=True)
class Definition:
    """One metric; ``across`` folds its series into one, ``over`` the minutes of a bucket."""

    name: str
    title: str
    unit: Unit = Unit.COUNT
    kind: Kind = Kind.GAUGE
    label: str = ""
    across: Fold = Fold.SUM
    over: Fold = Fold.AVERAGE


#: Of each queue (label ``queue``), now.
QUEUE_READY: Final = "longhand_queue_ready"
QUEUE_OLDEST_READY_AGE: Final = "longhand_queue_oldest_ready_age_seconds"
QUEUE_RUNNING: Final = "longhand_queue_running"
#: Of each queue, in the last whole minute before the sample.
QUEUE_COMPLETED: Final = "longhand_queue_completed_per_minute"
QUEUE_FAILED: Final = "longhand_queue_failed_per_minute"
QUEUE_WAIT_P95: Final = "longhand_queue_wait_p95_seconds"
QUEUE_RUN_P95: Final = "longhand_queue_run_p95_seconds"
#: Of the installation.
WORKERS_LIVE: Final = "longhand_workers_live"
RECORDINGS_IN_PROGRESS: Final = "longhand_recordings_in_progress"
DATABASE_CONNECTIONS: Final = "longhand_database_connections"
DATABASE_CONNECTIONS_MAX: Final = "longhand_database_connections_max"
MEDIA_FREE: Final = "longhand_media_free_bytes"
#: Of each level of the cache (label ``level``: L1, L2, L3), ever.
CACHE_HITS: Final = "longhand_cache_hits_total"
CACHE_MISSES: Final = "longhand_cache_misses_total"
#: Of each engine (label ``engine``); the breaker and the failing calls of remote ones only.
AUDIO_TRANSCRIBED: Final = "longhand_audio_transcribed_seconds_total"
ENGINE_BREAKER_OPEN: Final = "longhand_engine_breaker_open"
ENGINE_CALLS_FAILING: Final = "longhand_engine_calls_failing"

_QUEUE, _LEVEL, _ENGINE = "queue", "level", "engine"

DEFINITIONS: Final[dict[str, Definition]] = {
    each.name: each
    for each in (
        Definition(QUEUE_READY, "Work that is ready", label=_QUEUE),
        Definition(
            QUEUE_OLDEST_READY_AGE,
            "Age of the oldest ready work",
            Unit.SECONDS,
            label=_QUEUE,
            across=Fold.MAX,
            over=Fold.MAX,
        ),
        Definition(QUEUE_RUNNING, "Work that is running", label=_QUEUE),
        Definition(QUEUE_COMPLETED, "Work completed in a minute", label=_QUEUE),
        Definition(QUEUE_FAILED, "Work failed in a minute", label=_QUEUE),
        Definition(
            QUEUE_WAIT_P95,
            "Wait for a worker, p95",
            Unit.SECONDS,
            label=_QUEUE,
            across=Fold.MAX,
            over=Fold.MAX,
        ),
        Definition(
            QUEUE_RUN_P95,
            "Run time, p95",
            Unit.SECONDS,
            label=_QUEUE,
            across=Fold.MAX,
            over=Fold.MAX,
        ),
        Definition(WORKERS_LIVE, "Workers alive"),
        Definition(RECORDINGS_IN_PROGRESS, "Recordings in progress"),
        Definition(AUDIO_TRANSCRIBED, "Audio transcribed", Unit.SECONDS, Kind.COUNTER, _ENGINE),
        Definition(ENGINE_BREAKER_OPEN, "Breaker open", label=_ENGINE, over=Fold.MAX),
        Definition(ENGINE_CALLS_FAILING, "Calls failing lately", label=_ENGINE, over=Fold.MAX),
        Definition(CACHE_HITS, "Cache hits", kind=Kind.COUNTER, label=_LEVEL),
        Definition(CACHE_MISSES, "Cache misses", kind=Kind.COUNTER, label=_LEVEL),
        Definition(DATABASE_CONNECTIONS, "Connections to the database", over=Fold.MAX),
        Definition(DATABASE_CONNECTIONS_MAX, "Connections that the database allows"),
        Definition(MEDIA_FREE, "Free space for files", Unit.BYTES),
    )
}
