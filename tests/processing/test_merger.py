"""Joining chunks: no word lost, none doubled, every time on the recording's clock."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from processing.engines.base import SAMPLE_RATE, AudioClip
from processing.services.merger import HeardChunk, Merger, normalized
from tests.audio import make_script
from tests.fakes.speech import ScriptedEngine

Words = list[tuple[str, float, float]]


def chunk(
    core: tuple[float, float],
    *segments: Words,
    start: float | None = None,
    end: float | None = None,
) -> HeardChunk:
    """Return a chunk that heard ``segments``, written on the recording's clock."""
    begin = core[0] if start is None else start
    finish = core[1] if end is None else end
    return HeardChunk(
        round(begin * SAMPLE_RATE),
        round(core[0] * SAMPLE_RATE),
        round(core[1] * SAMPLE_RATE),
        round(finish * SAMPLE_RATE),
        [
            [[word, first - begin, last - begin, 0.9] for word, first, last in words]
            for words in segments
        ],
    )


def failed(core: tuple[float, float], reason: str = "error: no use") -> HeardChunk:
    start, end = (round(seconds * SAMPLE_RATE) for seconds in core)
    return HeardChunk(start, start, end, end, None, reason)


def text(*chunks: HeardChunk) -> str:
    segments, _ = Merger().merge(chunks)
    return " ".join(segment["text"] for segment in segments)


# Cut in pauses


def test_chunks_without_overlap_are_joined_in_their_order() -> None:
    chunks = [
        chunk((0.0, 4.0), [("one", 0.5, 1.0), ("two", 1.2, 1.5)]),
        chunk((4.0, 8.0), [("three", 4.1, 4.5)], [("four", 6.0, 6.5)]),
    ]

    segments, gaps = Merger().merge(chunks)

    assert [segment["text"] for segment in segments] == ["one two", "three", "four"]
    assert gaps == []


def test_a_segment_spans_its_words_on_the_clock_of_the_recording() -> None:
    segments, _ = Merger().merge([chunk((4.0, 8.0), [("so", 4.25, 4.5), ("it", 4.75, 5.0)])])

    assert segments == [
        {
            "start": 4.25,
            "end": 5.0,
            "text": "so it",
            "words": [
                {"word": "so", "start": 4.25, "end": 4.5, "confidence": 0.9},
                {"word": "it", "start": 4.75, "end": 5.0, "confidence": 0.9},
            ],
        }
    ]


def test_the_same_word_on_both_sides_of_a_pause_is_two_words() -> None:
    assert text(chunk((0.0, 4.0), [("no", 3.5, 3.8)]), chunk((4.0, 8.0), [("no", 4.1, 4.4)])) == (
        "no no"
    )


def test_times_are_exact_far_into_a_recording() -> None:
    start_sample = 37 * 3600 * SAMPLE_RATE + 16
    heard = [[["late", 0.25, 0.5, None]]]

    [segment], _ = Merger().merge(
        [HeardChunk(start_sample, start_sample, start_sample + 99, start_sample + 99, heard)]
    )

    assert (segment["start"], segment["end"]) == (133_200.251, 133_200.501)


def test_silence_adds_nothing() -> None:
    assert Merger().merge([chunk((0.0, 4.0)), chunk((4.0, 8.0), [])]) == ([], [])


def test_no_chunk_is_no_transcript() -> None:
    assert Merger().merge([]) == ([], [])


# Gaps


def test_a_failed_chunk_is_a_gap_with_its_reason_and_not_a_word() -> None:
    segments, gaps = Merger().merge(
        [
            chunk((0.0, 4.0), [("before", 1.0, 1.5)]),
            failed((4.0, 8.5), "poison: took its worker process down 3 times"),
            chunk((8.5, 12.0), [("after", 9.0, 9.5)]),
        ]
    )

    assert [segment["text"] for segment in segments] == ["before", "after"]
    assert gaps == [
        {"start": 4.0, "end": 8.5, "reason": "poison: took its worker process down 3 times"}
    ]


def test_when_all_failed_all_is_gap() -> None:
    segments, gaps = Merger().merge([failed((0.0, 4.0)), failed((4.0, 8.0))])

    assert segments == []
    assert [(gap["start"], gap["end"]) for gap in gaps] == [(0.0, 4.0), (4.0, 8.0)]


def test_what_neighbours_heard_of_a_failed_chunk_is_kept() -> None:
    assert (
        text(
            chunk((0.0, 4.0), [("before", 3.0, 3.5), ("seam", 4.5, 5.0)], end=6.0),
            failed((4.0, 8.0)),
            chunk((8.0, 12.0), [("edge", 7.0, 7.5), ("after", 9.0, 9.5)], start=6.0),
        )
        == "before seam edge after"
    )


# Overlaps: both sides heard 6 to 10 s, and the cut is at 8 s


def overlapping(left: Words, right: Words) -> str:
    return text(
        chunk((0.0, 8.0), left, end=10.0),
        chunk((8.0, 16.0), right, start=6.0),
    )


SHARED: Words = [("a", 6.5, 6.8), ("b", 7.2, 7.6), ("c", 7.8, 8.2), ("d", 8.6, 9.0)]


def test_words_that_both_sides_heard_are_there_once() -> None:
    left: Words = [("first", 5.0, 5.4), *SHARED]
    right: Words = [*SHARED, ("last", 10.5, 10.9)]

    assert overlapping(left, right) == "first a b c d last"


def test_the_broken_words_at_the_ends_of_the_audio_are_dropped() -> None:
    left: Words = [*SHARED, ("br~", 9.8, 10.0)]
    right: Words = [("~en", 6.0, 6.2), *SHARED, ("broken", 9.8, 10.4)]

    assert overlapping(left, right) == "a b c d broken"


