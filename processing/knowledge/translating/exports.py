"""Translations as files: what transcripts are exported as, with the times of their segments."""

import json
from pathlib import PurePath
from typing import Any

from processing.choices import DocumentKind, ResultStatus
from processing.exceptions import InvalidQuery, NotFinished
from processing.models import Document, Translation
from processing.services.exports import FORMATS

#: What shows when something was said, so that somebody has to have said it.
SUBTITLES = ("srt", "vtt")


def exported_translation(translation: Translation, format_name: str) -> str:
    """Return a completed translation in a format.

    Raises ``NotFinished`` for any other, and ``InvalidQuery`` for an unknown format and for
    subtitles of what nobody spoke.
    """
    if translation.status != ResultStatus.COMPLETED:
        raise NotFinished(
            f"the translation is {translation.status}; it can be exported once it is "
            f"{ResultStatus.COMPLETED}"
        )
    check_format(translation.document, format_name)
    if format_name == "json":
        return json.dumps(as_dict(translation), ensure_ascii=False, indent=2) + "\n"
    render: Any = FORMATS[format_name][1]
    return str(render(translation))


def check_format(document: Document, format_name: str) -> None:
    """Raise ``InvalidQuery`` for a format that translations of a document do not have."""
    if format_name not in FORMATS:
        raise InvalidQuery(f"there is no format {format_name!r}; known: {', '.join(FORMATS)}")
    if format_name in SUBTITLES and document.kind == DocumentKind.UPLOAD:
        raise InvalidQuery(
            f"nobody spoke the document, so {format_name} has no times for its text; "
            "it can be exported as text or json"
        )


def as_dict(translation: Translation) -> dict[str, Any]:
    """Return ``language, engine, document_version, segments``, the latter in order of reading."""
    return {
        "language": translation.language,
        "engine": translation.engine,
        "document_version": translation.document_version,
        "segments": segments_of(translation),
    }


def segments_of(translation: Translation) -> list[dict[str, Any]]:
    """Return ``start, end, text`` of each segment, and ``speaker`` where that is known."""
    return [
        {name: row[name] for name in ("start", "end", "text", "speaker") if name in row}
        for row in translation.segments
    ]


def file_name(translation: Translation, format_name: str) -> str:
    """Return what an export is called: as its document, with the language, as players know it."""
    extension = "txt" if format_name == "text" else format_name
    stem = PurePath(translation.document.title).stem
    return f"{stem}.{translation.language}.{extension}"
