"""Which code does which work: job types to handlers, queues to the rows they hold.

Applications register in ``AppConfig.ready()``; this is the only way code is ever chosen, so
nothing that Redis or a payload contains can name a function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.exceptions import UnknownJobType

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.models import Job, Work


def _nothing(work: Work) -> None:
    """What follows from the end of most work."""


def _nothing_to_prepare() -> None:
    """What most queues need before a fork."""


@dataclass(frozen=True)
class JobHandler:
    """How one type of job is done.

    ``run`` must be idempotent: a job whose worker dies is run again. ``settled`` is called in
    the transaction that gives the job its terminal status.
    """

    job_type: str
    queue_name: str
    run: Callable[[Job], None]
    settled: Callable[[Job], None] = _nothing


@dataclass(frozen=True)
class WorkSource:
    """What a queue holds: rows of ``model``, and ``run``, which does one and returns results.

    The results are stored in the columns they name, together with the status COMPLETED.
    ``settled`` is called in the transaction that gives a row its terminal status.
    ``prepare`` is called once before worker processes are forked, to load what they share.
    ``is_heavy`` says that one row may keep a worker busy for long: a supervisor keeps one
    worker free of heavy queues, so that what is quick never waits behind them. A worker that
    is at one row for longer than ``time_limit_seconds`` hangs, and is killed by its supervisor.
    """

    model: type[Work]
    run: Callable[[Any], dict[str, Any]]
    settled: Callable[[Any], None] = _nothing
    prepare: Callable[[], None] = _nothing_to_prepare
    is_heavy: bool = False
    time_limit_seconds: float = 3600.0


_handlers: dict[str, JobHandler] = {}
_sources: dict[str, WorkSource] = {}


def register_job(handler: JobHandler) -> None:
    """Make ``handler.job_type`` a job that workers of ``handler.queue_name`` can do."""
    from jobs.models import Job  # noqa: PLC0415  models load after this registry

    _handlers[handler.job_type] = handler
    register_work(handler.queue_name, WorkSource(Job, _run_job, _settle_job))


def register_work(queue_name: str, source: WorkSource) -> None:
    """Make ``queue_name`` a queue of rows of ``source.model``."""
    _sources[queue_name] = source


def handler_of(job_type: str) -> JobHandler:
    """Return the handler of a type; raise ``UnknownJobType`` when nothing can do it."""
    try:
        return _handlers[job_type]
    except KeyError:
        known = ", ".join(sorted(_handlers)) or "none"
        raise UnknownJobType(f"no handler for job type {job_type!r}; known: {known}") from None


def settle(work: Work) -> None:
    """Do what follows from the end of ``work``: nothing, when nobody registers it any more."""
    source = _sources.get(work.queue_name)
    if source is not None:
        source.settled(work)


def source_of(queue_name: str) -> WorkSource:
    """Return what a queue holds; KeyError for a queue nobody registered."""
    return _sources[queue_name]


def queue_names() -> tuple[str, ...]:
    """Every registered queue, in the order they were registered: the order workers look."""
    return tuple(_sources)


def sources() -> tuple[WorkSource, ...]:
    """Every registered source."""
    return tuple(_sources.values())


def work_models() -> tuple[type[Work], ...]:
    """Every kind of row that workers claim, each once."""
    return tuple(dict.fromkeys(source.model for source in _sources.values()))


def _run_job(job: Job) -> dict[str, Any]:
    handler_of(job.job_type).run(job)
    return {}


def _settle_job(job: Job) -> None:
    handler = _handlers.get(job.job_type)
    if handler is not None:
        handler.settled(job)
