"""Summarising with a chat engine: part by part, and then the summaries of the parts."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from caching.backend import get_cache
from caching.keys import ContentAddresser
from jobs.exceptions import TransientError
from processing.exceptions import (
    BadAnswer,
    NotConfigured,
    ProcessingError,
    ProviderRefused,
    ProviderTooLarge,
)
from processing.knowledge.summarizing.nonsense import fault_of
from processing.knowledge.summarizing.parts import Part, Piece, parts_of
from processing.knowledge.summarizing.prompts import LONGEST_NONCE, REVISION, Task, messages_for
from processing.text_engines.base import ChatEngine, Message
from processing.text_engines.tokens import MESSAGE_TOKENS

logger = logging.getLogger(__name__)

#: The summary of a part waits so long for those of the others, and for the next attempt.
KEPT_FOR = timedelta(days=7)

#: What is given to a model at once, in tokens: of more it forgets the middle.
MAX_PART_TOKENS = 16_000
MIN_PART_TOKENS = 200

#: Room for a reply, in tokens: also for what a model thinks before it writes.
MAX_REPLY_TOKENS = 4_000

#: What a summary may be, in tokens as we count them, and the words that are asked for.
MAX_SUMMARY_TOKENS = 1_000
TOKENS_PER_WORD = 4

#: Of the text so much may be missing in a summary; with more missing it is none.
MAX_MISSING = 0.5

#: What is wrong with a part and not with the engine: the others are summarised all the same.
PART_FAULTS = (BadAnswer, ProviderRefused, ProviderTooLarge)


class TooMuchMissing(ProcessingError):
    """More than half of the document could not be summarised; the message says why."""

    code = "too_much_missing"


@dataclass(frozen=True, slots=True)
class Covered:
    """A stretch of the document (see ``Piece``), and whether it is in the summary."""

    start: float
    end: float
    is_covered: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A summary, and what it is of: all parts in order, whether they are covered or not."""

    text: str
    coverage: list[Covered]


@dataclass
class _Summarized:
    part: Part
    text: str = ""
    error: Exception | None = None