def test_words_that_only_one_side_heard_in_its_own_half_are_kept() -> None:
    left: Words = [("a", 6.5, 6.8), ("left", 7.0, 7.3), ("c", 7.8, 8.2), ("d", 8.6, 9.0)]
    right: Words = [("a", 6.5, 6.8), ("c", 7.8, 8.2), ("d", 8.6, 9.0), ("right", 9.2, 9.5)]

    assert overlapping(left, right) == "a left c d right"


def test_a_word_said_twice_in_the_overlap_is_there_twice() -> None:
    said: Words = [("very", 6.5, 6.9), ("very", 7.4, 7.8), ("very", 8.3, 8.7), ("good", 9.0, 9.4)]

    assert overlapping(said, said) == "very very very good"


def test_equal_words_at_different_times_are_not_taken_for_one() -> None:
    left: Words = [("no", 6.2, 6.5), ("stop", 7.0, 7.4)]
    right: Words = [("go", 8.8, 9.1), ("no", 9.4, 9.7)]

    assert overlapping(left, right) == "no stop go no"


def test_times_may_differ_a_little_between_the_sides() -> None:
    right: Words = [(word, start + 0.15, end + 0.15) for word, start, end in SHARED]

    assert overlapping(SHARED, right) == "a b c d"


def test_case_and_punctuation_do_not_keep_words_from_agreeing() -> None:
    left: Words = [("well", 6.5, 6.8), ("OK", 7.8, 8.1), ("then", 8.5, 8.9)]
    right: Words = [("Well,", 6.5, 6.8), ("ok.", 7.8, 8.1), ("Then", 8.5, 8.9)]

    assert overlapping(left, right) == "well ok. Then"


def test_sides_that_agree_on_nothing_change_at_the_cut() -> None:
    left: Words = [("x", 6.5, 6.8), ("y", 7.2, 7.6), ("z", 8.6, 9.0)]
    right: Words = [("u", 6.5, 6.8), ("v", 8.3, 8.5), ("w", 8.6, 9.0)]

    assert overlapping(left, right) == "x y v w"


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        pytest.param([], SHARED, "a b c d", id="left heard nothing"),
        pytest.param([("far", 1.0, 1.5)], SHARED, "far a b c d", id="left heard nothing near"),
        pytest.param(SHARED, [], "a b c d", id="right heard nothing"),
        pytest.param(SHARED, [("far", 15.0, 15.5)], "a b c d far", id="right heard nothing near"),
        pytest.param([], [], "", id="nobody heard anything"),
    ],
)
def test_what_only_one_side_heard_of_an_overlap_is_kept(
    left: Words, right: Words, joined: str
) -> None:
    assert overlapping(left, right) == joined


def test_segments_of_both_sides_stay_segments() -> None:
    left = chunk((0.0, 8.0), [("a", 5.0, 5.3)], [("b", 7.0, 7.3), ("c", 7.8, 8.2)], end=10.0)
    right = chunk((8.0, 16.0), [("b", 7.0, 7.3), ("c", 7.8, 8.2)], [("d", 9.5, 9.9)], start=6.0)

    segments, _ = Merger().merge([left, right])

    assert " ".join(segment["text"] for segment in segments) == "a b c d"
    assert all(segment["words"] for segment in segments)


def test_three_chunks_in_a_row_may_overlap() -> None:
    words: Words = [(f"w{i}", i * 0.5, i * 0.5 + 0.4) for i in range(48)]

    def heard(start: float, end: float) -> Words:
        return [word for word in words if word[1] >= start and word[2] <= end]

    assert text(
        chunk((0.0, 8.0), heard(0.0, 10.0), end=10.0),
        chunk((8.0, 16.0), heard(6.0, 18.0), start=6.0, end=18.0),
        chunk((16.0, 24.0), heard(14.0, 24.0), start=14.0),
    ) == " ".join(word for word, _, _ in words)


@pytest.mark.parametrize("seed", range(20))
def test_speech_without_pauses_is_joined_word_by_word(tmp_path: Path, seed: int) -> None:
    """Against the scripted engine, which breaks the words at the ends of what it hears."""
    script = make_script(60.0, seed=seed, pause_every=0)
    (tmp_path / "script.json").write_text(json.dumps(script))
    cuts = np.sort(np.random.default_rng(seed).uniform(5.0, 55.0, 4)).tolist()
    edges = [0.0, *cuts, 60.0]

    def hear(first: float, last: float) -> HeardChunk:
        begin, end = max(first - 2.0, 0.0), min(last + 2.0, 60.0)
        start = round(begin * SAMPLE_RATE)
        speech = ScriptedEngine().transcribe(
            AudioClip(np.zeros(round(end * SAMPLE_RATE) - start, np.int16), start),
            language="en",
            parameters={"script": str(tmp_path / "script.json")},
        )
        return HeardChunk(
            start,
            round(first * SAMPLE_RATE),
            round(last * SAMPLE_RATE),
            round(end * SAMPLE_RATE),
            [[[w.word, w.start, w.end, w.confidence] for w in s.words] for s in speech.segments],
        )

    joined = text(*(hear(first, last) for first, last in pairwise(edges)))

    assert joined == " ".join(word for word, _, _ in script)


@pytest.mark.parametrize(
    ("word", "compared"), [("Well,", "well"), ("it's", "it's"), ("STRASSE", "strasse"), ("?!", "")]
)
def test_words_are_compared_without_case_and_punctuation(word: str, compared: str) -> None:
    assert normalized(word) == compared
