"""Errors that cutting adds: ours beside other ways to cut and join, from one run.

The measure is *extra errors per seam*: the edits (insertions, deletions, substitutions) between
what was joined and what was said, less the edits between a hearing in one piece and what was
said, over the number of seams. Both hearings share their noise: each word is heard in one piece
as it is heard by the chunk whose core it lies in, except that nothing is near a clip's
edge there. So away from seams they are equal, and what differs is cutting and joining. A join
may come out below 0: two hearings of one stretch can correct each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from processing.engines.base import Timing, Word
from processing.services.merging.merger import Merger
from tests.bench.pipeline.word_streams import (
    Ears,
    Piece,
    cut_blindly,
    cut_in_pauses,
    hear,
    heard_chunk,
    one_piece,
    talk,
)
from tests.bench.table import Row, Table

SEAMS = 1_000
OVERLAP_SECONDS = 2.0
CHUNK_SECONDS = 20.0
TALK_SECONDS = 600.0

#: Even an engine that hears every word right is not exact about its time.
CLEAN = Ears(jitter_seconds=0.1)
NOISY = Ears(error_rate=0.2, jitter_seconds=0.3)


@dataclass(frozen=True)
class Hearing:
    """One talk as its chunks were heard; ``one_piece_edits`` are the errors without any cut."""

    truth: list[str]
    pieces: list[Piece]
    heard: list[list[Word]]
    timing: Timing
    one_piece_edits: int


Join = Callable[[Hearing], list[str]]


def hearings(
    ears: Ears, *, has_pauses: bool = False, overlap_seconds: float = OVERLAP_SECONDS
) -> list[Hearing]:
    """Return talks with ``SEAMS`` seams or a few more in all."""
    found: list[Hearing] = []
    seams = 0
    while seams < SEAMS:
        seed = len(found)
        spoken = talk(TALK_SECONDS, seed=seed, has_pauses=has_pauses)
        if has_pauses:
            pieces = cut_in_pauses(spoken, CHUNK_SECONDS)
        else:
            pieces = cut_blindly(spoken, CHUNK_SECONDS, overlap_seconds=overlap_seconds, seed=seed)
        heard = [
            hear(spoken, piece, ears, seed=seed, index=index) for index, piece in enumerate(pieces)
        ]
        truth = [word.text for word in spoken]
        edits = Levenshtein.distance(one_piece(spoken, pieces, ears, seed=seed), truth)
        found.append(Hearing(truth, pieces, heard, ears.timing, edits))
        seams += len(pieces) - 1
    return found


def extra_errors(join: Join, of: Sequence[Hearing]) -> float:
    """Return the extra errors per seam, see above."""
    extra = sum(Levenshtein.distance(join(one), one.truth) - one.one_piece_edits for one in of)
    return extra / sum(len(one.pieces) - 1 for one in of)


def lost_and_doubled(join: Join, of: Sequence[Hearing]) -> tuple[int, int]:
    """Return how many words that were said are missing, and how many were not said."""
    edits = [edit.tag for one in of for edit in Levenshtein.editops(one.truth, join(one))]
    return len(edits) - edits.count("insert"), len(edits) - edits.count("delete")


def ours(hearing: Hearing) -> list[str]:
    """Join as the pipeline does."""
    chunks = (
        heard_chunk(index, piece, words, hearing.timing)
        for index, (piece, words) in enumerate(zip(hearing.pieces, hearing.heard, strict=True))
    )
    return [word["word"] for s in Merger().merge(chunks).segments for word in s["words"]]


def plain(hearing: Hearing) -> list[str]:
    """Put one after the other."""
    return [word.word for words in hearing.heard for word in words]


def midpoint(hearing: Hearing) -> list[str]:
    """Take each word from the chunk in whose core its middle lies."""
    return [
        word.word
        for piece, words in zip(hearing.pieces, hearing.heard, strict=True)
        for word in words
        if piece.core_start <= (word.start + word.end) / 2 < piece.core_end
    ]


def position_wise(hearing: Hearing) -> list[str]:
    """Slide one list over the other, as transformers' ``_find_longest_common_sequence`` does.

    Of all ways to lay the end of the left over the beginning of the right it takes the one with
    most equal words at equal positions, and changes sides in its middle.
    """
    joined: list[str] = []
    left = [word.word for word in hearing.heard[0]]
    for words, (one, other) in zip(hearing.heard[1:], pairwise(hearing.pieces), strict=True):
        right = [word.word for word in words]
        most = min(len(left), len(right), int((one.end - other.start) * 6) + 6)
        best, place = 0.0, (len(left), 0)
        for size in range(1, most + 1):
            pairs = zip(left[-size:], right[:size], strict=True)
            equal = sum(a == b for a, b in pairs)
            worth = equal / size + size / 10_000
            if equal > 1 and worth > best:
                best, place = worth, (len(left) - size + size // 2, size // 2)
        joined += left[: place[0]]
        left = right[place[1] :]
    return joined + left


def bench_seams(table: Table) -> None:
    """Measure all and add a row for each figure; the limits are promises of the design."""
    with_pauses = hearings(CLEAN, has_pauses=True)
    lost, doubled = lost_and_doubled(ours, with_pauses)
    table.add(Row("words lost, 1,000 cuts in pauses", lost, 1, "words", limit=0.0))
    table.add(Row("words doubled, 1,000 cuts in pauses", doubled, 1, "words", limit=0.0))
    for name, ears, allowed in (("clean", CLEAN, 0.02), ("20 % errors", NOISY, 0.15)):
        blind = hearings(ears, overlap_seconds=0.0)
        overlapping = hearings(ears)
        figure = extra_errors(ours, overlapping)
        table.add(Row(f"extra errors, no pauses, {name}", figure, allowed, "per seam", limit=1.0))
        for peer, join, of in (
            ("blind cuts", plain, blind),
            ("plain join", plain, overlapping),
            ("midpoint", midpoint, overlapping),
            ("position-wise", position_wise, overlapping),
        ):
            table.add(Row(f"  beside {peer}, {name}", figure, extra_errors(join, of), "per seam"))
    for timing in (Timing.SEGMENT, Timing.NONE):
        for name, ears in (("clean", CLEAN), ("20 % errors", NOISY)):
            overlapping = hearings(Ears(ears.error_rate, ears.jitter_seconds, timing=timing))
            figure = extra_errors(ours, overlapping)
            theirs = extra_errors(position_wise, overlapping)
            table.add(Row(f"times of {timing}, {name}; position-wise", figure, theirs, "per seam"))


if __name__ == "__main__":
    results = Table()
    bench_seams(results)
    results.finish()
