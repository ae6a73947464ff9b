"""What an entry of ``CACHES`` says about a cache, read and checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from caching.choices import LEVELS, CacheLevel

#: No copy in memory is older than this, no copy in Redis than that. In seconds.
MEMORY_CAP_SECONDS = 300.0
REDIS_CAP_SECONDS = 24 * 3600.0

#: Keys have so many prefixes before statistics count the rest together.
MAX_PREFIXES = 200
OTHER_PREFIXES = "(other)"


@dataclass(frozen=True)
class Policy:
    """Where the keys of one prefix are kept, and for how long when nobody says."""

    levels: frozenset[CacheLevel]
    has_timeout: bool = False
    timeout: float | None = None


@dataclass(frozen=True)
class CacheOptions:
    """One cache: ``LOCATION`` is the URL of its Redis, the rest is in ``OPTIONS``.

    ``LEVELS`` are those it has (default: all). ``POLICIES`` maps beginnings of keys to
    ``{"LEVELS": [...], "TIMEOUT": seconds}`` of their own. ``MAX_BYTES`` and ``MAX_ENTRIES`` bound
    the memory of each process. ``NAMESPACE`` tells caches apart that share servers.
    """

    url: str
    namespace: str = "cache"
    database: str = "default"
    levels: frozenset[CacheLevel] = frozenset(LEVELS)
    policies: tuple[tuple[str, Policy], ...] = ()
    max_bytes: int = 64 * 1024**2
    max_entries: int = 100_000
    redis_timeout_seconds: float = 0.05

    @classmethod
    def of(cls, location: str, params: Mapping[str, Any]) -> "CacheOptions":
        """Return the options of an entry of ``CACHES``; ImproperlyConfigured names a mistake."""
        options = dict(params.get("OPTIONS") or {})
        levels = _levels(options.pop("LEVELS", LEVELS))
        policies = tuple(
            (prefix, _policy(policy, levels))
            for prefix, policy in dict(options.pop("POLICIES", {})).items()
        )
        known = {
            "NAMESPACE": "namespace",
            "DATABASE": "database",
            "MAX_BYTES": "max_bytes",
            "MAX_ENTRIES": "max_entries",
            "REDIS_TIMEOUT_SECONDS": "redis_timeout_seconds",
        }
        if unknown := options.keys() - known.keys() - {"CULL_FREQUENCY"}:
            raise ImproperlyConfigured(f"CACHES: unknown OPTIONS {', '.join(sorted(unknown))}")
        for name in ("MAX_BYTES", "MAX_ENTRIES", "REDIS_TIMEOUT_SECONDS"):
            if name in options and not options[name] > 0:
                raise ImproperlyConfigured(f"CACHES: {name} is {options[name]}, not more than 0")
        named = {known[name]: value for name, value in options.items() if name in known}
        return cls(url=location, levels=levels, policies=policies, **named)


class Prefixes:
    """Which policy a key has, and under which prefix it is counted: what is before its colon."""

    def __init__(self, options: CacheOptions) -> None:
        self._default = Policy(options.levels)
        self._longest_first = sorted(options.policies, key=lambda each: -len(each[0]))
        self._seen: set[str] = set()

    def of(self, key: str) -> tuple[str, Policy]:
        """Return the prefix and the policy of a caller's key."""
        for prefix, policy in self._longest_first:
            if key.startswith(prefix):
                return prefix.rstrip(":"), policy
        prefix, colon, _ = key.partition(":")
        prefix = prefix if colon and len(prefix) <= 50 else ""
        if prefix not in self._seen:
            if len(self._seen) >= MAX_PREFIXES:
                prefix = OTHER_PREFIXES
            self._seen.add(prefix)
        return prefix, self._default


def _policy(policy: Mapping[str, Any], levels: frozenset[CacheLevel]) -> Policy:
    if unknown := policy.keys() - {"LEVELS", "TIMEOUT"}:
        raise ImproperlyConfigured(f"CACHES: unknown in POLICIES: {', '.join(sorted(unknown))}")
    kept = _levels(policy.get("LEVELS", levels)) & levels
    if not kept:
        raise ImproperlyConfigured("CACHES: a policy has none of the LEVELS of its cache")
    return Policy(kept, has_timeout="TIMEOUT" in policy, timeout=policy.get("TIMEOUT"))


def _levels(names: Any) -> frozenset[CacheLevel]:
    try:
        levels = frozenset(CacheLevel(name) for name in names)
    except (TypeError, ValueError):
        known = ", ".join(LEVELS)
        raise ImproperlyConfigured(f"CACHES: LEVELS are some of {known}, not {names!r}") from None
    if not levels:
        raise ImproperlyConfigured("CACHES: a cache has at least one of the LEVELS")
    return levels
