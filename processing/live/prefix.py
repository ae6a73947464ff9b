"""What a run has heard from its beginning on, joined chunk by chunk as they are settled."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from jobs.choices import TERMINAL
from processing.models import ChunkTask
from processing.services.joining import heard_chunk, label_channel
from processing.services.merging.merger import Merged, Merger
from processing.services.orchestrator import channels_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from processing.models import ProcessingTask
    from processing.services.merging.merger import HeardChunk, JsonObject, Settled

#: Chunks of a channel that are read at a look: others wait for theirs meanwhile.
CHUNKS_AT_ONCE = 20


class Prefix:
    """The transcript of a run up to the first chunk that is not settled.

    What it gives out follows what it gave out before and is never changed by what is heard
    later: a segment that the next chunk may have heard, too, waits for that. Each chunk is read
    once. Of channels that are heard by themselves the segments come in the order of time, so
    those of one wait for the other.
    """

    def __init__(self, run: ProcessingTask) -> None:
        self._channels = [_Channel(run.pk, number) for number in channels_of(run)]
        self._waiting: list[tuple[float, int, int, JsonObject]] = []
        self._count = 0
        self._gained = Merged()
        #: Whether there was more to read at the last look than was read.
        self.is_behind = False

    def advance(self) -> Merged:
        """Return what follows what was given out, from ``CHUNKS_AT_ONCE`` chunks at most."""
        self.is_behind = False
        for place, channel in enumerate(self._channels):
            count = 0
            for part in channel.advance():
                count += 1
                self._take(part, place, is_only=channel.number is None)
            self.is_behind |= count == CHUNKS_AT_ONCE
        until = min(channel.until for channel in self._channels)
        while self._waiting and self._waiting[0][0] < until:
            self._gained.segments.append(heappop(self._waiting)[-1])
        gained, self._gained = self._gained, Merged()
        return gained

    def _take(self, part: Settled, place: int, *, is_only: bool) -> None:
        """Keep what a channel has settled, for when a look is cut short by an outage, too."""
        self._gained.gaps.extend(part.gaps)
        if is_only:
            self._gained.segments.extend(part.segments)
            return
        for segment in part.segments:
            self._count += 1
            heappush(self._waiting, (segment["start"], place, self._count, segment))


class _Channel:
    """One channel of a run, or all of them mixed (``number`` is None).

    Segments that are still to come start at ``until`` or later.
    """

    def __init__(self, run_id: UUID, number: int | None) -> None:
        self.number = number
        self.until = 0.0
        self._run_id = run_id
        self._index = -1
        self._landed: deque[HeardChunk] = deque()
        self._settling = Merger().settling(self._taken())

    def advance(self) -> Iterator[Settled]:
        """Yield what each chunk settles that has been settled itself since the last time."""
        chunks = ChunkTask.objects.of(self._run_id).filter(channel=self.number).in_order()
        following = chunks.filter(index__gt=self._index).values_list("index", "status")
        landed = [*takewhile(_is_settled, following[:CHUNKS_AT_ONCE])]
        if not landed:
            return
        last, _ = landed[-1]
        for chunk in chunks.filter(index__gt=self._index, index__lte=last):
            self._landed.append(heard_chunk(chunk))
            settled = next(self._settling)
            if self.number is not None:
                label_channel(settled, self.number)
            self._index, self.until = chunk.index, settled.until
            yield settled

    def _taken(self) -> Iterator[HeardChunk]:
        while True:
            yield self._landed.popleft()


def _is_settled(row: tuple[Any, ...]) -> bool:
    _, status = row
    return status in TERMINAL
