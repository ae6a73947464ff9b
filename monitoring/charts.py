"""Charts as SVG, made here: no library, no script, and no colours but the page's own.

Styled by ``monitoring/charts.css``. A chart says in words what it shows, for who cannot see it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, floor, log2, log10

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from monitoring.catalogue import Unit
from monitoring.figures import figure
from monitoring.trends import Point, Trend

#: Width and height of a sparkline, and how far its line stays from the edges.
SPARKLINE = (120, 28)
MARGIN = 2

#: Width and height of a line chart, and what its axes take of that.
CHART = (640, 200)
LEFT, RIGHT, TOP, BOTTOM = 84, 20, 12, 30

#: Lines that look different from each other; a chart has no more.
STYLES = 8

#: Marks of the vertical axis besides that at 0, about.
MARKS = 4

#: Steps between marks of times in seconds, and what larger ones are multiples of.
SECONDS = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0),
    *(3_600.0, 7_200.0, 14_400.0, 21_600.0, 43_200.0, 86_400.0),
)

#: How far apart the marks of the axis of time may be.
TIME_STEPS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 10, 15, 30, 60, 180, 240, 360, 720, 1440)
)
TIME_MARKS = 7


@dataclass(frozen=True)
class Line:
    """One line of a chart, with its name in the legend."""

    label: str
    points: Sequence[Point]

    @property
    def values(self) -> list[float]:
        return [value for _, value in self.points if value is not None]

    @property
    def latest(self) -> float | None:
        """The last value there is, None when there is none."""
        return self.values[-1] if self.values else None


def sparkline(
    points: Trend | Sequence[Point], *, label: str, unit: Unit | str | None = None
) -> SafeString:
    """Return a line of 120 x 28 in the colour of the text around it; where nothing was measured
    it is broken. ``label`` says what it shows; a trend knows its unit itself.
    """
    unit = unit or (points.unit if isinstance(points, Trend) else Unit.COUNT)
    points = points.points if isinstance(points, Trend) else points
    width, height = SPARKLINE
    values = [value for _, value in points if value is not None]
    words = f"{label}: {in_words(values, unit)}"
    low, high = min([0.0, *values]), max([0.0, *values])
    place = _Places(
        (MARGIN, width - MARGIN), (height - MARGIN, MARGIN), (low, high), max(len(points), 2)
    )
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" width="{}" height="{}" role="img" '
        'aria-label="{}"><title>{}</title>{}</svg>',
        *(width, height, width, height, words, words),
        _drawn(points, place, "sparkline-line"),
    )


def line_chart(
    series: Iterable[Line], *, label: str, unit: Unit | str = Unit.COUNT, highest: float = 0.0
) -> SafeString:
    """Return a chart with axes and a legend; times are UTC.

    The axis begins at 0 and goes up to ``highest`` at least. More than ``STYLES`` lines are not
    drawn, and the legend says so.
    """
    every = list(series)
    lines = every[:STYLES]
    values = [value for line in lines for value in line.values]
    marks = _marks(max([highest, *values], default=0.0), unit)
    times = [time for time, _ in lines[0].points] if lines else []
    width, height = CHART
    place = _Places(
        (LEFT, width - RIGHT), (height - BOTTOM, TOP), (0.0, marks[-1]), max(len(times), 2)
    )
    words = "; ".join(f"{line.label or label} {in_words(line.values, unit)}" for line in lines)
    return format_html(
        '<figure class="chart"><svg class="line-chart" viewBox="0 0 {} {}" role="img" '
        'aria-label="{}: {}">{}{}{}</svg>{}</figure>',
        *(width, height, label, words or "no data"),
        _value_axis(marks, place, unit),
        _time_axis(times, place),
        format_html_join(
            "",
            "{}",
            (
                (_drawn(line.points, place, f"chart-line chart-line-{index}", line.label),)
                for index, line in enumerate(lines)
            ),
        ),
        _legend(lines, len(every) - len(lines), unit),
    )


def in_words(values: Sequence[float], unit: Unit | str) -> str:
    """Return the last, the least and the greatest of ``values``; that there are none."""
    if not values:
        return "no data"
    last, low, high = (figure(value, unit) for value in (values[-1], min(values), max(values)))
    return f"latest {last}, min {low}, max {high}"


@dataclass(frozen=True)
class _Places:
    """Where points are drawn: ``x`` from first to last of ``count``, ``y`` from low to high."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    values: tuple[float, float]
    count: int

    def x(self, index: float) -> str:
        start, end = self.x_range
        return f"{start + (end - start) * index / (self.count - 1):.1f}"

    def y(self, value: float) -> str:
        low, high = self.values
        bottom, top = self.y_range
        return f"{bottom + (top - bottom) * (value - low) / ((high - low) or 1.0):.1f}"


