"""A transcript as people and programs want it, to the character."""

import json
from typing import Any

import pytest

from processing.models import Transcript
from processing.services.exports import FORMATS, as_json, as_srt, as_text, as_vtt

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


def test_each_format_says_what_it_is() -> None:
    types = {name: content_type for name, (content_type, _) in FORMATS.items()}

    assert types == {
        "text": "text/plain; charset=utf-8",
        "json": "application/json",
        "srt": "application/x-subrip; charset=utf-8",
        "vtt": "text/vtt; charset=utf-8",
    }
