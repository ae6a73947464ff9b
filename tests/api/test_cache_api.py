"""Looking into the cache, taking things out and bringing them near, from outside."""

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from caching import preview
from caching.backend import MultiLevelCache, get_cache
from caching.codec import encode
from caching.entries import Entry
from caching.hierarchy import forget_hierarchies
from caching.levels.database import DatabaseLevel
from tests.api.test_recordings import assert_problem
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v1/cache/entries/"
STATS = "/api/v1/cache/stats/"
INVALIDATE = "/api/v1/cache/invalidate/"
WARM = "/api/v1/cache/warm/"


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
def staff() -> User:
    return User.objects.create_user("staff", is_staff=True)


@pytest.fixture
def client_of_staff(staff: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(staff)
    return client


def may(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def page(api: APIClient, **query: Any) -> Any:
    return api.get(ENTRIES, query)


def listed(api: APIClient, **query: Any) -> list[str]:
    return [item["key"] for item in page(api, **query).json()["items"]]


def post(api: APIClient, address: str, **body: Any) -> Any:
    return api.post(address, body, format="json")


def end(cache: MultiLevelCache, key: str, *, gone_in: float) -> None:
    """Write an entry to PostgreSQL that expired and is gone in so many seconds."""
    now = time.time()
    entry = Entry(encode(1, key=key), 0, now, now - 2, now + gone_in)
    cache.hierarchy.database.put(cache.make_key(key), entry)


# Entries


def test_entry_says_all_but_its_value(api: APIClient, cache: MultiLevelCache) -> None:
    cache.set("user:1", "secret", timeout=60, tags=["user:1"])

    [item] = api.get(ENTRIES).json()["items"]

    assert (item["key"], item["full_key"]) == ("user:1", "longhand:1:user:1")
    assert (item["prefix"], item["state"], item["is_invalidated"]) == ("user", "fresh", False)
    assert set(item["tags"]) == {"*", "user:1"}
    assert item["size_bytes"] > len("secret")
    assert item["expires_at"] == item["discard_at"]
    assert "secret" not in json.dumps(item)


def test_list_is_narrowed_by_key_prefix_and_tag(api: APIClient, cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": 1, "a:1/2": 1})
    cache.set_many({"b:1": 1}, tags=["red"])

    assert listed(api, key="a:1/2") == ["a:1/2"]
    assert listed(api, prefix="a", sort_order="asc") == ["a:1", "a:1/2"]
    assert listed(api, tag="red") == ["b:1"]
    assert listed(api, tag="red", prefix="a") == []


@pytest.mark.parametrize("state", ["fresh", "stale", "tombstone", "expired"])
def test_list_is_narrowed_by_state(api: APIClient, cache: MultiLevelCache, state: str) -> None:
    cache.set("is:fresh", 1)
    cache.delete("is:tombstone")
    end(cache, "is:stale", gone_in=60)
    end(cache, "is:expired", gone_in=-1)

    [item] = api.get(ENTRIES, {"state": state}).json()["items"]

    assert (item["key"], item["state"]) == (f"is:{state}", state)


def test_what_a_tag_invalidated_says_so(api: APIClient, cache: MultiLevelCache) -> None:
    cache.set("a:1", 1, tags=["red"])
    cache.invalidate_tags("red")

    [item] = api.get(ENTRIES).json()["items"]

    assert (item["state"], item["is_invalidated"]) == ("fresh", True)


def test_list_comes_in_pages_in_the_order_of_keys(api: APIClient, cache: MultiLevelCache) -> None:
    cache.set_many({f"a:{n}": n for n in range(5)})

    body = page(api, size=2, page=2, sort_order="asc").json()

    assert [item["key"] for item in body["items"]] == ["a:2", "a:3"]
    assert (body["total"], body["has_next"]) == (5, True)
    assert listed(api, size=2, cursor="") == ["a:4", "a:3"]


def test_cursors_lead_through_all_entries(api: APIClient, cache: MultiLevelCache) -> None:
    cache.set_many({f"a:{n}": n for n in range(5)})

    first = page(api, size=3, cursor="", prefix="a", sort_by="accessed_at")
    second = api.get(first.json()["next"])

    found = [item["key"] for answer in (first, second) for item in answer.json()["items"]]
    assert sorted(found) == [f"a:{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        pytest.param({"state": "rotten"}, "state", id="state"),
        pytest.param({"nonsense": "1"}, "nonsense", id="unknown"),
        pytest.param({"sort_by": "size_bytes"}, "sort_by", id="sort"),
        pytest.param({"sort_by": "accessed_at"}, "sort_by", id="sort without prefix"),
        pytest.param({"size": "101"}, "size", id="size"),
        pytest.param({"key": "a\x00"}, "key", id="null"),
    ],
)
def test_list_refuses_what_it_does_not_know(
    api: APIClient, query: dict[str, str], name: str
) -> None:
    assert name in assert_problem(api.get(ENTRIES, query), 400, "invalid")["errors"]


def test_list_asks_as_often_for_60_entries_as_for_10_and_reads_no_values(
    api: APIClient, cache: MultiLevelCache
) -> None:
    cache.set_many({f"a:{n}": n for n in range(10)}, tags=["few"])
    few = queries_of(lambda: page(api, size=100, tag="few"))

    cache.set_many({f"a:{n}": n for n in range(60)}, tags=["few", "many"])
    many = queries_of(lambda: page(api, size=100, tag="few"))

    assert len(many) == len(few)
    assert not [sql for sql in many if '"cache_entries"."payload",' in sql]


# Statistics


def test_statistics_are_told_by_level_and_prefix(api: APIClient, cache: MultiLevelCache) -> None:
    cache.set_many({"a:1": "value", "b:1": "value"})
    cache.get_many(["a:1", "b:1", "a:2"])
    cache.get_or_set("a:3", lambda: 3)

    body = api.get(STATS).json()

    memory, in_redis, database = body["levels"]
    [a, b] = database["prefixes"]
    assert [each["level"] for each in body["levels"]] == ["L1", "L2", "L3"]
    assert [each["entries"] for each in body["levels"]] == [3, 3, 3]
    assert [each["is_healthy"] for each in body["levels"]] == [True] * 3
    assert (memory["hits"], memory["misses"], memory["hit_ratio"]) == (2, 2, 0.5)
    assert (a["prefix"], a["entries"], b["prefix"], b["entries"]) == ("a", 2, "b", 1)
    assert a["size_bytes"] + b["size_bytes"] == database["size_bytes"] > 0
    assert (body["loads"], body["load_failures"], body["writes"]) == (1, 0, 3)
    assert in_redis["hit_ratio"] == 0


def test_statistics_of_a_cache_that_did_nothing_have_no_ratio(api: APIClient) -> None:
    body = api.get(STATS).json()

    assert [each["hit_ratio"] for each in body["levels"]] == [None] * 3
    assert body["prefixes"] == []


def test_statistics_say_which_level_is_away(api: APIClient, settings: Any) -> None:
    caches = copy.deepcopy(settings.CACHES)
    caches["default"]["LOCATION"] = "redis://127.0.0.1:1/0"
    settings.CACHES = caches

    memory, in_redis, database = api.get(STATS).json()["levels"]

    assert [memory["is_healthy"], in_redis["is_healthy"], database["is_healthy"]] == [
        True,
        False,
        True,
    ]
    assert in_redis["entries"] is None
    assert in_redis["problem"]


# Invalidating


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        pytest.param({"key": "a:1"}, ["a:1"], id="key"),
        pytest.param({"pattern": "a:*"}, ["a:1", "a:2"], id="pattern"),
        pytest.param({"pattern": "*", "confirm": True}, ["a:1", "a:2", "b:1"], id="all"),
        pytest.param({"tags": ["red", "blue"]}, ["a:2", "b:1"], id="tags"),
        pytest.param({"key": "none"}, [], id="nothing"),
    ],
)
def test_what_is_named_goes_and_is_told_before(
    api: APIClient, cache: MultiLevelCache, what: dict[str, Any], gone: list[str]
) -> None:
    keys = ["a:1", "a:2", "b:1"]
    cache.set("a:1", 1)
    cache.set("a:2", 1, tags=["red"])
    cache.set("b:1", 1, tags=["blue", "red"])

    foreseen = post(api, INVALIDATE, **what, dry_run=True).json()
    kept = list(cache.get_many(keys))
    done = post(api, INVALIDATE, **what).json()

    assert (foreseen["dry_run"], done["dry_run"]) == (True, False)
    assert sorted(foreseen["keys"]) == gone
    assert (foreseen["count"], done["count"]) == (len(gone), len(gone))
    assert (foreseen["size_bytes"] > 0) == bool(gone)
    assert kept == keys
    assert [key for key in keys if key not in cache] == gone


