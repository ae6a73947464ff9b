"""Engines at providers, as the settings have them: with their limits and their breaker."""

import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from jobs.models import Worker
from processing.choices import REMOTE_CHUNK_QUEUE
from processing.engines.base import AUTO, EngineLimits
from processing.engines.languages import LANGUAGES
from processing.engines.openai import OpenAIEngine, OpenAISettings
from processing.providers.base import Guards, Secret
from processing.providers.breaker import CircuitBreaker
from processing.providers.rate_limit import RateLimit, RateLimiter

#: How long a count of the workers is good: it is asked for only while Redis is away.
COUNT_SECONDS = 10.0


def remote_engine(name: str) -> OpenAIEngine:
    """Return this process's one engine for ``settings.PROVIDERS[name]``."""
    return _made(name, _hashable(settings.PROVIDERS[name]))


@cache
def limiter_of(name: str, options: tuple[tuple[str, Any], ...]) -> RateLimiter:
    """Return this process's limiter for a provider; the limit is of all processes together."""
    provider = dict(options)
    limit = RateLimit(
        requests_per_minute=provider["REQUESTS_PER_MINUTE"] or None,
        audio_seconds_per_hour=provider["AUDIO_SECONDS_PER_HOUR"] or None,
        concurrency=provider["MAX_CONCURRENCY"] or None,
    )
    return RateLimiter(settings.REDIS_URL, name=name, limit=limit, live_workers=_LiveWorkers())


@cache
def breaker_of(name: str) -> CircuitBreaker:
    """Return this process's breaker for a provider; it opens for all processes together."""
    return CircuitBreaker(settings.REDIS_URL, name=name)


def guards_of(name: str) -> Guards:
    """Return what stands before each call of a provider."""
    return Guards(limiter_of(name, _hashable(settings.PROVIDERS[name])), breaker_of(name))


@cache
def _made(name: str, options: tuple[tuple[str, Any], ...]) -> OpenAIEngine:
    provider = dict(options)
    try:
        engine_settings = OpenAISettings(
            name=name,
            base_url=provider["BASE_URL"],
            model=provider["MODEL"],
            api_key=Secret(provider["API_KEY"]),
            response_format=provider["RESPONSE_FORMAT"],
            languages=provider["LANGUAGES"] or (AUTO, *LANGUAGES),
            limits=EngineLimits(
                max_clip_seconds=provider["MAX_CLIP_SECONDS"] or None,
                max_clip_bytes=provider["MAX_CLIP_BYTES"] or None,
                max_concurrency=provider["MAX_CONCURRENCY"] or None,
            ),
            max_connections=settings.REMOTE_THREADS,
        )
        return OpenAIEngine(engine_settings, guards=guards_of(name))
    except ValueError as error:
        raise ImproperlyConfigured(f"the provider {name}: {error}") from error


def _hashable(provider: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (key, tuple(value) if isinstance(value, list) else value)
        for key, value in sorted(provider.items())
    )


class _LiveWorkers:
    """How many workers share a limit while Redis cannot say; at least one."""

    def __init__(self) -> None:
        self._count, self._until = 1, 0.0

    def __call__(self) -> int:
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + COUNT_SECONDS
            with suppress(DatabaseError):  # what was known before is the best there is
                self._count = Worker.objects.live().serving(REMOTE_CHUNK_QUEUE).count()
        return max(self._count, 1)
