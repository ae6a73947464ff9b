"""What a document says and what was made of it, as HTML; styled by ``processing/admin.css``.

The buttons belong to the form of the page, and send it elsewhere.
"""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.presentation import NOTHING, error_line, link_to, status_badge
from processing.choices import ResultStatus
from processing.models import Document, DocumentTopic, Passage, Result, Summary
from processing.services.progress import clock

#: How much one page shows.
SHOWN_PASSAGES = 500
SHOWN_TRANSLATIONS = 20
SHOWN_RELATED = 10
RELATED_DEPTH = 2


def summary_of(document: Document) -> SafeString:
    """Return the latest summary with what it covers, and the button that makes one."""
    latest = Summary.objects.of_document(document).first()
    button = _button(document, "summarise", "Summarise again" if latest else "Summarise")
    if latest is None:
        return button
    return format_html("{}{}{}", result_line(latest), _summary(latest), button)


def result_line(result: Result) -> SafeString:
    """Return how a result is doing: its status, who made it, how far it is, what went wrong."""
    parts = [status_badge(result.status)]
    if result.is_active:
        parts.append(format_html('<progress value="{}" max="1"></progress>', result.progress))
    if result.engine:
        parts.append(format_html("<span>by {}</span>", result.engine))
    if result.error_code:
        parts.append(
            format_html("<span>{}</span>", error_line(result.error_code, result.error_message))
        )
    return format_html(
        '<p class="result">{}</p>', format_html_join(" ", "{}", ((p,) for p in parts))
    )


def _summary(summary: Summary) -> SafeString:
    if summary.status != ResultStatus.COMPLETED:
        return SafeString("")
    kind = "The sentences that say most of it." if summary.is_extractive else ""
    paragraphs = format_html_join(
        "", "<p>{}</p>", ((line,) for line in summary.text.split("\n") if line.strip())
    )
    return format_html(
        '<div class="summary" dir="auto">{}{}{}</div>',
        format_html('<p class="quiet">{}</p>', kind) if kind else "",
        paragraphs,
        _uncovered(summary.coverage),
    )


def _uncovered(coverage: Sequence[dict[str, Any]]) -> SafeString:
    missing = [part for part in coverage if not part["is_covered"]]
    if not missing:
        return SafeString("")
    spans = ", ".join(f"{clock(part['start'])} to {clock(part['end'])}" for part in missing)
    return format_html('<p class="gap">Not covered: {}</p>', spans)


def topics_of(document: Document) -> SafeString:
    """Return the topics that people gave and the machine suggests, each with its buttons."""
    rows = DocumentTopic.objects.filter(document=document, is_dismissed=False)
    address = _address(document, "topic")
    lines = []
    for row in rows.select_related("topic").order_by("is_suggested", "-score", "topic__name"):
        take_away = _topic_button(address, "take_away", row.topic_id, "remove")
        accept = _topic_button(address, "give", row.topic.name, "accept")
        buttons = format_html("{} {}", accept, take_away) if row.is_suggested else take_away
        lines.append(("suggested" if row.is_suggested else "given", row.topic.name, buttons))
    listed = format_html_join("", '<li class="{}"><span>{}</span> {}</li>', lines)
    return format_html(
        '<ul class="topics">{}</ul><input name="new_topic" maxlength="100" class="vTextField"'
        ' aria-label="New topic" placeholder="New topic">'
        ' <button class="small" formaction="{}" formnovalidate>Add</button>',
        listed,
        address,
    )


def _topic_button(address: str, verb: str, value: object, label: str) -> SafeString:
    return format_html(
        '<button class="small" formaction="{}" formnovalidate name="{}" value="{}">{}</button>',
        address,
        verb,
        value,
        label,
    )


def translations_of(document: Document) -> SafeString:
    """Return the translations as links, and what asks for another."""
    rows = list(
        document.translations.defer("segments").order_by("-created_at")[:SHOWN_TRANSLATIONS]
    )
    listed = format_html_join(
        "",
        '<p class="result">{} <a href="{}">{}</a> {}</p>',
        (
            (
                status_badge(row.status),
                reverse("admin:processing_translation_change", args=[row.pk]),
                row.language,
                error_line(row.error_code, row.error_message)
                or ("" if row.document_version == document.version else "of an older version"),
            )
            for row in rows
        ),
    )
    return format_html(
        '{}<input name="to" maxlength="10" size="6" aria-label="Language" placeholder="de"> {}',
        listed,
        _button(document, "translate", "Translate"),
    )


def related_to(document: Document) -> SafeString | str:
    """Return what a document has to do with, the nearest first."""
    relations = Document.objects.related(document, depth=RELATED_DEPTH, limit=SHOWN_RELATED)
    titles = Document.objects.in_workspace(document.workspace).without_content()
    found = titles.in_bulk([relation.id for relation in relations])
    lines = [
        (link_to(found[relation.id]), relation.distance, f"{relation.weight:.2f}")
        for relation in relations
        if relation.id in found
    ]
    line = '<div>{} <span class="quiet">{} away, {}</span></div>'
    return format_html_join("", line, lines) or NOTHING


def passages_of(document: Document) -> SafeString:
    """Return what the document says as it is in the index, with its times where it has any."""
    rows = list(Passage.objects.of_document(document).in_order()[: SHOWN_PASSAGES + 1])
    lines = format_html_join(
        "",
        '<p id="passage-{}" class="segment">{}{}<span dir="auto">{}</span></p>',
        (
            (
                row.pk,
                _time(row),
                format_html('<b class="speaker">{}</b>', row.speaker) if row.speaker else "",
                row.text,
            )
            for row in rows[:SHOWN_PASSAGES]
        ),
    )
    more = format_html("<p>and more</p>") if len(rows) > SHOWN_PASSAGES else SafeString("")
    return format_html(
        '<div class="transcript">{}{}</div>{}',
        lines or NOTHING,
        more,
        _button(document, "index", "Index again"),
    )


def _time(row: Passage) -> SafeString:
    if row.start_seconds is None or row.end_seconds is None:
        return SafeString("")
    return format_html("<time>{} to {}</time>", clock(row.start_seconds), clock(row.end_seconds))


def _address(document: Document, verb: str) -> str:
    return reverse(f"admin:processing_document_{verb}", args=[document.pk])


def _button(document: Document, verb: str, label: str) -> SafeString:
    return format_html(
        '<button class="small" formaction="{}" formnovalidate>{}</button>',
        _address(document, verb),
        label,
    )
