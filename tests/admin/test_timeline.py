"""The picture of a run, its table, and what happened in order, as pages show them."""

import re
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import Worker
from processing.admin.run_chart import LABEL_WIDTH, MAX_LANES, PLOT_WIDTH, THIN, RunChart
from processing.admin.timeline import PAGE_SIZE, timeline_context
from processing.models import ChunkTask, ProcessingTask
from processing.services.timeline import Lane, timeline_of
from tests.factories.jobs import WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory, TranscriptFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

ASKED = timezone.now() - timedelta(hours=1)


def run_of(took_seconds: float, *, waited_seconds: float = 0.0) -> ProcessingTask:
    began = ASKED + timedelta(seconds=waited_seconds)
    run: ProcessingTask = ProcessingTaskFactory.create(
        partial=True,
        created_at=ASKED,
        started_at=began,
        completed_at=began + timedelta(seconds=took_seconds),
    )
    return run


def heard(
    run: ProcessingTask, began: float, ended: float, *, worker: Worker | None = None, **fields: Any
) -> None:
    """Add a chunk that was heard from one second of the run to another."""
    traits = fields if "failed" in fields else {"completed": True} | fields
    chunk = ChunkTaskFactory.create(
        processing=run, audio="", worker=worker or WorkerFactory.create(), **traits
    )
    ChunkTask.objects.filter(pk=chunk.pk).update(
        created_at=ASKED,
        started_at=ASKED + timedelta(seconds=began),
        completed_at=ASKED + timedelta(seconds=ended),
    )


def chart_of(run: ProcessingTask) -> RunChart:
    return RunChart(timeline_of(run))


def lane_bars(run: ProcessingTask) -> list[Any]:
    """Return the bars between those of cutting and of merging."""
    return [bar for row in chart_of(run).rows[1:-1] for bar in row.bars]


def page_of(client: Client, run: ProcessingTask, **parameters: Any) -> str:
    address = reverse("admin:processing_processingtask_change", args=[run.pk])
    return client.get(address, parameters).content.decode()


def test_a_bar_lies_where_its_chunk_was_heard() -> None:
    run = run_of(100)
    heard(run, 25, 50)

    [bar] = lane_bars(run)

    assert bar.x == pytest.approx(LABEL_WIDTH + PLOT_WIDTH / 4)
    assert bar.width == pytest.approx(PLOT_WIDTH / 4)


def test_a_bar_says_which_chunk_it_is_and_how_it_was() -> None:
    run, worker = run_of(100), WorkerFactory.create()
    heard(run, 25, 50, worker=worker, attempt=2, busy_seconds=25.0)

    [bar] = lane_bars(run)

    assert bar.title == f"chunk 0, 0:00 to 0:01: heard in 25.0 s by {worker}, attempt 2"
    assert bar.kind == "retried"


def test_bars_thinner_than_a_pixel_are_drawn_together() -> None:
    run, worker = run_of(8_000), WorkerFactory.create()
    for number in range(12):
        heard(run, number, number + 1, worker=worker)

    bars = lane_bars(run)

    assert 1 <= len(bars) <= 2
    assert bars[0].title.endswith("heard")
    assert bars[0].width >= THIN


def test_a_failure_among_thin_bars_is_seen() -> None:
    run, worker = run_of(8_000), WorkerFactory.create()
    heard(run, 0, 1, worker=worker)
    heard(run, 1, 2, worker=worker, failed=True)
    heard(run, 2, 3, worker=worker)

    kinds = re.findall(r'class="bar (\w+)"', chart_of(run).shapes)

    assert kinds[-1] == "failed"


def test_what_is_waited_longer_than_worked_is_left_out_of_the_axis() -> None:
    run = run_of(100, waited_seconds=7_200)

    chart = chart_of(run)

    assert chart.start == pytest.approx(7_190)
    assert [text for _, text in chart.ticks][:2] == ["2:00:00", "2:00:15"]


@pytest.mark.parametrize("seconds", [0.5, 7, 95, 4_000, 90_000, 40 * 86_400])
def test_ticks_are_few_and_even(seconds: float) -> None:
    places = [x for x, _ in chart_of(run_of(seconds)).ticks]

    steps = {round(right - left, 3) for left, right in pairwise(places)}
    assert 3 <= len(places) <= 12
    assert len(steps) == 1


def test_the_queue_says_how_many_chunks_waited() -> None:
    run, worker = run_of(100), WorkerFactory.create()
    heard(run, 10, 20, worker=worker)
    heard(run, 50, 60, worker=worker)

    counts = chart_of(run).waiting_counts

    assert (counts[0], counts[PLOT_WIDTH // 4], counts[-1]) == (2, 1, 0)


def test_more_lanes_than_fit_are_counted() -> None:
    timeline = timeline_of(run_of(100))
    vars(timeline)["lanes"] = [Lane("host-1:7", 1, [])] * (MAX_LANES + 3)

    chart = RunChart(timeline)

    assert chart.hidden_count == 3
    assert len(chart.rows) == MAX_LANES + 2


def test_a_run_that_waits_has_a_picture(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create()

    page = page_of(admin_client, run)

    assert 'role="img"' in page
    assert "None is cut yet." in page


def test_the_page_of_a_run_has_picture_table_and_history(admin_client: Client) -> None:
    run, worker = run_of(100), WorkerFactory.create()
    heard(run, 25, 50, worker=worker, busy_seconds=20.0)

    page = page_of(admin_client, run)

    assert '<title id="run-chart-title">Chunks over workers over time</title>' in page
    assert f"<td>heard in 20.0 s by {worker}</td>" in page
    assert "The run is PARTIAL." in page
    assert "1 worker, " in page


def test_the_page_of_a_transcript_has_the_timeline_of_its_latest_run(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(completed=True)
    latest = ProcessingTaskFactory.create(transcript=transcript, failed=True)
    address = reverse("admin:processing_transcript_change", args=[transcript.pk])

    response = admin_client.get(address)

    assert response.context["timeline"]["run"] == latest


def test_what_an_engine_says_is_shown_as_text(admin_client: Client) -> None:
    run = run_of(100)
    heard(run, 1, 50, failed=True, error_code="bad", error_message="<script>alert(1)</script>")

    page = page_of(admin_client, run)

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_a_page_has_so_many_chunks_and_leads_to_the_next(admin_client: Client) -> None:
    run, worker = run_of(100), WorkerFactory.create()
    for number in range(PAGE_SIZE + 1):
        heard(run, number, number + 1, worker=worker)

    first, second = page_of(admin_client, run), page_of(admin_client, run, chunk_page=2)

    assert '<details id="timeline-chunks">' in first
    assert '<a href="?chunk_page=2#timeline-chunks">Later</a>' in first
    assert '<details id="timeline-chunks" open>' in second
    assert second.count('<th scope="row">') == 1


def test_nothing_is_styled_inline(admin_client: Client) -> None:
    run = run_of(100)
    heard(run, 1, 50)

    assert "style=" not in timeline_part(page_of(admin_client, run))


def timeline_part(page: str) -> str:
    return page[page.index('id="timeline"') : page.index("</section>", page.index('id="timeline"'))]


def test_the_timeline_asks_as_often_for_many_chunks_as_for_one() -> None:
    run = run_of(100)
    transcript = run.transcript
    heard(run, 1, 2)
    few = queries_of(lambda: timeline_context(transcript, run=run))

    for number in range(3):
        heard(run, number, number + 1)

    assert len(queries_of(lambda: timeline_context(transcript, run=run))) == len(few)
