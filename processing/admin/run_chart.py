"""The picture of a run: chunks over workers over time, as shapes for an SVG.

What is thin is drawn together with what is beside it, so that a run of thousands of chunks is no
more than a page can bear.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.utils.html import format_html_join

from processing.services.history import name_of, said_of_end
from processing.services.progress import clock
from processing.services.timeline import FAILED, TimedChunk, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from django.utils.safestring import SafeString

#: Units of the drawing, a pixel each where it is shown at its own size.
LABEL_WIDTH, PLOT_WIDTH, RIGHT_MARGIN = 150, 800, 10
ROW_HEIGHT, LOW_ROW_HEIGHT, ROW_GAP = 18, 8, 4
QUEUE_HEIGHT, AXIS_HEIGHT = 40, 24
THIN = 2.0

#: Of so many bars or more, those beside each other are drawn together even if they are wider.
MAX_BARS = 2_000

#: With more lanes the rows are low; more than the second number are not drawn.
HIGH_ROWS, MAX_LANES = 24, 128

#: The most characters of a worker's name beside its lane: its end, which has the number.
LABEL_CHARACTERS = 22

#: Between two ticks there are so many seconds, the least of these that gives few enough.
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
MAX_TICKS = 10

#: Where a run waited longer than it took, only so much of its waiting is drawn.
SHOWN_WAITING = 0.1


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that went on from ``x`` for ``width``; ``kind`` gives it colour and pattern."""

    kind: str
    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """The bars of one lane, and who did them."""

    label: str
    name: str
    y: int
    height: int
    bars: list[Bar]

    @property
    def text_y(self) -> float:
        return self.y + self.height / 2 + 4


