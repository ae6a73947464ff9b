"""How the engines are doing: what they have done, and whether they can be asked just now."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from processing.engines.base import SpeechEngine
from processing.engines.registry import engine_names, get_engine
from processing.engines.remote import breaker_of, guards_of
from processing.exceptions import ProcessingError
from processing.models import Engine
from processing.providers.breaker import BreakerState, CircuitBreaker, CircuitStatus
from processing.providers.limits import LimiterState
from processing.providers.rate_limit import RateLimiter

#: What keeps an engine from being made: a missing package or model, or bad settings.
UNMAKEABLE = (
    ImportError,
    ImproperlyConfigured,
    KeyError,
    OSError,
    ProcessingError,
    TypeError,
    ValueError,
)


class EngineHealth(StrEnum):
    """Whether an engine can be asked; UNKNOWN is a provider's while Redis is away."""

    READY = "ready"
    PAUSED = "paused"
    HALF_OPEN = "half_open"
    OPEN = "open"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class EngineReport:
    """One engine: its record (unsaved where it has none), and how it stands now.

    ``engine`` is None when it cannot be made, for ``reason``. ``limiter`` and ``breaker`` are a
    provider's, None for engines of our own and while Redis is away.
    """

    record: Engine
    engine: SpeechEngine | None
    reason: str = ""
    limiter: LimiterState | None = None
    breaker: BreakerState | None = None

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def health(self) -> EngineHealth:
        if self.engine is None:
            return EngineHealth.UNAVAILABLE
        if not self.engine.is_remote:
            return EngineHealth.READY
        if self.breaker is None or self.limiter is None:
            return EngineHealth.UNKNOWN
        if self.breaker.status != CircuitStatus.CLOSED:
            return EngineHealth(self.breaker.status)
        pauses = [one.paused_seconds for one in self.limiter.dimensions]
        is_paused = any([self.limiter.paused_seconds, *pauses])
        return EngineHealth.PAUSED if is_paused else EngineHealth.READY


def engine_reports() -> list[EngineReport]:
    """Return all engines that are configured or have a record, by name, with one query."""
    return reports_of(_records().values())


def engine_report(name: str) -> EngineReport | None:
    """Return one engine, None for a name that is neither configured nor known from before."""
    record = _records().get(name)
    return None if record is None else reports_of([record])[0]


def reports_of(records: Iterable[Engine]) -> list[EngineReport]:
    """Return how the engines of ``records`` stand; a Redis that is away is asked for one only."""
    reports, is_away = [], False
    for record in records:
        engine, reason = engine_or_reason(record.name)
        limiter = breaker = None
        if engine is not None and record.name in settings.PROVIDERS and not is_away:
            limiter, breaker = _states(record.name)
            is_away = breaker is None
        reports.append(EngineReport(record, engine, reason, limiter, breaker))
    return reports


def names_with_parameter(parameter: str) -> list[str]:
    """Return the names of the engines that understand a parameter, among those that can be made."""
    engines = {name: engine_or_reason(name)[0] for name in engine_names()}
    return [
        name
        for name, engine in engines.items()
        if engine is not None and parameter in engine.parameter_names
    ]


def engine_or_reason(name: str) -> tuple[SpeechEngine | None, str]:
    """Return an engine, or None and why it cannot be made."""
    try:
        return get_engine(name), ""
    except UNMAKEABLE as error:
        return None, str(error) or type(error).__name__


def breaker_named(name: str) -> CircuitBreaker | None:
    """Return a provider's breaker; None for an engine of our own, which has none."""
    return breaker_of(name) if name in settings.PROVIDERS else None


def _records() -> dict[str, Engine]:
    """Return the records by name, empty ones for engines that have none; there are few."""
    records = {record.name: record for record in Engine.objects.all()}
    names = sorted({*records, *engine_names()})
    return {name: records.get(name) or Engine(name=name) for name in names}


def _states(name: str) -> tuple[LimiterState | None, BreakerState | None]:
    """Return what all workers share of a provider; None for what only Redis knows."""
    guards = guards_of(name)
    limiter, breaker = guards.limiter, guards.breaker
    if not (isinstance(limiter, RateLimiter) and isinstance(breaker, CircuitBreaker)):
        return None, None
    breaker_state = breaker.state()
    if not breaker_state.is_shared:
        return None, None
    limiter_state = limiter.state()
    is_known = limiter_state.is_shared or limiter.limit.is_none
    return (limiter_state, breaker_state) if is_known else (None, None)
