"""PDF, page by page."""

from collections.abc import Iterator
from typing import IO

import pypdfium2  # type: ignore[import-untyped]

from processing.exceptions import DocumentTooLarge, UnreadableDocument
from processing.extraction.sections import Limits, Section

#: What PDFium puts where a word goes on in the next line.
_HYPHEN = "\x02"
_WRONG_PASSWORD = 4


def read(file: IO[bytes], *, limits: Limits) -> Iterator[Section]:
    """Yield a section for each page with text."""
    try:
        pages = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        is_encrypted = getattr(error, "err_code", None) == _WRONG_PASSWORD
        why = "it is encrypted; save it without a password" if is_encrypted else "it is broken"
        raise UnreadableDocument(f"the PDF cannot be opened: {why}") from error
    if len(pages) > limits.pages:
        raise DocumentTooLarge(f"{len(pages):,} pages; the limit is {limits.pages:,} pages")
    is_empty = True
    for index in range(len(pages)):
        if text := _text_of(pages, index):
            is_empty = False
            yield Section(text)
    if is_empty:
        raise UnreadableDocument(
            "there is no text in the PDF: its pages are pictures, as of a scan; "
            "have a program recognise their text first"
        )


def _text_of(pages: pypdfium2.PdfDocument, index: int) -> str:
    try:
        page = pages[index]
        text: str = page.get_textpage().get_text_bounded()
    except pypdfium2.PdfiumError as error:
        raise UnreadableDocument(f"page {index + 1} of the PDF is broken") from error
    page.close()
    return text.replace(_HYPHEN, "").strip()
