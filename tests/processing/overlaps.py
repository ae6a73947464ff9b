"""Two chunks that overlap, written down on the recording's clock."""

from processing.engines.base import SAMPLE_RATE, Segment, Speech, Timing, Word
from processing.services.merging.merger import HeardChunk, Merged, Merger

Words = list[tuple[str, float, float]]


def side(
    index: int, edges: tuple[float, float, float, float], lines: list[Words], timing: Timing
) -> HeardChunk:
    """Return a chunk that heard ``lines``; edges are of the clip and, inside them, of the core."""
    start, core_start, core_end, end = (round(at * SAMPLE_RATE) for at in edges)
    segments = (
        Segment(tuple(Word(word, first - edges[0], last - edges[0]) for word, first, last in line))
        for line in lines
    )
    speech = Speech(tuple(segments), "en", timing)
    return HeardChunk(index, start, core_start, core_end, end, speech)


def merge(left: list[Words], right: list[Words], timing: Timing = Timing.WORD) -> Merged:
    """Join two chunks that both heard 6 to 10 s, with the cut at 8 s."""
    return Merger().merge(
        [
            side(0, (0.0, 0.0, 8.0, 10.0), left, timing),
            side(1, (6.0, 8.0, 16.0, 16.0), right, timing),
        ]
    )


def text(merged: Merged) -> str:
    return " ".join(segment["text"] for segment in merged.segments)


def overlapping(left: Words, right: Words) -> str:
    return text(merge([left], [right]))


def estimated(words: list[str], start: float, end: float) -> Words:
    step = (end - start) / len(words)
    return [(word, start + i * step, start + (i + 1) * step) for i, word in enumerate(words)]
