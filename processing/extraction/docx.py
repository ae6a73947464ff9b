"""DOCX: the text of its parts, read as a stream; none of it is ever unpacked as a whole.

Libraries for these files build a tree of all of it, and show neither content controls nor what
was inserted under review.
"""

import zipfile
from collections.abc import Iterator
from typing import IO, Final
from xml.parsers import expat
from zlib import error as ZlibError  # noqa: N812  it is a class

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.sections import Limits, Section

MAX_MEMBERS: Final = 10_000
READ_BYTES: Final = 1 << 16

_PARTS: Final = ("word/document.xml", "word/footnotes.xml", "word/endnotes.xml")
_ENCRYPTED: Final = 0x1
_SIGNS: Final = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011"}


def read(file: IO[bytes], *, limits: Limits) -> Iterator[Section]:
    """Yield a section for each paragraph with text; footnotes come last."""
    try:
        with zipfile.ZipFile(file) as archive:
            for part in _parts(archive, limits):
                with archive.open(part) as stream:
                    yield from _paragraphs(stream, limits)
    except (zipfile.BadZipFile, ZlibError, EOFError, NotImplementedError) as error:
        raise UnreadableDocument("the DOCX is broken: it cannot be unpacked") from error
    except expat.ExpatError as error:
        raise UnreadableDocument("the DOCX is broken: its XML is none") from error


def _parts(archive: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    """Return the members with text, if together they are no larger than what may be read."""
    members = {member.filename: member for member in archive.infolist()}
    if len(archive.infolist()) > MAX_MEMBERS:
        raise DocumentTooLarge(f"more than {MAX_MEMBERS:,} files in the DOCX")
    if _PARTS[0] not in members:
        raise UnreadableDocument("it is a ZIP archive and no DOCX")
    parts = [members[name] for name in _PARTS if name in members]
    if any(part.flag_bits & _ENCRYPTED for part in parts):
        raise UnreadableDocument("the DOCX is encrypted; save it without a password")
    if sum(part.file_size for part in parts) > limits.unpacked_bytes:
        raise _too_large(limits)
    return parts


def _paragraphs(stream: IO[bytes], limits: Limits) -> Iterator[Section]:
    reader = _Reader()
    size_bytes = 0
    while block := stream.read(READ_BYTES):
        size_bytes += len(block)
        if size_bytes > limits.unpacked_bytes:  # whatever its header said
            raise _too_large(limits)
        reader.parser.Parse(block, False)
        yield from reader.taken()
    reader.parser.Parse(b"", True)
    yield from reader.taken()


class _Reader:
    """Collects the paragraphs of WordprocessingML, those inside of text boxes too."""

    def __init__(self) -> None:
        self._open: list[list[str]] = []
        self._done: list[str] = []
        self._is_text = False
        self._copies = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def taken(self) -> Iterator[Section]:
        """Yield the paragraphs that were completed since the last time."""
        done, self._done = self._done, []
        for text in done:
            if text.strip():
                yield Section(text.strip())

    def _refuse(self, *args: object) -> None:
        raise UnreadableDocument("the DOCX declares a document type, which none does")

    def _start(self, name: str, attributes: object) -> None:
        tag = _tag(name)
        if tag == "Fallback":  # says again what stands before it, for older programs
            self._copies += 1
        elif tag == "p":
            self._open.append([])
        elif tag == "t":
            self._is_text = True
        elif tag in _SIGNS and self._open and not self._copies:
            self._open[-1].append(_SIGNS[tag])

    def _end(self, name: str) -> None:
        tag = _tag(name)
        if tag == "Fallback":
            self._copies -= 1
        elif tag == "p":
            self._done.append("".join(self._open.pop()))
        elif tag == "t":
            self._is_text = False

    def _characters(self, text: str) -> None:
        if self._is_text and self._open and not self._copies:
            self._open[-1].append(text)


def _tag(name: str) -> str:
    """Return the local name of an element of WordprocessingML, or of a choice between two."""
    namespace, _, local = name.rpartition(" ")
    is_ours = "wordprocessingml" in namespace or "markup-compatibility" in namespace
    return local if is_ours else ""


def _too_large(limits: Limits) -> DocumentTooLarge:
    return DocumentTooLarge(
        f"the DOCX unpacks to more than {limits.unpacked_bytes:,} bytes "
        "(MAX_DOCUMENT_UNPACKED_BYTES)"
    )
