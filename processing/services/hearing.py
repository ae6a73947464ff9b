"""What an engine heard, as rows and the cache keep it, and back again."""

from typing import Any

from processing.engines.base import Segment, Speech, Timing, Word
from processing.engines.spacing import spaced

#: Decimals kept: of times in seconds, and of shares and logarithms.
TIME_DECIMALS = 3
SHARE_DECIMALS = 3

#: What a segment says of itself, where its engine does.
_OPTIONAL = ("speaker", "avg_logprob", "no_speech_prob")

JsonObject = dict[str, Any]


def stored(speech: Speech) -> JsonObject:
    """Return ``{language, timing, segments: [{words: [[word, start, end, confidence]]}]}``.

    Segments also have their ``speaker``, ``avg_logprob`` and ``no_speech_prob``, where these
    are not None.
    """
    return {
        "language": speech.language,
        "timing": str(speech.timing),
        "segments": [
            {"words": [_word(word) for word in segment.words]}
            | {
                name: _rounded(value)
                for name in _OPTIONAL
                if (value := getattr(segment, name)) is not None
            }
            for segment in speech.segments
        ],
    }


def speech_of(result: JsonObject) -> Speech:
    """Return the speech that ``stored`` was given, to the decimals kept."""
    return Speech(
        tuple(
            Segment(
                tuple(Word(*word) for word in segment["words"]),
                **{name: segment[name] for name in _OPTIONAL if name in segment},
            )
            for segment in result["segments"]
        ),
        result["language"],
        Timing(result["timing"]),
    )


def text_of(result: JsonObject) -> str:
    """Return the words of a stored speech as one line."""
    return spaced(word for segment in result["segments"] for word, *_ in segment["words"])


def _word(word: Word) -> list[Any]:
    confidence = None if word.confidence is None else round(word.confidence, SHARE_DECIMALS)
    return [word.word, round(word.start, TIME_DECIMALS), round(word.end, TIME_DECIMALS), confidence]


def _rounded(value: str | float) -> str | float:
    return value if isinstance(value, str) else round(value, SHARE_DECIMALS)
