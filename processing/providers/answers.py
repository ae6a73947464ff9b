"""What a provider answered, and whether it is what was asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processing.exceptions import BadAnswer


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that has come in whole; names of ``headers`` are in lower case."""

    provider: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def bad(self, reason: str) -> BadAnswer:
        """Return the error for an answer that cannot be used."""
        return BadAnswer(f"{self.provider} answered {self.status}, but {reason}")

    def text(self) -> str:
        """Return the body as text; raise ``BadAnswer`` for a web page or another encoding."""
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            raise self.bad("what came is not text in UTF-8") from None
        is_html = "html" in self.headers.get("content-type", "").lower()
        if is_html or text.lstrip()[:14].lower().startswith(("<!doctype html", "<html")):
            raise self.bad("what came is a web page")
        return text

    def json_object(self) -> dict[str, Any]:
        """Return the JSON object that the body is; raise ``BadAnswer`` when it is none."""
        text = self.text()
        if not text.strip():
            raise self.bad("nothing came with it")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise self.bad("what came is not JSON, or broke off") from None
        if not isinstance(value, dict):
            raise self.bad(f"a JSON object was asked for, not a {type(value).__name__}")
        return value
