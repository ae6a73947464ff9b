"""What a chat engine says that is asked for translations: right, or wrong in ways of its own."""

import json
from collections.abc import Callable, Mapping, Sequence

from processing.text_engines.base import Message


def asked_texts(messages: Sequence[Message]) -> dict[str, str]:
    """Return the numbered texts that a conversation asks to translate."""
    texts: dict[str, str] = json.loads(messages[-1].content)["texts"]
    return texts


def in_german(messages: Sequence[Message]) -> str:
    """Translate everything, by putting ``de:`` before it."""
    return replying(lambda texts: {number: f"de:{text}" for number, text in texts.items()})(
        messages
    )


def replying(
    change: Callable[[dict[str, str]], Mapping[str, object]],
) -> Callable[[Sequence[Message]], str]:
    """Return a script that replies with what ``change`` makes of the texts."""
    return lambda messages: json.dumps(change(asked_texts(messages)), ensure_ascii=False)
