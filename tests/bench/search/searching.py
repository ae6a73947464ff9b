"""How long a search takes, in workspaces of all sizes."""

import itertools
import json
import random
import time
from collections.abc import Callable, Iterator

from django.db import connection

from processing.knowledge.searching.search import search
from processing.models import Workspace
from tests.bench.percentiles import percentile
from tests.bench.search.corpus import SHARES, SMALL, Corpus
from tests.bench.table import Row, Table
from tests.queries import queries_of

#: What a search may take, for 95 of 100.
LIMIT_MS = 50.0

QUERIES = 250
OTHERS = 60

#: The words that are asked for are among so many of the most frequent that mean something.
COMMON = 20

INDEX = "passage_search_idx"


def bench_searching(table: Table, corpus: Corpus) -> None:
    chance = random.Random(0)  # noqa: S311  not for secrets
    common = corpus.common(COMMON)
    pairs = [" ".join(pair) for pair in itertools.permutations(common, 2)]
    for name in (*SHARES, SMALL):
        workspace = Workspace.objects.get(pk=corpus.workspaces[name])
        asked = chance.sample(pairs, QUERIES)
        for query in asked[:20]:
            search(workspace=workspace, query=query)
        times = sorted(milliseconds(workspace, asked))
        figure = f"two common words, workspace {name!r}"
        table.add(Row(f"{figure}, p95", percentile(times, 0.95), LIMIT_MS, "ms", 1.0))
        table.add(Row(f"{figure}, p50", percentile(times, 0.5), LIMIT_MS, "ms"))
        table.add(Row(f"{figure}, slowest", times[-1], LIMIT_MS, "ms"))
        share = sum(uses_index(workspace, query) for query in asked[:20]) / 20
        table.add(Row(f"{figure}, by the index", share, 1.0, "share", 1.0, is_less_better=False))
    workspace = Workspace.objects.get(pk=corpus.workspaces["large"])
    for kind, made in other_queries(corpus, chance).items():
        times = sorted(milliseconds(workspace, [made() for _ in range(OTHERS)]))
        table.add(Row(f"{kind}, workspace 'large', p95", percentile(times, 0.95), LIMIT_MS, "ms"))


def milliseconds(workspace: Workspace, queries: list[str]) -> Iterator[float]:
    """Yield what the first page of each query takes, with its snippets."""
    for query in queries:
        started = time.perf_counter()
        search(workspace=workspace, query=query)
        yield 1000 * (time.perf_counter() - started)


def other_queries(corpus: Corpus, chance: random.Random) -> dict[str, Callable[[], str]]:
    common, rare = corpus.common(COMMON), corpus.rare(5_000)
    return {
        "one common word": lambda: chance.choice(common),
        "one rare word": lambda: chance.choice(rare),
        "a common and a rare word": lambda: f"{chance.choice(common)} {chance.choice(rare)}",
        "a phrase of common words": lambda: f'"{" ".join(chance.sample(common, 2))}"',
        "a common word without another": lambda: " -".join(chance.sample(common, 2)),
        "one of five common words": lambda: " OR ".join(chance.sample(common, 5)),
        "the beginning of rare words": lambda: f"{chance.choice(rare)[:6]}*",
        "the beginning of many words": lambda: f"{chance.choice(common)[:3]}*",
    }


def uses_index(workspace: Workspace, query: str) -> bool:
    """Whether every statement that looks for passages of a query does so by the index."""
    statements = [
        sql
        for sql in queries_of(lambda: search(workspace=workspace, query=query))
        if sql.startswith("SELECT") and "@@" in sql
    ]
    assert statements
    plans = []
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            plans.append(json.dumps(cursor.fetchone()[0]))
    return all(INDEX in plan and "Seq Scan" not in plan for plan in plans)