@dataclass(kw_only=True)
class MapReduce:
    """Summarises one text; what it has asked for once is in the cache.

    ``advance`` is told how far it is (0 to 1) and may raise to stop. ``owner`` is part of the keys
    of the cache: whose text it is. Unless it ``is_last_attempt``, a part that was answered with
    nonsense is tried again with the whole job; in the end it is a gap of the coverage.
    """

    chat: ChatEngine
    language: str
    owner: str
    tags: tuple[str, ...] = ()
    is_last_attempt: bool = True
    advance: Callable[[float], None] = lambda share: None
    _done: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._reply_tokens = min(MAX_REPLY_TOKENS, self.chat.context_tokens // 4)
        room = self.chat.context_tokens - self._reply_tokens - self._frame_tokens()
        self._part_tokens = min(room, MAX_PART_TOKENS)
        if self._part_tokens < MIN_PART_TOKENS:
            raise NotConfigured(
                f"a context of {self.chat.context_tokens} tokens is too small to summarise in: "
                "CHAT_CONTEXT_TOKENS is what the model reads and writes at once"
            )
        # so that three of them are a part again, and each round is shorter than the last
        self._summary_tokens = min(MAX_SUMMARY_TOKENS, self._part_tokens // 3 - 1)

    def summarize(self, pieces: Iterable[Piece]) -> Outcome:
        """Return the summary of a text, of which nothing is left out in silence.

        Raises ``TooMuchMissing``, what is wrong with the engine, and while it is not the last
        attempt the first transient fault of a part, after all others were done.
        """
        pieces = list(pieces)
        parts = self._packed(pieces, self._part_tokens)
        check_whole(pieces, parts)
        results = self._mapped(parts)
        faults = [one.error for one in results if one.error is not None]
        if not self.is_last_attempt:
            for fault in faults:
                if isinstance(fault, TransientError):
                    raise fault
        if _missing(results) > MAX_MISSING:
            raise TooMuchMissing(
                f"{len(faults)} of {len(results)} parts could not be summarised; "
                f"the first because {faults[0]}"
            )
        coverage = [Covered(one.part.start, one.part.end, one.error is None) for one in results]
        return Outcome(self._reduced([one.text for one in results if one.error is None]), coverage)

    def _packed(self, pieces: Iterable[Piece], limit: int) -> list[Part]:
        return parts_of(pieces, limit=limit, cost=self.chat.count_tokens, language=self.language)

    def _mapped(self, parts: Sequence[Part]) -> list[_Summarized]:
        task = Task.WHOLE if len(parts) == 1 else Task.PART
        waiting = [(part, self._part_tokens) for part in reversed(parts)]
        results: list[_Summarized] = []
        while waiting:
            part, limit = waiting.pop()
            try:
                results.append(_Summarized(part, self._summary_of(task, part.text)))
            except ProviderTooLarge as error:
                halves = self._packed(part.pieces, limit // 2)
                if limit // 2 < MIN_PART_TOKENS or len(halves) < 2:
                    results.append(_Summarized(part, error=error))
                else:  # the model counts more tokens than we do
                    task = Task.PART
                    waiting += [(half, limit // 2) for half in reversed(halves)]
            except PART_FAULTS as error:
                logger.warning("a part of %d characters: %s", len(part.text), error)
                results.append(_Summarized(part, error=error))
            self.advance(len(results) / (len(results) + len(waiting) + 1))
        return results

    def _reduced(self, texts: list[str]) -> str:
        """Return one summary of the summaries; where that fails for good, all of them."""
        while len(texts) > 1:
            pieces = [Piece(text, number, number + 1) for number, text in enumerate(texts)]
            groups = self._packed(pieces, self._part_tokens)
            try:
                texts = [
                    self._summary_of(Task.SUMMARIES, group.text)
                    if len(group.pieces) > 1
                    else group.text
                    for group in groups
                ]
            except PART_FAULTS as error:
                if isinstance(error, TransientError) and not self.is_last_attempt:
                    raise
                logger.warning("the summaries of the parts stay as they are: %s", error)
                return "\n\n".join(texts)
        return texts[0]

    def _summary_of(self, task: Task, text: str) -> str:
        key = ContentAddresser().key(
            "summary",
            text,
            {
                "owner": self.owner,
                "engine": self.chat.version,
                "language": self.language,
                "task": task.value,
                "words": self._words,
                "revision": REVISION,
            },
        )
        return str(
            get_cache().get_or_set(
                key, lambda: self._written(task, text), KEPT_FOR.total_seconds(), tags=self.tags
            )
        )

    def _written(self, task: Task, text: str) -> str:
        """Ask for a summary; if it is none, once more and for a shorter one."""
        fault = ""
        for words in (self._words, self._words // 2):
            messages = messages_for(task, text, language=self.language, words=words)
            reply = self.chat.reply(messages, max_tokens=self._reply_tokens)
            fault = self._fault_of(reply.text, messages, text)
            if reply.is_cut:
                fault = f"it was not done after {self._reply_tokens} tokens"
            if not fault:
                return reply.text.strip()
        raise BadAnswer(f"{self.chat.name} wrote no summary: {fault}")

    def _fault_of(self, reply: str, messages: Sequence[Message], text: str) -> str:
        size = self.chat.count_tokens(reply)
        if size > self._summary_tokens:
            return f"it is too long, with {size} tokens where {self._summary_tokens} are enough"
        return fault_of(reply, source=text, instructions=messages[0].content)

    @property
    def _words(self) -> int:
        return self._summary_tokens // TOKENS_PER_WORD

    def _frame_tokens(self) -> int:
        """Return what a request has besides the text and the reply."""
        messages = messages_for(
            Task.SUMMARIES, "", language=self.language, words=1_000, nonce=LONGEST_NONCE
        )
        return sum(self.chat.count_tokens(one.content) + MESSAGE_TOKENS for one in messages)


def check_whole(pieces: Sequence[Piece], parts: Sequence[Part]) -> None:
    """Make sure that parts have every letter of the pieces, once; else it is a bug."""
    given = sum(_letters(piece.text) for piece in pieces)
    packed = sum(_letters(piece.text) for part in parts for piece in part.pieces)
    if given != packed:
        raise AssertionError(f"of {given} letters, {packed} are in the parts")


def _letters(text: str) -> int:
    return sum(map(len, text.split()))


def _missing(results: Sequence[_Summarized]) -> float:
    """Return the share of the text that was not summarised."""
    sizes = [(len(one.part.text), one.error is not None) for one in results]
    return sum(size for size, is_missing in sizes if is_missing) / sum(size for size, _ in sizes)