def _drawn(points: Sequence[Point], place: _Places, css_class: str, label: str = "") -> SafeString:
    """Return the path of the points; one that stands alone between gaps is a dot."""
    parts, is_drawing = [], False
    for index, (_, value) in enumerate(points):
        if value is not None:
            at = f"{place.x(index)} {place.y(value)}"
            follows = index + 1 < len(points) and points[index + 1][1] is not None
            parts.append(f"L{at}" if is_drawing else f"M{at}" if follows else f"M{at}h0")
        is_drawing = value is not None
    title = format_html("<title>{}</title>", label) if label else ""
    return format_html('<path class="{}" d="{}">{}</path>', css_class, "".join(parts), title)


def _marks(highest: float, unit: Unit | str) -> list[float]:
    """Return round numbers from 0 to ``highest`` or just above, some four steps apart."""
    if highest <= 0:
        return [0.0, 1.0]
    step = _step(highest / MARKS, unit)
    return [step * index for index in range(ceil(round(highest / step, 6)) + 1)]


def _step(least: float, unit: Unit | str) -> float:
    """Return the next round number: of seconds in minutes and hours too, of bytes in KB, MB."""
    if unit == Unit.SECONDS and SECONDS[0] < least <= SECONDS[-1]:
        return next(each for each in SECONDS if each >= least)
    if unit == Unit.BYTES:
        return 2.0 ** ceil(log2(least))
    magnitude = 10.0 ** floor(log10(least))
    return magnitude * next(each for each in (1, 2, 2.5, 5, 10) if each * magnitude >= least)


def _value_axis(marks: Sequence[float], place: _Places, unit: Unit | str) -> SafeString:
    start, end = place.x_range
    shown = Unit.COUNT if unit == Unit.PER_SECOND else unit  # or it would need the room of a word
    return format_html_join(
        "",
        '<path class="chart-grid" d="M{} {}H{}"/><text class="chart-mark" x="{}" y="{}" '
        'text-anchor="end" dominant-baseline="middle">{}</text>',
        (
            (start, place.y(mark), end, start - 6, place.y(mark), figure(mark, shown))
            for mark in marks
        ),
    )


def _time_axis(times: Sequence[datetime], place: _Places) -> SafeString:
    if len(times) < 2:
        return SafeString("")
    span = times[-1] - times[0]
    step = next((step for step in TIME_STEPS if span / step <= TIME_MARKS), TIME_STEPS[-1])
    height = CHART[1]
    return format_html_join(
        "",
        '<text class="chart-mark" x="{}" y="{}" text-anchor="middle">{}</text>',
        (
            (place.x(index), height - 6, f"{time:%H:%M}")
            for index, time in enumerate(times)
            if (time - times[0].replace(hour=0, minute=0, second=0)) % step == timedelta()
        ),
    )


def _legend(lines: Sequence[Line], left_out: int, unit: Unit | str) -> SafeString:
    entries = format_html_join(
        "",
        '<li title="{}"><svg class="chart-key" viewBox="0 0 24 8" aria-hidden="true">'
        '<path class="chart-line chart-line-{}" d="M0 4H24"/></svg> {} <strong>{}</strong></li>',
        (
            (in_words(line.values, unit), index, line.label, figure(line.latest, unit))
            for index, line in enumerate(lines)
            if line.label
        ),
    )
    more = format_html("<li>and {} more</li>", left_out) if left_out else ""
    if not (entries or more):
        return SafeString("")
    return format_html('<figcaption><ul class="chart-legend">{}{}</ul></figcaption>', entries, more)
