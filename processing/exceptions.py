"""Why a recording is refused or fails: ``code`` is stable, the message is for people."""

from jobs.exceptions import PermanentError, Postponed, TooLarge, TransientError


class ProcessingError(PermanentError):
    """Base of every error of this app; trying again would not help."""


class UnknownEngine(ProcessingError):
    """The engine asked for is not configured."""

    code = "unknown_engine"


class UnsupportedLanguage(ProcessingError):
    """The engine does not understand the language asked for."""

    code = "unsupported_language"


class UnknownParameter(ProcessingError):
    """The engine has no parameter of that name, or no such value for it."""

    code = "unknown_parameter"


class UnreadableAudio(ProcessingError):
    """The file is not audio that we can decode, or it lies about itself."""

    code = "unreadable_audio"


class AudioTooLarge(ProcessingError):
    """The file or its audio is over a limit; the message names the limit."""

    code = "too_large"


class StorageFull(ProcessingError):
    """There is no room to store the file; nothing of it was kept."""

    code = "storage_full"


class NotFinished(ProcessingError):
    """The transcript has nothing to read; the message names its status."""

    code = "not_finished"


class NoGaps(ProcessingError):
    """There is nothing in the transcript to be heard again."""

    code = "no_gaps"


class AlreadyOver(ProcessingError):
    """The run has ended, so that it cannot be changed; the message names its status."""

    code = "already_over"


class UnreadableDocument(ProcessingError):
    """The file is no document that we can read: of another type, broken, or encrypted."""

    code = "unreadable_document"


class DocumentTooLarge(ProcessingError):
    """The document, or what it unpacks to, is over a limit; the message names the limit."""

    code = "too_large"


class BelongsToTranscript(ProcessingError):
    """The document is there because its transcript is; the message says what to do instead."""

    code = "belongs_to_transcript"


class NotConfigured(ProcessingError):
    """What was asked for needs an engine that is not there; the message says how to get it."""

    code = "not_configured"


class NothingToDo(ProcessingError):
    """There is nothing in the document to summarise, translate or correct."""

    code = "nothing_to_do"


class Outdated(ProcessingError):
    """The document was changed since it was read; the message names both versions."""

    code = "outdated"


class InvalidCorrection(ProcessingError):
    """There is no such segment, or what is to be in its place cannot be there."""

    code = "invalid_correction"


class InvalidQuery(ProcessingError):
    """The query, question or filter says nothing that can be looked for."""

    code = "invalid_query"


class NoWorkspace(ProcessingError):
    """Who asks is a member of no workspace, so that there is nothing to be seen or done."""

    code = "no_workspace"


class QuotaReached(ProcessingError):
    """The workspace has had what it may have; the message names the limit and what is used."""

    code = "quota_reached"


class WebhookIsPaused(ProcessingError):
    """Nothing is sent to a webhook that is paused; the message says what to do instead."""

    code = "webhook_paused"


class OffsetMismatch(ProcessingError):
    """The piece of an upload is not the next one; the message says how much is here."""

    code = "offset_mismatch"


class UploadBusy(ProcessingError):
    """Another request is sending a piece of the same upload."""

    code = "upload_busy"


class UploadGone(ProcessingError):
    """What has arrived of the upload is not there any more; it has to be sent anew."""

    code = "upload_gone"


class ChecksumMismatch(ProcessingError):
    """The piece of an upload is not what its checksum says; nothing of it was kept."""

    code = "checksum_mismatch"


class LastManager(ProcessingError):
    """Nobody would manage the workspace any more: another member has to be made manager first."""

    code = "last_manager"


class AlreadyMember(ProcessingError):
    """Who is to be added is a member already; the message says in which role."""

    code = "already_member"


class UnknownUser(ProcessingError):
    """There is nobody of that name who can log in."""

    code = "unknown_user"


class ScopeTooWide(ProcessingError):
    """The key would be allowed more than who asks for it; the message says what they may."""

    code = "scope_too_wide"


class KeyUnusable(ProcessingError):
    """The key was revoked, or has expired, so that no other can follow it."""

    code = "key_unusable"


class ProviderError(Exception):
    """Base of what goes wrong at a provider of speech or text, whatever follows from it.

    Each is also one of the errors that ``jobs`` knows. When another engine is allowed for the
    same work, that one is asked after a permanent error or the last attempt.
    """

    code: str


class ProviderUnavailable(ProviderError, TransientError):
    """No answer: refused or reset connections, time-outs, TLS, and 5xx."""

    code = "provider_unavailable"


class ProviderBusy(ProviderError, TransientError):
    """429: too many requests, for ``retry_after_seconds`` when the provider says so."""

    code = "provider_busy"


class BadAnswer(ProviderError, TransientError):
    """An answer that is none: truncated, of another type, not what was asked for."""

    code = "bad_answer"


class ProviderRefused(ProviderError, PermanentError):
    """400 and the like: the request is wrong, and will be wrong again."""

    code = "provider_refused"


class ProviderUnauthorized(ProviderError, PermanentError):
    """401 or 403: the key is missing, wrong, or not for this."""

    code = "provider_unauthorized"


class ProviderQuotaExhausted(ProviderError, PermanentError):
    """429 with ``insufficient_quota``: somebody has to pay first."""

    code = "insufficient_quota"


class ProviderTooLarge(ProviderError, TooLarge):
    """413: more than the provider accepts at once."""


class EngineIsAway(ProviderError, PermanentError):
    """Nobody asks the engine just now, and there is another that may be asked instead."""

    code = "engine_away"


class RateLimited(Postponed):
    """Our share of a provider's limit is used up; ``dimension`` says of which one."""

    code = "rate_limited"

    def __init__(self, message: str, *, seconds: float, dimension: str) -> None:
        super().__init__(message, seconds=seconds)
        self.dimension = dimension


class BreakerIsOpen(ProviderError, Postponed):
    """The provider has failed too often lately; nobody asks it until a probe has succeeded."""

    code = "breaker_open"


def _codes(error: type[ProviderError]) -> set[str]:
    return {error.code} | {code for each in error.__subclasses__() for code in _codes(each)}


#: Codes of what is the engine's fault or its provider's, so that another may do better.
ENGINE_FAULTS = frozenset(
    code for error in ProviderError.__subclasses__() for code in _codes(error)
)
