"""What is read of a document, piece by piece."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
#: What no text needs and some storage refuses: control characters, halves of letters, no letters.
_UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x85\u2028]")
_PARAGRAPH_ENDS = re.compile("[\x0c\u2029]")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of text in the order of reading: a segment of speech, or a paragraph.

    ``start`` and ``end`` are seconds on the recording's clock, None in what nobody spoke.
    """

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a document is read: pages, characters, and bytes when it was compressed."""

    pages: int
    characters: int
    unpacked_bytes: int


def clean(text: str) -> str:
    """Return ``text`` with line ends of one kind, and without what is no letter of any script."""
    text = _PARAGRAPH_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", text))
    return _UNWANTED.sub("", text)


def paragraphs(text: str) -> Iterator[Section]:
    """Yield what stands between empty lines."""
    start = 0
    for end in _PARAGRAPH_END.finditer(text):
        if paragraph := text[start : end.start()].strip():
            yield Section(paragraph)
        start = end.end()
    if paragraph := text[start:].strip():
        yield Section(paragraph)
