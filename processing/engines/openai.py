"""Any server that speaks OpenAI's language, as an engine: OpenAI, Groq, speaches, vLLM, ...

OpenAI's own package is not used: it would try again by itself, behind the backs of the limiter
and the breaker, and a request is one form.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from processing.audio.flac import encode_flac
from processing.engines.base import AUTO, AudioClip, EngineLimits, Speech
from processing.engines.languages import LANGUAGES
from processing.engines.transcriptions import read_json, read_text
from processing.exceptions import ProviderTooLarge, UnknownParameter, UnsupportedLanguage
from processing.providers.base import Guards, ProviderSettings, Secret, Timeouts
from processing.providers.failures import ErrorDetails, RequestRefused
from processing.providers.http import client_for

logger = logging.getLogger(__name__)

ResponseFormat = Literal["auto", "verbose_json", "json", "text", "diarized_json"]

#: Part of the version; to be raised when a change of this code changes what is heard.
REVISION = 2

#: OpenAI refuses shorter clips; there is no word in them.
MIN_CLIP_SECONDS = 0.1

#: OpenAI's limits: 25 MiB of a request, and what its models of 2025 and later take at once.
OPENAI_LIMITS = EngineLimits(max_clip_seconds=1400.0, max_clip_bytes=26_214_400, max_concurrency=8)

#: Of a prompt or hotwords; models read no more than some hundred words of them.
MAX_TEXT_LENGTH = 10_000

VERBOSE = "verbose_json"
GRANULARITIES = "timestamp_granularities[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAISettings:
    """One model at one provider. ``api_key`` may be empty, as for a server of our own.

    ``response_format`` is what is asked for; ``auto`` means ``verbose_json`` with words where
    the server knows that, and what it knows elsewhere.
    """

    name: str
    base_url: str
    model: str
    api_key: Secret = field(default_factory=lambda: Secret(""), repr=False)
    response_format: ResponseFormat = "auto"
    languages: tuple[str, ...] = (AUTO, *LANGUAGES)
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: EngineLimits = OPENAI_LIMITS
    max_connections: int = 8
    ca_file: str | None = None

    @property
    def provider(self) -> ProviderSettings:
        return ProviderSettings(
            base_url=self.base_url,
            api_key=self.api_key,
            timeouts=self.timeouts,
            max_connections=self.max_connections,
            max_request_bytes=self.limits.max_clip_bytes,
            ca_file=self.ca_file,
        )


class OpenAIEngine:
    """Sends one request for a clip, and reads what comes back.

    A server that refuses ``verbose_json``, or times of words, is asked again without that, once;
    this process then never asks it for that any more. Each clip otherwise costs one request,
    and whoever calls tries again. Safe for threads and forks.
    """

    is_remote = True
    parameter_names = frozenset({"prompt", "hotwords", "temperature", "keywords"})

    def __init__(self, settings: OpenAISettings, *, guards: Guards | None = None) -> None:
        self.name = settings.name
        self.languages = settings.languages
        self.limits = settings.limits
        host = urlsplit(settings.base_url).netloc
        self.version = f"{settings.model}@{host}-{settings.response_format}-{REVISION}"
        #: What the server has turned out not to know, of ``VERBOSE`` and ``GRANULARITIES``.
        self.lacking: frozenset[str] = frozenset()
        self._settings = settings
        self._guards = guards or Guards()
        self._provider = settings.provider
        self._format = VERBOSE if settings.response_format == "auto" else settings.response_format

    def load(self) -> None:
        """Nothing to load: connections are made by each process for itself."""

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        """Return the words that the provider hears in ``clip``.

        Parameters: ``prompt`` and ``hotwords`` (strings), ``keywords`` (a list of them) and
        ``temperature`` (0 to 1); those meant for other engines are ignored. Where the language
        is ``AUTO`` and the provider does not tell it, it stays ``AUTO``.
        """
        if language not in self.languages:
            raise UnsupportedLanguage(f"{self.name} does not understand {language!r}")
        fields = _fields(parameters) | {"model": self._settings.model}
        if language != AUTO:
            fields["language"] = language
        is_silent = clip.flac is None and not clip.samples.any()
        if clip.duration_seconds < MIN_CLIP_SECONDS or is_silent:
            return Speech((), language)
        limit = self.limits.max_clip_seconds
        if limit is not None and clip.duration_seconds > limit:
            raise ProviderTooLarge(
                f"{self.name} takes clips of {limit:g} s, not of {clip.duration_seconds:g} s"
            )
        audio = clip.flac or encode_flac(clip.samples)
        while True:
            lacking = self.lacking
            try:
                return self._ask(lacking, fields, audio, clip.duration_seconds, language)
            except RequestRefused as refusal:
                unknown = _unknown_of(refusal.details)
                if unknown in lacking or unknown is None or self._format != VERBOSE:
                    raise
                if unknown not in self.lacking:
                    logger.warning("%s goes on without %s: %s", self.name, unknown, refusal)
                self.lacking |= {unknown}

    @property
    def fallback_count(self) -> int:
        return len(self.lacking)

    def _ask(
        self,
        lacking: frozenset[str],
        fields: Mapping[str, str | list[str]],
        audio: bytes,
        duration_seconds: float,
        language: str,
    ) -> Speech:
        response_format = "json" if VERBOSE in lacking else self._format
        fields = {**fields, "response_format": response_format}
        if response_format == VERBOSE and GRANULARITIES not in lacking:
            fields[GRANULARITIES] = ["word", "segment"]
        if response_format == "diarized_json":
            fields["chunking_strategy"] = "auto"  # or clips over 30 s would be refused
        reader = read_text if response_format == "text" else read_json
        with self._guards.admitting(audio_seconds=duration_seconds):
            return client_for(self._provider).post(
                "audio/transcriptions",
                fields=fields,
                files={"file": ("clip.flac", audio, "audio/flac")},
                learn=self._guards.learn,
                read=lambda answer: reader(
                    answer, duration_seconds=duration_seconds, language=language
                ),
            )


def _unknown_of(details: ErrorDetails) -> str | None:
    """Return what of a request the server refuses to know: granularities, the format, or None."""
    about = f"{details.param or ''} {details.message}"
    if "timestamp_granularities" in about:
        return GRANULARITIES
    is_value = details.param is None and details.code == "unsupported_value"
    return VERBOSE if "response_format" in about or is_value else None


def _fields(parameters: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the parameters as fields of the form; raise ``UnknownParameter`` for a bad value."""
    fields: dict[str, str | list[str]] = {}
    for name in ("prompt", "hotwords"):
        value = parameters.get(name)
        if value is not None:
            if not isinstance(value, str) or len(value) > MAX_TEXT_LENGTH:
                raise UnknownParameter(f"{name} is a string of at most {MAX_TEXT_LENGTH} letters")
            fields[name] = value
    keywords = parameters.get("keywords")
    if keywords is not None:
        if not isinstance(keywords, list) or not all(isinstance(word, str) for word in keywords):
            raise UnknownParameter("keywords is a list of strings")
        fields["keywords[]"] = keywords
    temperature = parameters.get("temperature")
    if temperature is not None:
        is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
        if not is_number or not 0 <= temperature <= 1:
            raise UnknownParameter("temperature is a number from 0 to 1")
        fields["temperature"] = str(temperature)
    return fields
