"""Reading what servers send: good, sloppy and impossible times."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processing.engines.base import AUTO, Speech, Timing
from processing.engines.languages import language_code
from processing.engines.transcriptions import read_json, read_text
from processing.providers.answers import Answer
from tests.processing.engine_contract import words_of

SECONDS = 10.0


def read(body: Any, *, language: str = "en", duration_seconds: float = SECONDS) -> Speech:
    answer = Answer("provider.example", 200, {}, json.dumps(body).encode())
    return read_json(answer, duration_seconds=duration_seconds, language=language)


def timed(speech: Speech) -> list[tuple[str, float, float]]:
    return [(word.word, round(word.start, 3), round(word.end, 3)) for word in words_of(speech)]


def word(text: str, start: Any, end: Any, **others: Any) -> dict[str, Any]:
    return {"word": text, "start": start, "end": end, **others}


def segment(text: str, start: Any, end: Any, **others: Any) -> dict[str, Any]:
    return {"text": text, "start": start, "end": end, **others}


def test_words_of_verbose_json_keep_their_times() -> None:
    body = {
        "task": "transcribe",
        "language": "english",
        "duration": "10.0",
        "text": "The river rises.",
        "words": [word("The", 0.5, 0.7), word(" river", 0.7, 1.2), word("rises", 3.0, 3.5)],
        "usage": {"type": "duration", "seconds": 10},
    }

    speech = read(body)

    assert timed(speech) == [("The", 0.5, 0.7), ("river", 0.7, 1.2), ("rises", 3.0, 3.5)]
    assert [len(segment.words) for segment in speech.segments] == [2, 1]
    assert speech.timing is Timing.WORD


def test_text_without_spaces_is_as_many_words_as_letters() -> None:
    speech = read({"segments": [segment("今天很好。", 1.0, 2.0)]})

    assert timed(speech) == [
        ("今", 1.0, 1.2),
        ("天", 1.2, 1.4),
        ("很", 1.4, 1.6),
        ("好。", 1.6, 2.0),
    ]


def test_words_go_to_their_segments_with_what_is_said_of_these() -> None:
    body = {
        "words": [word("one", 0.5, 1.0), word("two", 1.0, 2.1), word("three", 2.05, 3.0)],
        "segments": [
            segment(" One two,", 0.5, 2.0, avg_logprob=-0.3, no_speech_prob=0.1),
            segment(" three.", 2.0, 3.0, avg_logprob=-0.5, no_speech_prob=0.2),
            segment("Nothing.", 8.0, 9.0),
        ],
    }

    one, two = read(body).segments

    assert [[w.word for w in one.words], [w.word for w in two.words]] == [["one", "two"], ["three"]]
    assert (one.avg_logprob, one.no_speech_prob) == (-0.3, 0.1)
    assert (two.avg_logprob, two.no_speech_prob) == (-0.5, 0.2)


def test_segments_alone_share_their_time_among_their_words_by_length() -> None:
    speech = read({"segments": [segment(" ab abcd ab", 1.0, 3.0), segment(" end", 5.0, 6.0)]})

    assert timed(speech) == [
        ("ab", 1.0, 1.5),
        ("abcd", 1.5, 2.5),
        ("ab", 2.5, 3.0),
        ("end", 5.0, 6.0),
    ]
    assert speech.timing is Timing.SEGMENT


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            {"text": "One two. Three four.", "segments": [segment("One two.", 0.0, 2.0)]},
            [("One", 0.0, 0.857), ("two.", 0.857, 2.0), ("Three", 2.0, 6.0), ("four.", 6.0, 10.0)],
            id="a segment",
        ),
        pytest.param(
            {"text": "One, two.", "words": [word("one", 0.0, 1.0)]},
            [("one", 0.0, 1.0), ("two.", 1.0, 10.0)],
            id="a word",
        ),
        pytest.param(
            {"text": "Other two.", "segments": [segment("One", 0.0, 2.0)]},
            [("One", 0.0, 2.0)],
            id="not where the text is another",
        ),
        pytest.param(
            {"text": "One ...", "segments": [segment("One", 0.0, 2.0)]},
            [("One", 0.0, 2.0)],
            id="not where it is no word",
        ),
    ],
)
def test_what_the_text_has_behind_its_parts_is_not_lost(
    body: dict[str, Any], expected: list[tuple[str, float, float]]
) -> None:
    assert timed(read(body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"text": "ab abcd ab"},
        {"text": "ab abcd ab", "words": None, "segments": None},
        {"text": "ab abcd ab", "words": [], "segments": []},
    ],
    ids=["only text", "null", "empty lists"],
)
def test_text_alone_is_shared_over_the_clip(body: dict[str, Any]) -> None:
    speech = read(body)

    assert timed(speech) == [("ab", 0, 2.5), ("abcd", 2.5, 7.5), ("ab", 7.5, 10)]
    assert speech.timing is Timing.NONE


def test_plain_text_is_shared_over_the_clip_too() -> None:
    answer = Answer("provider.example", 200, {}, b" ab abcd ab\n")

    speech = read_text(answer, duration_seconds=SECONDS, language="en")

    assert timed(speech) == [("ab", 0, 2.5), ("abcd", 2.5, 7.5), ("ab", 7.5, 10)]
    assert speech.timing is Timing.NONE


def test_people_who_talk_over_each_other_are_put_in_order() -> None:
    speech = read(
        {
            "segments": [
                segment("later", 4.0, 5.0, speaker="B"),
                segment("first", 1.0, 4.5, speaker="A"),
                segment("last", 4.8, 6.0, speaker=""),
            ]
        }
    )

    assert [segment.speaker for segment in speech.segments] == ["A", "B", None]
    assert timed(speech) == [("first", 1, 4), ("later", 4, 4.8), ("last", 4.8, 6)]


@pytest.mark.parametrize(
    "body", [{"text": ""}, {"text": " \n"}, {"segments": [segment(" ", 0, 1)]}]
)
def test_no_words_are_no_segments(body: dict[str, Any]) -> None:
    assert read(body).segments == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("New York", ["New", "York"]),
        ("[BLANK_AUDIO]", []),
        ("<|endoftext|> yes", ["yes"]),
        ("(202) 555", ["202", "555"]),
        ("a\u00a0b\n c", ["a", "b", "c"]),
    ],
)
def test_a_word_is_one_word_without_marks(text: str, words: list[str]) -> None:
    assert [w.word for w in words_of(read({"words": [word(text, 1, 2)], "text": ""}))] == words


class TestImpossibleTimes:
    @pytest.mark.parametrize(
        ("times", "expected"),
        [
            pytest.param(("2.0", "3.0"), (2, 3), id="strings"),
            pytest.param((3.0, 2.0), (2, 3), id="reversed"),
            pytest.param((None, None), (1, 4), id="missing"),
            pytest.param(("NaN", 3), (1, 4), id="no number"),
            pytest.param((float("inf"), 3), (1, 4), id="infinite"),
            pytest.param(({}, []), (1, 4), id="no times at all"),
            pytest.param((True, 3), (1, 4), id="true"),
            pytest.param((-7, 3), (1, 4), id="negative"),
            pytest.param((99, 100), (1, 4), id="after the clip"),
            pytest.param((0.5, 3), (1, 4), id="before its neighbour"),
            pytest.param((2.0, 2.0), (2, 2.01), id="no length"),
            pytest.param((2.0, 7.0), (2, 4), id="over the next"),
        ],
    )
    def test_a_word_stays_between_its_neighbours(
        self, times: tuple[Any, Any], expected: tuple[float, float]
    ) -> None:
        body = {"words": [word("a", 0.8, 1.0), word("b", *times), word("c", 4.0, 5.0)]}

        assert timed(read(body)) == [("a", 0.8, 1), ("b", *expected), ("c", 4, 5)]

    def test_a_word_over_the_end_of_the_clip_is_cut(self) -> None:
        assert timed(read({"words": [word("end", 9.5, 10.4)]})) == [("end", 9.5, 10)]

    def test_words_without_any_time_have_room(self) -> None:
        speech = read({"words": [word("a", 0, 0), word("b", 0, 0), word("c", 0, 0)]})

        assert timed(speech) == [("a", 0, 0.01), ("b", 0.01, 0.02), ("c", 0.02, 0.03)]

    ANY_TIME = st.one_of(
        st.none(), st.floats(-5, 15), st.just(float("nan")), st.floats(9, 10).map(str)
    )
    ANY_TEXT = st.text("ab (", min_size=1, max_size=6)

    @given(
        words=st.lists(st.builds(word, ANY_TEXT, ANY_TIME, ANY_TIME), max_size=30),
        segments=st.lists(st.builds(segment, ANY_TEXT, ANY_TIME, ANY_TIME), max_size=8),
        duration_seconds=st.sampled_from([0.1, 0.25, 10.0, 1400.0]),
    )
    def test_whatever_is_sent_every_word_is_kept_in_order_inside_the_clip(
        self, words: list[Any], segments: list[Any], duration_seconds: float
    ) -> None:
        speech = read(
            {"words": words, "segments": segments, "text": ""}, duration_seconds=duration_seconds
        )

        heard = words_of(speech)
        sent = [w["word"] for w in words if w["word"].strip(" (")]
        spoken = " ".join(sent or [""]).replace("(", "").split()
        edges = [edge for w in heard for edge in (w.start, w.end)]
        assert not sent or [w.word for w in heard] == spoken
        assert [w for w in heard if w.start >= w.end] == []
        assert [pair for pair in pairwise(edges) if pair[0] > pair[1]] == []
        assert not edges or (edges[0] >= 0 and edges[-1] <= duration_seconds)


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        ({"probability": 0.9}, 0.9),
        ({"score": 0.5}, 0.5),
        ({"probability": 1.5}, None),
        ({"probability": "0.9"}, None),
        ({}, None),
    ],
)
def test_a_confidence_is_a_share_or_unknown(said: dict[str, Any], confidence: float | None) -> None:
    speech = read({"words": [word("a", 1, 2, **said)]})

    assert words_of(speech)[0].confidence == confidence


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"language": "english"}, "en"),
        ({"language": "German"}, "de"),
        ({"language": "pt-BR"}, "pt"),
        ({"language": "iw"}, "he"),
        ({"language": "haitian creole"}, "ht"),
        ({"languages": [{"code": "fr"}, {"code": "en"}]}, "fr"),
        ({"languages": []}, AUTO),
        ({"language": "klingon"}, AUTO),
        ({"language": None}, AUTO),
        ({"language": 5}, AUTO),
        ({}, AUTO),
    ],
    ids=str,
)
def test_the_language_that_was_left_open_is_what_was_heard(body: dict[str, Any], code: str) -> None:
    assert read({"text": "a", **body}, language=AUTO).language == code


def test_the_language_asked_for_stays() -> None:
    assert read({"text": "a", "language": "english"}, language="de").language == "de"


@pytest.mark.parametrize("name", ["en", "ENGLISH", " english ", "en_US", "en-GB"])
def test_english_has_many_names(name: str) -> None:
    assert language_code(name) == "en"
