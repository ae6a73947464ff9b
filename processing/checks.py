"""What must be right of the settings before anything starts."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from processing.engines.registry import engine_names
from processing.engines.remote import remote_engine
from processing.text_engines.registry import chat_engine, embedding_engine


@register
def check_engines(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Find providers whose settings cannot be, and limits and defaults that name no engine."""
    known = ", ".join(engine_names())
    errors: list[CheckMessage] = []
    for name in settings.PROVIDERS:
        try:
            remote_engine(name)
        except ImproperlyConfigured as error:
            errors.append(Error(str(error), id="processing.E001"))
    if settings.ENGINE not in engine_names():
        hint = f"It is one of {known}."
        errors.append(Error(f"ENGINE is {settings.ENGINE!r}", hint=hint, id="processing.E002"))
    if unknown := settings.CONCURRENCY_LIMITS.keys() - set(engine_names()):
        named = ", ".join(sorted(unknown))
        hint = f"Engines are {known}."
        errors.append(Error(f"ENGINE_CONCURRENCY names {named}", hint=hint, id="processing.E003"))
    return errors


@register
def check_text_engines(
    app_configs: Sequence[AppConfig] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Find servers for text whose settings cannot be."""
    errors: list[CheckMessage] = []
    for engine in (chat_engine, embedding_engine):
        try:
            engine()
        except ImproperlyConfigured as error:
            errors.append(Error(str(error), id="processing.E004"))
    return errors
