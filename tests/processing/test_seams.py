"""Seams of all kinds of talk: what holds whatever was said, however badly it was heard."""

from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processing.engines.base import Timing
from processing.services.merging.merger import Merged, Merger
from tests.bench.pipeline.word_streams import (
    Ears,
    Piece,
    Spoken,
    cut_blindly,
    cut_in_pauses,
    hear,
    heard_chunk,
    talk,
)

#: No file of examples beside the code, no failure because the machine is busy.
quick = settings(
    database=None, deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow]
)
seeds = st.integers(0, 10_000)
ears = st.builds(Ears, st.sampled_from([0.0, 0.06, 0.2]), st.sampled_from([0.0, 0.1, 0.3]))
overlaps = st.sampled_from([0.5, 1.0, 2.0, 3.0])


def text(merged: Merged) -> str:
    return " ".join(segment["text"] for segment in merged.segments)


def words_of(merged: Merged) -> list[dict[str, Any]]:
    return [word for segment in merged.segments for word in segment["words"]]


def merged_talk(
    spoken: list[Spoken], pieces: list[Piece], by: Ears, *, seed: int, order: int = 1
) -> Merged:
    """Hear a talk in pieces and join it; ``order`` -1 gives the chunks last to first."""
    chunks = [
        heard_chunk(index, piece, hear(spoken, piece, by, seed=seed, index=index), by.timing)
        for index, piece in enumerate(pieces)
    ]
    return Merger().merge(chunks[::order])


# What holds for all talk


@quick
@given(seeds, st.sampled_from([Timing.WORD, Timing.SEGMENT, Timing.NONE]))
def test_cuts_in_pauses_lose_and_double_nothing(seed: int, timing: Timing) -> None:
    spoken = talk(60.0, seed=seed, has_pauses=True)
    pieces = cut_in_pauses(spoken, 10.0)

    merged = merged_talk(spoken, pieces, Ears(jitter_seconds=0.1, timing=timing), seed=seed)

    assert text(merged) == " ".join(word.text for word in spoken)
    assert merged.seams == []


@quick
@given(seeds, st.sampled_from([1.0, 2.0, 3.0]))
def test_cuts_in_words_lose_and_double_nothing_that_is_heard_well(
    seed: int, overlap_seconds: float
) -> None:
    spoken = talk(60.0, seed=seed, has_pauses=False)
    pieces = cut_blindly(spoken, 12.0, overlap_seconds=overlap_seconds, seed=seed)

    merged = merged_talk(spoken, pieces, Ears(), seed=seed)

    assert text(merged) == " ".join(word.text for word in spoken)
    assert len(merged.seams) == len(pieces) - 1


@quick
@given(seeds, ears, overlaps, st.booleans())
def test_a_word_far_from_every_seam_is_there_exactly_once(
    seed: int, by: Ears, overlap_seconds: float, has_pauses: bool
) -> None:
    spoken = talk(60.0, seed=seed, has_pauses=has_pauses)
    pieces = cut_blindly(spoken, 12.0, overlap_seconds=overlap_seconds, seed=seed)

    merged = merged_talk(spoken, pieces, by, seed=seed)

    seam_edges = [(right.start - 1.0, left.end + 1.0) for left, right in pairwise(pieces)]

    kept = words_of(merged)
    far = [
        word
        for index, piece in enumerate(pieces)
        for word in hear(spoken, piece, by, seed=seed, index=index)
        if not any(first < word.start < last for first, last in seam_edges)
    ]
    counts = [
        sum(k["word"] == word.word and abs(k["start"] - word.start) < 0.002 for k in kept)
        for word in far
    ]
    assert set(counts) <= {1}
    assert len(far) > 20


@quick
@given(seeds, ears, overlaps, st.sampled_from(list(Timing)))
def test_times_never_go_back(seed: int, by: Ears, overlap_seconds: float, timing: Timing) -> None:
    spoken = talk(60.0, seed=seed, has_pauses=False)
    pieces = cut_blindly(spoken, 12.0, overlap_seconds=overlap_seconds, seed=seed)
    by = Ears(by.error_rate, by.jitter_seconds, timing=timing)

    words = words_of(merged_talk(spoken, pieces, by, seed=seed))

    assert all(one["start"] <= other["start"] for one, other in pairwise(words))
    assert all(word["start"] <= word["end"] for word in words)


@quick
@given(seeds, ears)
def test_the_order_of_the_chunks_does_not_matter(seed: int, by: Ears) -> None:
    spoken = talk(60.0, seed=seed, has_pauses=False)
    pieces = cut_blindly(spoken, 12.0, overlap_seconds=2.0, seed=seed)

    forwards = merged_talk(spoken, pieces, by, seed=seed)

    assert merged_talk(spoken, pieces, by, seed=seed, order=-1) == forwards


@quick
@given(seeds, ears)
def test_every_word_kept_was_heard_and_the_account_says_by_whom(seed: int, by: Ears) -> None:
    spoken = talk(60.0, seed=seed, has_pauses=False)
    pieces = cut_blindly(spoken, 12.0, overlap_seconds=2.0, seed=seed)

    seams = merged_talk(spoken, pieces, by, seed=seed).seams

    assert [(s["left_chunk"], s["right_chunk"]) for s in seams] == list(
        pairwise(range(len(pieces)))
    )
    assert all(set(s["kept"]) <= {*s["left"], *s["right"]} for s in seams)
    assert all(max(len(s["left"]), len(s["right"])) >= s["matched"] for s in seams)
