"""Having a document read by a confined process, and what came of it."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from io import UnsupportedOperation
from shutil import copyfileobj
from typing import IO, Any

from django.conf import settings

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.confined import (
    ConfinedError,
    Confinement,
    SaidTooMuch,
    confined_lines,
)
from processing.extraction.sections import Limits
from processing.services.files import refusing_when_full

#: A character takes up to four bytes, and short paragraphs some more around them.
BYTES_PER_CHARACTER = 6
MIN_OUTPUT_BYTES = 1 << 20
#: The model of languages is unpacked to a file.
FILE_BYTES = 128 * 1024**2

_ERRORS = {error.code: error for error in (DocumentTooLarge, UnreadableDocument)}


@dataclass
class Extracted:
    """What a document says: ``sections`` (text, start, end, speaker) where it has times."""

    media_type: str = ""
    language: str = ""
    text: str = ""
    sections: list[dict[str, Any]] = field(default_factory=list)


def extracted(file: IO[bytes], *, name: str, language: str = "") -> Extracted:
    """Return what is in a file; its language is looked for when it is not given.

    Raises ``UnreadableDocument`` or ``DocumentTooLarge``, whatever the file does to its reader.
    """
    limits = Limits(
        pages=settings.MAX_DOCUMENT_PAGES,
        characters=settings.MAX_DOCUMENT_CHARACTERS,
        unpacked_bytes=settings.MAX_DOCUMENT_UNPACKED_BYTES,
    )
    confinement = Confinement(
        seconds=settings.EXTRACTION_SECONDS,
        memory_bytes=settings.EXTRACTION_MEMORY_BYTES,
        output_bytes=BYTES_PER_CHARACTER * limits.characters + MIN_OUTPUT_BYTES,
        file_bytes=FILE_BYTES,
    )
    request = {"name": name, "language": language or None, "limits": asdict(limits)}
    try:
        with (
            _real_file(file) as real,
            confined_lines(
                "processing.extraction", json.dumps(request), stdin=real, confinement=confinement
            ) as lines,
        ):
            return _understood(lines)
    except SaidTooMuch as error:
        raise DocumentTooLarge(f"there is too much in it: {error}") from error
    except ConfinedError as error:
        raise UnreadableDocument(
            f"the program that read it did not get to its end: {error}. "
            f"The file is damaged, or needs more than {confinement.memory_bytes:,} bytes of "
            f"memory (EXTRACTION_MEMORY_BYTES) or {confinement.seconds} s (EXTRACTION_SECONDS)"
        ) from error


def _understood(lines: Iterable[bytes]) -> Extracted:
    result = Extracted()
    texts: list[str] = []
    is_complete = False
    for line in lines:
        said = json.loads(line)
        if "error" in said:
            raise _ERRORS[said["error"]](said["message"])
        result.media_type = said.get("media_type", result.media_type)
        texts.append(said.get("text", ""))
        for text, start, end, speaker in said.get("sections", ()):
            result.sections.append({"text": text, "start": start, "end": end, "speaker": speaker})
        if "language" in said:
            result.language, is_complete = said["language"], True
    if not is_complete:
        raise UnreadableDocument("the program that read it ended too early")
    spoken = "\n\n".join(section["text"] for section in result.sections)
    result.text = spoken or "".join(texts)
    return result


@contextmanager
def _real_file(file: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield a file that another process can be given: itself, or a copy on this disk."""
    try:
        file.fileno()
    except (AttributeError, UnsupportedOperation):
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as copy:
            with refusing_when_full():
                file.seek(0)
                copyfileobj(file, copy)
                copy.flush()
            yield copy
    else:
        yield file
