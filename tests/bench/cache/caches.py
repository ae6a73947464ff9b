"""The caches of the benchmark, each as its documentation sets it up."""

# mypy: disable-error-code="import-not-found,import-untyped,untyped-decorator"

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import aiocache
import cachetools
import cashews
import redis.asyncio
from django.conf import settings
from django_redis.cache import RedisCache
from dogpile.cache import make_region

from caching.backend import MultiLevelCache
from caching.hierarchy import forget_hierarchies

#: How long entries are good for, in all of them.
TIMEOUT = 300

LEVELS = ("L1", "L2", "L3")


@contextmanager
def ours(*levels: str, url: str = "", **options: Any) -> Iterator[MultiLevelCache]:
    """Yield our cache, with all levels or these; nothing of it runs or is kept afterwards."""
    cache = opened(*levels, url=url, **options)
    try:
        yield cache
        cache.clear()
    finally:
        forget_hierarchies()


def opened(*levels: str, url: str = "", **options: Any) -> MultiLevelCache:
    """Return our cache, as another process of the same installation has it."""
    params = {"NAMESPACE": "bench", "LEVELS": levels or LEVELS, **options}
    return MultiLevelCache(
        url or settings.REDIS_URL, {"KEY_PREFIX": "bench", "TIMEOUT": TIMEOUT, "OPTIONS": params}
    )


class LoadingCache(Protocol):
    """What a cache is asked by many at once."""

    def get_or_set(self, key: str, loader: Callable[[], Any], /) -> Any:
        """Return the value of ``key``, made by ``loader`` when there is none."""

    def delete(self, key: str, /) -> object:
        """Make ``key`` a miss."""


def django_redis() -> Any:
    """Return django-redis, with its defaults."""
    return RedisCache(settings.REDIS_URL, {"KEY_PREFIX": "django_redis", "TIMEOUT": TIMEOUT})


class EventLoop:
    """A thread in which coroutines run, for callers that have no event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Return what the coroutine does."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


def cashews_cache() -> Any:
    """Return cashews on Redis."""
    cache = cashews.Cache()
    cache.setup("redis:///", address=settings.REDIS_URL)
    return cache


class Cashews:
    """Its decorator, with ``lock``: one call at a time for a key."""

    def __init__(self) -> None:
        self._cache = cache = cashews_cache()
        self._events = EventLoop()

        @cache(ttl=TIMEOUT, key="cashews:{key}", lock=True)
        async def load(key: str, loader: Callable[[], Any]) -> Any:
            return await asyncio.to_thread(loader)

        self._load = load

    def get_or_set(self, key: str, loader: Callable[[], Any]) -> Any:
        return self._events.run(self._load(key, loader))

    def delete(self, key: str) -> object:
        return self._events.run(self._cache.delete(f"cashews:{key}"))


class Dogpile:
    """A region on Redis, with its locks there too."""

    def __init__(self) -> None:
        self._region = make_region().configure(
            "dogpile.cache.redis",
            expiration_time=TIMEOUT,
            arguments={
                "url": settings.REDIS_URL,
                "distributed_lock": True,
                "thread_local_lock": False,
            },
        )

    def get_or_set(self, key: str, loader: Callable[[], Any]) -> Any:
        return self._region.get_or_create(f"dogpile:{key}", loader)

    def delete(self, key: str) -> object:
        return self._region.delete(f"dogpile:{key}")


class Cachetools:
    """Its decorator with a condition: one call at a time for a key, in one process."""

    def __init__(self) -> None:
        self._kept: Any = cachetools.TTLCache(10_000, TIMEOUT)

        @cachetools.cached(self._kept, key=lambda key, loader: key, condition=threading.Condition())
        def load(key: str, loader: Callable[[], Any]) -> Any:
            return loader()

        self._load = load

    def get_or_set(self, key: str, loader: Callable[[], Any]) -> Any:
        return self._load(key, loader)

    def delete(self, key: str) -> object:
        return self._kept.pop(key, None)


def aiocache_redis() -> Any:
    """Return aiocache on Redis; it knows no unix sockets, so its client is put in its place."""
    cache = aiocache.RedisCache()
    cache.client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    return cache


LOADING: dict[str, Callable[[], LoadingCache]] = {
    "ours": opened,
    "django-redis": django_redis,
    "cashews": Cashews,
    "dogpile": Dogpile,
    "cachetools": Cachetools,
}