def test_a_dry_run_of_everything_needs_no_confirmation(
    api: APIClient, cache: MultiLevelCache
) -> None:
    cache.set("a:1", 1)

    response = post(api, INVALIDATE, pattern="*", dry_run=True)

    assert response.json()["keys"] == ["a:1"]
    assert cache.get("a:1") == 1


def test_a_dry_run_names_the_first_keys_and_counts_up_to_a_limit(
    api: APIClient, cache: MultiLevelCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "LIMIT", 25)
    cache.set_many({f"a:{n}": n for n in range(30)})

    body = post(api, INVALIDATE, pattern="a:*", dry_run=True).json()

    assert (body["count"], body["count_is_cut_off"], len(body["keys"])) == (25, True, 20)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param({}, "non_field_errors", id="nothing"),
        pytest.param({"key": "a:1", "pattern": "a:*"}, "non_field_errors", id="two"),
        pytest.param({"dry_run": True}, "non_field_errors", id="only dry_run"),
        pytest.param({"pattern": "a:[b"}, "pattern", id="no pattern"),
        pytest.param({"pattern": ""}, "pattern", id="empty pattern"),
        pytest.param({"pattern": "*"}, "confirm", id="all"),
        pytest.param({"pattern": "***", "confirm": False}, "confirm", id="all, not confirmed"),
        pytest.param({"tags": []}, "tags", id="no tags"),
        pytest.param({"tags": "red"}, "tags", id="tags as text"),
        pytest.param({"tags": ["red", "a\x00"]}, "tags", id="null"),
        pytest.param({"key": "a:1", "levels": ["L1"]}, "levels", id="unknown"),
        pytest.param({"key": "k" * 501}, "key", id="long"),
        pytest.param({"key": None}, "key", id="null key"),
    ],
)
def test_what_is_asked_wrongly_is_refused_and_nothing_goes(
    api: APIClient, cache: MultiLevelCache, body: dict[str, Any], name: str
) -> None:
    cache.set("a:1", 1, tags=["red"])

    problem = assert_problem(post(api, INVALIDATE, **body), 400, "invalid")

    assert name in problem["errors"]
    assert cache.get("a:1") == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param("[" * 100_000, "parse_error", id="deep"),
        pytest.param("[1]", "invalid", id="list"),
        pytest.param('{"key": "\\ud800"}', "invalid", id="half a pair"),
        pytest.param("{", "parse_error", id="cut off"),
    ],
)
def test_what_is_no_request_is_refused(api: APIClient, body: str, code: str) -> None:
    response = api.post(INVALIDATE, body, content_type="application/json")

    assert_problem(response, 400, code)


