"""Which colour and pattern of the picture of a run means what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.html import format_html, format_html_join

from processing.services.timeline import CANCELLED, FAILED, HEARD, RETRIED, REUSED, RUNNING

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

    from processing.services.timeline import Timeline

#: What became of chunks, in the words of the legend.
OUTCOMES: Final = {
    HEARD: "heard",
    RETRIED: "heard after another attempt",
    REUSED: "known from before",
    RUNNING: "being heard",
    FAILED: "failed",
    CANCELLED: "cancelled",
}


def legend(timeline: Timeline) -> SafeString:
    """Return which colour and pattern means what, of those that are in the picture."""
    kinds = [("waiting", "waiting"), ("cutting", "cutting"), ("merging", "merging")]
    kinds += [(kind, text) for kind, text in OUTCOMES.items() if timeline.outcomes[kind]]
    return format_html_join(
        "",
        '<li><svg width="22" height="12" aria-hidden="true">'
        '<rect class="bar {}" fill="url(#run-{})" width="22" height="12"></rect></svg> {}{}</li>',
        (
            (kind, kind, text, format_html(" ({})", count) if count else "")
            for kind, text in kinds
            for count in [timeline.outcomes[kind] if kind != "waiting" else 0]
        ),
    )
