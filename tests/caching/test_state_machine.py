"""Whatever is done to a cache, in whatever order: it is what a dict would be.

Levels lose what they have in between, which must change no answer while the level that decides
keeps it. Time is coarse: a value has no end, a far one, or is over at once. In two processes,
each reads only when it has heard what the other wrote.

``CACHE_EXAMPLES`` and ``CACHE_STEPS`` in the environment make it look further.
"""

import os
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from caching.patterns import Glob
from tests.caching.conftest import ALL, MakeCache, ProcessCache, settle

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("CACHE_EXAMPLES", "30"))
STEPS = int(os.environ.get("CACHE_STEPS", "30"))

KEYS = st.sampled_from(["a:1", "a:2", "b:1", "b[1]", "é*"])
VALUES = st.none() | st.integers(-5, 5) | st.sampled_from(["text", [1, 2], {"a": (1,)}])
TIMEOUTS = st.sampled_from([None, 600, 600, 0, -1])
TAGS = st.lists(st.sampled_from(["s", "t", "u"]), max_size=2)
PATTERNS = st.sampled_from(["a:*", "*1*", "b?1?", "é\\*", "[ab]:1", "never*"])


class CacheMachine(RuleBasedStateMachine):
    """``model`` has the value and the tags of each key."""

    caches: list[ProcessCache]

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, tuple[Any, tuple[str, ...]]] = {}

    def one(self, data: st.DataObject) -> ProcessCache:
        return data.draw(st.sampled_from(self.caches)) if len(self.caches) > 1 else self.caches[0]

    def told(self, cache: ProcessCache) -> None:
        others = [other for other in self.caches if other is not cache]
        if others:
            settle(cache, *others)

    def keep(self, key: str, value: Any, timeout: float | None, tags: list[str]) -> None:
        if timeout is not None and timeout <= 0:
            self.model.pop(key, None)
        else:
            self.model[key] = value, tuple(tags)

    @initialize()
    def begin(self) -> None:
        self.caches[0].clear()
        self.told(self.caches[0])

    @rule(data=st.data(), key=KEYS, value=VALUES, timeout=TIMEOUTS, tags=TAGS)
    def put(
        self, data: st.DataObject, key: str, value: Any, timeout: float | None, tags: list[str]
    ) -> None:
        cache = self.one(data)
        cache.set(key, value, timeout, tags=tags)
        self.keep(key, value, timeout, tags)
        self.told(cache)

    @rule(data=st.data(), key=KEYS, value=VALUES, timeout=TIMEOUTS, tags=TAGS)
    def add(
        self, data: st.DataObject, key: str, value: Any, timeout: float | None, tags: list[str]
    ) -> None:
        cache = self.one(data)
        assert cache.add(key, value, timeout, tags=tags) is (key not in self.model)
        if key not in self.model:
            self.keep(key, value, timeout, tags)
        self.told(cache)

    @rule(
        data=st.data(),
        values=st.dictionaries(KEYS, VALUES, max_size=4),
        timeout=TIMEOUTS,
        tags=TAGS,
    )
    def set_many(
        self, data: st.DataObject, values: dict[str, Any], timeout: float | None, tags: list[str]
    ) -> None:
        cache = self.one(data)
        assert cache.set_many(values, timeout, tags=tags) == []
        for key, value in values.items():
            self.keep(key, value, timeout, tags)
        self.told(cache)

    @rule(data=st.data(), key=KEYS, value=VALUES, tags=TAGS)
    def get_or_set(self, data: st.DataObject, key: str, value: Any, tags: list[str]) -> None:
        cache = self.one(data)
        expected = self.model.setdefault(key, (value, tuple(tags)))[0]
        assert cache.get_or_set(key, lambda: value, 600, tags=tags) == expected
        self.told(cache)

    @rule(data=st.data(), key=KEYS, timeout=TIMEOUTS)
    def touch(self, data: st.DataObject, key: str, timeout: float | None) -> None:
        cache = self.one(data)
        assert cache.touch(key, timeout) is (key in self.model)
        if key in self.model:
            self.keep(key, self.model[key][0], timeout, list(self.model[key][1]))
        self.told(cache)

    @rule(data=st.data(), key=KEYS, delta=st.integers(-3, 3))
    def incr(self, data: st.DataObject, key: str, delta: int) -> None:
        cache = self.one(data)
        if key not in self.model:
            with pytest.raises(ValueError, match="not found"):
                cache.incr(key, delta)
        elif isinstance(self.model[key][0], int):
            value = self.model[key][0] + delta
            assert cache.incr(key, delta) == value
            self.model[key] = value, self.model[key][1]
        self.told(cache)

    @rule(data=st.data(), key=KEYS)
    def delete(self, data: st.DataObject, key: str) -> None:
        cache = self.one(data)
        assert cache.delete(key) is (self.model.pop(key, None) is not None)
        self.told(cache)

    @rule(data=st.data(), keys=st.lists(KEYS, max_size=3))
    def delete_many(self, data: st.DataObject, keys: list[str]) -> None:
        cache = self.one(data)
        cache.delete_many(keys)
        for key in keys:
            self.model.pop(key, None)
        self.told(cache)

    @rule(data=st.data(), names=st.sets(st.sampled_from(["s", "t", "u"]), min_size=1))
    def invalidate_tags(self, data: st.DataObject, names: set[str]) -> None:
        cache = self.one(data)
        cache.invalidate_tags(*names)
        self.model = {key: held for key, held in self.model.items() if not names & {*held[1]}}
        self.told(cache)

    @rule(data=st.data(), pattern=PATTERNS)
    def delete_pattern(self, data: st.DataObject, pattern: str) -> None:
        cache = self.one(data)
        matching = [key for key in self.model if Glob(pattern).matches(key)]
        assert cache.delete_pattern(pattern) >= len(matching)
        for key in matching:
            del self.model[key]
        self.told(cache)

    @rule(data=st.data())
    def clear(self, data: st.DataObject) -> None:
        cache = self.one(data)
        cache.clear()
        self.model = {}
        self.told(cache)

    @rule(data=st.data())
    def lose_memory(self, data: st.DataObject) -> None:
        cache = self.one(data)
        if cache.hierarchy.has_redis:
            cache.forget_memory()

    @rule(data=st.data())
    def lose_redis(self, data: st.DataObject) -> None:
        cache = self.one(data)
        if cache.hierarchy.has_database and cache.hierarchy.has_redis:
            cache.forget_redis()

    @rule(data=st.data(), pattern=PATTERNS)
    def look_for_a_pattern(self, data: st.DataObject, pattern: str) -> None:
        cache = self.one(data)
        keys = list(cache.get_keys(pattern))
        assert len(keys) == len(set(keys))
        assert all(Glob(pattern).matches(key) for key in keys)
        assert {key for key in self.model if Glob(pattern).matches(key)} <= {*keys}

    @rule(data=st.data(), key=KEYS)
    def look_for_one(self, data: st.DataObject, key: str) -> None:
        cache = self.one(data)
        expected = self.model.get(key, ("default", ()))[0]
        assert cache.get(key, "default") == expected
        assert cache.has_key(key) is (key in self.model)

    @invariant()
    def it_is_what_a_dict_would_be(self) -> None:
        expected = {key: value for key, (value, _) in self.model.items()}
        for cache in self.caches:
            assert cache.get_many(["a:1", "a:2", "b:1", "b[1]", "é*"]) == expected


