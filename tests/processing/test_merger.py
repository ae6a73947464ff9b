"""Joining chunks: no word lost, none doubled, every time on the recording's clock."""

import json
import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processing.engines.base import SAMPLE_RATE, AudioClip, Segment, Speech, Timing, Word
from processing.services.merging.merger import HeardChunk, Merged, Merger
from processing.services.merging.suspicion import Energy
from tests.audio import make_script
from tests.fakes.speech import ScriptedEngine

Words = list[tuple[str, float, float]]


def chunk(
    core: tuple[float, float],
    *segments: Words,
    start: float | None = None,
    end: float | None = None,
    index: int = 0,
    timing: Timing = Timing.WORD,
    energy: Energy | None = None,
    **segment_fields: Any,
) -> HeardChunk:
    """Return a chunk that heard ``segments``, written on the recording's clock."""
    begin = core[0] if start is None else start
    finish = core[1] if end is None else end
    lines = (
        Segment(
            tuple(Word(word, first - begin, last - begin, 0.9) for word, first, last in line),
            **segment_fields,
        )
        for line in segments
    )
    return HeardChunk(
        index=index,
        start_sample=round(begin * SAMPLE_RATE),
        core_start_sample=round(core[0] * SAMPLE_RATE),
        core_end_sample=round(core[1] * SAMPLE_RATE),
        end_sample=round(finish * SAMPLE_RATE),
        speech=Speech(tuple(lines), "en", timing),
        energy=energy,
    )


def failed(core: tuple[float, float], reason: str = "error: no use") -> HeardChunk:
    start, end = (round(seconds * SAMPLE_RATE) for seconds in core)
    return HeardChunk(0, start, start, end, end, None, reason)


def merge(*chunks: HeardChunk) -> Merged:
    """Merge chunks in the order given, whatever index they were made with."""
    return Merger().merge(replace(one, index=index) for index, one in enumerate(chunks))


def text(*chunks: HeardChunk) -> str:
    return " ".join(segment["text"] for segment in merge(*chunks).segments)


# Cut in pauses


def test_chunks_without_overlap_are_joined_in_their_order() -> None:
    chunks = [
        chunk((0.0, 4.0), [("one", 0.5, 1.0), ("two", 1.2, 1.5)]),
        chunk((4.0, 8.0), [("three", 4.1, 4.5)], [("four", 6.0, 6.5)]),
    ]

    merged = merge(*chunks)

    assert [segment["text"] for segment in merged.segments] == ["one two", "three", "four"]
    assert (merged.gaps, merged.seams) == ([], [])


