"""How long a page of a list takes when the list is long, beside the same of a short one."""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from urllib.parse import quote

from django.db.models import Model, QuerySet

from jobs.api.ordering import Place, Sort
from jobs.models import Job
from processing.models import Recording, Transcript
from tests.bench.api.rows import Corpus, address
from tests.bench.api.web import Client, web_server
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table

#: Rows of the short list, and the database it is in.
FEW, FEW_DATABASE = 1_000, "few"

#: A page has so many rows.
SIZE = 20

#: What a page of the long list may take, as often as one of the short.
LIMIT = 1.5

#: Each page is asked for so often; on a machine that has other things to do, only for so long.
ASKED, WARMING_UP, SECONDS = 150, 10, 6.0

#: What is asked of each list, besides its pages: the same of both, and found in both.
FILTERS = {
    "recordings": (
        "name=board",
        "name=interview%20501",
        f"created_before={quote('2025-01-01T00:10:00Z')}",
    ),
    "transcripts": ("status=FAILED", "engine=sphinx", "engine=whisper"),
    "jobs": ("status=FAILED", "job_type=TRANSCRIPTION", "status=FAILED&status=COMPLETED"),
}
MODELS: dict[str, type[Model]] = {"recordings": Recording, "transcripts": Transcript, "jobs": Job}


def bench_lists(table: Table, corpus: Corpus, rows: int) -> None:
    with web_server(address(FEW_DATABASE)) as few, web_server(address()) as many:
        short, long = Client(few, corpus.token), Client(many, corpus.token)
        for name, model in MODELS.items():
            path = f"/api/v1/{name}/"
            pages = {"page 1": (path, path), "page 20": (f"{path}?page=20",) * 2}
            pages |= {each: (f"{path}?{each}",) * 2 for each in FILTERS[name]}
            last = cursor_after(model, FEW - SIZE - 1, FEW)
            for number in (1_000, rows // SIZE - 2):
                skipped = min(number * SIZE, rows - SIZE - 1)
                deep = cursor_after(model, skipped, rows)
                title = f"cursor, page {skipped // SIZE:,}"
                pages[title] = (f"{path}?cursor={last}", f"{path}?cursor={deep}")
            for title, (of_few, of_many) in pages.items():
                theirs, ours = alternating(partial(short.get, of_few), partial(long.get, of_many))
                figure = f"{name}, {title}, {rows:,} rows and {FEW:,}, p95"
                table.add(
                    Row(figure, percentile(ours, 0.95), percentile(theirs, 0.95), "ms", LIMIT)
                )


def cursor_after(model: type[Model], skipped: int, rows: int) -> str:
    """Return the cursor of the page after the newest ``skipped`` rows."""
    sort = Sort(model._meta.get_field("created_at"), is_descending=True)  # type: ignore[arg-type]
    objects: QuerySet[Model] = model._default_manager.all()
    oldest = objects.order_by("created_at").values_list("created_at", flat=True)[0]
    # one row a second
    newest = objects.filter(created_at__gte=oldest + (rows - 1 - skipped) * timedelta(seconds=1))
    row = newest.order_by("created_at")[0]
    return quote(Place.beside(row, sort, is_before=False).cursor(sort))


def alternating(*calls: Callable[[], object]) -> list[list[float]]:
    """Return how many milliseconds each of ``calls`` takes, one after the other again and again."""
    times: list[list[float]] = [[] for _ in calls]
    end = time.perf_counter() + SECONDS
    for _ in range(WARMING_UP + ASKED):
        for call, taken in zip(calls, times, strict=True):
            started = time.perf_counter()
            call()
            taken.append(1000 * (time.perf_counter() - started))
        if time.perf_counter() > end:
            break
    return [taken[WARMING_UP:] for taken in times]
