"""PostgreSQL as a shared level: what it does besides what every shared level does."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from caching.entries import Entry
from caching.exceptions import LevelIsAway
from caching.levels.base import TAG_MARK
from caching.levels.connections import Connections, PreparedByContent
from caching.levels.database import LATEST, DatabaseLevel
from caching.models import CacheEntry
from tests.caching.level_contract import SharedLevelContract, entry, in_a_minute, stale, value_of

pytestmark = pytest.mark.django_db(transaction=True)

THREADS = 8


@pytest.fixture
def level() -> Iterator[DatabaseLevel]:
    level = DatabaseLevel()
    yield level
    level.close()


@pytest.fixture
def second() -> Iterator[DatabaseLevel]:
    second = DatabaseLevel()
    yield second
    second.close()


def session_of(level: DatabaseLevel) -> int:
    """Return the process of the server that answers."""
    [[process_id]] = level._execute("SELECT pg_backend_pid()")
    return int(process_id)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Return what each call returned; all begin at the same time."""
    barrier = threading.Barrier(len(calls), timeout=30)

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


class TestDatabaseLevel(SharedLevelContract):
    pass


# The caller's transaction


def test_what_is_put_stays_when_its_caller_rolls_back(level: DatabaseLevel) -> None:
    with transaction.atomic():
        level.put("key", entry("kept"))
        transaction.set_rollback(True)

    assert value_of(level.get("key")) == "kept"


def test_a_transaction_that_is_broken_breaks_no_cache(level: DatabaseLevel) -> None:
    level.put("key", entry("kept"))

    with transaction.atomic():
        with pytest.raises(Exception, match="division"), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        held = level.get("key")
        transaction.set_rollback(True)

    assert value_of(held) == "kept"


def test_a_verb_that_fails_breaks_no_transaction(level: DatabaseLevel) -> None:
    with transaction.atomic():
        with pytest.raises(psycopg.DataError):
            level.get("\0")
        count = CacheEntry.objects.count()

    assert count == 0


def test_a_write_in_an_open_transaction_is_seen_by_others_and_locks_nothing(
    level: DatabaseLevel, second: DatabaseLevel
) -> None:
    with transaction.atomic():
        first = level.put("key", entry("first"))
        held = second.get("key")
        later = second.put("key", entry("later"))

    assert value_of(held) == "first"
    assert later > first


# At once


def test_of_those_who_expect_the_same_version_one_writes(level: DatabaseLevel) -> None:
    version = level.put("key", entry("old"))

    written = at_once(
        *[lambda n=n: level.put("key", entry(n), expected=version) for n in range(THREADS)]
    )

    [winner] = [n for n, version in enumerate(written) if version]
    assert value_of(level.get("key")) == winner


@pytest.mark.parametrize("was_held", [False, True], ids=["never held", "held until now"])
def test_of_those_who_expect_nothing_one_writes(level: DatabaseLevel, was_held: bool) -> None:
    if was_held:
        level.put("key", entry(expires_in=-10))

    written = at_once(*[lambda n=n: level.put("key", entry(n), expected=0) for n in range(THREADS)])

    assert len([version for version in written if version]) == 1


def test_of_those_who_delete_the_same_value_one_is_told_that_it_was_there(
    level: DatabaseLevel,
) -> None:
    level.put("key", entry())

    deleted = at_once(*[lambda: level.delete_many(["key"], discard_at=in_a_minute())] * THREADS)

    assert sorted(map(len, deleted)) == [0] * (THREADS - 1) + [1]


def test_versions_grow_in_the_order_of_writes_at_once(level: DatabaseLevel) -> None:
    versions = at_once(*[lambda: level.put("key", entry())] * THREADS)

    held = level.get("key")
    assert held is not None
    assert held.version == max(versions)
    assert len(set(versions)) == THREADS


