"""What staff see of the cache, and what they can take out of it."""

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse

from caching import admin as cache_admin
from caching import lists, preview
from caching.backend import MultiLevelCache, get_cache
from caching.codec import encode
from caching.entries import Entry
from caching.hierarchy import forget_hierarchies
from caching.levels.database import DatabaseLevel
from caching.models import CacheEntry
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

LIST = reverse("admin:caching_cacheentry_changelist")
INVALIDATE = reverse("admin:caching_cacheentry_invalidate")
STATISTICS = reverse("admin:caching_cacheentry_statistics")

#: Nobody listens there.
NOWHERE = "redis://127.0.0.1:1/0"

ODD_KEYS = [
    pytest.param("größe:日本語/ä", id="not ASCII"),
    pytest.param("long:" + "k" * 230, id="long"),
    pytest.param("<script>alert(1)</script>&amp;", id="markup"),
    pytest.param("a'b\"c%_\\d/e?f#g", id="punctuation"),
]


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
def staff(client: Client) -> User:
    """Staff without any permission, logged in."""
    staff = User.objects.create_user("staff", is_staff=True)
    client.force_login(staff)
    return staff


def may(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def listing(client: Client, **query: str) -> str:
    return client.get(LIST, query).content.decode()


def shown(client: Client, **query: str) -> list[str]:
    """Return the callers' keys that the list shows."""
    rows = client.get(LIST, query).context["cl"].result_list
    return [preview.callers_key(get_cache(), row.key) for row in rows]


def entry_page(client: Client, key: str) -> str:
    full = get_cache().make_key(key)
    address = reverse("admin:caching_cacheentry_change", args=[quote(full)])
    return client.get(address).content.decode()


def put(
    key: str, *, payload: bytes | None = None, ended: float = 0, gone: float | None = 60
) -> None:
    """Write an entry to PostgreSQL that ended so many seconds ago and is gone in so many."""
    now = time.time()
    entry = Entry(
        payload if payload is not None else encode(key, key=key),
        stored_at=now,
        expires_at=now - ended if ended else None,
        discard_at=now + gone if gone is not None else None,
    )
    cache = get_cache()
    cache.hierarchy.database.put(cache.make_key(key), entry)


def in_each_state(cache: MultiLevelCache) -> None:
    put("is:fresh")
    put("is:stale", ended=1)
    put("is:expired", ended=2, gone=-1)
    cache.delete("is:tombstone")


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def act(client: Client, *keys: str, **options: str) -> Any:
    """Choose the action for entries; with ``confirmed`` it is done."""
    selected = [get_cache().make_key(key) for key in keys]
    selection = {"action": "invalidate", "_selected_action": selected, **options}
    return client.post(LIST, selection, follow=True)


# The list


def test_list_shows_keys_as_their_callers_write_them(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({"b:1": 1, "a:1": 2})

    assert shown(admin_client) == ["a:1", "b:1"]
    assert ">a:1</a>" in listing(admin_client)


def test_list_of_an_empty_cache_is_shown(admin_client: Client) -> None:
    assert "0 cache entries" in listing(admin_client)


def test_list_asks_as_often_for_60_entries_as_for_10_and_reads_no_values(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({f"p:{n}": n for n in range(10)}, tags=["few"])
    listing(admin_client)
    few = queries_of(lambda: listing(admin_client))

    cache.set_many({f"p:{n}": n for n in range(60)}, tags=["few", "many"])
    many = queries_of(lambda: listing(admin_client))

    assert len(shown(admin_client)) == 60
    assert len(many) == len(few)
    assert not [sql for sql in many if '"cache_entries"."payload",' in sql]


@pytest.mark.parametrize("state", ["fresh", "stale", "tombstone", "expired"])
def test_state_is_a_badge_and_narrows_the_list(
    admin_client: Client, cache: MultiLevelCache, state: str
) -> None:
    in_each_state(cache)

    assert shown(admin_client, state=state) == [f"is:{state}"]
    assert f'class="badge badge-{state}">{state.upper()}<' in listing(admin_client, state=state)


def test_what_a_tag_invalidated_is_said_to_be_so(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set("a:1", 1, tags=["user:1"])
    cache.set("a:2", 1, tags=["user:2"])

    cache.invalidate_tags("user:1")

    assert listing(admin_client).count("badge-invalidated") == 1
    assert "badge-invalidated" in entry_page(admin_client, "a:1")
    assert "badge-invalidated" not in entry_page(admin_client, "a:2")


def test_list_is_narrowed_by_prefix(admin_client: Client, cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": 1, "b:1": 1, "plain": 1})

    assert shown(admin_client, prefix="a") == ["a:1"]
    assert shown(admin_client, prefix="") == ["plain"]
    assert ">(none)</a>" in listing(admin_client)


@pytest.mark.parametrize("prefix", ["missing", "\x00", "a' OR 1=1"])
def test_a_prefix_that_there_is_not_has_no_entries(
    admin_client: Client, cache: MultiLevelCache, prefix: str
) -> None:
    cache.set_many({"a:1": 1, "b:1": 1})

    assert shown(admin_client, prefix=prefix) == []


def test_prefixes_are_not_counted_over_all_rows(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({f"{letter}:{n}": n for letter in "abc" for n in range(20)})

    asked = queries_of(lambda: listing(admin_client))

    assert not [sql for sql in asked if "DISTINCT" in sql.upper()]
    assert len([sql for sql in asked if "WITH RECURSIVE known" in sql]) == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param("user:1", ["user:1", "user:10"], id="beginning"),
        pytest.param("longhand:1:user:2", ["user:2"], id="as stored"),
        pytest.param("ser:", [], id="not the beginning"),
        pytest.param("user:%", [], id="no wildcard"),
        pytest.param("tag:red", ["user:10", "user:2"], id="tag"),
        pytest.param("tag:re", [], id="not the whole tag"),
        pytest.param("a\x00b", ["user:1", "user:10", "user:2"], id="refused"),
    ],
)
def test_entries_are_found_by_how_their_keys_begin_and_by_tag(
    admin_client: Client, cache: MultiLevelCache, words: str, found: list[str]
) -> None:
    cache.set("user:1", 1)
    cache.set_many({"user:10": 1, "user:2": 1}, tags=["red"])

    assert shown(admin_client, q=words) == found


def test_a_long_list_says_how_many_there_are_at_least(
    admin_client: Client, cache: MultiLevelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "COUNT_LIMIT", 3)
    cache.set_many({f"p:{n}": n for n in range(5)})

    assert "more than 3 cache entries" in " ".join(listing(admin_client).split())


@pytest.mark.parametrize("key", ODD_KEYS)
def test_any_key_is_shown_found_and_escaped(
    admin_client: Client, cache: MultiLevelCache, key: str
) -> None:
    cache.set(key, {"markup": "<b>bold</b>"}, tags=["<i>tag</i>"])

    page = entry_page(admin_client, key)

    assert shown(admin_client, q=key) == [key]
    assert "<script>alert(1)" not in page + listing(admin_client)
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "&lt;i&gt;tag&lt;/i&gt;" in page


# The page of an entry


def test_entry_shows_its_value_laid_out(admin_client: Client, cache: MultiLevelCache) -> None:
    cache.set("a:1", {"words": ["one", "two"], "at": (1, 2.5), "none": None})

    assert "{&#x27;words&#x27;: [&#x27;one&#x27;" in entry_page(admin_client, "a:1")


@pytest.mark.parametrize("value", ["x" * 50_000, ["x" * 10] * 50_000], ids=["text", "list"])
def test_a_long_value_is_cut_off(
    admin_client: Client, cache: MultiLevelCache, value: object
) -> None:
    cache.set("a:1", value)

    page = entry_page(admin_client, "a:1")

    assert "characters more" in page
    assert len(page) < 100_000


def test_a_tombstone_has_no_value(admin_client: Client, cache: MultiLevelCache) -> None:
    cache.delete("a:1")

    assert "none: this is a tombstone" in entry_page(admin_client, "a:1")


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\xc5" * 40], ids=["empty", "text", "header"])
def test_a_value_that_cannot_be_decoded_is_said_to_be_so(
    admin_client: Client, cache: MultiLevelCache, damage: bytes
) -> None:
    cache.set("a:1", 1)
    cache.hierarchy.database._execute("UPDATE cache_entries SET payload = %b", (damage,))

    assert "cannot be decoded" in entry_page(admin_client, "a:1")


def test_an_entry_is_only_looked_at(admin_client: Client, cache: MultiLevelCache) -> None:
    cache.set("a:1", 1)
    pk = quote(cache.make_key("a:1"))

    assert admin_client.get(reverse("admin:caching_cacheentry_add")).status_code == 403
    change, delete = (
        reverse(f"admin:caching_cacheentry_{verb}", args=[pk]) for verb in ("change", "delete")
    )
    assert admin_client.post(change, {"prefix": "b"}).status_code == 403
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403
    assert cache.get("a:1") == 1


# The levels above the list


def test_levels_are_described_above_the_list(admin_client: Client, cache: MultiLevelCache) -> None:
    cache.set("a:1", "value")
    cache.get("a:1")
    cache.get("a:2")
    cache.hierarchy.keeper.flush()

    overview = admin_client.get(LIST).context["overview"]

    assert [(level.name, level.entry_count) for level in overview] == [
        ("memory", 1),
        ("Redis", None),
        ("PostgreSQL", 1),
    ]
    assert [level.hit_ratio for level in overview] == [0.5, 0, 0]
    assert [level.health.is_healthy for level in overview] == [True] * 3


def test_a_level_that_is_away_is_said_loudly(admin_client: Client, settings: Any) -> None:
    caches = copy.deepcopy(settings.CACHES)
    caches["default"]["LOCATION"] = NOWHERE
    settings.CACHES = caches
    get_cache().get("a:1")

    page = listing(admin_client)

    assert 'class="errornote">Redis is away since 0 s' in page
    assert "AWAY</span>" in page


def test_statistics_are_told_by_level_and_prefix(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({"a:1": 1, "a:2": 1, "<b>:1": 1})
    cache.get_or_set("a:3", lambda: 3)

    response = admin_client.get(STATISTICS)

    [memory, _, database] = response.context["report"]["levels"]
    assert [memory["entries"], database["entries"]] == [4, 4]
    assert [row["prefix"] for row in database["prefixes"]] == ["<b>", "a"]
    assert response.context["report"]["loads"] == 1
    assert "<th>&lt;b&gt;</th>" in response.content.decode()


# Invalidating what is selected


def test_selected_entries_are_shown_before_they_go(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({f"a:{n:02}": "value" for n in range(25)})

    response = act(admin_client, *(f"a:{n:02}" for n in range(25)))

    page = " ".join(response.content.decode().split())
    assert "25 keys," in page
    assert response.context["preview"].sample == [f"a:{n:02}" for n in range(20)]
    assert len(cache.get_many([f"a:{n:02}" for n in range(25)])) == 25


def test_selected_entries_go_from_all_levels_once_that_is_confirmed(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "a:3": 3})

    response = act(admin_client, "a:1", "a:2", confirmed="yes")

    assert said(response) == ["Invalidated 2 of 2."]
    assert cache.get_many(["a:1", "a:2", "a:3"]) == {"a:3": 3}
    assert set(cache.hierarchy.redis.keys(cache.glob("*"))) == {cache.make_key("a:3")}
    assert CacheEntry.objects.tombstones().count() == 2


def test_what_holds_no_fresh_value_is_told_apart(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set("a:1", 1)
    cache.delete("a:2")

    response = act(admin_client, "a:1", "a:2", confirmed="yes")

    assert said(response) == ["Invalidated 1 of 2; the others had no fresh value."]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_an_entry_of_any_key_is_invalidated(
    admin_client: Client, cache: MultiLevelCache, key: str
) -> None:
    cache.set(key, 1)

    act(admin_client, key, confirmed="yes")

    assert key not in cache


def test_entries_of_another_version_are_invalidated(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set("a:1", "new", version=2)
    selection = {"action": "invalidate", "confirmed": "yes"}

    row = CacheEntry.objects.get()
    admin_client.post(LIST, {**selection, "_selected_action": [row.pk]})

    assert cache.get("a:1", version=2) is None


def test_all_that_the_list_shows_is_invalidated_and_no_more(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})
    selected = [cache.make_key("a:1")]
    selection = {"action": "invalidate", "_selected_action": selected, "select_across": "1"}

    page = admin_client.post(f"{LIST}?prefix=a", selection).content.decode()
    admin_client.post(f"{LIST}?prefix=a", {**selection, "confirmed": "yes"})

    assert 'name="select_across" value="1"' in page
    assert cache.get_many(["a:1", "a:2", "b:1"]) == {"b:1": 3}


def test_more_entries_than_the_limit_stay_and_the_limit_is_said(
    admin_client: Client, cache: MultiLevelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_admin, "ACTION_LIMIT", 1)
    cache.set_many({"a:1": 1, "a:2": 2})

    response = act(admin_client, "a:1", "a:2", confirmed="yes")

    assert "At most 1 entries at once: nothing was done." in said(response)[0]
    assert len(cache.get_many(["a:1", "a:2"])) == 2


# Invalidating by pattern or tag


def test_what_matches_a_pattern_is_shown_before_it_goes(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})

    response = admin_client.post(INVALIDATE, {"pattern": "a:*", "tag": ""})

    assert response.context["preview"].count == 2
    assert response.context["preview"].size_bytes > 0
    assert '<li class="cache-key">a:1</li>' in response.content.decode()
    assert len(cache.get_many(["a:1", "a:2", "b:1"])) == 3


def test_what_matches_a_pattern_goes_once_that_is_confirmed(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({"a:1": 1, "a:2": 2, "b:1": 3})
    form = {"pattern": "a:*", "tag": "", "confirmed": "yes"}

    response = admin_client.post(INVALIDATE, form, follow=True)

    assert said(response) == ["Invalidated 2 keys that match a:*."]
    assert cache.get_many(["a:1", "a:2", "b:1"]) == {"b:1": 3}


def test_what_bears_a_tag_is_counted_and_goes(admin_client: Client, cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": 1, "a:2": 2}, tags=["red", "round"])
    cache.set("b:1", 3, tags=["blue"])

    shown_first = admin_client.post(INVALIDATE, {"pattern": "", "tag": "red"})
    done = admin_client.post(INVALIDATE, {"tag": "red", "confirmed": "yes"}, follow=True)
    shown_then = admin_client.post(INVALIDATE, {"pattern": "", "tag": "red"})

    assert shown_first.context["preview"].sample == ["a:1", "a:2"]
    assert said(done) == ["Invalidated the tag red: 2 entries had it."]
    assert cache.get_many(["a:1", "a:2", "b:1"]) == {"b:1": 3}
    assert shown_then.context["preview"].count == 0


def test_every_key_goes_only_when_that_is_ticked(
    admin_client: Client, cache: MultiLevelCache
) -> None:
    cache.set_many({"a:1": 1, "b:1": 2})
    form = {"pattern": "*", "tag": "", "confirmed": "yes"}

    refused = admin_client.post(INVALIDATE, form)
    kept = len(cache.get_many(["a:1", "b:1"]))
    done = admin_client.post(INVALIDATE, {**form, "all": "on"}, follow=True)

    assert "Nothing was done: tick that every key is to go." in refused.content.decode()
    assert kept == 2
    assert said(done) == ["Invalidated 2 keys that match *."]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        pytest.param({"pattern": "", "tag": ""}, "Write a pattern or a tag", id="neither"),
        pytest.param({"pattern": "a:*", "tag": "red"}, "Write a pattern or a tag", id="both"),
        pytest.param({"pattern": "a:[b"}, "a class that is not closed", id="no pattern"),
        pytest.param({"tag": "a\x00b"}, "Null characters are not allowed", id="null"),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_nothing_goes(
    admin_client: Client, cache: MultiLevelCache, form: dict[str, str], problem: str
) -> None:
    cache.set("a:1", 1, tags=["red"])

    response = admin_client.post(INVALIDATE, {**form, "confirmed": "yes"})

    assert response.status_code == 200
    assert problem in response.content.decode()
    assert cache.get("a:1") == 1


def test_more_keys_than_are_counted_are_more_than_that(
    admin_client: Client, cache: MultiLevelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "LIMIT", 2)
    cache.set_many({"a:1": 1, "a:2": 2, "a:3": 3})

    page = admin_client.post(INVALIDATE, {"pattern": "a:*", "tag": ""}).content.decode()

    assert "More than 2 keys" in " ".join(page.split())


# Who may do what


def test_who_may_look_takes_nothing_out(
    client: Client, staff: User, cache: MultiLevelCache
) -> None:
    may(staff, "view_cacheentry")
    cache.set("a:1", 1)

    page = listing(client)
    act(client, "a:1", confirmed="yes")
    refused = client.post(INVALIDATE, {"pattern": "a:*", "confirmed": "yes"})

    assert 'value="invalidate"' not in page
    assert INVALIDATE not in page
    assert refused.status_code == 403
    assert client.get(STATISTICS).status_code == 200
    assert cache.get("a:1") == 1


def test_who_may_delete_invalidates(client: Client, staff: User, cache: MultiLevelCache) -> None:
    may(staff, "view_cacheentry", "delete_cacheentry")
    cache.set("a:1", 1)

    page = listing(client)
    response = act(client, "a:1", confirmed="yes")

    assert 'value="invalidate"' in page
    assert INVALIDATE in page
    assert said(response) == ["Invalidated 1 of 1."]


@pytest.mark.parametrize("address", [LIST, INVALIDATE, STATISTICS])
def test_who_may_nothing_sees_nothing(client: Client, staff: User, address: str) -> None:
    assert client.get(address).status_code == 403


@pytest.mark.parametrize("address", [LIST, INVALIDATE, STATISTICS])
def test_pages_of_the_cache_are_for_staff_only(client: Client, address: str) -> None:
    assert client.get(address).status_code == 302


def test_a_form_from_elsewhere_takes_nothing_out(admin_user: User, cache: MultiLevelCache) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    cache.set("a:1", 1)

    response = client.post(INVALIDATE, {"pattern": "a:*", "confirmed": "yes"})

    assert response.status_code == 403
    assert cache.get("a:1") == 1


def test_looking_at_the_list_writes_no_entry(admin_client: Client, cache: MultiLevelCache) -> None:
    cache.set("a:1", 1)

    listing(admin_client)

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM cache_entries")
        assert cursor.fetchone() == (1,)
