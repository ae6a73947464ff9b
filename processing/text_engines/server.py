"""One model at one server that speaks OpenAI's language."""

from dataclasses import dataclass, field
from typing import Any

from processing.providers.base import ProviderSettings, Secret, Timeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class TextServerSettings:
    """Where a model answers and what it takes; ``api_key`` may be empty, as for our own server.

    ``tokens_per_minute`` is the limit of all workers together, None for none. No reply takes
    longer than ``timeout_seconds``, whole or streamed.
    """

    base_url: str
    model: str
    api_key: Secret = field(default_factory=lambda: Secret(""), repr=False)
    context_tokens: int = 16_000
    dimension: int = 1536
    tokens_per_minute: float | None = None
    timeout_seconds: float = 300.0
    max_connections: int = 8
    ca_file: str | None = None

    def __post_init__(self) -> None:
        if not self.model:
            raise ValueError("a text engine needs the name of a model")
        if min(self.context_tokens, self.dimension, self.timeout_seconds) <= 0:
            raise ValueError("context_tokens, dimension and timeout_seconds are above 0")
        _ = self.provider  # it checks the address

    @property
    def provider(self) -> ProviderSettings:
        seconds = self.timeout_seconds
        return ProviderSettings(
            base_url=self.base_url,
            api_key=self.api_key,
            timeouts=Timeouts(read=seconds, total=seconds),
            max_connections=self.max_connections,
            http2=True,
            ca_file=self.ca_file,
        )

    def charged(self, tokens: int) -> int:
        """Return what a request of so many tokens costs; none costs more than a minute has."""
        return int(min(tokens, self.tokens_per_minute or tokens))


def settings_of(options: dict[str, Any], **more: Any) -> TextServerSettings:
    """Return what ``settings.CHAT`` or ``settings.EMBEDDINGS`` says; ValueError for nonsense."""
    return TextServerSettings(
        base_url=options["BASE_URL"],
        model=options["MODEL"],
        api_key=Secret(options["API_KEY"]),
        context_tokens=options["CONTEXT_TOKENS"],
        dimension=options["DIMENSION"],
        tokens_per_minute=options["TOKENS_PER_MINUTE"] or None,
        timeout_seconds=options["TIMEOUT_SECONDS"],
        **more,
    )
