"""``cached``: a function whose results are kept."""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from django.core.cache import caches
from django.core.cache.backends.base import DEFAULT_TIMEOUT

from caching.codec import encode
from caching.keys import ContentAddresser

if TYPE_CHECKING:
    from caching.backend import MultiLevelCache

P = ParamSpec("P")
T = TypeVar("T")


class CachedFunction(Generic[P, T]):
    """A function whose results are kept, and its cache."""

    def __init__(
        self,
        function: Callable[P, T],
        *,
        prefix: str,
        timeout: Any,
        tags: Callable[..., Iterable[str]] | Iterable[str],
        cache: str,
        policy: dict[str, Any],
    ) -> None:
        if inspect.iscoroutinefunction(function):
            name = function.__qualname__
            raise TypeError(f"{name} is a coroutine function: cache what it awaits")
        self._function = function
        self._signature = inspect.signature(function)
        self._prefix = prefix or f"{function.__module__}.{function.__qualname__}"
        self._timeout = timeout
        self._tags = tags
        self._alias = cache
        self._policy = policy
        wraps(function)(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return the kept result of these arguments; call the function when there is none."""
        tags = self._tags(*args, **kwargs) if callable(self._tags) else self._tags
        return cast(
            "T",
            self._cache.get_or_set(
                self.key(*args, **kwargs),
                lambda: self._function(*args, **kwargs),
                self._timeout,
                tags=tuple(tags),
                **self._policy,
            ),
        )

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of a call: equal for all ways to write it."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = encode(_in_order(bound.arguments), key=self._prefix)
        digest = ContentAddresser().key("call", arguments).partition(":")[2]
        return f"{self._prefix}:{digest}"

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result of these arguments; return whether there was one."""
        return self._cache.delete(self.key(*args, **kwargs))

    @property
    def _cache(self) -> "MultiLevelCache":
        return cast("MultiLevelCache", caches[self._alias])


def _in_order(value: Any) -> Any:
    """Return a value in which what has no order of its own has one."""
    if isinstance(value, dict):
        pairs = [(_in_order(name), _in_order(item)) for name, item in value.items()]
        return {"dict": sorted(pairs, key=_encoded)}
    if isinstance(value, set | frozenset):
        return {"set": sorted(map(_in_order, value), key=_encoded)}
    if isinstance(value, list | tuple):
        return type(value)(map(_in_order, value))
    return value


def _encoded(value: Any) -> bytes:
    return encode(value, key="an argument")


def cached(
    *,
    prefix: str = "",
    timeout: Any = DEFAULT_TIMEOUT,
    tags: Callable[..., Iterable[str]] | Iterable[str] = (),
    cache: str = "default",
    **policy: Any,
) -> Callable[[Callable[P, T]], CachedFunction[P, T]]:
    """Keep the results of a function, by its arguments, which must be plain values.

    ``tags`` are what invalidates a result, or a function of the same arguments that names them.
    ``policy`` has more fields of a ``caching.loading.LoadPolicy``: jitter, stale_seconds,
    soft_timeout_seconds, early_refresh, negative_timeout.
    """

    def decorate(function: Callable[P, T]) -> CachedFunction[P, T]:
        return CachedFunction(
            function, prefix=prefix, timeout=timeout, tags=tags, cache=cache, policy=policy
        )

    return decorate
