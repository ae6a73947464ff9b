"""What a document says, whatever it was made from."""

from collections.abc import Iterator

from processing.extraction.sections import Section, paragraphs
from processing.models import Document

__all__ = ["Section", "sections_of", "text_of"]


def sections_of(document: Document) -> Iterator[Section]:
    """Yield what a document says; blank sections are left out."""
    if document.transcript is None and not document.sections:
        yield from paragraphs(document.text)
        return
    for segment in document.transcript.segments if document.transcript else document.sections:
        if segment["text"].strip():
            yield Section(
                segment["text"], segment["start"], segment["end"], segment.get("speaker") or ""
            )


def text_of(document: Document) -> str:
    """Return all of it, with an empty line between sections."""
    return "\n\n".join(section.text for section in sections_of(document))