@dataclass(frozen=True)
class RunChart:
    """The drawing of a timeline; times on its axis are seconds since the run was asked for."""

    timeline: Timeline

    @cached_property
    def start(self) -> float:
        """Where the axis begins: later than the run where that waited longer than it took."""
        waited, worked = self.timeline.waited_seconds, self.timeline.working_seconds
        return waited - SHOWN_WAITING * worked if worked and waited > worked else 0.0

    @property
    def width(self) -> int:
        return LABEL_WIDTH + PLOT_WIDTH + RIGHT_MARGIN

    @property
    def height(self) -> int:
        return self.bottom + AXIS_HEIGHT

    @property
    def bottom(self) -> int:
        last = self.rows[-1]
        return last.y + last.height + ROW_GAP

    @property
    def plot_left(self) -> int:
        return LABEL_WIDTH

    @property
    def plot_right(self) -> int:
        return LABEL_WIDTH + PLOT_WIDTH

    @property
    def queue_bottom(self) -> int:
        return QUEUE_HEIGHT

    @property
    def hidden_count(self) -> int:
        """How many lanes are not drawn."""
        return max(len(self.timeline.lanes) - MAX_LANES, 0)

    @cached_property
    def rows(self) -> list[Row]:
        lanes = self.timeline.lanes[:MAX_LANES]
        height = ROW_HEIGHT if len(lanes) <= HIGH_ROWS else LOW_ROW_HEIGHT
        rows = [Row("Cutting", "", QUEUE_HEIGHT + ROW_GAP, ROW_HEIGHT, self._cutting())]
        for lane in lanes:
            own = lane.worker if lane.thread == 1 else f"{lane.worker}, {lane.thread}"
            label = _shortened(own) if height == ROW_HEIGHT or lane.thread == 1 else ""
            rows.append(Row(label, own, _below(rows), height, list(self._bars(lane.chunks))))
        rows.append(Row("Merging", "", _below(rows), ROW_HEIGHT, self._merging()))
        return rows

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Where the axis is marked, and with what."""
        span = self.timeline.total_seconds - self.start
        step = next((step for step in STEPS if span / step <= MAX_TICKS), 0) or _days(span)
        first = int(self.start // step) + (self.start > 0)
        seconds = [n * step for n in range(first, first + MAX_TICKS + 2)]
        return [
            (self._x(at), f"{at:.1f}" if step < 1 else clock(at))
            for at in seconds
            if at <= self.timeline.total_seconds
        ]

    @property
    def shapes(self) -> SafeString:
        """The bars of all rows; what went wrong lies above what went well."""
        bars = [(row, bar) for row in self.rows for bar in row.bars]
        bars.sort(key=lambda pair: pair[1].kind == FAILED)
        return format_html_join(
            "",
            '<rect class="bar {}" fill="url(#run-{})" x="{}" y="{}" width="{}" height="{}">'
            "<title>{}</title></rect>",
            (
                (bar.kind, bar.kind, f"{bar.x:.1f}", row.y, f"{bar.width:.1f}", row.height, title)
                for row, bar in bars
                for title in [bar.title]
            ),
        )

    @cached_property
    def waiting_counts(self) -> list[int]:
        """The most chunks that were cut and not begun, in each unit of the axis."""
        changes = []
        for chunk in self.timeline.chunks:
            changes.append((chunk.created_at, 1))
            begun = chunk.began_at or chunk.ended_at
            if begun is not None:
                changes.append((begun, -1))
        counts, count, reached = [0] * (PLOT_WIDTH + 1), 0, 0
        for moment, change in sorted(changes):
            place = min(max(int(self._x_of(moment)) - LABEL_WIDTH, 0), PLOT_WIDTH)
            if place > reached:
                counts[reached + 1 : place + 1] = [count] * (place - reached)
            count, reached = count + change, place
            counts[place] = max(counts[place], count)
        counts[reached + 1 :] = [count] * (PLOT_WIDTH - reached)
        return counts

    @property
    def most_waiting(self) -> int:
        return max(self.waiting_counts)

    @property
    def queue(self) -> SafeString:
        """The outline of how many chunks waited, as points of a polygon."""
        counts, most = self.waiting_counts, max(self.most_waiting, 1)
        points = [(LABEL_WIDTH, QUEUE_HEIGHT)]
        for place, count in enumerate(counts):
            y = QUEUE_HEIGHT - round(count / most * (QUEUE_HEIGHT - ROW_GAP))
            if y != points[-1][1]:
                points += [(LABEL_WIDTH + place, points[-1][1]), (LABEL_WIDTH + place, y)]
        points += [(self.plot_right, points[-1][1]), (self.plot_right, QUEUE_HEIGHT)]
        return format_html_join(" ", "{},{}", points)

    @cached_property
    def _scale(self) -> float:
        """Units for each second."""
        span = self.timeline.total_seconds - self.start
        return PLOT_WIDTH / span if span > 0 else 0.0

    def _x(self, seconds: float) -> float:
        return LABEL_WIDTH + min(max((seconds - self.start) * self._scale, 0.0), PLOT_WIDTH)

    def _x_of(self, moment: datetime) -> float:
        return self._x(self.timeline.seconds(moment))

    def _bar(self, kind: str, since: datetime, until: datetime, title: str) -> Bar:
        left, right = self._x_of(since), self._x_of(until)
        width = max(right - left, THIN)
        return Bar(kind, min(left, self.plot_right - width), width, title)

    def _cutting(self) -> list[Bar]:
        timeline, cutting = self.timeline, self.timeline.cutting
        began_at = cutting.began_at if cutting else timeline.ended_at
        waited = f"waited {clock(timeline.waited_seconds)} for a worker"
        bars = [self._bar("waiting", timeline.run.created_at, began_at, waited)]
        if cutting is not None:
            ended_at = cutting.ended_at or timeline.ended_at
            said = _took("cut", cutting.began_at, ended_at, cutting.worker)
            bars.append(self._bar("cutting", cutting.began_at, ended_at, said))
        return bars

    def _merging(self) -> list[Bar]:
        merging = self.timeline.merging
        if merging is None:
            return []
        ended_at = merging.ended_at or self.timeline.ended_at
        said = _took("merged", merging.began_at, ended_at, merging.worker)
        return [self._bar("merging", merging.began_at, ended_at, said)]

    def _bars(self, chunks: Sequence[TimedChunk]) -> Iterator[Bar]:
        """Yield a bar for each chunk of a lane, or for some of one kind that are thin."""
        group: list[TimedChunk] = []
        for chunk in chunks:
            if group and not self._is_thin(group, chunk):
                yield self._bar_of(group)
                group = []
            group.append(chunk)
        if group:
            yield self._bar_of(group)

    def _is_thin(self, group: Sequence[TimedChunk], chunk: TimedChunk) -> bool:
        """Whether a group and the chunk after it are one bar."""
        first, last_end, begin = group[0].began_at, group[-1].ended_at, chunk.began_at
        if not (first and last_end and begin) or chunk.outcome != group[0].outcome:
            return False
        end = self._x_of(chunk.ended_at or self.timeline.ended_at)
        return (
            end - self._x_of(first) < self.thin and self._x_of(begin) - self._x_of(last_end) < THIN
        )

    @cached_property
    def thin(self) -> float:
        """Bars of one kind beside each other are one as long as they are narrower together."""
        if len(self.timeline.chunks) < MAX_BARS:
            return THIN
        return max(THIN, len(self.timeline.lanes) * PLOT_WIDTH / MAX_BARS)

    def _bar_of(self, group: Sequence[TimedChunk]) -> Bar:
        first, last = group[0], group[-1]
        since, until = first.began_at, last.ended_at or self.timeline.ended_at
        title = f"{name_of(first)}: {said_of_end(first)}"
        if len(group) > 1:
            title = f"{len(group)} chunks, {name_of(first)} to {name_of(last)}: {first.outcome}"
        return self._bar(first.outcome, since or until, until, title)


def _below(rows: Sequence[Row]) -> int:
    return rows[-1].y + rows[-1].height + ROW_GAP


def _days(span: float) -> int:
    """Return a step of whole days for what takes longer than all steps allow."""
    day = 86_400
    return day * (int(span // (day * MAX_TICKS)) + 1)


def _shortened(name: str) -> str:
    return name if len(name) <= LABEL_CHARACTERS else f"…{name[1 - LABEL_CHARACTERS :]}"


def _took(verb: str, began_at: datetime, ended_at: datetime, worker: str) -> str:
    by = f" by {worker}" if worker else ""
    return f"{verb} in {(ended_at - began_at).total_seconds():.1f} s{by}"
