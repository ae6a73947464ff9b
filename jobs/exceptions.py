"""What can go wrong with work; the two that matter to a handler are transient and permanent."""


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


class UnknownJobType(PermanentError):
    """No handler is registered for the type."""

    code = "unknown_job_type"
