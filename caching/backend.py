"""The cache as Django knows it: ``CACHES = {"default": {"BACKEND": "caching.backend..."}}``."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from asgiref.sync import sync_to_async
from cachebox import LRUCache
from django.core.cache import caches
from django.core.cache.backends.base import (
    DEFAULT_TIMEOUT,
    MEMCACHE_MAX_KEY_LENGTH,
    BaseCache,
)

from caching.codec import encode
from caching.health import LevelHealth, health_of
from caching.hierarchy import CacheHierarchy, hierarchy_of
from caching.invalidation import CacheInvalidator
from caching.keys import CacheKey, ContentAddresser
from caching.loading import LoadPolicy
from caching.lookup import Found
from caching.options import CacheOptions
from caching.patterns import Glob

#: Keys whose complete form each thread remembers.
MAX_KNOWN_KEYS = 10_000

#: What Django warns of in a key.
_UNPORTABLE = re.compile(r"[\x00-\x20\x7f]")

#: Longer keys are hashed: PostgreSQL indexes no more than 2,704 bytes.
MAX_KEY_BYTES = 1_000


class MultiLevelCache(BaseCache):
    """Memory, Redis and PostgreSQL behind the whole of Django's cache interface.

    Beyond it: ``tags`` of what is stored, ``lookup``, ``get_or_set`` that calls a loader once for
    all processes, ``invalidate_tags``, ``get_keys``, ``delete_pattern``. Values are what msgpack
    holds, with tuples, sets, times, decimals and UUIDs; anything else is a ``TypeError``. No
    caller ever sees an error because a level is away.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._options = CacheOptions.of(location, params)
        self._known: LRUCache[Any, CacheKey] = LRUCache(MAX_KNOWN_KEYS)
        self._hierarchy: CacheHierarchy | None = None

    @property
    def hierarchy(self) -> CacheHierarchy:
        """The levels, which all threads of this process share."""
        hierarchy = self._hierarchy
        if hierarchy is None or hierarchy.is_forgotten:
            self._hierarchy = hierarchy = hierarchy_of(self._options)
        return hierarchy

    # Django's interface

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self.hierarchy.lookup.value(self._key(key, version), default)

    def set(
        self,
        key: Any,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> None:
        cache_key = self._key(key, version)
        policy = self._policy(key, timeout, tags=tuple(tags))
        if _is_over(policy):
            encode(value, key=str(key))
            self.hierarchy.writes.delete_many([cache_key])
            return
        h = self.hierarchy
        entry = h.loading.entry(cache_key, value, policy).tagged(h.tags.current(policy.tags))
        h.writes.put(cache_key, entry, value)

    def add(
        self,
        key: Any,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> bool:
        cache_key = self._key(key, version)
        policy = self._policy(key, timeout, tags=tuple(tags))
        h = self.hierarchy
        found = h.lookup.found(cache_key)
        if found.entry is not None:
            return False
        entry = h.loading.entry(cache_key, value, policy).tagged(h.tags.current(policy.tags))
        return _is_over(policy) or h.writes.put(cache_key, entry, value, expected=found.version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        cache_key = self._key(key, version)
        policy = self._policy(key, timeout)
        if _is_over(policy):
            return self.delete(key, version)
        if self.hierarchy.lookup.found(cache_key).entry is None:
            return False
        end = None if policy.timeout is None else time.time() + policy.timeout
        return self.hierarchy.writes.touch(cache_key, expires_at=end, discard_at=end)

    def delete(self, key: Any, version: int | None = None) -> bool:
        cache_key = self._key(key, version)
        is_there = self.hierarchy.lookup.found(cache_key).entry is not None
        return bool(self.hierarchy.writes.delete_many([cache_key])) and is_there

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self.hierarchy.lookup.found(self._key(key, version)).entry is not None

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        by_key = {self._key(key, version): key for key in keys}
        found = self.hierarchy.lookup.many(list(by_key))
        return {key: found[full].value for full, key in by_key.items() if full in found}

    def set_many(
        self,
        data: Mapping[Any, Any],
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> list[Any]:
        h = self.hierarchy
        current = h.tags.current(names := tuple(tags))
        entries = {}
        for key, value in data.items():
            cache_key = self._key(key, version)
            policy = self._policy(key, timeout, tags=names)
            entry = h.loading.entry(cache_key, value, policy).tagged(current)
            if not _is_over(policy):
                entries[cache_key] = entry, value
        over = [cache_key for key in data if (cache_key := self._key(key, version)) not in entries]
        if over:
            h.writes.delete_many(over)
        h.writes.put_many(entries)
        return []

    def delete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        cache_keys = [self._key(key, version) for key in keys]
        if cache_keys:
            self.hierarchy.writes.delete_many(cache_keys)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> Any:
        cache_key = self._key(key, version)
        h = self.hierarchy
        while True:
            found = h.lookup.decided(cache_key)
            if found.entry is None:
                raise ValueError(f"Key '{key}' not found")
            value = found.value + delta
            entry = found.entry.with_payload(encode(value, key=str(key)))
            if h.writes.put(cache_key, entry, value, expected=found.version):
                return value

    def get_or_set(
        self,
        key: Any,
        default: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
        **policy: Any,
    ) -> Any:
        """Return the value of ``key``; where there is none, what ``default`` is or makes.

        A callable is called once, however many callers and processes ask at the same time.
        ``policy`` has more fields of a ``LoadPolicy``.
        """
        loader = default if callable(default) else lambda: default
        how = self._policy(key, timeout, **policy)
        return self.hierarchy.loading.value(self._key(key, version), loader, how)

    def clear(self) -> None:
        self.hierarchy.writes.clear()

    async def aset(self, *args: Any, **kwargs: Any) -> None:
        await sync_to_async(self.set)(*args, **kwargs)

    async def aadd(self, *args: Any, **kwargs: Any) -> bool:
        return await sync_to_async(self.add)(*args, **kwargs)

    async def aincr(self, key: Any, delta: int = 1, version: int | None = None) -> Any:
        return await sync_to_async(self.incr)(key, delta, version)

    async def adecr(self, key: Any, delta: int = 1, version: int | None = None) -> Any:
        return await sync_to_async(self.decr)(key, delta, version)

    async def aget_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        return await sync_to_async(self.get_many)(keys, version)

    async def aset_many(self, *args: Any, **kwargs: Any) -> list[Any]:
        return await sync_to_async(self.set_many)(*args, **kwargs)

    async def adelete_many(self, keys: Iterable[Any], version: int | None = None) -> None:
        await sync_to_async(self.delete_many)(keys, version)

    async def aget_or_set(
        self,
        key: Any,
        default: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
        **policy: Any,
    ) -> Any:
        return await sync_to_async(self.get_or_set, thread_sensitive=False)(
            key, default, timeout, version, **policy
        )

    # Beyond it

    def lookup(self, key: Any, version: int | None = None) -> Found:
        """Return the value of a key and the level that had it."""
        return self.hierarchy.lookup.found(self._key(key, version))

    def invalidate_tags(self, *tags: str) -> None:
        """Make everything that was stored with one of these tags a miss, in every process."""
        if tags:
            self.hierarchy.writes.invalidate_tags(tags)

    def get_keys(self, pattern: str = "*", version: int | None = None) -> Iterator[str]:
        """Yield the keys that match a glob pattern (``caching.patterns``), each once.

        Some that a tag has invalidated may be among them.
        """
        before = self.make_key("", version)
        for full in self.hierarchy.lookup.keys(self.glob(pattern, version)):
            yield full.removeprefix(before)

    def delete_pattern(self, pattern: str, *, is_confirmed: bool = False) -> int:
        """Delete the keys that match a glob pattern; return how many (see ``CacheInvalidator``)."""
        return CacheInvalidator(self).invalidate_pattern(pattern, is_confirmed=is_confirmed)

    def expire(self, key: Any, timeout: float, version: int | None = None) -> bool:
        """Have a key expire in ``timeout`` seconds; say whether it was there."""
        return self.touch(key, timeout, version)

    def health(self) -> list[LevelHealth]:
        """Return how each level of this process is doing."""
        return health_of(self.hierarchy)

    increment = incr

    def glob(self, pattern: str, version: int | None = None) -> Glob:
        """Return a pattern of callers' keys as one of complete keys."""
        return Glob(pattern).prefixed(self.make_key("", version))

    def keys_of(self, fulls: Iterable[str]) -> list[CacheKey]:
        """Return the keys that the levels know as ``fulls``, be they of another version."""
        before, of = self.make_key(""), self.hierarchy.prefixes.of
        prefixed = ((full, *of(full.removeprefix(before))) for full in fulls)
        return [CacheKey.of(full, prefix, policy.levels) for full, prefix, policy in prefixed]

    def _key(self, key: Any, version: int | None) -> CacheKey:
        is_str = type(key) is str  # what equals another key may be written differently
        if is_str and (known := self._known.get((key, version))) is not None:
            return known
        full = self.make_key(key, version)
        prefix, policy = self.hierarchy.prefixes.of(str(key))
        cache_key = CacheKey.of(full, prefix, policy.levels)
        if len(full) > MEMCACHE_MAX_KEY_LENGTH or _UNPORTABLE.search(full):
            self.validate_key(full)
            cache_key = cache_key._replace(full=self._storable(full, version))
        elif is_str:
            self._known.insert((key, version), cache_key)
        return cache_key

    def _storable(self, full: str, version: int | None) -> str:
        """Return a key that every level can store: a hash of one that is too long or no text."""
        data = full.encode(errors="surrogatepass")
        if len(data) <= MAX_KEY_BYTES and "\0" not in full and data.decode(errors="ignore") == full:
            return full
        return self.make_key(ContentAddresser().key("key", data), version)

    def _policy(self, key: Any, timeout: Any, **policy: Any) -> LoadPolicy:
        if timeout is DEFAULT_TIMEOUT:
            _, own = self.hierarchy.prefixes.of(str(key))
            timeout = own.timeout if own.has_timeout else self.default_timeout
        policy["tags"] = tuple(policy.get("tags", ()))
        return LoadPolicy(None if timeout is None else float(timeout), **policy)


def get_cache(alias: str = "default") -> MultiLevelCache:
    """Return the calling thread's cache of an alias, for what Django's interface does not have."""
    return cast("MultiLevelCache", caches[alias])


def _is_over(policy: LoadPolicy) -> bool:
    return policy.timeout is not None and policy.timeout <= 0
