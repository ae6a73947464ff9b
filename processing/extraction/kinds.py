"""What a file is, by what is in it, and who reads that."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import PurePath
from typing import IO, Final

from processing.exceptions import UnreadableDocument
from processing.extraction.encodings import decoded
from processing.extraction.sections import Limits, Section, paragraphs

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
VTT: Final = "text/vtt"
SRT: Final = "application/x-subrip"
HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"
TEXT: Final = "text/plain"

#: Each has a function ``read``, and is imported when there is something for it.
_READERS: Final = {
    PDF: "pdf",
    DOCX: "docx",
    VTT: "subtitles",
    SRT: "subtitles",
    HTML: "markup",
    MARKDOWN: "markdown",
}
_HEAD_BYTES: Final = 1024
_HEAD_CHARACTERS: Final = 4096
_OFFICE_CONTAINER: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_TIMING: Final = re.compile(
    r"^\s*\d{1,2}:\d\d:\d\d[,.]\d{1,3}\s*-->\s*\d{1,2}:\d\d:\d\d", re.MULTILINE
)
_HTML: Final = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_TAG: Final = re.compile(r"<(?:p|div|br|h[1-6]|ul|ol|table|span|a)\b", re.IGNORECASE)


def read(file: IO[bytes], *, name: str, limits: Limits) -> tuple[str, Iterator[Section]]:
    """Return the media type of a file, and what is in it.

    ``name`` says which of the formats that are all text is meant, and nothing else. Raises
    ``UnreadableDocument`` or ``DocumentTooLarge``, then or on the way.
    """
    media_type = packed_type(file)
    if media_type:
        reader = import_module(f"processing.extraction.{_READERS[media_type]}")
        return media_type, reader.read(file, limits=limits)
    text = decoded(file, max_characters=limits.characters)
    media_type = _text_type(text[:_HEAD_CHARACTERS], PurePath(name).suffix.lower())
    if media_type == TEXT:
        return media_type, paragraphs(text)
    reader = import_module(f"processing.extraction.{_READERS[media_type]}")
    return media_type, reader.read(text, media_type=media_type)


def packed_type(file: IO[bytes]) -> str | None:
    """Return the media type of a file that is no plain text, by its first bytes.

    Raises ``UnreadableDocument`` for some that nobody here reads.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if b"%PDF-" in head:
        return PDF
    if head.startswith(_OFFICE_CONTAINER):
        raise UnreadableDocument("it is encrypted, or an Office file older than DOCX")
    if head.startswith(b"{\\rtf"):
        raise UnreadableDocument("it is RTF; save it as DOCX or PDF")
    return DOCX if head.startswith(b"PK\x03\x04") else None


def _text_type(head: str, suffix: str) -> str:
    if head.lstrip().startswith("WEBVTT"):
        return VTT
    if _TIMING.search(head):
        return SRT
    if _HTML.match(head) or (suffix in (".html", ".htm", ".xhtml") and _TAG.search(head)):
        return HTML
    return MARKDOWN if suffix in (".md", ".markdown") else TEXT
