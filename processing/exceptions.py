"""Why a recording is refused or fails: ``code`` is stable, the message is for people."""

from jobs.exceptions import PermanentError


class ProcessingError(PermanentError):
    """Base of every error of this app; trying again would not help."""


class UnknownEngine(ProcessingError):
    """The engine asked for is not configured."""

    code = "unknown_engine"


class UnsupportedLanguage(ProcessingError):
    """The engine does not understand the language asked for."""

    code = "unsupported_language"


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


class AlreadyOver(ProcessingError):
    """The run has ended, so that it cannot be changed; the message names its status."""

    code = "already_over"
