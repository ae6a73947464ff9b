"""What a chat server answered: whole, or piece by piece."""

import json
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Any

from processing.exceptions import BadAnswer, ProviderRefused
from processing.providers.answers import Answer
from processing.providers.base import Secret
from processing.providers.failures import failure_of
from processing.text_engines.base import Reply

DONE = "[DONE]"

#: What a model that reasons aloud has around its thoughts, before its reply.
THOUGHTS = "<think>", "</think>"

Bad = Callable[[str], BadAnswer]


def read_reply(answer: Answer) -> Reply:
    """Return the reply in an answer.

    Raises ``BadAnswer`` where there is none, ``ProviderRefused`` where the model declines or a
    filter took it away, and what an error stands for that came with the status of success.
    """
    body = answer.json_object()
    _check_error(body, answer.provider)
    choice = _choice(body, answer.bad)
    message = choice.get("message")
    if not isinstance(message, dict):
        raise answer.bad("there is no message in it")
    _check_declined(message, choice, answer.provider)
    is_cut = choice.get("finish_reason") == "length"
    text = "".join(without_thoughts([_text(message)])).strip()
    if not text and not is_cut:
        raise answer.bad("the message is empty")
    return Reply(text, is_cut=is_cut)


def read_pieces(events: Iterable[str], *, provider: str) -> Iterator[str]:
    """Yield the pieces of a reply whose events these are; raises what ``read_reply`` does."""
    message = _Streamed(events, provider)
    is_empty = True
    for piece in without_thoughts(message.pieces()):
        is_empty = is_empty and not piece.strip()
        yield piece
    if not message.is_complete:
        raise message.bad("it broke off")
    if is_empty and not message.is_cut:
        raise message.bad("the message is empty")


def without_thoughts(pieces: Iterable[str]) -> Iterator[str]:
    """Leave out what a reply has between ``THOUGHTS`` at its beginning, and space before it."""
    begin, end = THOUGHTS
    waiting, is_past = "", False
    for piece in pieces:
        waiting += piece
        if not is_past:
            waiting = waiting.lstrip()
            if begin.startswith(waiting[: len(begin)]):  # it is, or may become, a thought
                _, is_thought_over, rest = waiting.partition(end)
                waiting = rest.lstrip() if is_thought_over else waiting
                if not is_thought_over or not waiting:
                    continue
            is_past = True
        if waiting:
            yield waiting
        waiting = ""
    if waiting and not waiting.startswith(begin):
        yield waiting


class _Streamed:
    """A reply as it comes in, and how it ended."""

    def __init__(self, events: Iterable[str], provider: str) -> None:
        self.is_complete = False
        self.is_cut = False
        self._events = events
        self._provider = provider

    def bad(self, reason: str) -> BadAnswer:
        return BadAnswer(f"{self._provider} began to answer, but {reason}")

    def pieces(self) -> Iterator[str]:
        for data in self._events:
            if data.strip() == DONE:
                self.is_complete = True
                return
            body = self._body(data)
            if not body.get("choices"):
                continue  # figures of usage
            choice = _choice(body, self.bad)
            delta = choice.get("delta") or {}
            if not isinstance(delta, dict):
                raise self.bad("an event has no message in it")
            _check_declined(delta, choice, self._provider)
            yield _text(delta)
            if choice.get("finish_reason") is not None:
                self.is_complete = True
                self.is_cut = choice["finish_reason"] == "length"

    def _body(self, data: str) -> dict[str, Any]:
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            raise self.bad("an event is not JSON") from None
        if not isinstance(body, dict):
            raise self.bad("an event is no JSON object")
        _check_error(body, self._provider)
        return body


def _check_error(body: dict[str, Any], provider: str) -> None:
    """Raise what an error stands for that came in an answer of success, or in mid-stream."""
    error = body.get("error")
    if not error:
        return
    code = error.get("code") if isinstance(error, dict) else None
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(code, int) and HTTPStatus.BAD_REQUEST <= code < 600:
        status = code
    answer = Answer(provider, status, {}, json.dumps(body).encode())
    raise failure_of(answer, api_key=Secret(""))


def _choice(body: dict[str, Any], bad: Bad) -> dict[str, Any]:
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise bad("there is no choice in it")
    choice: dict[str, Any] = choices[0]
    return choice


def _check_declined(message: dict[str, Any], choice: dict[str, Any], provider: str) -> None:
    if message.get("refusal"):
        raise ProviderRefused(f"the model at {provider} declines to reply")
    if choice.get("finish_reason") == "content_filter":
        raise ProviderRefused(f"a filter of {provider} has taken the reply away")


def _text(message: dict[str, Any]) -> str:
    """Return the text of a message, which some servers send in parts."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(
            part["text"]
            for part in content
            if isinstance(part, dict) and isinstance(part.get("text"), str)
        )
    return content if isinstance(content, str) else ""
