"""What the page of a transcript shows around its text, and which part of that."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from django.template.loader import render_to_string

from processing.admin.marks import GAP, legend
from processing.admin.outline import Outline, page_content
from processing.admin.presentation import seam_audit
from processing.admin.transcript_lines import lines_of
from processing.models import Document, DocumentVersion, Transcript
from processing.services.exports import FORMATS
from processing.services.progress import clock

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.utils.safestring import SafeString

#: How many earlier versions and other transcripts of the recording a page offers.
SHOWN_VERSIONS = 20
SHOWN_OTHERS = 20

#: What each format is called on its button.
FORMAT_NAMES = {"text": "Text", "json": "JSON", "srt": "SRT", "vtt": "WebVTT"}


def seconds_of(text: str) -> float:
    """Return a time as ``clock`` writes it, or in seconds; 0 for what is none."""
    seconds = 0.0
    try:
        for part in text.split(":"):
            seconds = seconds * 60 + float(part)
    except ValueError:
        return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def text_context(transcript: Transcript, request: HttpRequest) -> dict[str, Any]:
    """Return what the text's template needs: the page at the time ``at``.

    With ``mark`` it is the next page after that one which has such a mark, or the one before with
    ``back``; ``text_page`` is None when there is none.
    """
    document = document_of(transcript)  # before the text: never newer than it
    at = seconds_of(request.GET.get("at", ""))
    if mark := request.GET.get("mark"):
        found = _marked(transcript, at, mark, is_back="back" in request.GET)
        if found is None:
            return {"text_page": None}
        at = found
    outline, number, content = page_content(transcript, at)
    page, pages = outline.pages[number], outline.pages
    end = outline.end_of(number)
    return {
        "transcript": transcript,
        "document": document,
        "version": document.version if document else 1,
        "outline": outline,
        "text_page": page,
        "text_number": number + 1,
        "text_end": end if math.isfinite(end) else None,
        "earlier": pages[number - 1].start if number else None,
        "later": pages[number + 1].start if number + 1 < len(pages) else None,
        "from_clock": clock(page.start),
        "lines": lines_of(content, first=page.first),
        "seams": seam_audit(content.seams) if content.seams else "",
        **legend_context(outline),
    }


def legend_context(outline: Outline) -> dict[str, Any]:
    """Return the marks that there are, each with its count and where the first one is."""
    counts = outline.counts
    rows = [
        {"mark": mark, "count": count, "at": outline.pages[number].start}
        for mark, count in legend(counts)
        if (number := outline.number_with(mark.name, range(len(outline.pages)))) is not None
    ]
    return {"legend": rows, "has_gaps": GAP in counts}


def _marked(transcript: Transcript, at: float, mark: str, *, is_back: bool) -> float | None:
    """Return where the next page with a mark begins."""
    outline, number, _ = page_content(transcript, at)
    numbers = range(number - 1, -1, -1) if is_back else range(number + 1, len(outline.pages))
    found = outline.number_with(mark, numbers)
    return None if found is None else outline.pages[found].start


def document_of(transcript: Transcript) -> Document | None:
    rows = Document.objects.without_content().with_topics().select_related("workspace")
    return rows.filter(transcript=transcript).first()


def text_html(transcript: Transcript, request: HttpRequest, *, may_correct: bool) -> str:
    """Return a page of the text by itself, empty when there is none as it was asked for."""
    context = text_context(transcript, request) | {"may_correct": may_correct}
    if context["text_page"] is None:
        return ""
    return render_to_string("admin/processing/transcript/text.html", context, request)


def legend_html(outline: Outline) -> SafeString:
    return render_to_string("admin/processing/transcript/legend.html", legend_context(outline))


def head_context(transcript: Transcript) -> dict[str, Any]:
    """Return what stands above the text, but for what depends on who looks."""
    others = transcript.recording.transcripts.without_content().exclude(pk=transcript.pk)
    return {
        "run": transcript.latest_processing,
        "length": transcript.duration_seconds or transcript.recording.duration_seconds,
        "formats": [(name, FORMAT_NAMES.get(name, name)) for name in FORMATS],
        "others": others[:SHOWN_OTHERS],
    }


def versions_of(document: Document) -> list[DocumentVersion]:
    """Return what a transcript said before, the latest first, without the texts."""
    rows = document.versions.select_related("replaced_by").defer("text", "segments", "gaps")
    return list(rows[:SHOWN_VERSIONS])
