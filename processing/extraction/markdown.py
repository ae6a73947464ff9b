"""Markdown: read as the page that it describes."""

from collections.abc import Iterator

from markdown_it import MarkdownIt

from processing.extraction import markup
from processing.extraction.sections import Section, paragraphs

#: Longer ones are read as they are written: to understand them would take minutes.
MAX_CHARACTERS = 2_000_000


def read(text: str, *, media_type: str) -> Iterator[Section]:
    if len(text) > MAX_CHARACTERS:
        return paragraphs(text)
    page = MarkdownIt("commonmark").enable("table").render(text)
    return markup.read(f"<body>{page}", media_type=media_type)
