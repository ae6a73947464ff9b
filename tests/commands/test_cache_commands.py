"""The commands for the cache as their users call them: output and exit status."""

import copy
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from caching.backend import MultiLevelCache, get_cache
from caching.codec import encode
from caching.entries import Entry
from caching.hierarchy import forget_hierarchies
from caching.levels.base import PATTERN_MARK
from caching.levels.database import DatabaseLevel
from caching.management.commands import purge_cache
from caching.models import CacheEntry
from tests.processes import environment
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    """What a person looks at, or types into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _own_tables(db: None) -> Iterator[None]:
    """What a test writes to the tables of the cache is gone after it."""
    yield
    forget_hierarchies()
    level = DatabaseLevel()
    for table in ("cache_entries", "cache_tags", "cache_repairs", "cache_counters"):
        level._execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
    level.close()


@pytest.fixture
def cache() -> MultiLevelCache:
    return get_cache()


@pytest.fixture
def _no_redis(settings: Any) -> None:
    """A Redis that nobody can reach."""
    caches = copy.deepcopy(settings.CACHES)
    caches["default"]["LOCATION"] = "redis://127.0.0.1:1/0"
    settings.CACHES = caches


@pytest.fixture
def _no_database(monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[None]:
    """A server that nobody can reach."""
    forget_hierarchies()
    connection.close()
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", "1")
        yield
    forget_hierarchies()
    connection.close()


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Somebody at a terminal, who has not typed anything yet."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdin", terminal)
    return terminal


def run(*arguments: str) -> tuple[int, list[str], list[str]]:
    """Return exit status, lines of output and lines of errors of a command."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except CommandError as error:
        status = error.returncode
        err.write(f"{error}\n")
    except SystemExit as error:
        status = int(error.code or 0)
    return status, out.getvalue().splitlines(), err.getvalue().splitlines()


def expired(cache: MultiLevelCache, *keys: str) -> None:
    """Write entries to PostgreSQL that nobody can have any more."""
    now = time.time()
    entry = Entry(encode(1, key=""), 0, now - 9, now - 5, now - 5)
    cache.hierarchy.database.put_many({cache.make_key(key): entry for key in keys})


# purge_cache


def test_purge_cache_removes_what_has_expired_and_says_how_many(cache: MultiLevelCache) -> None:
    cache.set("a:1", 1)
    expired(cache, "a:2", "a:3")

    assert run("purge_cache") == (0, ["Removed 2 expired entries."], [])
    assert CacheEntry.objects.get().key == cache.make_key("a:1")


def test_purge_cache_deletes_what_matches_from_all_levels(cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})

    status, out, err = run("purge_cache", "--pattern", "a:*")

    assert (status, out, err) == (0, ["Deleted 2 keys that match a:*."], [])
    assert cache.get_many(["a:1", "a:2", "b:1"]) == {"b:1": 3}
    assert list(cache.hierarchy.redis.keys(cache.glob("*"))) == [cache.make_key("b:1")]


def test_purge_cache_deletes_in_batches(
    cache: MultiLevelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge_cache, "BATCH", 2)
    cache.set_many({f"a:{n}": n for n in range(5)})

    _, out, _ = run("purge_cache", "--pattern", "a:*")

    assert out == ["Deleted 5 keys that match a:*."]
    assert list(cache.get_keys()) == []


def test_purge_cache_invalidates_tags_and_says_how_many_had_them(cache: MultiLevelCache) -> None:
    cache.set("a:1", 1, tags=["red"])
    cache.set("a:2", 1, tags=["blue", "red"])
    cache.set("a:3", 1)

    status, out, _ = run("purge_cache", "--tag", "red", "blue")

    assert (status, out) == (0, ["Invalidated red, blue: 2 entries in PostgreSQL had it."])
    assert list(cache.get_many(["a:1", "a:2", "a:3"])) == ["a:3"]


