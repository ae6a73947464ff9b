"""A run that somebody follows: what is known of it, and who waits for more."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from django.db import InterfaceError, OperationalError

from processing.choices import READABLE, ProcessingStatus
from processing.live.account import Account
from processing.live.events import DONE, FAILED, Event
from processing.live.prefix import Prefix
from processing.models import Transcript
from processing.services.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from processing.models import ProcessingTask

#: What is told of a run that nobody has any more.
DELETED = {"status": "DELETED", "code": "deleted", "message": "the transcript was deleted"}
CANCELLED = {"code": "cancelled", "message": "the transcription was cancelled"}

#: Segments of a transcript that are made ready at a look: others wait for theirs meanwhile.
SEGMENTS_AT_ONCE = 1_000

#: Those who follow are woken so many at a time, so often: hundreds at once would keep whoever
#: answers a request meanwhile from the interpreter for as long as all of them together take.
WOKEN_TOGETHER = 16
WAKING_SECONDS = 0.005

#: Columns of a run of which one is another when there is anything to tell.
CHANGING = [
    *("status", "total_chunks", "completed_chunks", "failed_chunks"),
    *("total_samples", "done_samples"),
]


@dataclass(frozen=True)
class News:
    """What is known of a run at a moment; ``end`` is its last event, None until then.

    ``number`` is higher the later that moment is. ``is_left`` when nobody looks any more.
    """

    number: int = 0
    progress: dict[str, Any] | None = None
    account: Account = field(default_factory=Account)
    end: Event | None = None
    is_left: bool = False


class FollowedRun:
    """One run for all who follow it in this process: read once, whoever they are."""

    def __init__(self, pk: UUID) -> None:
        self.pk = pk
        self.follower_count = 0
        self._news = News()
        self._changed = threading.Condition()
        self._seen: tuple[Any, ...] = ()
        self._prefix: Prefix | None = None
        self._telling: Iterator[bool] | None = None
        self._is_behind = False

    @property
    def is_over(self) -> bool:
        return self._news.end is not None or self._news.is_left

    def after(self, number: int, *, seconds: float) -> News:
        """Wait for news after those of a number; return the latest there are after that time."""
        with self._changed:
            self._changed.wait_for(lambda: self._news.number > number, max(seconds, 0.0))
            return self._news

    def leave(self) -> None:
        """Have all who follow it stop."""
        self._tell(is_left=True)

    def look(self, run: ProcessingTask | None) -> bool:
        """Tell what is new in the row and its chunks; return whether there is more to read.

        When that cannot be done, but for a database that is away, who follows is let go.
        """
        try:
            return self._look(run)
        except BaseException as error:
            self._telling = None
            if not isinstance(error, OperationalError | InterfaceError):
                self.leave()
            raise

    def _look(self, run: ProcessingTask | None) -> bool:
        if run is None:
            self._tell(end=Event(FAILED, DELETED))
            return False
        seen = tuple(getattr(run, name) for name in CHANGING)
        if seen == self._seen and not self._is_behind:
            return False
        if run.status in READABLE:
            self._telling = self._telling or self._tell_transcript(run)
            self._is_behind = next(self._telling, False)
        elif run.is_active:
            self._prefix = self._prefix or Prefix(run)
            gained = self._prefix.advance()
            self._news.account.add(gained.segments, gained.gaps)
            self._is_behind = self._prefix.is_behind
            self._tell(progress=progress_of(run))
        else:
            self._tell(progress=progress_of(run), end=_failure(run))
        self._seen = seen
        return self._is_behind and not self.is_over

    def _tell_transcript(self, run: ProcessingTask) -> Iterator[bool]:
        """Tell the transcript as it is now, which may be other than what was heard in chunks.

        Yield True whenever others may be looked at before this goes on.
        """
        transcript = Transcript.objects.filter(pk=run.transcript_id).defer("text", "seams").first()
        if transcript is None:
            self._tell(end=Event(FAILED, DELETED))
            return
        progress, account = progress_of(run), Account()
        account.add([], transcript.gaps)
        for first in range(0, len(transcript.segments), SEGMENTS_AT_ONCE):
            if first:
                self._tell(progress=progress, account=account)
                yield True
            account.add(transcript.segments[first : first + SEGMENTS_AT_ONCE], [])
        self._tell(progress=progress, account=account, end=_end(run, transcript, account))

    def _tell(self, **changes: Any) -> None:
        with self._changed:
            self._news = replace(self._news, number=self._news.number + 1, **changes)
        for first in range(0, self.follower_count, WOKEN_TOGETHER):
            if first:
                time.sleep(WAKING_SECONDS)
            with self._changed:
                self._changed.notify(WOKEN_TOGETHER)


def progress_of(run: ProcessingTask) -> dict[str, Any]:
    """Return how far a run is, as it is told."""
    progress = Progress.of(run)
    return {
        "status": run.status,
        "done_seconds": progress.done_seconds,
        "total_seconds": progress.total_seconds,
        "eta_seconds": progress.eta_seconds,
        "progress_text": str(progress),
    }


def _end(run: ProcessingTask, transcript: Transcript, account: Account) -> Event:
    """Return the end of a run with a transcript, by whose counts it is known to be heard whole."""
    data = {
        "status": run.status,
        "transcript": str(transcript.pk),
        "recording": str(transcript.recording_id),
        "processing": str(run.pk),
        "engine": transcript.engine,
        "language": transcript.language,
        "heard_language": transcript.heard_language,
        "duration_seconds": transcript.duration_seconds,
        "segment_count": account.segment_count,
        "gap_count": account.gap_count,
    }
    return Event(DONE, data)


def _failure(run: ProcessingTask) -> Event:
    if run.status == ProcessingStatus.CANCELLED:
        return Event(FAILED, {"status": run.status, **CANCELLED})
    data = {"status": run.status, "code": run.error_code, "message": run.error_message}
    return Event(FAILED, data)
