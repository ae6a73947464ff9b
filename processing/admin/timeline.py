"""What happened to a transcript's run, as a picture, as a table and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator

from processing.admin.run_chart import RunChart
from processing.admin.run_legend import legend
from processing.services.history import history_of, said_of_end
from processing.services.progress import clock
from processing.services.timeline import Timeline, timeline_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from processing.models import ProcessingTask, Transcript
    from processing.services.timeline import TimedChunk

#: Rows of a page of chunks, and of a page of events.
PAGE_SIZE = 50

#: The names of the two pages' numbers in an address.
CHUNKS, EVENTS = "chunk_page", "event_page"


def timeline_context(
    transcript: Transcript,
    *,
    run: ProcessingTask | None = None,
    parameters: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return what ``admin/processing/transcript/timeline.html`` shows, to be its ``timeline``.

    Of the latest run where none is named. ``parameters`` are those of the request: they say which
    page of chunks and of events is looked at.
    """
    run = run or transcript.latest_processing
    run.transcript = transcript
    timeline, asked = timeline_of(run), parameters or {}
    chunk_page = Paginator(timeline.chunks, PAGE_SIZE).get_page(asked.get(CHUNKS))
    event_page = Paginator(history_of(timeline), PAGE_SIZE).get_page(asked.get(EVENTS))
    return {
        "run": run,
        "chart": RunChart(timeline),
        "legend": legend(timeline),
        "said": _said(timeline),
        "chunk_page": chunk_page,
        "chunk_rows": [_row(chunk) for chunk in chunk_page],
        "is_chunk_page": CHUNKS in asked,
        "event_page": event_page,
        "event_rows": [(event, _since(timeline, event.at)) for event in event_page],
        "is_event_page": EVENTS in asked,
    }


def _said(timeline: Timeline) -> str:
    """Return how fast a run was, for example ``4 workers, 7.9 times as fast as real time``."""
    count, lane_count = timeline.worker_count, len(timeline.lanes)
    parts = [f"{count} {'worker' if count == 1 else 'workers'}"] if count else []
    if lane_count > count:
        parts.append(f"{lane_count} chunks at once")
    if timeline.speed is not None:
        parts.append(f"{timeline.speed:.1f} times as fast as real time")
    if timeline.speed_up is not None and timeline.efficiency is not None:
        parts.append(f"{timeline.speed_up:.1f} times as fast as one alone")
        parts.append(f"parallel efficiency {timeline.efficiency:.0%}".replace("%", " %"))
    parts.append(f"waited {_seconds(timeline.waited_seconds)}")
    if timeline.run.started_at is not None:
        took = "so far" if timeline.run.is_active else "in all"
        parts.append(f"worked {_seconds(timeline.working_seconds)} {took}")
    return ", ".join(parts)


def _row(chunk: TimedChunk) -> dict[str, Any]:
    return {
        "chunk": chunk,
        "start": clock(chunk.start_seconds),
        "end": clock(chunk.end_seconds),
        "waited": _between(chunk.created_at, chunk.began_at),
        "took": _between(chunk.began_at, chunk.ended_at),
        "said": said_of_end(chunk),
    }


def _between(since: datetime | None, until: datetime | None) -> str:
    return _seconds((until - since).total_seconds()) if since and until else ""


def _since(timeline: Timeline, moment: datetime) -> str:
    """Return when something was, from when the run was asked for: ``+2.1 s``."""
    before = (moment - timeline.run.created_at).total_seconds()
    return f"+{_seconds(before)}" if before >= 0 else ""


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)
