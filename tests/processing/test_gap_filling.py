"""Gaps of a corrected transcript that were heard after all."""

from pathlib import Path
from typing import Any

import pytest

from jobs.exceptions import PermanentError
from processing.choices import ProcessingStatus
from processing.engines.base import AudioClip
from processing.knowledge.corrections import correct_transcript
from processing.knowledge.documents import follow_transcript
from processing.services.merging.gap_filling import with_corrections
from processing.services.requesting import retry_gaps
from tests.fakes.tones import ToneEngine, tones
from tests.processing.runs import heard, made

Json = dict[str, Any]


def segment(*words: tuple[str, float], speaker: str = "", **marks: Any) -> Json:
    """Return a segment of words of half a second, each with the same ``marks``."""
    said = [
        {"word": word, "start": start, "end": start + 0.5, "confidence": 0.9, **marks}
        for word, start in words
    ]
    return {
        "start": said[0]["start"],
        "end": said[-1]["end"],
        "text": " ".join(word for word, _ in words),
        "words": said,
    } | ({"speaker": speaker} if speaker else {})


def gap(start: float, end: float, reason: str = "bad_answer: nonsense") -> Json:
    return {"start": start, "end": end, "reason": reason}


def texts(segments: list[Json]) -> list[str]:
    return [segment["text"] for segment in segments]


FIRST = segment(("one", 0.0), ("two", 1.0))
WRITTEN = segment(("won", 0.0), ("too", 1.0), is_corrected=True)
IN_GAP = segment(("three", 10.0), ("four", 11.0))
LAST = segment(("five", 20.0))


def test_what_people_wrote_stays_and_what_was_heard_in_the_gap_comes() -> None:
    segments, gaps = with_corrections(
        [WRITTEN, LAST], [gap(9.0, 15.0)], [FIRST, IN_GAP, segment(("fife", 20.0))], []
    )

    assert segments == [WRITTEN, IN_GAP, LAST]
    assert gaps == []


def test_a_segment_that_was_deleted_does_not_come_back() -> None:
    segments, _ = with_corrections([LAST], [gap(9.0, 15.0)], [FIRST, IN_GAP, LAST], [])

    assert segments == [IN_GAP, LAST]


def test_of_a_segment_that_reaches_out_of_the_gap_only_what_is_inside_comes() -> None:
    new = [segment(("two", 8.0), ("three", 10.0), ("four", 11.0))]

    segments, _ = with_corrections(
        [segment(("too", 8.0), is_corrected=True)], [gap(9, 15)], new, []
    )

    assert texts(segments) == ["too", "three four"]
    assert segments[1]["start"] == 10.0


def test_a_gap_that_stays_one_stays_and_no_other_comes_of_what_is_there_already() -> None:
    segments, gaps = with_corrections(
        [WRITTEN, LAST], [gap(9.0, 15.0)], [LAST], [gap(0.0, 5.0), gap(12.0, 18.0)]
    )

    assert segments == [WRITTEN, LAST]
    assert gaps == [gap(12.0, 15.0)]


def test_a_word_that_the_gap_cut_is_taken_whole() -> None:
    cut = segment(("con", 8.6), is_cut=True)
    whole = segment(("concert", 8.7), ("hall", 9.3))

    segments, _ = with_corrections([WRITTEN, cut], [gap(9.0, 15.0)], [FIRST, whole], [])

    assert texts(segments) == ["won too", "concert hall"]


def test_words_that_people_wrote_at_the_edge_of_the_gap_are_not_doubled() -> None:
    edge = segment(("thrice", 9.5), is_corrected=True)
    new = segment(("three", 9.6), ("four", 11.0))

    segments, _ = with_corrections([edge], [gap(9.0, 15.0)], [new], [])

    assert texts(segments) == ["thrice", "four"]


def test_words_heard_at_the_edge_of_the_gap_are_not_doubled() -> None:
    edge = segment(("three", 9.5))
    new = segment(("three", 9.6), ("four", 11.0))

    segments, _ = with_corrections([WRITTEN, edge], [gap(9.0, 15.0)], [FIRST, new], [])

    assert texts(segments) == ["won too", "three four"]


def test_the_gap_of_one_channel_is_none_in_the_other() -> None:
    one = segment(("won", 10.0), speaker="channel 1", is_corrected=True)
    two = segment(("three", 10.2), speaker="channel 2")
    new = [segment(("one", 10.0), speaker="channel 1"), two]

    segments, gaps = with_corrections(
        [one], [gap(9.0, 15.0, "channel 2: bad_answer")], new, [gap(9.0, 15.0, "channel 1: no")]
    )

    assert segments == [one, two]
    assert gaps == []


def test_a_speaker_who_has_a_name_by_now_is_still_of_that_channel() -> None:
    anna = segment(("won", 10.0), speaker="Anna", is_corrected=True) | {"channel": "channel 1"}
    two = segment(("three", 10.2), speaker="channel 2")

    segments, _ = with_corrections([anna], [gap(9.0, 15.0, "channel 2: bad_answer")], [two], [])

    assert segments == [anna, two]


# In a run


def refuse_the_second(clip: AudioClip) -> None:
    if 0 < clip.start_sample < 15 * 16_000:
        raise PermanentError("not this one")


@pytest.mark.django_db(transaction=True)
def test_a_retry_adds_what_was_missing_and_leaves_what_people_wrote(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.troubles["tones"] = refuse_the_second
    transcript, partial = heard(mono)
    follow_transcript(transcript)
    words = [word for segment in transcript.segments for word in segment["words"]]
    wrong = transcript.segments[0]["words"][0]["word"]
    text = transcript.segments[0]["text"].replace(wrong, "first", 1)
    correct_transcript(
        transcript=transcript, changes=[{"segment": 0, "text": text}], expected_version=1
    )
    tone_engine.troubles.clear()

    transcript, complete = made(retry_gaps(transcript))

    assert (partial.status, complete.status) == (
        ProcessingStatus.PARTIAL,
        ProcessingStatus.COMPLETED,
    )
    assert len(words) < len(transcript.text.split())
    expected = [f"t{tone}" for tone, _, _ in tones(40.0)]
    assert transcript.text.split() == ["first", *expected[1:]]
    assert transcript.gaps == []
