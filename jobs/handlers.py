"""Which code does which work: job types to handlers, queues to the rows they hold.

Applications register in ``AppConfig.ready()``; this is the only way code is ever chosen, so
nothing that Redis or a payload contains can name a function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.exceptions import InvalidPayload, NotFromOutside, NotRequeueable, UnknownJobType

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
    the transaction that gives the job its terminal status, ``requeued`` in the one that takes
    a failed or cancelled job back into its queue; it raises ``NotRequeueable`` to forbid that.
    ``validate`` makes the type one that programs may enqueue: it takes a payload from outside
    and returns the one to store, or raises ``InvalidPayload``.
    """

    job_type: str
    queue_name: str
    run: Callable[[Job], None]
    settled: Callable[[Job], None] = _nothing
    requeued: Callable[[Job], None] = _nothing
    validate: Callable[[dict[str, Any]], dict[str, Any]] | None = None


@dataclass(frozen=True)
class WorkSource:
    """What a queue holds: rows of ``model``, and ``run``, which does one and returns results.

    The results are stored in the columns they name, together with the status COMPLETED.
    ``settled`` is called in the transaction that gives a row its terminal status, ``requeued``
    in the one that takes it back into its queue.
    ``prepare`` is called once before worker processes are forked, to load what they share.
    ``is_heavy`` says that one row may keep a worker busy for long: such rows are claimed one
    by one, and a supervisor keeps one worker free of heavy queues, so that what is quick never
    waits behind them. ``threads`` is how many rows a worker does at once: more than one for
    work that waits, on the network or a disk. A worker that is at one row for longer than
    ``time_limit_seconds`` hangs, and is killed by its supervisor.
    """

    model: type[Work]
    run: Callable[[Any], dict[str, Any]]
    settled: Callable[[Any], None] = _nothing
    requeued: Callable[[Any], None] = _nothing
    prepare: Callable[[], None] = _nothing_to_prepare
    is_heavy: bool = False
    threads: int = 1
    time_limit_seconds: float = 3600.0


_handlers: dict[str, JobHandler] = {}
_sources: dict[str, WorkSource] = {}


def register_job(handler: JobHandler) -> None:
    """Make ``handler.job_type`` a job that workers of ``handler.queue_name`` can do."""
    _handlers[handler.job_type] = handler
    if handler.queue_name not in _sources:
        register_work(handler.queue_name, job_source())


def job_source(**options: Any) -> WorkSource:
    """Return a source of jobs, with the ``options`` of a ``WorkSource``."""
    from jobs.models import Job  # noqa: PLC0415  models load after this registry

    return WorkSource(Job, _run_job, settled=_settle_job, requeued=_requeue_job, **options)


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


def payload_from_outside(job_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the payload to store for a job that a person or a program asks for.

    Raises ``UnknownJobType``, ``NotFromOutside`` for a type whose handler has no ``validate``,
    and the ``InvalidPayload`` that it raises.
    """
    validate = handler_of(job_type).validate
    if validate is None:
        raise NotFromOutside(f"jobs of type {job_type} are not enqueued from outside")
    return validate(payload)


def no_payload(payload: dict[str, Any]) -> dict[str, Any]:
    """The ``validate`` of types that need to know nothing."""
    if payload:
        raise InvalidPayload(f"this type takes no payload, not {', '.join(sorted(payload))}")
    return payload


def settle(work: Work) -> None:
    """Do what follows from the end of ``work``: nothing, when nobody registers it any more."""
    source = _sources.get(work.queue_name)
    if source is not None:
        source.settled(work)


def requeued(work: Work) -> None:
    """Do what follows from taking ``work`` back into its queue, or raise what forbids it."""
    source = _sources.get(work.queue_name)
    if source is None:
        raise NotRequeueable(f"nobody does the work of the queue {work.queue_name!r} any more")
    source.requeued(work)


def is_followed(work: Work) -> bool:
    """Whether something may follow from the end of ``work``, and so may fail with it."""
    source = source_of(work.queue_name)
    if source.settled is not _settle_job:
        return source.settled is not _nothing
    handler = _handlers.get(work.job_type)  # type: ignore[attr-defined]  # it is a job
    return handler is not None and handler.settled is not _nothing


def job_types() -> tuple[str, ...]:
    """Every type of job that has a handler."""
    return tuple(sorted(_handlers))


def types_from_outside() -> tuple[str, ...]:
    """Every type of job that people and programs may ask for."""
    return tuple(name for name in job_types() if _handlers[name].validate is not None)


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


def _requeue_job(job: Job) -> None:
    handler_of(job.job_type).requeued(job)