def test_many_writes_of_the_same_keys_do_not_wait_for_each_other_in_a_circle(
    level: DatabaseLevel, second: DatabaseLevel
) -> None:
    keys = [f"key {n}" for n in range(300)]
    entries = {key: entry() for key in keys}
    reads = dict.fromkeys(keys, (1, time.time()))

    def repeat(call: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: [call() for _ in range(10)]

    done = at_once(
        repeat(lambda: level.put_many(entries, repair=True)),
        repeat(lambda: second.put_many(dict(reversed(entries.items())))),
        repeat(lambda: level.delete_many(keys[::-1], discard_at=in_a_minute(), repair=True)),
        repeat(lambda: second.delete_many(keys[::2], discard_at=time.time())),
        repeat(lambda: level.record_reads(dict(reversed(reads.items())))),
        repeat(lambda: second.purge(100)),
        repeat(lambda: level.forget_repairs(keys)),
    )

    assert len(done) == 7


def test_no_more_connections_are_open_than_are_allowed() -> None:
    level = DatabaseLevel(max_connections=2)

    sessions = at_once(*[lambda: session_of(level)] * THREADS)
    level.close()

    assert len(set(sessions)) <= 2


def test_who_finds_all_connections_busy_goes_without() -> None:
    level = DatabaseLevel(max_connections=1)

    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(level._execute, "SELECT pg_sleep(1)")
        while level._connections._permits._value:
            time.sleep(0.01)
        with pytest.raises(LevelIsAway, match="busy"):
            level.ping()
        busy.result()

    level.ping()
    level.close()


# Connections


def test_a_connection_is_used_again(level: DatabaseLevel) -> None:
    assert session_of(level) == session_of(level)


def test_connections_that_the_server_ended_cost_no_error(
    level: DatabaseLevel, second: DatabaseLevel
) -> None:
    level.put("key", entry("kept"))
    ended = session_of(level)
    second._execute("SELECT pg_terminate_backend(%s, 5000)", (ended,))

    held = level.get("key")

    assert value_of(held) == "kept"
    assert session_of(level) != ended


def test_a_connection_that_was_left_in_a_statement_is_not_used_again(
    level: DatabaseLevel,
) -> None:
    class TimedOut(Exception):
        pass

    def interrupt(*_: Any) -> None:
        raise TimedOut

    session = session_of(level)
    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with pytest.raises(TimedOut):
        level._execute("SELECT pg_sleep(10)")
    signal.signal(signal.SIGALRM, handler)

    assert session_of(level) != session


def prepared_by(level: DatabaseLevel) -> dict[str, str]:
    rows = level._execute("SELECT name, statement FROM pg_prepared_statements")
    return dict(rows)


def test_a_statement_has_one_name_in_all_sessions_and_no_other_has_it(
    level: DatabaseLevel, second: DatabaseLevel
) -> None:
    for _ in range(3):
        level.get("key")
        level.ping()
    for _ in range(3):
        second.ping()
        second.get("key")

    mine, others = prepared_by(level), prepared_by(second)
    assert mine == others
    assert len(mine) == len(set(mine.values())) == 2


def test_a_session_that_has_lost_what_was_prepared_costs_no_error(level: DatabaseLevel) -> None:
    level.put("key", entry("kept"))
    session, _, _ = session_of(level), level.get("key"), level.get("key")
    level._execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")

    held = [value_of(level.get("key")) for _ in range(3)]

    assert held == ["kept"] * 3
    assert session_of(level) == session


def test_a_session_in_which_another_has_prepared_the_same_costs_no_error(
    level: DatabaseLevel,
) -> None:
    level.put("key", entry("kept"))
    session, _, _ = session_of(level), level.get("key"), level.get("key")
    level._connections._idle[0].connection._prepared = PreparedByContent()

    held = [value_of(level.get("key")) for _ in range(3)]

    assert held == ["kept"] * 3
    assert session_of(level) == session


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"NAME": "no_such_database"}, id="no database"),
        pytest.param({"HOST": "127.0.0.1", "PORT": "1"}, id="nobody listens"),
    ],
)
def test_a_database_that_is_not_there_is_away_at_once(
    level: DatabaseLevel, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    connection.ensure_connection()  # with its true settings
    monkeypatch.setattr(connections["default"], "settings_dict", connection.settings_dict | changes)
    began = time.monotonic()

    with pytest.raises(LevelIsAway) as caught:
        level.get("key")

    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "setting", ["default_transaction_read_only = on", "statement_timeout = '20ms'"]
)
def test_a_database_that_cannot_do_it_now_is_away(level: DatabaseLevel, setting: str) -> None:
    level._execute(f"SET {setting}")

    with pytest.raises(LevelIsAway):
        level._execute("SELECT nextval('cache_version_seq'), pg_sleep(1)")


def test_a_mistake_in_a_statement_is_no_absence(level: DatabaseLevel) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        level._execute("SELEKT")


def test_a_key_that_is_too_long_for_the_index_is_no_absence(level: DatabaseLevel) -> None:
    key = os.urandom(10_000).hex()

    with pytest.raises(psycopg.errors.ProgramLimitExceeded):
        level.put(key, entry())


