"""How long a list of the admin takes when its table is long, and how a long one is exported."""

import time

import psutil
from django.contrib.auth.models import User

from tests.bench.admin.staff import Staff
from tests.bench.api.lists import FEW
from tests.bench.api.rows import address
from tests.bench.api.web import web_server
from tests.bench.percentiles import percentile
from tests.bench.table import Row, Table

#: What a page of the long list may take, as often as one of the short.
LIMIT = 1.5

#: What a process may grow by while it exports, in MB.
GROWTH_LIMIT_MB = 60.0

#: Each list is asked for so often.
WARMING_UP, TIMES = 5, 40

#: What staff ask of lists.
ASKED = (
    "jobs/job/",
    "jobs/job/?status__exact=FAILED",
    "jobs/job/?status__exact=FAILED&job_type=TRANSCRIPTION",
    "jobs/job/?o=6",
    "processing/transcript/",
    "processing/transcript/?status__exact=FAILED",
    "processing/transcript/?q=board",
    "processing/recording/",
    "processing/recording/?q=board",
    "processing/processingtask/",
    "processing/processingtask/?status__exact=FAILED",
)


def list_times() -> dict[str, list[float]]:
    """Return how many milliseconds each list takes, as often as it is asked for."""
    with web_server(address()) as port:
        staff = Staff(port, _lister())
        times = {
            asked: [_taken_ms(staff, asked) for _ in range(WARMING_UP + TIMES)][WARMING_UP:]
            for asked in ASKED
        }
        staff.close()
    return times


def bench_lists(table: Table, of_few: dict[str, list[float]], rows: int) -> None:
    """Compare the lists with what they took of ``FEW`` rows, and export the longest."""
    for asked, times in list_times().items():
        ours, theirs = percentile(times, 0.5), percentile(of_few[asked], 0.5)
        table.add(Row(f"{asked}, {rows:,} rows and {FEW:,}, median", ours, theirs, "ms", LIMIT))
    with web_server(address()) as port:
        staff = Staff(port, _lister())
        staff.get("/admin/jobs/job/")
        before, began = _memory_mb(), time.perf_counter()
        size = staff.read_through("/admin/jobs/job/export/")
        seconds, growth = time.perf_counter() - began, _memory_mb() - before
        staff.close()
    table.add(Row(f"export of {rows:,} jobs", rows / seconds, 0.0, "rows/s"))
    table.add(Row("size of the export", size / 1e6, 0.0, "MB"))
    table.add(Row("growth of the web process by it", growth, GROWTH_LIMIT_MB, "MB", 1.0))


def _lister() -> User:
    user, _ = User.objects.get_or_create(username="lister", is_staff=True, is_superuser=True)
    return user


def _taken_ms(staff: Staff, asked: str) -> float:
    began = time.perf_counter()
    staff.get(f"/admin/{asked}")
    return 1000 * (time.perf_counter() - began)


def _memory_mb() -> float:
    """Return what the processes that this one has started have for themselves."""
    processes = psutil.Process().children(recursive=True)
    return sum(each.memory_full_info().uss for each in processes) / 1e6
