"""Which text engines the settings name; there may be none, and what needs one says so.

``settings.CHAT``, ``EMBEDDINGS`` and ``TRANSLATOR`` may also be an engine itself instead of the
description of a server: one that an installation has written for itself, or a test's.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from jobs.models import Worker
from processing.providers.base import Guards
from processing.providers.breaker import CircuitBreaker
from processing.providers.rate_limit import RateLimit, RateLimiter
from processing.text_engines.base import ChatEngine, EmbeddingEngine, Translator
from processing.text_engines.chat import OpenAIChat
from processing.text_engines.embeddings import OpenAIEmbeddings
from processing.text_engines.server import TextServerSettings, settings_of

EngineT = TypeVar("EngineT")

#: How long a count of the workers is good: it is asked for only while Redis is away.
COUNT_SECONDS = 10.0


def chat_engine() -> ChatEngine | None:
    """Return this process's chat engine, None where none is configured."""
    configured = settings.CHAT
    if isinstance(configured, Mapping):
        return _chat(tuple(sorted(configured.items())))
    engine: ChatEngine | None = configured
    return engine


def embedding_engine() -> EmbeddingEngine | None:
    """Return this process's embedding engine, None where none is configured."""
    configured = settings.EMBEDDINGS
    if isinstance(configured, Mapping):
        return _embeddings(tuple(sorted(configured.items())))
    engine: EmbeddingEngine | None = configured
    return engine


def translator_for(source: str, target: str) -> Translator | None:
    """Return who translates this pair of languages best, None where nobody does.

    A translator that is installed here comes before the chat engine: it costs nothing.
    """
    return next((one for one in _translators() if one.can_translate(source, target)), None)


def guards_of(name: str, limits: tuple[tuple[str, Any], ...]) -> Guards:
    """Return what stands before each call of an engine, shared by all workers under ``name``."""
    return Guards(_limiter(name, limits), _breaker(name))


def _translators() -> list[Translator]:
    # each needs its own libraries, which not everybody has
    from processing.text_engines.argos import argos_translator  # noqa: PLC0415
    from processing.text_engines.chat_translator import ChatTranslator  # noqa: PLC0415

    chat = chat_engine()
    known: list[Translator | None] = [
        settings.TRANSLATOR,
        argos_translator(),
        ChatTranslator(chat) if chat is not None else None,
    ]
    return [one for one in known if one is not None]


@cache
def _chat(options: tuple[tuple[str, Any], ...]) -> OpenAIChat:
    return _made(OpenAIChat, "chat", options)


@cache
def _embeddings(options: tuple[tuple[str, Any], ...]) -> OpenAIEmbeddings:
    return _made(OpenAIEmbeddings, "embeddings", options)


def _made(
    engine: Callable[..., EngineT], name: str, options: tuple[tuple[str, Any], ...]
) -> EngineT:
    """Make an engine; its limits and its breaker are known to all workers by ``name``."""
    try:
        server: TextServerSettings = settings_of(
            dict(options), max_connections=settings.REMOTE_THREADS
        )
        return engine(server, guards=guards_of(name, options))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name.upper()}: {error}") from error


@cache
def _limiter(name: str, options: tuple[tuple[str, Any], ...]) -> RateLimiter:
    server = dict(options)
    limit = RateLimit(
        requests_per_minute=server["REQUESTS_PER_MINUTE"] or None,
        tokens_per_minute=server["TOKENS_PER_MINUTE"] or None,
        concurrency=server["MAX_CONCURRENCY"] or None,
    )
    return RateLimiter(settings.REDIS_URL, name=name, limit=limit, live_workers=_LiveWorkers())


@cache
def _breaker(name: str) -> CircuitBreaker:
    return CircuitBreaker(settings.REDIS_URL, name=name)


class _LiveWorkers:
    """How many workers share a limit while Redis cannot say; at least one."""

    def __init__(self) -> None:
        self._count, self._until = 1, 0.0

    def __call__(self) -> int:
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + COUNT_SECONDS
            with suppress(DatabaseError):  # what was known before is the best there is
                self._count = Worker.objects.live().count()
        return max(self._count, 1)
