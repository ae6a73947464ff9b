"""What a job is asked for with, and the row that comes of it."""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from jobs import handlers
from jobs.choices import JobPriority, JobStatus
from jobs.exceptions import InvalidJob
from jobs.identifiers import uuid7
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS
from jobs.services.priority import PriorityManager

#: The longest key, as the columns have it.
MAX_KEY_LENGTH = 200

#: The most attempts a job may be given: few enough for a rescue to add its own.
MOST_ATTEMPTS = 1_000_000

#: Times from here on, or an hour after them, are in a year that no process could read again.
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)

#: How many objects and lists of a payload may be inside each other: few enough for a process
#: that is itself deep in calls to read them.
MAX_DEPTH = 100

#: The character NUL as JSON writes it: no backslash stands before its own.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

#: Made once: ``json.dumps`` makes one for each call that does not want its defaults.
_encoder = json.JSONEncoder(allow_nan=False, ensure_ascii=False)

_PRIORITIES = tuple(JobPriority.values)

_priority_manager = PriorityManager()


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One job to be enqueued.

    ``available_at`` is when it may begin, ``expires_at`` when nobody wants it any more. A
    workspace has one job per ``idempotency_key``, ever; one job per ``unique_key`` is active.
    """

    job_type: str
    payload: dict[str, Any] = field(default_factory=dict)
    priority: JobPriority | int = JobPriority.NORMAL
    subject_id: UUID | None = None
    workspace_id: UUID | None = None
    created_by_id: int | None = None
    max_attempts: int = DEFAULT_MAX_ATTEMPTS
    available_at: datetime | None = None
    expires_at: datetime | None = None
    idempotency_key: str | None = None
    unique_key: str | None = None


class JobRow(NamedTuple):
    """The columns a new job is written with; the others have defaults in the database."""

    id: UUID
    queue_name: str
    status: str
    job_type: str
    payload: str
    priority: int
    available_at: datetime
    due_by: datetime
    expires_at: datetime | None
    max_attempts: int
    subject_id: UUID | None
    workspace_id: UUID | None
    created_by_id: int | None
    idempotency_key: str | None
    unique_key: str | None
    created_at: datetime


def row_of(request: JobRequest, now: datetime) -> JobRow:
    """Return the row of what is requested at ``now``.

    Raises ``UnknownJobType`` when no handler is registered for the type, and ``InvalidJob``
    for what no job can be, so that a database never refuses a row and all others with it.
    """
    queue_name = handlers.handler_of(request.job_type).queue_name
    if request.priority not in _PRIORITIES:
        known = ", ".join(map(str, _PRIORITIES))
        raise InvalidJob(f"priority {request.priority!r} is none of {known}")
    attempts = request.max_attempts
    if not isinstance(attempts, int) or not 1 <= attempts <= MOST_ATTEMPTS:
        raise InvalidJob(f"max_attempts is {attempts!r}, not a number from 1 to {MOST_ATTEMPTS}")
    available_at = max(_aware(request.available_at) or now, now)
    if request.expires_at is not None and _aware(request.expires_at) <= available_at:
        raise InvalidJob("it expires before it may begin")
    return JobRow(
        id=uuid7(),
        queue_name=queue_name,
        status=JobStatus.QUEUED if available_at == now else JobStatus.SCHEDULED,
        job_type=request.job_type,
        payload=_encoded(request.payload),
        priority=JobPriority(request.priority),
        available_at=available_at,
        due_by=_due_by(available_at, request.priority),
        expires_at=request.expires_at,
        max_attempts=int(attempts),
        subject_id=_uuid(request.subject_id),
        workspace_id=_uuid(request.workspace_id),
        created_by_id=request.created_by_id,
        idempotency_key=_key(request.idempotency_key),
        unique_key=_key(request.unique_key),
        created_at=now,
    )


@lru_cache
def _due_by(available_at: datetime, priority: int) -> datetime:
    """Return a deadline; jobs that come together have it in common."""
    return _priority_manager.due_by(available_at, priority)


def _aware(moment: datetime | None) -> Any:
    if moment is None:
        return None
    if moment.utcoffset() is None:
        raise InvalidJob(f"the time {moment} has no time zone")
    if moment >= END_OF_TIME:
        raise InvalidJob(f"the time {moment} is too far away")
    return moment


def _uuid(identifier: UUID | None) -> UUID | None:
    if identifier is not None and not isinstance(identifier, UUID):
        raise InvalidJob(f"{identifier!r} is no UUID")
    return identifier


def _key(key: str | None) -> str | None:
    if key is not None and (not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable()):
        raise InvalidJob(f"a key has 1 to {MAX_KEY_LENGTH} printable characters, not {len(key)}")
    return key


def _encoded(payload: dict[str, Any]) -> str:
    """Return a payload as JSON that the database takes."""
    if not isinstance(payload, dict):
        raise InvalidJob("its payload is no object")
    try:
        text = _encoder.encode(payload)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidJob(f"its payload is not JSON: {error}") from None
    if "u0000" in text and _NUL.search(text):
        raise InvalidJob("its payload contains the character NUL, which cannot be stored")
    if text.count("{") + text.count("[") > MAX_DEPTH and _is_too_deep(payload):
        raise InvalidJob(f"its payload nests more than {MAX_DEPTH} deep")
    return text


def _is_too_deep(payload: dict[str, Any]) -> bool:
    level: list[Any] = [payload]
    for _ in range(MAX_DEPTH):
        insides = (item.values() if isinstance(item, dict) else item for item in level)
        level = [
            item for inside in insides for item in inside if isinstance(item, dict | list | tuple)
        ]
    return bool(level)
