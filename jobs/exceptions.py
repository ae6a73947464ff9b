"""What can go wrong with work; the two that matter to a handler are transient and permanent."""

from collections.abc import Sequence
from dataclasses import dataclass


class JobsError(Exception):
    """Base of every error of this app."""


class TransientError(JobsError):
    """What failed now may pass later: the work is retried after a backoff.

    ``retry_after_seconds``, when given, is the least time to wait (it wins over the backoff).
    """

    code = "transient"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(JobsError):
    """What failed will fail again: the work is FAILED at once, with ``code`` as its reason."""

    code = "permanent"


class QuotaExceeded(TransientError):
    """A provider's quota is used up: the work is retried when the quota is there again.

    Without ``retry_after_seconds`` it waits as long as the longest backoff.
    """

    code = "quota"


class TooLarge(PermanentError):
    """The work is larger than what does it accepts; the message says the limit."""

    code = "too_large"


class Postponed(JobsError):
    """The work could not begin, and is tried again in ``seconds``; that costs it no attempt.

    What stands in its way is nobody's failure: a rate limit, a service that is known to be away.
    """

    code = "postponed"

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class InLine(Postponed):
    """The work waits for other work of its owner to end, and is never given up for that."""

    code = "in_line"


class NotRequeueable(JobsError):
    """A finished job cannot be done again by itself; the message says what to do instead."""

    code = "not_requeueable"


class InvalidPayload(JobsError):
    """A payload from outside is not what its job type needs; the message says why."""

    code = "invalid_payload"


class NotFromOutside(JobsError):
    """Jobs of the type are enqueued by the application itself and by nobody else."""

    code = "not_from_outside"


class InvalidJob(JobsError):
    """What was to be enqueued cannot be a job; the message says why."""

    code = "invalid_job"


@dataclass(frozen=True)
class Refusal:
    """A request that became no job: its place among the requests, and why."""

    index: int
    code: str
    message: str


class BulkRefused(JobsError):
    """Of ``count`` requests some cannot be jobs, so none was enqueued."""

    code = "bulk_refused"

    def __init__(self, refused: Sequence[Refusal], count: int) -> None:
        first = refused[0]
        super().__init__(
            f"{len(refused)} of {count} jobs were refused, so none was enqueued; "
            f"the first is number {first.index}: {first.message}"
        )
        self.refused = refused


class NoCapableWorker(JobsError):
    """No live worker serves the queue of a job; it waits until one is started."""

    code = "no_capable_worker"


class UnknownJobType(PermanentError):
    """No handler is registered for the type."""

    code = "unknown_job_type"
