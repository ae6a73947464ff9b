"""A transcript as people and programs want it, to the character."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from processing.models import Transcript
from processing.services.exports import (
    FORMATS,
    as_dict,
    as_json,
    as_srt,
    as_text,
    as_text_with_gaps,
    as_vtt,
    content_so_far,
    exported,
)
from processing.services.joining import NOT_HEARD_YET
from tests.factories.processing import (
    CHUNK_SAMPLES,
    ChunkTaskFactory,
    ProcessingTaskFactory,
    TranscriptFactory,
)
from tests.queries import queries_of

Words = list[tuple[str, float, float]]


def transcript(*segments: Words, gaps: list[dict[str, Any]] | None = None) -> Transcript:
    """Return a transcript that was never stored, with its keys in PostgreSQL's order."""
    return Transcript(
        engine="scripted",
        language="en",
        text=" ".join(word for words in segments for word, _, _ in words),
        segments=[
            {
                "end": words[-1][2],
                "text": " ".join(word for word, _, _ in words),
                "start": words[0][1],
                "words": [
                    {"end": end, "word": word, "start": start, "confidence": 0.9}
                    for word, start, end in words
                ],
            }
            for words in segments
        ],
        gaps=gaps or [],
        duration_seconds=12.5,
    )


HELLO: Words = [("Hello", 0.5, 0.9), ("there", 1.0, 1.3)]
BYE: Words = [("Bye", 61.25, 61.75)]


def test_text_has_a_line_for_each_segment() -> None:
    assert as_text(transcript(HELLO, BYE)) == "Hello there\nBye\n"


def test_text_of_silence_is_empty() -> None:
    assert as_text(transcript()) == ""


def test_srt_numbers_its_cues() -> None:
    assert as_srt(transcript(HELLO, BYE)) == (
        "1\n00:00:00,500 --> 00:00:01,300\nHello there\n\n2\n00:01:01,250 --> 00:01:01,750\nBye\n"
    )


def test_srt_of_silence_is_empty() -> None:
    assert as_srt(transcript()) == ""


def test_vtt_has_a_header_and_points_in_its_times() -> None:
    assert as_vtt(transcript(HELLO, BYE)) == (
        "WEBVTT\n"
        "\n"
        "00:00:00.500 --> 00:00:01.300\nHello there\n"
        "\n"
        "00:01:01.250 --> 00:01:01.750\nBye\n"
    )


def test_vtt_of_silence_is_its_header() -> None:
    assert as_vtt(transcript()) == "WEBVTT\n"


def test_what_means_something_to_vtt_is_escaped() -> None:
    words: Words = [("R&D", 0.0, 1.0), ("<unk>", 1.0, 2.0), ("-->", 2.0, 3.0)]

    assert as_vtt(transcript(words)) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:03.000\nR&amp;D &lt;unk&gt; --&gt;\n"
    )


def test_json_has_all_that_is_known_in_the_documented_order() -> None:
    gap = {"end": 9.0, "start": 3.0, "reason": "error: the engine gave up"}

    document = as_json(transcript(BYE, gaps=[gap]))

    assert document == (
        """{
  "text": "Bye",
  "duration": 12.5,
  "language": "en",
  "engine": "scripted",
  "segments": [
    {
      "start": 61.25,
      "end": 61.75,
      "text": "Bye",
      "words": [
        {
          "word": "Bye",
          "start": 61.25,
          "end": 61.75,
          "confidence": 0.9
        }
      ]
    }
  ],
  "gaps": [
    {
      "start": 3.0,
      "end": 9.0,
      "reason": "error: the engine gave up"
    }
  ]
}
"""
    )


def test_json_of_silence_has_empty_lists() -> None:
    document = json.loads(as_json(transcript()))

    assert (document["text"], document["segments"], document["gaps"]) == ("", [], [])


def test_letters_stay_letters_in_json() -> None:
    assert "Grüße, 世界" in as_json(transcript([("Grüße, 世界", 0.0, 1.0)]))


@pytest.mark.parametrize(
    ("seconds", "clock"),
    [
        (0.0, "00:00:00,000"),
        (0.0004, "00:00:00,000"),
        (59.9996, "00:01:00,000"),
        (3_599.999, "00:59:59,999"),
        (359_999.0, "99:59:59,000"),
        (360_000.5, "100:00:00,500"),
        (3_600_000.0, "1000:00:00,000"),
    ],
)
def test_times_carry_over_and_hours_have_as_many_digits_as_they_need(
    seconds: float, clock: str
) -> None:
    subtitles = as_srt(transcript([("late", seconds, seconds)]))

    assert subtitles == f"1\n{clock} --> {clock}\nlate\n"


def cues(*segments: Words) -> list[str]:
    """Return the text of each cue."""
    return [cue.split("\n")[2] for cue in as_srt(transcript(*segments)).split("\n\n") if cue]


