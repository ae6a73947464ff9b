"""Answering questions from documents."""

import re
import time
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from caching.backend import get_cache
from caching.invalidation import tags_of
from caching.keys import ContentAddresser
from jobs.choices import JobPriority
from jobs.exceptions import TransientError
from jobs.models import Job
from processing.choices import QUESTION_JOB
from processing.exceptions import BadAnswer, InvalidQuery
from processing.knowledge.asking.citations import (
    MarkChecker,
    Source,
    are_quoted,
    citations_of,
    nearest_stretch,
    without_marks,
)
from processing.knowledge.asking.filters import checked_filters
from processing.knowledge.asking.prompts import (
    ANSWER_TOKENS,
    NOT_FOUND,
    REVISION,
    Conversation,
    conversation,
    place_of,
)
from processing.knowledge.asking.retrieval import passages_for
from processing.knowledge.asking.streaming import AnswerStream
from processing.knowledge.results import complete_result, enqueue_result, result_of
from processing.models import Passage, Question, Workspace
from processing.text_engines.base import ChatEngine
from processing.text_engines.registry import chat_engine

MAX_QUESTION_CHARACTERS = 2_000

#: What is written beyond this is no answer any more, whatever the engine thinks of its limits.
MAX_ANSWER_CHARACTERS = 20_000

#: How many passages an answer without a language model has, and how much of each.
EXTRACT_PASSAGES = 4
EXTRACT_CHARACTERS = 600

#: The engine of answers that no language model has written.
EXTRACTIVE = "extractive"

NOTHING_FOUND = "Nothing in these documents speaks of this."
NO_MODEL = "No language model is configured; these are the passages nearest to the question:"
NO_CITATION = (
    "The language model's answer named no passage that it rests on; "
    "these are the passages nearest to the question:"
)
CUT = f"(The answer ends here: it reached the limit of {ANSWER_TOKENS:,} tokens.)"

#: What was answered is in the cache for so long.
KEPT_FOR = timedelta(days=1)

#: How often the row is told how far an answer is, and asked whether anybody still wants it.
ADVANCE_SECONDS = 1.0

#: How far an answer is when its passages are found.
FOUND = 0.1

#: A reply of so much of its tokens, by our estimate, that ends in the middle was cut.
CUT_SHARE = 0.9
_WHOLE = re.compile(r"[.!?…؟।。！？:\])}\"'”’»|`*]\s*\Z")  # noqa: RUF001  full stops of many scripts


class PassagesChanged(TransientError):
    """A document was changed while it was cited: the answer has to be found anew."""

    code = "passages_changed"


def ask(
    *,
    workspace: Workspace,
    text: str,
    filters: Mapping[str, Any] | None = None,
    created_by: User | None = None,
    priority: JobPriority = JobPriority.HIGH,
) -> Question:
    """Have a question answered from the documents of a workspace; ``filters`` narrow them down.

    Raises ``InvalidQuery`` for a question that is empty or too long, and for filters that a
    search does not know.
    """
    asked = checked_question(text)
    stored = checked_filters(filters or {})
    with transaction.atomic():
        question = Question.objects.create(
            workspace=workspace, text=asked, filters=stored, created_by=created_by
        )
        enqueue_result(
            question,
            QUESTION_JOB,
            subject_id=question.pk,
            workspace_id=workspace.pk,
            priority=priority,
            created_by=created_by,
        )
    return question


def checked_question(text: str) -> str:
    """Return a question as it is stored; raise ``InvalidQuery`` for what is none."""
    asked = _storable(text).strip()
    if len(asked) > MAX_QUESTION_CHARACTERS:
        raise InvalidQuery(
            f"the question has {len(asked):,} characters; "
            f"at most {MAX_QUESTION_CHARACTERS:,} are read (MAX_QUESTION_CHARACTERS)"
        )
    if not any(character.isalnum() for character in asked):
        raise InvalidQuery("the question has no word that could be looked for")
    return asked


def cancel_question(question: Question) -> bool:
    """Have nobody answer a question any more; False when it is over."""
    is_cancelled = Question.objects.cancel(question.pk)
    transaction.on_commit(lambda: drop_work(question), robust=True)
    return is_cancelled


def delete_question(question: Question) -> None:
    """Delete a question and its answer; a worker that is at it notices."""
    drop_work(question)
    question.delete()


def drop_work(question: Question) -> None:
    Job.objects.about(question.pk).cancel()


def answer(job: Job) -> None:
    """Answer a question; run again after a worker died, it begins anew and is stored once."""
    question = result_of(job, Question)
    engine = chat_engine()
    name = engine.name if engine else EXTRACTIVE
    if question is None or not Question.objects.begin(question.pk, engine=name):
        return
    stream = AnswerStream(question.pk)
    passages = passages_for(question)
    if not passages:
        content: dict[str, Any] | None = {"answer": NOTHING_FOUND}
    elif engine is None:
        content = _extract(question, passages, NO_MODEL)
    else:
        content = _written(question, passages, engine, stream)
    if content is None:
        return
    _complete(question, content)
    stream.end()