def test_a_fork_connects_for_itself_and_leaves_its_parent_connected(level: DatabaseLevel) -> None:
    session = session_of(level)
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writer, str(session_of(level)).encode())
        level.close()
        level._connections = Connections("default", 1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        session_of_child = int(answer.read())
    os.waitpid(child, 0)

    assert session_of_child != session
    assert session_of(level) == session


# Entries


@pytest.mark.parametrize(
    "tag", ["plain", "", "a,b", 'a"b', "a\\b", "{}", "NULL", " padded ", "ключ 🗝", "a'b"]
)
def test_any_tag_comes_back(level: DatabaseLevel, tag: str) -> None:
    level.put_many({"key": entry(tags=((tag, 1), ("other", 2)))})

    held = level.get("key")

    assert held is not None
    assert held.tags == ((tag, 1), ("other", 2))


@pytest.mark.parametrize("expires_at", [LATEST + 1, 1e300, float("inf")])
def test_what_ends_after_all_calendars_has_no_end(level: DatabaseLevel, expires_at: float) -> None:
    level.put("key", Entry(b"\x01", expires_at=expires_at, discard_at=expires_at))

    held = level.get("key")

    assert held is not None
    assert (held.expires_at, held.discard_at) == (None, None)


def test_times_are_kept_to_the_microsecond(level: DatabaseLevel) -> None:
    put = Entry(b"\x01", stored_at=1e9 + 1e-6, expires_at=4e9 + 2e-6, discard_at=4e9 + 3e-6)

    level.put("key", put)

    held = level.get("key")
    assert held is not None
    assert (held.stored_at, held.expires_at, held.discard_at) == (
        put.stored_at,
        put.expires_at,
        put.discard_at,
    )


def test_a_large_value_that_can_be_compressed_is_stored_compressed(level: DatabaseLevel) -> None:
    level.put("key", entry("x" * 100_000))

    assert CacheEntry.objects.get().size_bytes < 1_000


def test_what_cannot_be_decoded_is_absent_and_can_be_written_anew(level: DatabaseLevel) -> None:
    level.put_many({"a": entry(), "b": entry()})
    CacheEntry.objects.update(payload=b"of another format")

    assert level.get("a") is None
    assert level.get_many(["a", "b"]) == {}
    assert level.undecodable_count == 2
    assert level.put("a", entry("new"), expected=0) > 0


def test_a_put_that_expects_what_has_ended_is_refused(level: DatabaseLevel) -> None:
    version = level.put("key", entry(expires_in=-10))

    assert level.put("key", entry(), expected=version) == 0


def test_purge_removes_what_has_ended_up_to_a_limit(level: DatabaseLevel) -> None:
    level.put_many({f"gone {n}": entry(expires_in=-10) for n in range(5)})
    level.delete_many(["gone too"], discard_at=time.time() - 1)
    level.put_many({"fresh": entry(), "stale": stale(), "endless": entry(expires_in=None)})

    assert [level.purge(4), level.purge(4), level.purge(4)] == [4, 2, 0]
    assert CacheEntry.objects.count() == 3


def test_purge_leaves_alone_what_is_being_written(level: DatabaseLevel) -> None:
    level.put_many({"a": entry(expires_in=-10), "b": entry(expires_in=-10)})

    with transaction.atomic():
        CacheEntry.objects.select_for_update().get(key="a")
        purged = level.purge(10)

    assert purged == 1
    assert list(CacheEntry.objects.values_list("key", flat=True)) == ["a"]


# Repairs


@pytest.mark.parametrize(
    ("write", "names"),
    [
        pytest.param(lambda level: level.put("b", entry(), repair=True), ["b"], id="put"),
        pytest.param(
            lambda level: level.put("b", entry(), expected=0, repair=True), ["b"], id="expected"
        ),
        pytest.param(
            lambda level: level.put_many({"b": entry(), "a": entry()}, repair=True),
            ["a", "b"],
            id="many",
        ),
        pytest.param(
            lambda level: level.touch("held", expires_at=None, discard_at=None, repair=True),
            ["held"],
            id="touch",
        ),
        pytest.param(
            lambda level: level.delete_many(["b", "a"], discard_at=in_a_minute(), repair=True),
            ["a", "b"],
            id="delete",
        ),
        pytest.param(
            lambda level: level.bump_tags(["t"], repair=True), [TAG_MARK + "t"], id="tags"
        ),
    ],
)
def test_a_write_notes_what_is_to_be_repaired(
    level: DatabaseLevel, write: Callable[[DatabaseLevel], Any], names: list[str]
) -> None:
    level.put("held", entry())

    write(level)

    assert level.repairs(10) == names


def test_a_write_notes_nothing_while_the_other_level_is_there(level: DatabaseLevel) -> None:
    level.put_many({"a": entry(), "b": entry()})
    level.bump_tags(["t"])

    assert level.repairs(10) == []


# Use


def test_reads_are_counted_and_change_no_version(level: DatabaseLevel) -> None:
    version = level.put("key", entry())
    level.record_reads({"key": (3, time.time()), "never written": (1, time.time())})

    level.record_reads({"key": (2, time.time())})

    held = CacheEntry.objects.get()
    assert (held.access_count, held.version) == (5, version)


@pytest.mark.parametrize(
    ("seconds", "follows"),
    [
        pytest.param(7200, True, id="much later"),
        pytest.param(60, False, id="soon after"),
        pytest.param(-7200, False, id="before"),
    ],
)
def test_the_time_of_the_last_read_follows_in_steps(
    level: DatabaseLevel, seconds: float, follows: bool
) -> None:
    level.put("key", entry())
    before = CacheEntry.objects.get().accessed_at
    read_at = before.timestamp() + seconds

    level.record_reads({"key": (1, read_at)})

    after = CacheEntry.objects.get().accessed_at
    assert after.timestamp() == (read_at if follows else before.timestamp())


def test_what_was_overwritten_is_as_much_used_as_before(level: DatabaseLevel) -> None:
    level.put("key", entry())
    level.record_reads({"key": (3, time.time())})
    level.delete_many(["key"], discard_at=in_a_minute())

    level.put("key", entry())

    assert CacheEntry.objects.get().access_count == 3


def test_the_most_used_come_first_of_all_prefixes_or_of_one(level: DatabaseLevel) -> None:
    level.put_many(
        {f"{prefix}:{n}": entry(prefix=prefix) for prefix in ("", "a", "b") for n in range(3)}
    )
    level.put("a:stale", Entry(b"\x01", expires_at=1.0, prefix="a"))
    now = time.time()
    level.record_reads({"a:1": (5, now), "b:2": (9, now), ":0": (7, now), "a:stale": (99, now)})

    assert level.most_used(3) == ["b:2", ":0", "a:1"]
    assert level.most_used(1, prefix="a") == ["a:1"]
    assert level.most_used(5, prefix="nobody's") == []


def test_counts_add_up(level: DatabaseLevel, second: DatabaseLevel) -> None:
    level.add_counts({("L1", "user", "hit"): 2, ("", "", "load"): 1})
    second.add_counts({("L1", "user", "hit"): 3})
    level.add_counts({})

    assert second.counts() == {("L1", "user", "hit"): 5, ("", "", "load"): 1}


# What is asked of the entries by those who look at them


@pytest.fixture
def _one_of_each(level: DatabaseLevel) -> None:
    level.put_many(
        {
            "fresh": entry(tags=(("t", 1),), prefix="p"),
            "endless": entry(expires_in=None, tags=(("t", 1), ("u", 2))),
            "stale": stale(),
            "expired": entry(expires_in=-10),
        }
    )
    level.delete_many(["tombstone"], discard_at=in_a_minute())
    level.delete_many(["old tombstone"], discard_at=time.time() - 10)


@pytest.mark.usefixtures("_one_of_each")
@pytest.mark.parametrize(
    ("choose", "keys"),
    [
        pytest.param(lambda e: e.fresh(), ["endless", "fresh"], id="fresh"),
        pytest.param(lambda e: e.stale(), ["stale"], id="stale"),
        pytest.param(lambda e: e.tombstones(), ["tombstone"], id="tombstones"),
        pytest.param(lambda e: e.expired(), ["expired", "old tombstone"], id="expired"),
        pytest.param(lambda e: e.with_prefix("p"), ["fresh"], id="prefix"),
        pytest.param(lambda e: e.with_tag("t"), ["endless", "fresh"], id="tag"),
        pytest.param(lambda e: e.with_tag("nobody's"), [], id="no tag"),
    ],
)
def test_entries_are_found_by_what_they_are(choose: Callable[[Any], Any], keys: list[str]) -> None:
    found = choose(CacheEntry.objects.without_payloads())

    assert [found_entry.key for found_entry in found] == keys


@pytest.mark.usefixtures("_one_of_each")
def test_a_tombstone_is_known_without_its_payload() -> None:
    entries = CacheEntry.objects.without_payloads().in_bulk(["fresh", "tombstone"])

    assert not entries["fresh"].is_tombstone
    assert entries["tombstone"].is_tombstone
    assert entries["tombstone"].stored_at <= timezone.now()
