"""What takes things out of the cache, and transactions around it."""

import threading
import time
from uuid import uuid4

import pytest
from django.db import transaction

from caching.exceptions import InvalidPattern
from caching.invalidation import CacheInvalidator, tags_of
from tests.caching.conftest import ProcessCache
from tests.waiting import wait_for


@pytest.fixture
def invalidator(cache: ProcessCache) -> CacheInvalidator:
    return CacheInvalidator(cache)


def test_a_key_is_invalidated(cache: ProcessCache, invalidator: CacheInvalidator) -> None:
    cache.set("key", "value")

    assert invalidator.invalidate_key("key") is True
    assert invalidator.invalidate_key("key") is False
    assert cache.get("key") is None


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        pytest.param("a:*", {"b:1", "a_1"}, id="a prefix"),
        pytest.param("a?1", {"a:2", "b:1"}, id="one character"),
        pytest.param("[ab]:1", {"a:2", "a_1"}, id="a class"),
        pytest.param("*_*", {"a:1", "a:2", "b:1"}, id="no wildcard of SQL"),
        pytest.param("never*", {"a:1", "a:2", "b:1", "a_1"}, id="none"),
    ],
)
def test_a_pattern_deletes_what_matches_and_says_how_many(
    cache: ProcessCache, invalidator: CacheInvalidator, pattern: str, left: set[str]
) -> None:
    cache.set_many(dict.fromkeys(["a:1", "a:2", "b:1", "a_1"], 1))

    assert invalidator.invalidate_pattern(pattern) == 4 - len(left)
    assert set(cache.get_keys()) == left


@pytest.mark.parametrize("pattern", ["*", "**"])
def test_a_pattern_of_everything_must_be_confirmed(
    cache: ProcessCache, invalidator: CacheInvalidator, pattern: str
) -> None:
    cache.set("key", 1)

    with pytest.raises(InvalidPattern, match="every key"):
        invalidator.invalidate_pattern(pattern)
    assert cache.get("key") == 1
    assert invalidator.invalidate_pattern(pattern, is_confirmed=True) == 1
    assert cache.get("key") is None


@pytest.mark.parametrize("pattern", ["", "[", "a\\", "[z-a]"])
def test_what_is_no_pattern_deletes_nothing(
    cache: ProcessCache, invalidator: CacheInvalidator, pattern: str
) -> None:
    cache.set_many({"key": 1, "[": 1})

    with pytest.raises(InvalidPattern):
        invalidator.invalidate_pattern(pattern, is_confirmed=True)
    assert cache.get_many(["key", "["]) == {"key": 1, "[": 1}


def test_more_keys_than_one_batch_are_deleted(
    cache: ProcessCache, invalidator: CacheInvalidator
) -> None:
    cache.set_many({f"a:{n}": n for n in range(2500)})

    assert invalidator.invalidate_pattern("a:*") == 2500
    assert list(cache.get_keys()) == []


def test_what_belongs_to_somebody_is_found_by_its_tags(
    cache: ProcessCache, invalidator: CacheInvalidator
) -> None:
    transcript, workspace = uuid4(), uuid4()
    tags = tags_of(transcript=transcript, user=7, workspace=workspace)
    for number, tag in enumerate(tags):
        cache.set(f"hash-{number}", 1, tags=[tag])
    cache.set("all", 1, tags=tags)

    invalidator.invalidate_transcript(transcript)
    after_transcript = set(cache.get_many(["hash-0", "hash-1", "all"]))
    invalidator.invalidate_user_data(7)
    invalidator.invalidate_workspace(workspace)

    assert after_transcript == {"hash-1"}
    assert cache.get_many(["hash-0", "hash-1", "hash-2", "all"]) == {}


def test_what_has_expired_is_removed(cache: ProcessCache, invalidator: CacheInvalidator) -> None:
    cache.set_many({f"a:{n}": n for n in range(5)}, 0.05)
    cache.set("kept", 1)
    wait_for(lambda: not cache.has_key("a:0"), seconds=5)
    time.sleep(0.05)

    assert invalidator.invalidate_expired() >= 5
    assert cache.in_database("kept") is not None
    assert sum(size.entry_count for size in cache.hierarchy.database.sizes()) == 1


def test_memory_is_given_back_and_nothing_is_lost(
    cache: ProcessCache, invalidator: CacheInvalidator
) -> None:
    cache.set_many({f"a:{n}": "x" * 1000 for n in range(100)})
    held = cache.hierarchy.memory.size_bytes

    count = invalidator.invalidate_l1_on_memory_pressure(held // 2)

    assert 45 <= count <= 55
    assert cache.hierarchy.memory.size_bytes <= held // 2
    assert len(cache.get_many([f"a:{n}" for n in range(100)])) == 100


# Transactions


@pytest.mark.django_db(transaction=True)
def test_an_invalidation_is_made_again_after_the_commit(
    cache: ProcessCache, other: ProcessCache, invalidator: CacheInvalidator
) -> None:
    cache.set("key", "old")

    with transaction.atomic():
        invalidator.invalidate_key("key")
        within = cache.get("key")
        other.set("key", "what another still saw")

    assert within is None
    assert cache.get("key") is None
    wait_for(lambda: other.get("key") is None, seconds=1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", ["pattern", "tag"])
def test_patterns_and_tags_are_invalidated_again_after_the_commit(
    cache: ProcessCache, other: ProcessCache, invalidator: CacheInvalidator, what: str
) -> None:
    with transaction.atomic():
        if what == "tag":
            invalidator.invalidate_tags("tag")
        else:
            invalidator.invalidate_pattern("k*")
        other.set("key", "what another still saw", tags=["tag"])

    assert cache.get("key") is None


@pytest.mark.django_db(transaction=True)
def test_a_rollback_makes_no_second_invalidation(
    cache: ProcessCache, other: ProcessCache, invalidator: CacheInvalidator
) -> None:
    cache.set("key", "old")

    with transaction.atomic():
        invalidator.invalidate_key("key")
        other.set("key", "still right")
        transaction.set_rollback(True)

    wait_for(lambda: cache.get("key") == "still right", seconds=1)


@pytest.mark.django_db(transaction=True)
def test_what_is_loaded_across_the_commit_is_not_kept(
    cache: ProcessCache, invalidator: CacheInvalidator
) -> None:
    has_begun, may_end = threading.Event(), threading.Event()

    def load() -> str:
        has_begun.set()
        may_end.wait(10)
        return "what was before the commit"

    loading = threading.Thread(target=cache.get_or_set, args=("key", load))
    with transaction.atomic():
        invalidator.invalidate_key("key")
        loading.start()
        has_begun.wait(10)
    may_end.set()
    loading.join()

    assert cache.get("key") is None
