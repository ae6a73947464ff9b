"""Joining chunks into one transcript, by index and sample offset, never by who finished first."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from processing.engines.base import SAMPLE_RATE, Speech, Timing
from processing.engines.spacing import spaced
from processing.services.merging.seams import Entry, Overlap, Owner, SeamJoiner
from processing.services.merging.suspicion import Energy, Suspicion
from processing.services.merging.timestamps import TIME_DECIMALS, TimestampAdjuster

JsonObject = dict[str, Any]

#: Without times, so many words for each second of overlap are looked through for what is shared.
TAIL_WORDS_PER_SECOND = 5.0

#: From the most exact to the least; a seam is joined by the less exact of its two sides.
_TIMINGS = (Timing.WORD, Timing.SEGMENT, Timing.NONE)


@dataclass(frozen=True)
class HeardChunk:
    """What is known of one chunk when it is joined.

    Offsets are those of ``ChunkTask``. ``speech`` is what was heard, with times from the first
    sample of the chunk, or None when it failed for ``reason``.
    """

    index: int
    start_sample: int
    core_start_sample: int
    core_end_sample: int
    end_sample: int
    speech: Speech | None
    reason: str = ""
    energy: Energy | None = None


@dataclass(frozen=True)
class Merged:
    """A transcript, as ``Transcript`` stores it, and an account of every overlap.

    Segment: ``start``, ``end``, ``text``, ``words`` (each with ``word``, ``start``, ``end`` and
    ``confidence``, and ``is_cut`` where it may be a part of a word that a gap has the rest of), and
    where there are any ``speaker``, ``flags`` (sorted), and ``is_estimated`` when the engine gave
    no times of words. Gap: ``start``, ``end``,
    ``reason``. Seam: ``at`` (the cut), ``left_chunk``, ``right_chunk``, ``method`` and
    ``matched`` (see ``Joined``), and the words heard by the ``left`` and the ``right`` side
    around the overlap, and ``kept``. Times are seconds on the recording's clock.
    """

    segments: list[JsonObject] = field(default_factory=list)
    gaps: list[JsonObject] = field(default_factory=list)
    seams: list[JsonObject] = field(default_factory=list)


@dataclass(frozen=True)
class Settled(Merged):
    """A part of a transcript that no later chunk changes.

    Those that follow it have no segment that starts before ``until``.
    """

    until: float = 0.0


@dataclass(frozen=True)
class _Side:
    """The chunk that was joined last, without its words.

    ``is_open`` when there was no pause to cut at, so that the cut may go through a word.
    """

    index: int
    end_sample: int
    timing: Timing
    is_open: bool


@dataclass(frozen=True)
class Merger:
    """Joins what was heard in consecutive chunks.

    Where neighbours do not overlap nothing can be lost or doubled; where they do, see
    ``SeamJoiner``. It holds the words of the transcript and of two chunks; of chunks that come
    out of order it also holds those that wait for their predecessors.
    """

    joiner: SeamJoiner = field(default_factory=SeamJoiner)
    suspicion: Suspicion = field(default_factory=Suspicion)

    def merge(self, chunks: Iterable[HeardChunk]) -> Merged:
        """Return the transcript of a recording, or of one channel of it.

        Indices count up by one from that of the chunk whose core begins at sample 0. Raises
        ``ValueError`` when two have the same index.
        """
        merged = Merged()
        for settled in self.settling(chunks):
            merged.segments.extend(settled.segments)
            merged.gaps.extend(settled.gaps)
            merged.seams.extend(settled.seams)
        return merged

    def settling(self, chunks: Iterable[HeardChunk]) -> Iterator[Settled]:
        """Yield what each chunk settles, as soon as it is taken; at the end, what is left.

        Indices are as those of ``merge``. Chunks in order are taken one for one that is yielded.
        """
        pending: list[Entry] = []  # words that the next chunk may have heard, too
        left: _Side | None = None
        is_after_gap = False
        for chunk in _by_index(chunks):
            is_open = chunk.core_end_sample < chunk.end_sample
            edge = chunk.start_sample if is_open else chunk.end_sample
            settled = Settled()
            if chunk.speech is None:
                settled.gaps.append(_gap(chunk))
                if left is not None and left.is_open and not is_after_gap:
                    self._doubt_last(pending, left)
                is_after_gap = True
            else:
                heard = self._entries(chunk, chunk.speech)
                if is_after_gap and chunk.start_sample < chunk.core_start_sample:
                    self._doubt_first(heard, chunk)
                is_after_gap = False
                right = _Side(chunk.index, chunk.end_sample, chunk.speech.timing, is_open)
                if left is not None and chunk.start_sample < left.end_sample:
                    heard, seam = self._joined(pending, heard, left, right, chunk)
                    settled.seams.append(seam)
                else:
                    heard = pending + heard
                count = _settled_count(heard, edge / SAMPLE_RATE) if is_open else len(heard)
                settled.segments.extend(_segments(heard[:count]))
                pending, left = heard[count:], right
            until = min([edge / SAMPLE_RATE, *(entry.word.start for entry in pending)])
            yield replace(settled, until=round(until, TIME_DECIMALS))
        yield Settled(list(_segments(pending)), until=math.inf)

    def _entries(self, chunk: HeardChunk, speech: Speech) -> list[Entry]:
        """Return the words of a chunk on the recording's clock."""
        clock = TimestampAdjuster(chunk.start_sample, chunk.end_sample)
        flags = self.suspicion.flags(speech, chunk.energy)
        entries: list[Entry] = []
        for segment, doubts in zip(speech.segments, flags, strict=True):
            words = [clock.word(word) for word in segment.words]
            if words:
                span = (words[0].start, words[-1].end)
                is_estimated = speech.timing != Timing.WORD
                owner = Owner(span, segment.speaker, is_estimated, doubts)
                entries += [Entry(word, owner) for word in words]
        return entries

    def _doubt_last(self, entries: list[Entry], side: _Side) -> None:
        """Doubt the last word where the audio of a chunk ends in it: its rest is in a gap."""
        edge = side.end_sample / SAMPLE_RATE - self.joiner.cut_seconds
        if entries and entries[-1].word.end > edge:
            entries[-1] = entries[-1].doubted()

    def _doubt_first(self, entries: list[Entry], chunk: HeardChunk) -> None:
        """Doubt the first word where the audio of a chunk begins in it."""
        edge = chunk.start_sample / SAMPLE_RATE + self.joiner.cut_seconds
        if entries and entries[0].word.start < edge:
            entries[0] = entries[0].doubted()

    def _joined(
        self,
        before: list[Entry],
        heard: list[Entry],
        left: _Side,
        right: _Side,
        chunk: HeardChunk,
    ) -> tuple[list[Entry], JsonObject]:
        """Return the words of two neighbours that overlap, and the account of their seam."""
        overlap = _overlap(chunk, left.end_sample)
        timing = max(left.timing, right.timing, key=_TIMINGS.index)
        if timing == Timing.NONE:
            count = math.ceil((overlap.end - overlap.start) * TAIL_WORDS_PER_SECOND)
            first, last = max(len(before) - count, 0), count
        else:
            gate = self.joiner.gate(timing)
            first = next(
                (i for i, e in enumerate(before) if e.word.end > overlap.start - gate), len(before)
            )
            last = sum(1 for e in heard if e.word.start < overlap.end + gate)
        joined = self.joiner.join(before[first:], heard[:last], overlap, timing)
        after = before[first - 1].word.start if first else 0.0
        seam = {
            "at": round(overlap.cut, TIME_DECIMALS),
            "left_chunk": left.index,
            "right_chunk": right.index,
            "method": joined.method,
            "matched": joined.matched,
            "left": _words(before[first:]),
            "right": _words(heard[:last]),
            "kept": _words(joined.kept),
        }
        return before[:first] + _in_order([*joined.kept, *heard[last:]], after=after), seam


