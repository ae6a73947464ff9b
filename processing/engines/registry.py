"""The engines that are configured, by the name users choose them by."""

from functools import cache

from django.conf import settings
from django.utils.module_loading import import_string

from processing.engines.base import SpeechEngine
from processing.engines.remote import remote_engine
from processing.exceptions import UnknownEngine


def engine_names() -> tuple[str, ...]:
    """Return the names in ``settings.ENGINES`` (name -> dotted path of a factory) and
    ``settings.PROVIDERS``, sorted."""
    return tuple(sorted({*settings.ENGINES, *settings.PROVIDERS}))


def get_engine(name: str) -> SpeechEngine:
    """Return this process's one engine of that name; raise ``UnknownEngine`` for any other."""
    if name in settings.PROVIDERS:
        return remote_engine(name)
    if name not in settings.ENGINES:
        raise UnknownEngine(f"unknown engine {name!r}; known: {', '.join(engine_names())}")
    return _made(settings.ENGINES[name])


@cache
def _made(factory: str) -> SpeechEngine:
    engine: SpeechEngine = import_string(factory)()
    return engine