def _written(
    question: Question, passages: Sequence[Passage], engine: ChatEngine, stream: AnswerStream
) -> dict[str, Any] | None:
    """Return what a language model answers; None when nobody wants to know any more."""
    packed = conversation(question.text, passages, engine)
    key = _key(question, packed, engine)
    text: str | None = get_cache().get(key)
    stream.begin()
    if text is not None:
        stream.write("" if _is_sign(text) else text)
    elif (text := _streamed(question, packed, engine, stream)) is None:
        return None
    if not text:
        raise BadAnswer(f"{engine.name} answered nothing")
    citations = citations_of(text, packed.sources)
    if citations or NOT_FOUND in text:
        get_cache().set(key, text, KEPT_FOR.total_seconds(), tags=_tags(question, packed))
    if not citations:
        stream.begin()
        if NOT_FOUND in text:
            return {"answer": NOTHING_FOUND}
        return _extract(question, passages, NO_CITATION)
    return {"answer": text.replace(NOT_FOUND, "…"), "citations": citations}


def _key(question: Question, packed: Conversation, engine: ChatEngine) -> str:
    """Return the name in the cache of what is answered to this, from these passages alone."""
    asked = {
        "owner": str(question.workspace_id),
        "engine": engine.name,
        "version": engine.version,
        "prompts": REVISION,
        "sources": [asdict(source) for source in packed.sources],
    }
    return ContentAddresser().key("answer", question.text, asked)


def _tags(question: Question, packed: Conversation) -> tuple[str, ...]:
    """Return what a cached answer goes with: any of the documents it was made from."""
    tags = {tag for source in packed.sources for tag in tags_of(document=source.document)}
    return *tags_of(workspace=question.workspace_id), *sorted(tags)


def _streamed(
    question: Question, packed: Conversation, engine: ChatEngine, stream: AnswerStream
) -> str | None:
    """Return a reply whose numbers are all known, telling it meanwhile; None when cancelled."""
    checker = MarkChecker(len(packed.sources))
    text, length = "", 0
    advance_at = time.monotonic()
    with closing(engine.stream(packed.messages, max_tokens=ANSWER_TOKENS)) as pieces:
        for piece in pieces:
            length += len(piece)
            text = _told(text, checker.feed(_storable(piece)), stream)
            if time.monotonic() >= advance_at:
                share = min(engine.count_tokens(text) / ANSWER_TOKENS, 1.0)
                if not Question.objects.advance(question.pk, FOUND + (0.9 - FOUND) * share):
                    return None
                advance_at = time.monotonic() + ADVANCE_SECONDS
            if length > MAX_ANSWER_CHARACTERS:
                break
    text = _told(text, checker.flush(), stream).strip()
    is_long = engine.count_tokens(text) >= CUT_SHARE * ANSWER_TOKENS
    is_cut = length > MAX_ANSWER_CHARACTERS or (is_long and not _WHOLE.search(text))
    return f"{text[:MAX_ANSWER_CHARACTERS]} […]\n\n{CUT}" if text and is_cut else text


def _told(text: str, piece: str, stream: AnswerStream) -> str:
    """Return the text with the piece; the sign that there is no answer is not told."""
    before = "" if _is_sign(text) else text
    text += piece if text else piece.lstrip()
    if not _is_sign(text):
        stream.write(text[len(before) :])
    return text


def _is_sign(text: str) -> bool:
    """Whether a text is, begins with or may become the sign that there is no answer."""
    said = text.strip()
    return NOT_FOUND.startswith(said) or said.startswith(NOT_FOUND)


def _extract(question: Question, passages: Sequence[Passage], intro: str) -> dict[str, Any]:
    """Return the best passages as the answer that they are."""
    paragraphs, citations = [intro], []
    for number, passage in enumerate(passages[:EXTRACT_PASSAGES], start=1):
        source = Source.of(number, passage)
        begin, end = 0, len(source.text)
        if end > EXTRACT_CHARACTERS:
            begin, end = nearest_stretch(source.text, question.text, at_most=EXTRACT_CHARACTERS)
        cited = source.cited(begin, end)
        citations.append(cited)
        place = place_of(cited["start"], cited["end"])
        heading = f"{source.title} ({place})" if place else source.title
        paragraphs.append(f"[{number}] " + without_marks(f"{heading}: {cited['quote']}"))
    return {"answer": "\n\n".join(paragraphs), "citations": citations, "is_extractive": True}


def _complete(question: Question, content: Mapping[str, Any]) -> None:
    """Store an answer whose quotes are all in their passages at this moment."""
    citations = content.get("citations", [])
    with transaction.atomic():
        cited = Passage.objects.in_workspace(question.workspace).filter(
            pk__in=[one["passage"] for one in citations]
        )
        if not are_quoted(citations, dict(cited.values_list("pk", "text"))):
            raise PassagesChanged("a document was changed while it was cited")
        complete_result(question, **content)


def _storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot store, and what would command a terminal."""
    if text.isprintable():
        return text
    return "".join(
        character
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
        else "\N{REPLACEMENT CHARACTER}"
        for character in text.replace("\r\n", "\n")
    )
