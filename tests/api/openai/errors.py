"""How tests ask for errors, and what all of them have."""

from typing import Any

import httpx2
import openai
import pytest

TRANSCRIPTIONS = "audio/transcriptions"


def refusal_of(client: openai.OpenAI, file: Any, **options: Any) -> openai.APIStatusError:
    """Return what the client raises for a recording."""
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(file=file, **({"model": "whisper-1"} | options))
    return refused.value


def error_of(response: httpx2.Response) -> dict[str, Any]:
    """Return the error of an answer, which has its four keys and is all there is."""
    body = response.json()
    assert [*body] == ["error"]
    assert {*body["error"]} == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error