def test_a_segment_spans_its_words_on_the_clock_of_the_recording() -> None:
    merged = merge(chunk((4.0, 8.0), [("so", 4.25, 4.5), ("it", 4.75, 5.0)]))

    assert merged.segments == [
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
    end_sample = start_sample + SAMPLE_RATE
    heard = Speech((Segment((Word("late", 0.25, 0.5),)),), "en")

    [segment] = merge(
        HeardChunk(0, start_sample, start_sample, end_sample, end_sample, heard)
    ).segments

    assert (segment["start"], segment["end"]) == (133_200.251, 133_200.501)


def test_silence_adds_nothing() -> None:
    assert merge(chunk((0.0, 4.0)), chunk((4.0, 8.0), [])) == Merged()


def test_no_chunk_is_no_transcript() -> None:
    assert merge() == Merged()


@pytest.mark.parametrize(
    ("words", "text"),
    [(["今", "天", "好。"], "今天好。"), (["用", "Python", "写"], "用 Python 写")],
    ids=["Chinese", "mixed"],
)
def test_text_has_spaces_where_its_script_has_them(words: list[str], text: str) -> None:
    line = [(word, i * 0.5, i * 0.5 + 0.4) for i, word in enumerate(words)]

    [segment] = merge(chunk((0.0, 4.0), line)).segments

    assert segment["text"] == text


# Gaps


def test_a_failed_chunk_is_a_gap_with_its_reason_and_not_a_word() -> None:
    merged = merge(
        chunk((0.0, 4.0), [("before", 1.0, 1.5)]),
        failed((4.0, 8.5), "poison: took its worker process down 3 times"),
        chunk((8.5, 12.0), [("after", 9.0, 9.5)]),
    )

    assert [segment["text"] for segment in merged.segments] == ["before", "after"]
    assert merged.gaps == [
        {"start": 4.0, "end": 8.5, "reason": "poison: took its worker process down 3 times"}
    ]


def test_when_all_failed_all_is_gap() -> None:
    merged = merge(failed((0.0, 4.0)), failed((4.0, 8.0)))

    assert merged.segments == []
    assert [(gap["start"], gap["end"]) for gap in merged.gaps] == [(0.0, 4.0), (4.0, 8.0)]


def test_what_neighbours_heard_of_a_failed_chunk_is_kept() -> None:
    assert (
        text(
            chunk((0.0, 4.0), [("before", 3.0, 3.5), ("seam", 4.5, 5.0)], end=6.0),
            failed((4.0, 8.0)),
            chunk((8.0, 12.0), [("edge", 7.0, 7.5), ("after", 9.0, 9.5)], start=6.0),
        )
        == "before seam edge after"
    )


#: What was said across the edges of a gap without a pause: a half of "broken", and of "seven".
OPEN = chunk((0.0, 4.0), [("well", 5.0, 5.4)], [("it", 5.5, 5.7), ("bro", 5.8, 6.0)], end=6.0)
OPEN_AGAIN = chunk((8.0, 12.0), [("ven", 6.0, 6.3), ("days", 6.4, 6.8)], start=6.0)


def cut_words(merged: Merged) -> list[str]:
    words = [word for segment in merged.segments for word in segment["words"]]
    return [word["word"] for word in words if word.get("is_cut")]


def test_a_word_that_the_edge_of_a_gap_may_have_cut_is_kept_and_doubted() -> None:
    merged = merge(OPEN, failed((4.0, 8.0)), OPEN_AGAIN)

    assert [segment["text"] for segment in merged.segments] == ["well", "it bro", "ven days"]
    assert cut_words(merged) == ["bro", "ven"]
    assert [segment.get("flags") for segment in merged.segments] == [
        None,
        ["cut_at_gap"],
        ["cut_at_gap"],
    ]


@pytest.mark.parametrize(
    ("chunks"),
    [
        pytest.param([OPEN, chunk((4.0, 8.0), [("go", 5.0, 5.2)], start=2.0)], id="no gap"),
        pytest.param(
            [chunk((0.0, 4.0), [("end", 3.8, 4.0)]), failed((4.0, 8.0))], id="cut in a pause"
        ),
        pytest.param(
            [chunk((0.0, 4.0), [("end", 5.0, 5.4)], end=6.0), failed((4.0, 8.0))],
            id="said before the edge",
        ),
        pytest.param(
            [failed((0.0, 8.0)), chunk((8.0, 12.0), [("on", 6.6, 6.9)], start=6.0)],
            id="said after the edge",
        ),
        pytest.param([chunk((0.0, 4.0), end=6.0), failed((4.0, 8.0))], id="nothing was said"),
    ],
)
def test_no_other_word_is_doubted_for_a_gap(chunks: list[HeardChunk]) -> None:
    assert cut_words(merge(*chunks)) == []


def test_the_next_gap_doubts_no_word_again_that_is_far_from_it() -> None:
    merged = merge(OPEN, failed((4.0, 8.0)), failed((8.0, 12.0)))

    assert cut_words(merged) == ["bro"]


# Overlaps


def test_three_chunks_in_a_row_may_overlap() -> None:
    words: Words = [(f"w{i}", i * 0.5, i * 0.5 + 0.4) for i in range(48)]

    def heard(start: float, end: float) -> Words:
        return [word for word in words if word[1] >= start and word[2] <= end]

    assert text(
        chunk((0.0, 8.0), heard(0.0, 10.0), end=10.0),
        chunk((8.0, 16.0), heard(6.0, 18.0), start=6.0, end=18.0),
        chunk((16.0, 24.0), heard(14.0, 24.0), start=14.0),
    ) == " ".join(word for word, _, _ in words)


@pytest.mark.parametrize("timing", list(Timing))
def test_only_words_near_an_overlap_are_compared_however_long_the_chunks(timing: Timing) -> None:
    words: Words = [(f"w{i}", i * 0.4, i * 0.4 + 0.3) for i in range(3_000)]
    left, right = words[:1_504], words[1_495:]

    [seam] = merge(
        chunk((0.0, 600.0), left, end=602.0, timing=timing),
        chunk((600.0, 1_200.0), right, start=598.0, timing=timing),
    ).seams

    assert seam["matched"] == 9
    assert max(len(seam["left"]), len(seam["right"])) <= 20


@pytest.mark.parametrize("seed", range(20))
def test_speech_without_pauses_is_joined_word_by_word(tmp_path: Path, seed: int) -> None:
    """Against the scripted engine, which breaks the words at the ends of what it hears."""
    script = make_script(60.0, seed=seed, pause_every=0)
    (tmp_path / "script.json").write_text(json.dumps(script))
    cuts = np.sort(np.random.default_rng(seed).uniform(5.0, 55.0, 4)).tolist()
    bounds = [0.0, *cuts, 60.0]

    def hear(first: float, last: float) -> HeardChunk:
        begin, end = max(first - 2.0, 0.0), min(last + 2.0, 60.0)
        start = round(begin * SAMPLE_RATE)
        speech = ScriptedEngine().transcribe(
            AudioClip(np.zeros(round(end * SAMPLE_RATE) - start, np.int16), start),
            language="en",
            parameters={"script": str(tmp_path / "script.json")},
        )
        return HeardChunk(
            0,
            start,
            round(first * SAMPLE_RATE),
            round(last * SAMPLE_RATE),
            round(end * SAMPLE_RATE),
            speech,
        )

    joined = text(*(hear(first, last) for first, last in pairwise(bounds)))

    assert joined == " ".join(word for word, _, _ in script)


# What a segment says of itself


def test_a_segment_says_who_speaks_where_the_engine_does() -> None:
    [segment] = merge(chunk((0.0, 4.0), [("hi", 1.0, 1.5)], speaker="A")).segments

    assert segment["speaker"] == "A"


@pytest.mark.parametrize("timing", [Timing.SEGMENT, Timing.NONE])
def test_estimated_times_are_said_to_be(timing: Timing) -> None:
    [segment] = merge(chunk((0.0, 4.0), [("hi", 1.0, 1.5)], timing=timing)).segments

    assert segment["is_estimated"] is True


def test_a_doubtful_segment_carries_its_flags_in_order() -> None:
    silence = Energy.of([-80.0] * 40, threshold_db=-50.0)
    doubtful = chunk((0.0, 4.0), [("hi", 1.0, 1.5)], energy=silence, avg_logprob=-1.5)

    [segment] = merge(doubtful).segments

    assert segment["flags"] == ["low_confidence", "silence"]


def test_the_transcript_is_json() -> None:
    merged = merge(
        chunk((0.0, 8.0), [("so", 7.0, 7.5)], end=10.0, avg_logprob=-2.0),
        chunk((8.0, 16.0), [("so", 7.0, 7.5)], start=6.0),
    )

    stored = [merged.segments, merged.gaps, merged.seams]

    assert json.loads(json.dumps(stored)) == stored


def test_words_are_kept_inside_the_audio_of_their_chunk() -> None:
    [segment] = merge(
        chunk((4.0, 8.0), [("early", 3.5, 4.5), ("late", 7.9, 9.0)]),
    ).segments

    assert (segment["start"], segment["end"]) == (4.0, 8.0)


# Order and memory


def test_chunks_are_joined_by_index_whatever_their_order() -> None:
    chunks = [
        chunk((at, at + 4.0), [(f"w{at:.0f}", at, at + 1.0)], index=i)
        for i, at in enumerate((0.0, 4.0, 8.0, 12.0))
    ]

    merged = Merger().merge([chunks[2], chunks[0], chunks[3], chunks[1]])

    assert [segment["text"] for segment in merged.segments] == ["w0", "w4", "w8", "w12"]


def test_two_chunks_of_one_index_are_refused() -> None:
    with pytest.raises(ValueError, match="index 0"):
        Merger().merge([chunk((0.0, 4.0)), chunk((4.0, 8.0))])


@pytest.mark.parametrize("first_index", [0, 1_000], ids=["one channel", "a later channel"])
def test_no_more_than_two_chunks_are_held_at_once(first_index: int) -> None:
    alive: weakref.WeakSet[HeardChunk] = weakref.WeakSet()
    most = 0

    def chunks() -> Iterator[HeardChunk]:
        nonlocal most
        for index in range(50):
            at = index * 8.0
            made = chunk(
                (at, at + 8.0),
                [("so", at + 1.0, at + 1.5)],
                end=at + 10.0,
                index=first_index + index,
            )
            alive.add(made)
            most = max(most, len(alive))
            yield made
            del made

    Merger().merge(chunks())

    assert most <= 2