@pytest.mark.parametrize(
    ("levels", "count"),
    [
        pytest.param(("L1",), 1, id="L1"),
        pytest.param(("L1", "L2"), 1, id="L1+L2"),
        pytest.param(("L1", "L3"), 1, id="L1+L3"),
        pytest.param(ALL, 1, id="L1+L2+L3"),
        pytest.param(("L1", "L2"), 2, id="L1+L2, two processes"),
        pytest.param(ALL, 2, id="L1+L2+L3, two processes"),
    ],
)
def test_a_cache_is_what_a_dict_would_be(
    make_cache: MakeCache, levels: tuple[str, ...], count: int
) -> None:
    class Machine(CacheMachine):
        caches = [make_cache(levels) for _ in range(count)]

    run_state_machine_as_test(
        Machine,
        settings=hypothesis.settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


@hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@hypothesis.given(
    keys=st.sets(st.text("ab:*?[]\\é%_-^", min_size=1, max_size=5), min_size=1, max_size=8),
    pattern=st.text("ab:*?é%_", min_size=1, max_size=4).map(lambda text: text + "*"),
)
def test_a_pattern_finds_the_same_keys_at_every_level(
    cache: ProcessCache, keys: set[str], pattern: str
) -> None:
    cache.set_many(dict.fromkeys(keys, 1))
    full = {cache.make_key(key) for key in keys}
    glob = Glob(pattern).prefixed(cache.make_key(""))
    expected = {key for key in full if glob.matches(key)}

    h = cache.hierarchy
    found = [set(h.redis.keys(glob)), set(h.database.keys(glob))]
    everywhere = {cache.make_key(key) for key in cache.get_keys(pattern)}
    cache.delete_many(keys)

    assert found == [expected, expected]
    assert everywhere == expected