def _by_index(chunks: Iterable[HeardChunk]) -> Iterator[HeardChunk]:
    """Yield the chunks in the order of their indices, each as soon as its predecessors are in."""
    waiting: dict[int, HeardChunk] = {}
    following: int | None = None  # not known before the chunk that begins the recording is in
    for chunk in chunks:
        if chunk.index in waiting or (following is not None and chunk.index < following):
            raise ValueError(f"there are two chunks of index {chunk.index}")
        waiting[chunk.index] = chunk
        if following is None and chunk.core_start_sample == 0:
            following = chunk.index
        del chunk  # so that nothing here holds it while the next one is fetched
        while following is not None and following in waiting:
            yield waiting.pop(following)
            following += 1
    yield from (waiting[index] for index in sorted(waiting))


def _overlap(chunk: HeardChunk, left_end_sample: int) -> Overlap:
    """Return what a chunk overlaps with; the cut is its middle where a chunk between failed."""
    cut = chunk.core_start_sample
    if not chunk.start_sample < cut < left_end_sample:
        cut = (chunk.start_sample + left_end_sample) // 2
    return Overlap(*(at / SAMPLE_RATE for at in (chunk.start_sample, cut, left_end_sample)))


def _in_order(entries: Sequence[Entry], *, after: float) -> list[Entry]:
    """Return the words with times that never go back, as those of two sides may."""
    ordered: list[Entry] = []
    for entry in entries:
        start = max(entry.word.start, after)
        word = replace(entry.word, start=start, end=max(start, entry.word.end))
        if ordered and ordered[-1].word.end > start:
            ordered[-1] = replace(ordered[-1], word=replace(ordered[-1].word, end=start))
        ordered.append(replace(entry, word=word))
        after = start
    return ordered


def _settled_count(entries: Sequence[Entry], seconds: float) -> int:
    """Return how many words no later chunk can have heard: whole segments, until ``seconds``."""
    count = next((i for i, e in enumerate(entries) if e.word.start >= seconds), len(entries))
    while 0 < count < len(entries) and entries[count - 1].owner is entries[count].owner:
        count -= 1
    return count


def _gap(chunk: HeardChunk) -> JsonObject:
    clock = TimestampAdjuster(0)
    return {
        "start": clock.seconds(chunk.core_start_sample / SAMPLE_RATE),
        "end": clock.seconds(chunk.core_end_sample / SAMPLE_RATE),
        "reason": chunk.reason,
    }


def _segments(entries: Sequence[Entry]) -> Iterator[JsonObject]:
    for owner, group in groupby(entries, attrgetter("owner")):
        said = list(group)
        words = [entry.word for entry in said]
        segment: JsonObject = {
            "start": words[0].start,
            "end": words[-1].end,
            "text": spaced(word.word for word in words),
            "words": [
                asdict(entry.word) | ({"is_cut": True} if entry.is_cut else {}) for entry in said
            ],
        }
        if owner.speaker:
            segment["speaker"] = owner.speaker
        if owner.flags:
            segment["flags"] = sorted(owner.flags)
        if owner.is_estimated:
            segment["is_estimated"] = True
        yield segment


def _words(entries: Sequence[Entry]) -> list[str]:
    return [entry.word.word for entry in entries]