def test_a_cue_ends_before_it_is_too_long_to_read() -> None:
    words: Words = [("x" * 27, i, i + 0.5) for i in range(6)]

    lengths = [len(cue) for cue in cues(words)]

    assert lengths == [83, 83]


def test_a_cue_of_just_the_most_characters_is_one() -> None:
    assert len(cues([("x" * 41, 0.0, 1.0), ("y" * 42, 1.0, 2.0)])) == 1
    assert len(cues([("x" * 42, 0.0, 1.0), ("y" * 42, 1.0, 2.0)])) == 2


def test_a_cue_ends_before_it_stays_too_long() -> None:
    words: Words = [(f"w{i}", float(i), i + 0.9) for i in range(10)]

    assert cues(words) == ["w0 w1 w2 w3 w4 w5 w6", "w7 w8 w9"]


def test_a_word_too_long_for_any_cue_has_one_to_itself() -> None:
    assert cues([("a", 0.0, 1.0), ("x" * 100, 1.0, 2.0), ("b", 2.0, 3.0)]) == [
        "a",
        "x" * 100,
        "b",
    ]


def test_no_cue_holds_words_of_two_segments() -> None:
    assert cues(HELLO, BYE) == ["Hello there", "Bye"]


def test_every_word_is_in_some_cue() -> None:
    words: Words = [(f"word{i}", i * 0.4, i * 0.4 + 0.3) for i in range(200)]

    assert " ".join(cues(words)) == transcript(words).text


CHINESE: Words = [
    (letter, i * 0.1, i * 0.1 + 0.1) for i, letter in enumerate("今天天气很好。" * 10)
]


def test_a_cue_has_no_spaces_where_the_script_has_none() -> None:
    assert cues([("我", 0.0, 0.2), ("用", 0.2, 0.4), ("Python", 0.4, 1.0), ("写。", 1.0, 1.3)]) == [
        "我用 Python 写。"
    ]


def test_letters_as_wide_as_two_count_twice_in_a_cue() -> None:
    assert [len(cue) for cue in cues(CHINESE)] == [42, 28]


def test_words_that_were_cut_at_a_gap_say_so_in_json() -> None:
    cut = transcript(HELLO)
    cut.segments[0]["words"][1]["is_cut"] = True

    words = json.loads(as_json(cut))["segments"][0]["words"]

    assert [word.get("is_cut") for word in words] == [None, True]


def test_each_format_says_what_it_is() -> None:
    types = {name: content_type for name, (content_type, _) in FORMATS.items()}

    assert types == {
        "text": "text/plain; charset=utf-8",
        "json": "application/json",
        "srt": "application/x-subrip; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
    }


# Speakers, doubts and gaps


def spoken_by(speaker: str, *segments: Words) -> Transcript:
    """Return a transcript of which one speaker said all."""
    spoken = transcript(*segments)
    for segment in spoken.segments:
        segment["speaker"] = speaker
    return spoken


def test_text_says_who_speaks() -> None:
    assert as_text(spoken_by("Ann", HELLO, BYE)) == "Ann: Hello there\nAnn: Bye\n"


def test_srt_says_who_speaks_in_every_cue() -> None:
    assert as_srt(spoken_by("Ann", BYE)) == "1\n00:01:01,250 --> 00:01:01,750\nAnn: Bye\n"


def test_vtt_says_who_speaks_by_a_voice() -> None:
    assert as_vtt(spoken_by("Ann", BYE)).endswith("\n<v Ann>Bye\n")


def test_name_that_means_something_to_vtt_is_escaped() -> None:
    assert "\n<v A&amp;B &lt;x&gt;>Bye\n" in as_vtt(spoken_by("A&B\n<x>", BYE))


def test_name_never_breaks_a_line_in_two() -> None:
    assert as_text(spoken_by("A\n\nB", BYE)) == "A B: Bye\n"


def test_name_takes_its_room_from_the_text_of_a_cue() -> None:
    words: Words = [("x" * 41, 0.0, 1.0), ("y" * 42, 1.0, 2.0)]

    assert as_srt(spoken_by("A", words)).count(" --> ") == 2
    assert as_vtt(spoken_by("A", words)).count(" --> ") == 1


def test_json_passes_through_what_a_segment_says_of_itself() -> None:
    doubted = spoken_by("Ann", HELLO)
    doubted.segments[0] |= {"is_estimated": True, "flags": ["fast", "loop"]}

    [segment] = as_dict(doubted)["segments"]

    assert list(segment) == ["start", "end", "text", "speaker", "flags", "is_estimated", "words"]
    assert (segment["speaker"], segment["flags"]) == ("Ann", ["fast", "loop"])


def test_words_whose_times_are_estimated_say_so() -> None:
    guessed = transcript(HELLO, BYE)
    guessed.segments[0]["is_estimated"] = True

    first, second = as_dict(guessed)["segments"]

    assert [word["is_estimated"] for word in first["words"]] == [True, True]
    assert list(second["words"][0]) == ["word", "start", "end", "confidence"]


