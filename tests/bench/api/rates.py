"""Requests per second of ours, beside a view by hand; and what row-level security takes."""

import json
import threading
import time

from processing.models import Recording
from processing.workspaces.policies import disabling, enabling, run
from tests.bench.api.rows import Corpus, address
from tests.bench.api.web import Client, web_server
from tests.bench.table import Row, Table

#: The share of the rate of a view by hand that ours has at least.
LIMIT = 0.5

CLIENTS = 4

#: One is asked for so long, then the other, so many times.
SLICE_SECONDS, SLICES = 0.5, 12


def bench_rates(table: Table, corpus: Corpus) -> None:
    pk = Recording.objects.order_by("-created_at")[0].pk
    with web_server(address()) as port:
        client = Client(port, corpus.token)
        total = json.loads(client.get("/api/v1/recordings/"))["total"]
        bare = f"/bare/{corpus.workspace_id}/"
        for name, ours, by_hand in (
            ("a list of 20", "/api/v1/recordings/", f"{bare}?total={total}"),
            ("a detail", f"/api/v1/recordings/{pk}/", f"{bare}{pk}/"),
        ):
            assert json.loads(client.get(ours)) == json.loads(client.get(by_hand))
            rate, limit = rates(corpus, (port, ours), (port, by_hand))
            figure = f"{name}, beside a view by hand"
            table.add(Row(figure, rate, limit, "requests/s", LIMIT, is_less_better=False))
        client.close()


def bench_row_security(table: Table, corpus: Corpus) -> None:
    pk = Recording.objects.order_by("-created_at")[0].pk
    run(enabling())
    with (
        web_server(address(), ROW_LEVEL_SECURITY="true") as confined,
        web_server(address()) as trusting,
    ):
        for name, path in (
            ("a list of 20", "/api/v1/recordings/"),
            ("a detail", f"/api/v1/recordings/{pk}/"),
        ):
            rate, other = rates(corpus, (confined, path), (trusting, path))
            figure = f"{name}, row-level security beside none"
            table.add(Row(figure, rate, other, "requests/s"))
    run(disabling())


def rates(corpus: Corpus, *asked: tuple[int, str]) -> list[float]:
    """Return how many requests per second each address, on a port, answers to all clients."""
    counts = [0] * len(asked)
    for _ in range(SLICES):
        for index, (port, path) in enumerate(asked):
            counts[index] += _answered(port, path, corpus.token)
    return [count / (SLICES * SLICE_SECONDS) for count in counts]


def _answered(port: int, path: str, token: str) -> int:
    """Return how often clients are answered in the time of one slice."""
    deadline = time.perf_counter() + SLICE_SECONDS
    counts: list[int] = []

    def ask() -> None:
        client, count = Client(port, token), 0
        while time.perf_counter() < deadline:
            client.get(path)
            count += 1
        client.close()
        counts.append(count)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)