@pytest.mark.parametrize("option", [["--all"], ["--pattern", "**"]], ids=["all", "pattern"])
def test_everything_goes_from_a_script_only_with_yes(
    cache: MultiLevelCache, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    cache.set("a:1", 1)

    refused = run("purge_cache", *option)
    kept = cache.get("a:1")
    status, _, _ = run("purge_cache", *option, "--yes")

    assert refused == (2, [], ["everything would go: say --yes"])
    assert kept == 1
    assert status == 0
    assert cache.get("a:1") is None


def test_everything_goes_when_a_person_says_so(cache: MultiLevelCache, person: Terminal) -> None:
    cache.set("a:1", 1)
    person.write("y\n")
    person.seek(0)

    status, out, err = run("purge_cache", "--all")

    assert (status, out) == (0, ["Emptied the cache."])
    assert err == ["Everything is to go from the cache. Continue? [y/N] "]
    assert cache.get("a:1") is None


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "yeah\n"])
def test_everything_stays_when_a_person_says_anything_else(
    cache: MultiLevelCache, person: Terminal, answer: str
) -> None:
    cache.set("a:1", 1)
    person.write(answer)
    person.seek(0)

    status, out, err = run("purge_cache", "--all")

    assert (status, out) == (1, [])
    assert err[-1].endswith("nothing was done")
    assert cache.get("a:1") == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(["--pattern", "a:*"], ["a:1", "a:2"], id="pattern"),
        pytest.param(["--tag", "red"], ["a:2"], id="tag"),
        pytest.param(["--all"], ["a:1", "a:2", "b:1", "gone:1"], id="all"),
        pytest.param(["--expired"], ["gone:1"], id="expired"),
        pytest.param([], ["gone:1"], id="default"),
    ],
)
def test_a_dry_purge_says_what_would_go_and_takes_nothing(
    cache: MultiLevelCache, options: list[str], told: list[str]
) -> None:
    cache.set_many({"a:1": 1, "b:1": 1})
    cache.set("a:2", 1, tags=["red"])
    expired(cache, "gone:1")

    status, [first, *others], _ = run("purge_cache", *options, "--dry-run")

    assert status == 0
    assert first.startswith(f"Would take out {len(told)} entries (")
    assert sorted(line.strip() for line in others) == told
    assert CacheEntry.objects.count() == 4
    assert len(cache.get_many(["a:1", "a:2", "b:1"])) == 3


def test_a_dry_purge_names_the_first_of_many(cache: MultiLevelCache) -> None:
    cache.set_many({f"a:{n}": n for n in range(30)})

    _, out, _ = run("purge_cache", "--pattern", "a:*", "--dry-run")

    assert len(out) == 22
    assert out[-1] == "  and more"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param(["--pattern", "a:[b"], "a class that is not closed", id="no pattern"),
        pytest.param(["--pattern", ""], "a pattern must not be empty", id="empty pattern"),
        pytest.param(["--tag"], "expected at least one argument", id="no tag"),
        pytest.param(["--all", "--expired"], "not allowed with argument", id="two"),
    ],
)
def test_purge_cache_refuses_what_it_does_not_understand(
    cache: MultiLevelCache, options: list[str], reason: str
) -> None:
    cache.set("a:1", 1)

    _, _, err = run("purge_cache", *options)

    assert reason in err[-1]
    assert cache.get("a:1") == 1


def test_wrong_usage_ends_with_2() -> None:
    assert run("purge_cache", "--pattern", "a:[b")[0] == 2


def test_purge_cache_shows_a_bar_on_a_terminal(
    cache: MultiLevelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set_many({"a:1": 1, "a:2": 1})
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    run("purge_cache", "--pattern", "a:*")

    assert "Deleting:   0%" in terminal.getvalue()
    assert "0/2" in terminal.getvalue()


def test_an_interrupted_purge_ends_between_two_batches_and_says_how_far_it_got(
    cache: MultiLevelCache,
) -> None:
    count = 30_000
    for start in range(0, count, 1_000):
        cache.set_many({f"a:{n:05}": n for n in range(start, start + 1_000)})
    with subprocess.Popen(
        [sys.executable, "manage.py", "purge_cache", "--pattern", "a:*"],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: CacheEntry.objects.fresh().count() < count)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    left = CacheEntry.objects.fresh().count()
    assert (process.returncode, out) == (130, "")
    assert err == f"Stopped: {count - left:,} are gone; the same command goes on.\n"
    assert 0 < left < count
    assert left % 1_000 == 0


@pytest.mark.usefixtures("_no_redis")
def test_without_redis_the_rest_is_purged_and_redis_told_later() -> None:
    cache = get_cache()
    cache.set("a:1", 1)

    status, out, [warning] = run("purge_cache", "--pattern", "a:*")

    assert (status, out) == (0, ["Deleted 1 keys that match a:*."])
    assert warning.startswith("Redis is away: ")
    noted = [PATTERN_MARK + cache.make_key("a:*"), cache.make_key("a:1")]
    assert cache.hierarchy.database.repairs(10) == noted


@pytest.mark.usefixtures("_no_database")
def test_without_postgresql_tags_are_invalidated_in_redis() -> None:
    cache = get_cache()
    cache.set("a:1", 1, tags=["red"])

    status, out, [warning] = run("purge_cache", "--tag", "red")

    assert (status, out) == (0, ["Invalidated red."])
    assert warning.startswith("PostgreSQL is away: ")
    assert cache.get("a:1") is None


@pytest.mark.usefixtures("_no_database")
@pytest.mark.parametrize(
    "options", [[], ["--dry-run"], ["--tag", "red", "--dry-run"]], ids=" ".join
)
def test_what_only_postgresql_can_tell_fails_without_it(options: list[str]) -> None:
    status, out, err = run("purge_cache", *options)

    assert (status, out) == (1, [])
    assert err[-1].startswith("PostgreSQL is away")


@pytest.mark.usefixtures("_no_redis", "_no_database")
@pytest.mark.parametrize("command", ["purge_cache", "warm_cache", "cache_stats"])
def test_without_any_shared_level_nothing_can_be_done(command: str) -> None:
    status, out, [problem] = run(command)

    assert (status, out) == (1, [])
    assert "Redis is away" in problem
    assert "PostgreSQL is away" in problem


# warm_cache


def test_warm_cache_copies_what_was_used_most_to_redis(cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})
    cache.hierarchy.redis.clear()
    cache.hierarchy.memory.clear()

    status, out, err = run("warm_cache", "--prefix", "a")

    assert (status, out, err) == (0, ["Warmed 2 of 2 entries."], [])
    assert set(cache.hierarchy.redis.keys(cache.glob("*"))) == {
        cache.make_key(key) for key in ("a:1", "a:2")
    }


