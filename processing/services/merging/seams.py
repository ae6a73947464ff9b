"""Where two chunks heard the same audio: which words are kept, and of which side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Self

from processing.engines.base import Timing, Word
from processing.services.merging.alignment import (
    EDGE_SECONDS,
    TailAligner,
    TimedAligner,
    normalized,
)
from processing.services.merging.suspicion import Flag

#: So many words in a row are a repetition; every longer one contains them.
REPEATED_WORDS = 3


@dataclass(eq=False)
class Owner:
    """The segment that words came from; ``span`` is its start and end on the recording's clock."""

    span: tuple[float, float]
    speaker: str | None = None
    is_estimated: bool = False
    flags: set[Flag] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Entry:
    """A word on the recording's clock, whose it is, and whether a part of it may be missing."""

    word: Word
    owner: Owner
    is_cut: bool = False

    def doubted(self) -> Self:
        """Return the word as one of which a gap may have a part, and flag its segment."""
        self.owner.flags.add(Flag.CUT_AT_GAP)
        return replace(self, is_cut=True)


@dataclass(frozen=True)
class Overlap:
    """The audio both sides heard, in seconds on the recording's clock, and the cut inside it."""

    start: float
    cut: float
    end: float


@dataclass(frozen=True)
class Joined:
    """What became of an overlap.

    ``matched`` words were heard alike. ``method`` is how the sides were changed: at a match
    ("alignment"), at the cut ("midpoint"), by whole segments ("segment"), or, where there is
    neither text nor time to go by, not at all ("plain": all words of both).
    """

    kept: list[Entry]
    method: str
    matched: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A column of an alignment, with at least one side."""

    left: Entry | None
    right: Entry | None
    is_match: bool

    def entry(self, *, is_left: bool) -> Entry:
        """Return what that side heard, or the other where it heard nothing.

        Of a match it is the longer word: the other was cut at the edge of its clip.
        """
        one, other = (self.left, self.right) if is_left else (self.right, self.left)
        if one is None or other is None:
            found = one or other
            assert found is not None  # noqa: S101 - by construction
            return found
        is_cut = self.is_match and len(normalized(one.word.word)) < len(normalized(other.word.word))
        return other if is_cut else one


@dataclass(frozen=True)
class SeamJoiner:
    """Joins the words that two neighbours heard around an overlap.

    Words heard alike are kept once. Of words heard differently, those of the left side are kept
    up to the match nearest the cut, and from there on those of the right. A word that only
    one side heard is kept on either side of it, with one exception: within ``unsure_seconds``
    of the edge of its own clip, where context is missing, a neighbour that was further from its
    own edge, and heard other words around, is believed.

    ``cut_seconds`` is how near to the edge of its clip a word may be only a part of one.
    ``gate_seconds`` is how far apart the times of one word may be, ``segment_gate_seconds``
    where they are estimated inside segments. Without any times the texts alone decide what is one
    word, and those estimated over the clip, which are good near its edges, what is at an edge:
    what is within ``guessed_unsure_seconds``.
    """

    gate_seconds: float = 0.6
    segment_gate_seconds: float = 2.0
    unsure_seconds: float = 1.0
    guessed_unsure_seconds: float = 1.2
    cut_seconds: float = EDGE_SECONDS

    def join(
        self, left: Sequence[Entry], right: Sequence[Entry], overlap: Overlap, timing: Timing
    ) -> Joined:
        """Return what is kept of the end of the left side and the beginning of the right."""
        places = self._aligned(left, right, overlap, timing)
        matched = sum(place.is_match for place in places)
        if not matched and timing == Timing.NONE:
            return Joined([*left, *right], "plain", 0)
        if not matched and timing == Timing.SEGMENT:
            return Joined(_by_segments(left, right, overlap.cut), "segment", 0)
        switch = _switch(places, overlap.cut, timing)
        halved = [
            (place, number < switch)
            for number, place in enumerate(places)
            if not self._is_overruled(place, left, right, overlap, timing)
        ]
        kept: list[Entry] = []
        for is_before, half in groupby(halved, itemgetter(1)):
            chosen = [
                entry
                for _, run in groupby((place for place, _ in half), attrgetter("is_match"))
                for entry in _chosen(list(run), is_before=is_before)
            ]
            kept += _adopted(chosen, {entry.owner for entry in (left if is_before else right)})
        _flag_repetition(kept, left, right)
        return Joined(kept, "alignment" if matched else "midpoint", matched)

    def gate(self, timing: Timing) -> float:
        """Return how far apart the times of one word may be."""
        return self.gate_seconds if timing == Timing.WORD else self.segment_gate_seconds

    def _aligned(
        self, left: Sequence[Entry], right: Sequence[Entry], overlap: Overlap, timing: Timing
    ) -> list[_Place]:
        left_words, right_words = [e.word for e in left], [e.word for e in right]
        if timing == Timing.NONE:
            columns = TailAligner().align(left_words, right_words)
        else:
            columns = TimedAligner(self.gate(timing), self.cut_seconds).align(
                left_words, right_words, left_end=overlap.end, right_start=overlap.start
            )
        return [
            _Place(
                None if column.left is None else left[column.left],
                None if column.right is None else right[column.right],
                column.is_match,
            )
            for column in columns
        ]

    def _is_overruled(
        self,
        place: _Place,
        left: Sequence[Entry],
        right: Sequence[Entry],
        overlap: Overlap,
        timing: Timing,
    ) -> bool:
        """Whether one side alone heard this, near its edge, and the other side is not deaf."""
        if place.left is not None and place.right is not None:
            return False
        word = place.entry(is_left=True).word
        edges = [(word.start + word.end) / 2 - overlap.start]  # the right side's, then the left's
        edges.append(overlap.end - overlap.start - edges[0])
        own, of_other = edges if place.left is None else reversed(edges)
        unsure = self.guessed_unsure_seconds if timing == Timing.NONE else self.unsure_seconds
        gate = self.gate(timing)
        return own < min(unsure, of_other) and any(
            other.word.start < word.end + gate and other.word.end > word.start - gate
            for other in (left if place.left is None else right)
        )


def _switch(places: Sequence[_Place], cut: float, timing: Timing) -> int:
    """Return the number of the first place that is the right side's."""
    starts = [place.entry(is_left=True).word.start for place in places]
    matches = [number for number, place in enumerate(places) if place.is_match]
    if matches and timing == Timing.NONE:
        return matches[len(matches) // 2]
    if matches:
        return min(matches, key=lambda number: abs(starts[number] - cut))
    return next((number for number, start in enumerate(starts) if start >= cut), len(places))


def _chosen(run: Sequence[_Place], *, is_before: bool) -> list[Entry]:
    """Return what is kept of places in a row that are all matches, or none is.

    Where one side heard a word for each of the other's and more (one word as two, say), its
    words are kept as they are: a mixture would say things twice.
    """
    is_longer_left = any(place.right is None for place in run)
    is_longer_right = any(place.left is None for place in run)
    is_left = is_before if is_longer_left == is_longer_right else is_longer_left
    return [place.entry(is_left=is_left) for place in run]


def _adopted(words: Sequence[Entry], home: set[Owner]) -> list[Entry]:
    """Return the words with those of the other side put into the segment around them."""
    owner = next((entry.owner for entry in words if entry.owner in home), None)
    adopted: list[Entry] = []
    for entry in words:
        if entry.owner in home:
            owner = entry.owner
        adopted.append(replace(entry, owner=owner or entry.owner))
    return adopted


def _by_segments(left: Sequence[Entry], right: Sequence[Entry], cut: float) -> list[Entry]:
    """Return the words of the segments whose middle is on their own side of the cut.

    One on the wrong side is kept as well when nothing that is kept overlaps it in time.
    """
    left_home = {e.owner for e in left if sum(e.owner.span) / 2 < cut}
    right_home = {e.owner for e in right if sum(e.owner.span) / 2 >= cut}

    def is_kept(owner: Owner, home: set[Owner], other_home: set[Owner]) -> bool:
        return owner in home or all(
            other.span[0] >= owner.span[1] or other.span[1] <= owner.span[0] for other in other_home
        )

    return [
        *(entry for entry in left if is_kept(entry.owner, left_home, right_home)),
        *(entry for entry in right if is_kept(entry.owner, right_home, left_home)),
    ]


def _flag_repetition(kept: Sequence[Entry], left: Sequence[Entry], right: Sequence[Entry]) -> None:
    """Flag the segment that says words in a row again which neither side alone heard again."""
    heard = Counter(_grams(left)) | Counter(_grams(right))  # the greater count of the two
    seen: dict[tuple[str, ...], int] = {}
    for place, gram in enumerate(_grams(kept)):
        if place - seen.setdefault(gram, place) >= REPEATED_WORDS and heard[gram] < 2:
            kept[place].owner.flags.add(Flag.REPEATED_ACROSS_SEAM)


def _grams(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    texts = [normalized(entry.word.word) for entry in entries]
    return [
        tuple(texts[place : place + REPEATED_WORDS])
        for place in range(len(texts) - REPEATED_WORDS + 1)
    ]
