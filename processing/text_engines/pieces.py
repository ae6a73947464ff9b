"""Cutting long texts where sentences end."""

import re
from collections.abc import Iterator

#: The end of a sentence with the spaces after it; none follow in Chinese and Japanese.
_SENTENCE_END = re.compile(
    r"[.!?\u2026\u061f\u06d4\u0964][\"'\u2019\u201d)\]]*\s+|[\u3002\uff01\uff1f]|\n+"
)
_SPACE = re.compile(r"\s+")


def pieces(text: str, size: int) -> Iterator[str]:
    """Yield a text in pieces of at most ``size`` characters.

    Each ends with a sentence, where one ends in its second half, or else with a word, where there
    are spaces.
    """
    at = 0
    while len(text) - at > size:
        end = _last_end(_SENTENCE_END, text, at + size // 2, at + size)
        end = end or _last_end(_SPACE, text, at, at + size) or at + size
        if piece := text[at:end].strip():
            yield piece
        at = end
    if piece := text[at:].strip():
        yield piece


def _last_end(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    """Return where the last match in ``text[start:end]`` ends; 0 when there is none."""
    return max((found.end() for found in pattern.finditer(text, start, end)), default=0)
