"""Bytes to text, whichever of many conventions wrote them."""

import codecs
import re
from collections.abc import Iterator
from typing import IO

import chardet

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.sections import clean

READ_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 16
LINE_BYTES = 1 << 12

#: The longer marks first: one of UTF-32 begins with one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What is left when it is not UTF-8. Among those of Latin letters a guess is as good as another;
#: of the others we want to be sure, because western text is so much more common.
_LATIN = ("windows-1252", "windows-1250", "windows-1254", "iso-8859-2")
_OTHERS = (
    "windows-1251 windows-1253 windows-1255 windows-1256 koi8-r cp932 euc-jp gb18030 big5hkscs "
    "cp949"
)
_SURE = 0.2
_UTF16 = ("utf-16-le", "utf-16-be")
_CERTAIN = 0.9

#: More control characters than this, and it is no text.
_BINARY_SHARE = 0.01
_CONTROL = re.compile(b"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_DECLARED = re.compile(rb"<meta[^>]{1,200}charset\s*=\s*[\"']?([\w-]{2,30})", re.IGNORECASE)


def decoded(file: IO[bytes], *, max_characters: int) -> str:
    """Return the text of a file: by its mark, as UTF-8, as it declares, or as it looks.

    Raises ``UnreadableDocument`` for what is no text, ``DocumentTooLarge`` for too much of it.
    """
    file.seek(0)
    sample = file.read(SAMPLE_BYTES)
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return _read(file, encoding, max_characters, errors="replace")
    if len(_CONTROL.findall(sample)) > _BINARY_SHARE * len(sample):
        return _read(file, _unmarked_utf16(sample), max_characters, errors="replace")
    try:
        return _read(file, "utf-8", max_characters)
    except UnicodeDecodeError:
        encoding = _declared(sample) or _guessed(file)
    return _read(file, encoding, max_characters, errors=_AS_WINDOWS_1252)


def _read(file: IO[bytes], encoding: str, max_characters: int, *, errors: str = "strict") -> str:
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    pieces, count = [], 0
    file.seek(0)
    while block := file.read(READ_BYTES):
        pieces.append(decoder.decode(block))
        count += len(pieces[-1])
        if count > max_characters:
            raise DocumentTooLarge(
                f"more than {max_characters:,} characters (MAX_DOCUMENT_CHARACTERS)"
            )
    pieces.append(decoder.decode(b"", final=True))
    return clean("".join(pieces))


def _unmarked_utf16(sample: bytes) -> str:
    guess = chardet.detect(sample)
    if guess["encoding"] not in _UTF16 or guess["confidence"] < _CERTAIN:
        raise UnreadableDocument(
            "it is neither text nor PDF, DOCX, HTML, Markdown, SRT or WebVTT, whatever its name"
        )
    return guess["encoding"]


def _declared(sample: bytes) -> str | None:
    found = _DECLARED.search(sample)
    try:
        return codecs.lookup(found[1].decode()).name if found else None
    except LookupError:
        return None


def _guessed(file: IO[bytes]) -> str:
    """Return the encoding that the lines which are not ASCII look like."""
    lines = list(_telling_lines(file))
    if 2 * sum(map(_is_utf8, lines)) >= len(lines):
        return "utf-8"  # of which some is broken, or was pasted in from elsewhere
    candidates = [*_LATIN, *_OTHERS.split()]
    guess = chardet.detect(b"\n".join(lines), include_encodings=candidates)
    name = (guess["encoding"] or _LATIN[0]).lower()
    return name if name in _LATIN or guess["confidence"] >= _SURE else _LATIN[0]


def _telling_lines(file: IO[bytes]) -> Iterator[bytes]:
    size_bytes = 0
    file.seek(0)
    while size_bytes < SAMPLE_BYTES and (line := file.readline(LINE_BYTES)):
        if not line.isascii():
            size_bytes += len(line)
            yield line


def _is_utf8(line: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line)
    except UnicodeDecodeError:
        return False
    return True


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101  nothing is encoded here
    wrong = error.object[error.start : error.end]
    return wrong.decode("windows-1252", errors="replace"), error.end


_AS_WINDOWS_1252 = "longhand.as_windows_1252"
codecs.register_error(_AS_WINDOWS_1252, _as_windows_1252)