def test_warm_cache_stops_at_its_limit(cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})
    cache.hierarchy.redis.clear()
    cache.hierarchy.memory.clear()

    assert run("warm_cache", "--limit", "2")[1] == ["Warmed 2 of 2 entries."]


def test_warm_cache_shows_a_bar_on_a_terminal(
    cache: MultiLevelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("a:1", 1)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    run("warm_cache")

    assert "Warming:   0%" in terminal.getvalue()


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_warm_cache_refuses_what_is_no_number_of_entries(limit: str) -> None:
    status, out, err = run("warm_cache", "--limit", limit)

    assert (status, out) == (1, [])
    assert "argument --limit" in err[-1]


@pytest.mark.usefixtures("_no_redis")
def test_without_redis_nothing_is_warmed() -> None:
    status, out, err = run("warm_cache")

    assert (status, out) == (1, [])
    assert [line.split(":")[0] for line in err] == ["Redis is away", "there is nowhere to copy to"]


@pytest.mark.usefixtures("_no_database")
def test_without_postgresql_nothing_is_warmed() -> None:
    status, out, err = run("warm_cache")

    assert (status, out) == (1, [])
    assert err[-1] == "there is nowhere to copy from"


# cache_stats


def test_cache_stats_counts_by_level_and_prefix(cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": 1, "b:1": 1, "plain": 1})
    cache.get_many(["a:1", "a:2"])
    cache.get_or_set("b:2", lambda: 1)

    status, out, err = run("cache_stats")

    cells = [line.split() for line in out]
    assert (status, err) == (0, [])
    assert out[0] == "memory is of this process"
    assert out[1].startswith("Redis answers in ")
    assert [row[:3] for row in cells if row[:1] == ["PostgreSQL"] and len(row) > 5] == [
        ["PostgreSQL", "all", "4"],
        ["PostgreSQL", "(none)", "1"],
        ["PostgreSQL", "a", "1"],
        ["PostgreSQL", "b", "2"],
    ]
    assert ["b", "2", "0", "1", "0", "0", "0", "0.0"] in cells


def test_cache_stats_in_json_has_every_figure(cache: MultiLevelCache) -> None:
    cache.set("a:1", 1)

    _, out, _ = run("cache_stats", "--format", "json")

    document = json.loads("\n".join(out))
    assert [level["level"] for level in document["levels"]] == ["L1", "L2", "L3"]
    assert document["levels"][2]["prefixes"][0]["prefix"] == "a"
    assert document["writes"] == 1


def test_cache_stats_of_an_empty_cache_are_shown() -> None:
    status, out, _ = run("cache_stats")

    assert status == 0
    assert [line.split()[:3] for line in out if line.startswith("Redis   ")] == [
        ["Redis", "all", "0"]
    ]


@pytest.mark.usefixtures("_no_redis")
def test_cache_stats_say_which_level_is_away_and_tell_of_the_others() -> None:
    get_cache().set("a:1", 1)

    status, out, [warning] = run("cache_stats")

    assert status == 0
    assert warning.startswith("Redis is away: ")
    assert [line for line in out if line.startswith("Redis is away since ")]
    assert ["PostgreSQL", "all", "1"] in [line.split()[:3] for line in out]
