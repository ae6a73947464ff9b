"""How far a run is and what was said, as HTML; styled by ``processing/admin.css``."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from processing.choices import ProcessingStatus
from processing.models import ProcessingTask, Recording, Transcript
from processing.services.progress import Progress, clock

NAME_CHARACTERS = 40
STYLES = {"all": ["processing/admin.css"]}

#: Runs that stopped half-way: a full bar would say otherwise.
STOPPED = (ProcessingStatus.FAILED, ProcessingStatus.CANCELLED)


def shown_name(recording: Recording) -> str:
    """Return as much of a recording's name as a column has room for."""
    return Truncator(recording.name).chars(NAME_CHARACTERS)


def progress_bar(processing: ProcessingTask) -> SafeString:
    """Return a bar and ``0:42 of 4:00``; for a run that was stopped, only how far it came."""
    text = str(Progress.of(processing))
    if processing.status in STOPPED:
        return format_html('<span class="progress">{}</span>', text)
    return format_html(
        '<span class="progress"><progress value="{}" max="1"></progress> {}</span>',
        f"{processing.progress:.4f}",
        text,
    )


def transcript_text(transcript: Transcript) -> SafeString:
    """Return the segments with their times, and the gaps between them where they are."""
    lines = [(segment, "segment", segment["text"]) for segment in transcript.segments]
    lines += [(gap, "gap", f"nothing heard: {gap['reason']}") for gap in transcript.gaps]
    lines.sort(key=lambda line: float(line[0]["start"]))
    rows = format_html_join(
        "",
        '<p class="{}"><time>{} to {}</time><span>{}</span></p>',
        ((kind, clock(row["start"]), clock(row["end"]), text) for row, kind, text in lines),
    )
    return format_html('<div class="transcript">{}</div>', rows)