def test_gaps_are_marked_in_the_text_where_they_are() -> None:
    gaps = [
        {"start": 70.0, "end": 80.0, "reason": "late"},
        {"start": 2.0, "end": 9.0, "reason": "error: the\nengine gave up"},
    ]

    assert as_text_with_gaps(transcript(HELLO, BYE, gaps=gaps)) == (
        "Hello there\n[not heard: error: the engine gave up]\nBye\n[not heard: late]\n"
    )


@pytest.mark.parametrize("render", [as_text, as_srt, as_vtt])
def test_a_gap_puts_no_word_into_what_people_read(render: Callable[[Transcript], str]) -> None:
    gap = {"start": 2.0, "end": 9.0, "reason": "error: the engine gave up"}

    assert render(transcript(HELLO, BYE, gaps=[gap])) == render(transcript(HELLO, BYE))


@pytest.mark.django_db
def test_text_with_and_without_gaps_are_kept_apart_in_the_cache() -> None:
    partial = TranscriptFactory.create(partial=True)

    texts = [exported(partial, "text", has_marked_gaps=marked) for marked in (False, True, False)]

    assert texts == ["so it\n", "so it\n[not heard: error: the engine gave up]\n", "so it\n"]


# What there is to read by now


def gap(start: float, end: float, reason: str = NOT_HEARD_YET) -> dict[str, Any]:
    return {"start": start, "end": end, "reason": reason}


@pytest.mark.django_db
def test_a_run_that_goes_on_is_read_as_far_as_it_was_heard() -> None:
    run = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=run, completed=True)
    ChunkTaskFactory.create(processing=run)

    content = content_so_far(run.transcript)

    assert [segment["text"] for segment in content.segments] == ["word"]
    assert content.gaps == [gap(1.0, 2.0)]


@pytest.mark.django_db
def test_what_is_not_cut_yet_is_not_heard_yet() -> None:
    run = ProcessingTaskFactory.create(splitting=True, transcript__recording__duration_seconds=90.0)
    ChunkTaskFactory.create(processing=run, completed=True)
    ChunkTaskFactory.create_batch(2, processing=run)

    assert content_so_far(run.transcript).gaps == [gap(1.0, 90.0)]


@pytest.mark.django_db
def test_before_the_first_cut_nothing_is_heard() -> None:
    transcript = TranscriptFactory.create()

    assert content_so_far(transcript).gaps == [gap(0.0, 2.0)]


@pytest.mark.django_db
def test_a_length_nobody_knows_is_no_gap() -> None:
    transcript = TranscriptFactory.create(recording__duration_seconds=None)

    assert content_so_far(transcript).gaps == []


@pytest.mark.django_db
def test_gaps_for_other_reasons_stay_apart() -> None:
    run = ProcessingTaskFactory.create(processing=True)
    ChunkTaskFactory.create(processing=run, failed=True)
    ChunkTaskFactory.create(processing=run)

    reasons = [row["reason"] for row in content_so_far(run.transcript).gaps]

    assert reasons == ["permanent: the engine gave up", NOT_HEARD_YET]


@pytest.mark.django_db
def test_channels_have_their_own_gaps_at_the_same_time() -> None:
    run = ProcessingTaskFactory.create(
        processing=True,
        total_chunks=4,
        transcript__parameters={"channels": "separate"},
        transcript__recording__channels=2,
    )
    for index, channel in enumerate((0, 0, 1, 1)):
        start = index % 2 * CHUNK_SAMPLES
        ChunkTaskFactory.create(processing=run, channel=channel, start_sample=start)

    assert content_so_far(run.transcript).gaps == [
        gap(0.0, 2.0, f"channel {channel}: {NOT_HEARD_YET}") for channel in (1, 2)
    ]


@pytest.mark.django_db
def test_a_run_that_was_stopped_is_read_as_far_as_it_came() -> None:
    run = ProcessingTaskFactory.create(cancelled=True, transcript__recording__duration_seconds=90.0)
    ChunkTaskFactory.create(processing=run, completed=True)

    content = content_so_far(run.transcript)

    assert [segment["text"] for segment in content.segments] == ["word"]
    assert content.gaps == [gap(1.0, 90.0, "cancelled")]


@pytest.mark.django_db
def test_what_was_finished_before_outlives_a_run_that_was_stopped() -> None:
    transcript = TranscriptFactory.create(partial=True)
    ProcessingTaskFactory.create(transcript=transcript, cancelled=True)

    assert content_so_far(transcript).segments == transcript.segments


@pytest.mark.django_db
def test_a_long_run_is_read_with_as_many_queries_as_a_short_one() -> None:
    run = ProcessingTaskFactory.create(splitting=True)
    ChunkTaskFactory.create(processing=run, completed=True)
    few = queries_of(lambda: content_so_far(run.transcript))

    ChunkTaskFactory.create_batch(6, processing=run, completed=True)
    many = queries_of(lambda: content_so_far(run.transcript))

    assert len(many) == len(few)
