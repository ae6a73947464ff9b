"""What the cache asks of PostgreSQL costs the same among 200,000 entries as among few.

Each statement of a verb is run under EXPLAIN ANALYZE, and then as it is.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from caching.entries import Entry
from caching.levels.database import CANDIDATES, DatabaseLevel
from caching.models import CacheEntry
from caching.patterns import Glob
from tests.plans.test_work import Cost, cost_of, nodes_of, read, rows_read

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_many_entries")]

COUNT = 200_000
ENDED, TOMBSTONES, USERS, TAGGED = 2_000, 1_000, 200, 50

#: Two thirds of all have one prefix, a few another; a few bear a tag; what was read last came last.
ENTRIES = f"""
INSERT INTO cache_entries (
    key, prefix, payload, version, stored_at, expires_at, discard_at, tags, tag_versions,
    access_count, accessed_at
)
SELECT
    ':1:' || prefix || ':' || lpad(n::text, 64, '0'), prefix,
    CASE WHEN n > {TOMBSTONES} THEN decode(repeat('00', 200), 'hex') END,
    n, now() - interval '1 day',
    CASE WHEN has_ended THEN now() - interval '1 hour'
         WHEN n > {TOMBSTONES} AND n % 4 > 0 THEN now() + interval '1 day' END,
    CASE WHEN has_ended THEN now() - interval '1 minute'
         WHEN n <= {TOMBSTONES} OR n % 4 > 0 THEN now() + interval '2 days' END,
    tags, CASE WHEN tags = '{{}}' THEN '{{}}' ELSE '{{1}}'::bigint[] END,
    n % 97, now() - n * interval '1 second'
FROM (
    SELECT n, n % ({COUNT} / {ENDED}) = 1 AS has_ended,
        CASE WHEN n % ({COUNT} / {USERS}) = 5 THEN 'user' WHEN n % 3 > 0 THEN 'transcript'
             ELSE 'chunk' END AS prefix,
        CASE WHEN n % ({COUNT} / {TAGGED}) = 7 THEN '{{rare}}'::text[]
             WHEN n % 3 = 0 THEN ARRAY['workspace:' || n % 50] ELSE '{{}}' END AS tags
    FROM generate_series(1, {COUNT}) AS n
) AS numbered
"""  # noqa: S608  our own names


@pytest.fixture(scope="module")
def _many_entries(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Committed once for this module, and emptied after it; the table keeps no log meanwhile."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cache_entries SET UNLOGGED")
        cursor.execute(ENTRIES)
        cursor.execute("VACUUM (ANALYZE) cache_entries")
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE cache_entries")
        cursor.execute("ALTER TABLE cache_entries SET LOGGED")


class ExplainedLevel(DatabaseLevel):
    """A level that remembers the plans of its statements."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[dict[str, Any]] = []

    def _execute(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
        [[[document]]] = super()._execute(explained, parameters)
        self.plans.append(document["Plan"])
        return super()._execute(statement, parameters)

    @property
    def cost(self) -> Cost:
        nodes = [node for plan in self.plans for node in nodes_of(plan)]
        tables = [node for node in nodes if "Relation Name" in node and "Scan" in node["Node Type"]]
        return Cost(
            indexes=frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
            scans=frozenset(node["Node Type"] for node in tables),
            rows=round(sum(map(rows_read, tables))),
            pages=sum(
                plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in self.plans
            ),
        )


def new_entry() -> Entry:
    now = time.time()
    return Entry(b"\x01", stored_at=now, expires_at=now + 60, discard_at=now + 60)


@pytest.fixture
def level() -> Iterator[ExplainedLevel]:
    level = ExplainedLevel()
    level.put("warm", new_entry())  # what a new session learns of its tables is no part of it
    level.put("warm", new_entry())
    level.plans.clear()
    yield level
    level.close()


@pytest.fixture
def keys() -> list[str]:
    """Keys of fresh values from all over the table."""
    fresh = CacheEntry.objects.fresh().filter(version__in=range(1_500, COUNT, 4_001))
    return list(fresh.values_list("key", flat=True))


def test_a_get_reads_one_row(level: ExplainedLevel, keys: list[str]) -> None:
    assert level.get(keys[0]) is None  # none of these can be decoded

    [plan, *_] = level.plans
    assert plan["Index Name"] == "cache_entries_pkey"
    assert plan["Actual Rows"] == 1
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 10


@pytest.mark.parametrize(
    "expected", [pytest.param(None, id="any"), pytest.param(0, id="0"), pytest.param(9, id="9")]
)
def test_a_put_reads_what_it_replaces(
    level: ExplainedLevel, keys: list[str], expected: int | None
) -> None:
    level.put(keys[1], new_entry(), expected=expected)

    assert level.cost.rows <= 1
    assert level.cost.pages < 50


def test_a_touch_reads_one_row(level: ExplainedLevel, keys: list[str]) -> None:
    level.touch(keys[2], expires_at=None, discard_at=None)

    assert level.cost.indexes == {"cache_entries_pkey"}
    assert level.cost.rows == 1


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(lambda level, keys: level.get_many(keys), id="get"),
        pytest.param(
            lambda level, keys: level.put_many(dict.fromkeys(keys, new_entry())), id="put"
        ),
        pytest.param(
            lambda level, keys: level.delete_many(keys, discard_at=time.time() + 60), id="delete"
        ),
        pytest.param(
            lambda level, keys: level.record_reads(dict.fromkeys(keys, (1, time.time()))),
            id="reads",
        ),
    ],
)
def test_many_keys_are_found_by_their_index(
    level: ExplainedLevel, keys: list[str], verb: Callable[[DatabaseLevel, list[str]], Any]
) -> None:
    some = keys[10:20]

    verb(level, some)

    [plan] = level.plans[:1]
    assert "Seq Scan" not in {node["Node Type"] for node in nodes_of(plan)}
    assert sum(rows_read(n) for n in nodes_of(plan) if "Relation Name" in n) <= 3 * len(some)
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 60 * len(some)


