"""How far a run is and what was said, as HTML; styled by ``processing/admin.css``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from jobs.presentation import NOTHING
from processing.choices import ProcessingStatus
from processing.engines.spacing import spaced
from processing.models import ProcessingTask, Recording
from processing.services.joining import NOT_HEARD_YET
from processing.services.merging.merger import Merged
from processing.services.merging.suspicion import Flag
from processing.services.progress import Progress, clock

NAME_CHARACTERS = 40
STYLES = {"all": ["processing/admin.css"]}

#: Runs that stopped half-way: a full bar would say otherwise.
STOPPED = (ProcessingStatus.FAILED, ProcessingStatus.CANCELLED)

#: The most seams that a page shows.
SHOWN_SEAMS = 500

#: flag -> what is doubted about a segment
DOUBTS: Mapping[str, str] = {
    Flag.LOOP: "The same words over and over",
    Flag.SILENCE: "Words where the recording is silent",
    Flag.FAST: "More words than anybody says in the time",
    Flag.LOW_CONFIDENCE: "The engine was not sure of it",
    Flag.NO_SPEECH: "The engine took it for no speech",
    Flag.REPEATED_ACROSS_SEAM: "The same words on both sides of a cut",
    Flag.CUT_AT_GAP: "A word at the edge of a gap, which may have the rest of it",
}
ESTIMATED = "The engine told no times of words: these are estimated"


def shown_name(recording: Recording) -> str:
    """Return as much of a recording's name as a column has room for."""
    return Truncator(recording.name).chars(NAME_CHARACTERS)


def progress_bar(processing: ProcessingTask) -> SafeString:
    """Return a bar and ``0:42 of 4:00``; for a run that was stopped, only how far it came."""
    text = str(Progress.of(processing))
    if processing.status in STOPPED:
        return format_html('<span class="progress">{}</span>', text)
    bar = format_html(
        '<span class="progress"><progress value="{}" max="1"></progress> {}</span>',
        f"{processing.progress:.4f}",
        text,
    )
    return followed(processing, bar) if processing.is_active else bar


def followed(row: Model, shown: SafeString) -> SafeString:
    """Return what is shown of a row that goes on so that ``live.js`` moves it.

    The row's admin is a ``FollowedAdmin``.
    """
    meta = row._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_progress")
    return format_html('<span data-live-row="{}" data-id="{}">{}</span>', address, row.pk, shown)


def seconds_from_asking(result: Any) -> float | None:
    """Return how long it took from when a result was asked for; None while it is not over."""
    if result.completed_at is None:
        return None
    seconds: float = (result.completed_at - result.created_at).total_seconds()
    return seconds


def speed(real_time_factor: float | None) -> str:
    """Return how many seconds of audio are done in one, for example ``8.0x real time``."""
    return f"{1 / real_time_factor:.1f}x real time" if real_time_factor else NOTHING


def transcript_text(content: Merged, *, is_live: bool = False) -> SafeString | str:
    """Return the segments with their times, and the gaps between them where they are.

    A segment shows who speaks, and marks that say on hovering why it is doubted. To what is
    ``is_live``, ``live.js`` adds what is heard after that.
    """
    lines = [(segment, "segment", _segment(segment)) for segment in content.segments]
    lines += [(gap, *_gap(gap)) for gap in content.gaps]
    lines.sort(key=lambda line: float(line[0]["start"]))
    rows = format_html_join(
        "",
        '<p class="{}"><time>{} to {}</time>{}</p>',
        ((kind, clock(row["start"]), clock(row["end"]), text) for row, kind, text in lines),
    )
    if not rows and not is_live:
        return NOTHING
    live = SafeString(" data-live") if is_live else ""
    return format_html('<div class="transcript"{}>{}</div>', live, rows)


def seam_audit(seams: Sequence[Mapping[str, Any]]) -> SafeString | str:
    """Return what was heard on both sides of each overlap and what was kept, folded away."""
    if not seams:
        return NOTHING
    rows = format_html_join(
        "",
        "<tr><td>{}</td><td>{}, {}</td><td>{}, {} matched</td><td>{}</td><td>{}</td><td>{}</td>"
        "</tr>",
        (
            (
                clock(seam["at"]),
                seam["left_chunk"],
                seam["right_chunk"],
                seam["method"],
                seam["matched"],
                *(spaced(seam[side]) for side in ("left", "right", "kept")),
            )
            for seam in seams[:SHOWN_SEAMS]
        ),
    )
    more = f", the first {SHOWN_SEAMS} here" if len(seams) > SHOWN_SEAMS else ""
    return format_html(
        '<details class="seams"><summary>{} {}{}</summary><table><thead><tr><th>At</th>'
        "<th>Chunks</th><th>Joined by</th><th>Heard before</th><th>Heard after</th><th>Kept</th>"
        "</tr></thead><tbody>{}</tbody></table></details>",
        len(seams),
        "overlap" if len(seams) == 1 else "overlaps",
        more,
        rows,
    )


def _segment(segment: Mapping[str, Any]) -> SafeString:
    speaker = segment.get("speaker", "")
    return format_html(
        "{}<span>{}{}{}</span>",
        format_html('<b class="speaker">{}</b>', speaker) if speaker else "",
        segment["text"],
        _marks(segment.get("flags", ())),
        format_html(' <abbr class="flag" title="{}">~</abbr>', ESTIMATED)
        if segment.get("is_estimated")
        else "",
    )


def _marks(flags: Iterable[str]) -> SafeString:
    return format_html_join(
        "",
        ' <abbr class="flag" title="{}">{}</abbr>',
        ((DOUBTS.get(flag, flag), flag.replace("_", " ")) for flag in flags),
    )


def _gap(gap: Mapping[str, Any]) -> tuple[str, SafeString]:
    """Return what a gap is to the page, and what it says."""
    if gap["reason"].endswith(NOT_HEARD_YET):
        return "pending", format_html("<span>{}</span>", gap["reason"])
    return "gap", format_html("<span>nothing heard: {}</span>", gap["reason"])