# Warming


def test_warming_brings_what_was_used_most_to_redis(api: APIClient, cache: MultiLevelCache) -> None:
    cache.set_many({f"a:{n}": n for n in range(3)})
    cache.set("b:1", 1)
    cache.hierarchy.redis.clear()
    cache.hierarchy.memory.clear()

    body = post(api, WARM, limit=10, prefix="a").json()

    assert body == {"wanted_count": 3, "warmed_count": 3}
    assert set(cache.hierarchy.redis.keys(cache.glob("*"))) == {
        cache.make_key(f"a:{n}") for n in range(3)
    }


def test_warming_without_words_warms_of_all_prefixes(
    api: APIClient, cache: MultiLevelCache
) -> None:
    cache.set_many({"a:1": 1, "plain": 1})

    assert post(api, WARM).json()["wanted_count"] == 2
    assert post(api, WARM, prefix="", limit=1).json()["wanted_count"] == 1


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param({"limit": 0}, "limit", id="none"),
        pytest.param({"limit": 10_001}, "limit", id="many"),
        pytest.param({"limit": "x"}, "limit", id="no number"),
        pytest.param({"prefixes": ["a"]}, "prefixes", id="unknown"),
    ],
)
def test_warming_refuses_what_it_does_not_know(
    api: APIClient, body: dict[str, Any], name: str
) -> None:
    assert name in assert_problem(post(api, WARM, **body), 400, "invalid")["errors"]


# Who may do what


@pytest.mark.parametrize("address", [ENTRIES, STATS])
def test_looking_needs_its_permission(
    client_of_staff: APIClient, staff: User, address: str
) -> None:
    assert_problem(client_of_staff.get(address), 403, "permission_denied")

    may(staff, "view_cacheentry")
    allowed = APIClient()
    allowed.force_authenticate(User.objects.get(pk=staff.pk))

    assert allowed.get(address).status_code == 200


@pytest.mark.parametrize(
    ("address", "body", "codename"),
    [
        pytest.param(INVALIDATE, {"key": "a:1"}, "delete_cacheentry", id="invalidate"),
        pytest.param(WARM, {}, "change_cacheentry", id="warm"),
    ],
)
def test_changing_needs_its_permission(
    client_of_staff: APIClient, staff: User, address: str, body: dict[str, Any], codename: str
) -> None:
    may(staff, "view_cacheentry", "add_cacheentry")
    assert_problem(post(client_of_staff, address, **body), 403, "permission_denied")

    may(staff, codename)
    allowed = APIClient()
    allowed.force_authenticate(User.objects.get(pk=staff.pk))

    assert post(allowed, address, **body).status_code == 200


@pytest.mark.parametrize("address", [ENTRIES, STATS])
def test_who_is_no_staff_sees_nothing(django_user_model: type[User], address: str) -> None:
    client = APIClient()
    assert_problem(client.get(address), 401, "not_authenticated")

    client.force_authenticate(django_user_model.objects.create_user("somebody"))

    assert_problem(client.get(address), 403, "permission_denied")


@pytest.mark.parametrize("address", [INVALIDATE, WARM])
def test_looking_changes_nothing(api: APIClient, address: str) -> None:
    assert_problem(api.get(address), 405, "method_not_allowed")