def test_the_keys_of_a_prefix_are_read_from_that_part_of_the_index(level: ExplainedLevel) -> None:
    found = list(level.keys(Glob(":1:user:*")))

    assert len(found) > USERS / 2
    assert level.cost.indexes == {"cache_entries_pkey"}
    assert level.cost.rows <= USERS


def test_keys_that_were_not_asked_for_yet_are_not_read(level: ExplainedLevel) -> None:
    next(level.keys(Glob("*")))

    assert level.cost.rows < 1_000 + TOMBSTONES


@pytest.mark.parametrize("limit", [1, 100])
def test_a_purge_reads_what_it_removes(level: ExplainedLevel, limit: int) -> None:
    assert level.purge(limit) == limit

    assert level.cost.indexes == {"cache_entry_ending_idx", "cache_entries_pkey"}
    assert level.cost.rows <= 2 * limit


@pytest.mark.parametrize(
    ("prefix", "prefix_count"), [("transcript", 1), (None, 3)], ids=["of one prefix", "of all"]
)
def test_the_most_used_are_chosen_from_the_recently_read(
    level: ExplainedLevel, prefix: str | None, prefix_count: int
) -> None:
    found = level.most_used(20, prefix)

    assert len(found) == 20
    assert level.cost.indexes == {"cache_entry_recent_idx"}
    assert level.cost.rows <= prefix_count * CANDIDATES * 20 + TOMBSTONES + 100


@pytest.mark.parametrize(
    ("entries", "index", "limit"),
    [
        pytest.param(
            lambda e: e.with_tag("rare").order_by("key"), "cache_entry_tags_idx", TAGGED, id="tag"
        ),
        pytest.param(
            lambda e: e.with_prefix("user").order_by("key"),
            "cache_entry_recent_idx",
            USERS,
            id="rare prefix",
        ),
        pytest.param(
            lambda e: e.with_prefix("transcript").recently_used(),
            "cache_entry_recent_idx",
            20,
            id="prefix",
        ),
        pytest.param(
            lambda e: e.expired().order_by("discard_at"), "cache_entry_ending_idx", 20, id="expired"
        ),
    ],
)
def test_a_list_of_entries_reads_what_it_shows(
    entries: Callable[[Any], Any], index: str, limit: int
) -> None:
    cost = cost_of(read(entries(CacheEntry.objects.without_payloads())[:20]))

    assert cost.indexes == {index}
    assert 0 < cost.rows <= limit
