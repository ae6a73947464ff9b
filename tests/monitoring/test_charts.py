"""Charts: what is drawn, what is said in words, and that nothing in them is anybody's code."""

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from monitoring.catalogue import Unit
from monitoring.charts import STYLES, Line, line_chart, sparkline
from monitoring.figures import figure
from monitoring.trends import Point, Trend

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def points(*values: float | None) -> list[Point]:
    return [(NOW + timedelta(minutes=index), value) for index, value in enumerate(values)]


def drawn(svg: str, css_class: str) -> list[str]:
    """Return the paths of a class, and so check that all of it is well-formed."""
    paths = ET.fromstring(svg).iter("path")  # noqa: S314  made here
    return [path.attrib["d"] for path in paths if css_class in path.attrib["class"].split()]


def test_a_sparkline_is_drawn_from_edge_to_edge() -> None:
    (path,) = drawn(sparkline(points(0, 5, 10), label="depth"), "sparkline-line")

    assert path == "M2.0 26.0L60.0 14.0L118.0 2.0"


def test_a_gap_is_not_bridged() -> None:
    (path,) = drawn(sparkline(points(1, 1, None, 1, 1), label="depth"), "sparkline-line")

    assert [part[0] for part in re.findall(r"[ML][^ML]+", path)] == ["M", "L", "M", "L"]


def test_a_value_between_gaps_is_a_dot() -> None:
    (path,) = drawn(sparkline(points(None, 1, None), label="depth"), "sparkline-line")

    assert path.endswith("h0")


def test_a_sparkline_says_what_it_shows() -> None:
    svg = ET.fromstring(  # noqa: S314  made here
        sparkline(points(1, None, 90, 2), label="Oldest", unit=Unit.SECONDS)
    )

    words = "Oldest: latest 2 s, min 1 s, max 1.5 min"
    assert (svg.attrib["role"], svg.attrib["aria-label"]) == ("img", words)
    assert svg.findtext("title") == words


def test_a_trend_brings_its_unit() -> None:
    svg = sparkline(Trend(points(0.5), Unit.RATIO), label="Hits")

    assert "latest 50 %" in svg


@pytest.mark.parametrize("values", [(), (None, None)], ids=["no points", "only gaps"])
def test_without_data_a_sparkline_says_so(values: tuple[None, ...]) -> None:
    svg = sparkline(points(*values), label="depth")

    assert 'aria-label="depth: no data"' in svg
    assert drawn(svg, "sparkline-line") == [""]


def test_the_same_value_all_the_time_is_a_line() -> None:
    (path,) = drawn(sparkline(points(0, 0), label="depth"), "sparkline-line")

    assert path == "M2.0 26.0L118.0 26.0"


def test_a_label_is_text() -> None:
    svg = sparkline(points(1), label='<script>"')
    chart = line_chart([Line("<b>", points(1, 2))], label="<i>")

    assert "<script" not in svg
    assert "<b>" not in chart
    assert "<i>" not in chart


def test_no_chart_has_a_style_of_its_own() -> None:
    chart = line_chart([Line("a", points(1, 2))], label="depth") + sparkline(points(1), label="x")

    assert "style=" not in chart


def test_a_line_chart_has_its_axes_marked() -> None:
    chart = line_chart([Line("chunks", points(*range(61)))], label="depth")

    marks = [element.text for element in ET.fromstring(chart).iter("text")]  # noqa: S314
    assert marks[:5] == ["0", "20", "40", "60", "10:00"]
    assert marks[-1] == "11:00"


def test_a_line_chart_has_a_legend_with_figures() -> None:
    chart = line_chart(
        [Line("chunks", points(1, 3)), Line("maintenance", points(None, None))], label="depth"
    )

    legend = ["".join(item.itertext()).strip() for item in ET.fromstring(chart).iter("li")]  # noqa: S314
    assert legend == ["chunks 3", "maintenance –"]  # noqa: RUF001  as the admin shows it


@pytest.mark.parametrize(
    ("unit", "highest", "marks"),
    [
        (Unit.COUNT, 37, ["0", "10", "20", "30", "40"]),
        (Unit.SECONDS, 5_000, ["0 s", "30 min", "1 h", "1.5 h"]),
        (Unit.SECONDS, 0.04, ["0 s", "10 ms", "20 ms", "30 ms", "40 ms"]),
        (Unit.BYTES, 3 * 1024**3, ["0\xa0bytes", "1.0\xa0GB", "2.0\xa0GB", "3.0\xa0GB"]),
        (Unit.PER_SECOND, 4, ["0", "1", "2", "3", "4"]),
    ],
    ids=["counts", "seconds", "parts of seconds", "bytes", "rates"],
)
def test_marks_are_round_numbers(unit: Unit, highest: float, marks: list[str]) -> None:
    chart = line_chart([Line("", [(NOW, highest)])], label="depth", unit=unit)

    assert [element.text for element in ET.fromstring(chart).iter("text")] == marks  # noqa: S314


def test_lines_differ_by_their_classes_and_no_more_are_drawn_than_do() -> None:
    lines = [Line(f"queue {n}", points(n, n)) for n in range(STYLES + 2)]

    chart = line_chart(lines, label="depth")

    classes = re.findall(r"chart-line (chart-line-\d)\" d=\"M84", chart)
    assert len(set(classes)) == len(classes) == STYLES
    assert "and 2 more" in chart


def test_a_chart_of_nothing_is_an_empty_one() -> None:
    chart = line_chart([], label="depth")

    assert 'aria-label="depth: no data"' in chart


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, Unit.SECONDS, "–"),  # noqa: RUF001  as the admin shows it
        (0, Unit.COUNT, "0"),
        (1234567, Unit.COUNT, "1,234,567"),
        (1.234, Unit.COUNT, "1.23"),
        (0.0123, Unit.SECONDS, "12.3 ms"),
        (0.0, Unit.SECONDS, "0 s"),
        (59.0, Unit.SECONDS, "59 s"),
        (7_200.0, Unit.SECONDS, "2 h"),
        (0.987, Unit.RATIO, "98.7 %"),
        (1.0, Unit.RATIO, "100 %"),
        (2.5, Unit.PER_SECOND, "2.5 a second"),
        (3 * 1024**3, Unit.BYTES, "3.0\xa0GB"),
    ],
)
def test_a_figure_is_short_and_has_its_unit(value: float | None, unit: Unit, text: str) -> None:
    assert figure(value, unit) == text
