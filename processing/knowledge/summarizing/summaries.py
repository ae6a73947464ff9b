"""Documents in short."""

from dataclasses import asdict
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Length

from caching.invalidation import tags_of
from jobs.choices import JobPriority
from jobs.models import Job
from processing.choices import SUMMARIZATION_JOB, DocumentKind, DocumentStatus, ResultStatus
from processing.engines.languages import language_code
from processing.exceptions import AlreadyOver, NotFinished, NothingToDo
from processing.knowledge.content import sections_of
from processing.knowledge.results import (
    cancel_result,
    complete_result,
    enqueue_result,
    result_of,
)
from processing.knowledge.summarizing.extractive import extract_summary
from processing.knowledge.summarizing.key_phrases import key_phrases
from processing.knowledge.summarizing.map_reduce import Covered, MapReduce, Outcome
from processing.knowledge.summarizing.parts import Piece, parts_of, pieces_of
from processing.managers.document import DocumentQuerySet
from processing.models import Document, Summary, Transcript, Workspace
from processing.text_engines.base import ChatEngine
from processing.text_engines.registry import chat_engine

#: The engine of summaries that no language model has written.
EXTRACTIVE = "extractive"

#: A text of so many characters needs no language model: it is a summary already.
SHORT_CHARACTERS = 200

KEY_PHRASES = 10

#: How far a summary is when its text is written: the key phrases are still to be found.
WRITTEN = 0.9

#: The parts that an extractive summary is said to cover; words.
EXTRACT_PART_WORDS = 10_000


class _Over(Exception):
    """Nobody wants the summary any more."""


@transaction.atomic
def request_summary(
    *,
    document: Document,
    created_by: User | None = None,
    priority: JobPriority = JobPriority.NORMAL,
    anew: bool = False,
) -> Summary:
    """Have what a document says now summarised; equal requests share one summary.

    One that is under way, or was completed by the engine that would do it now, is the answer, the
    latter unless ``anew``; one of an older version that is under way is cancelled. Raises
    ``NotFinished`` when there is nothing to read yet, and ``NothingToDo`` when there never will be.
    """
    document = Document.objects.select_for_update().without_content().get(pk=document.pk)
    engine = _engine_name(_engine_for(document))
    summaries = Summary.objects.of_document(document)
    for active in summaries.active():
        if active.document_version == document.version:
            return active
        cancel_summary(active)
    done = summaries.completed().filter(document_version=document.version, engine=engine)
    if not anew and (latest := done.first()) is not None:
        return latest
    summary = Summary.objects.create(
        workspace_id=document.workspace_id,
        document=document,
        document_version=document.version,
        language=document.language,
        created_by=created_by,
    )
    _enqueue(summary, document, priority=priority, created_by=created_by)
    return summary


@transaction.atomic
def retry_summary(summary: Summary, *, created_by: User | None = None) -> Summary:
    """Have a summary that failed or was cancelled made after all; return it.

    The answer is another one when the document was corrected or summarised since. Raises
    ``AlreadyOver`` for one that is neither.
    """
    document = Document.objects.select_for_update().without_content().get(pk=summary.document_id)
    summary = Summary.objects.get(pk=summary.pk)
    if summary.status not in (ResultStatus.FAILED, ResultStatus.CANCELLED):
        raise AlreadyOver(f"the summary is {summary.status}: there is nothing to retry")
    others = Summary.objects.of_document(document).filter(document_version=document.version)
    is_current = summary.document_version == document.version
    if not is_current or (others.active() | others.completed()).exists():
        return request_summary(document=document, created_by=created_by)
    Summary.objects.restart(summary.pk)
    _enqueue(summary, document, created_by=created_by)
    summary.refresh_from_db()
    return summary


def cancel_summary(summary: Summary) -> bool:
    """Stop a summary; False when it is over."""
    return cancel_result(summary, subject_id=summary.document_id)


def summarize(job: Job) -> None:
    """Write a summary: with the chat engine, or of sentences of the text where there is none.

    Idempotent. Parts that were summarised when the job ended early are not asked for again. Stops
    when the summary is cancelled; when the document was corrected, another one is asked for.
    """
    summary = result_of(job, Summary)
    if summary is None:
        return
    document = Document.objects.select_related("transcript").get(pk=summary.document_id)
    if document.version != summary.document_version:
        request_summary(document=document, created_by=summary.created_by)
        return
    chat, tags = _engine_for(document), _tags(document)
    language, owner = language_code(document.language) or "", str(document.workspace_id)
    pieces = list(pieces_of(sections_of(document)))
    del document  # with every word and its times; what follows takes long
    if not Summary.objects.begin(summary.pk, engine=_engine_name(chat)):
        return

    def advance(share: float) -> None:
        if not Summary.objects.advance(summary.pk, share * WRITTEN):
            raise _Over

    try:
        if chat is None:
            outcome = _extracted(pieces, language)
        else:
            outcome = MapReduce(
                chat=chat,
                language=language,
                owner=owner,
                tags=tags,
                is_last_attempt=job.attempt >= job.max_attempts,
                advance=advance,
            ).summarize(pieces)
        advance(1.0)
    except _Over:
        return
    found = key_phrases("\n".join(piece.text for piece in pieces), language, KEY_PHRASES)
    complete_result(
        summary,
        text=outcome.text,
        is_extractive=chat is None,
        coverage=[_stored(covered) for covered in outcome.coverage],
        key_phrases=[{"phrase": phrase, "score": score} for phrase, score in found],
    )


def documents_without_summary(workspace: Workspace) -> DocumentQuerySet:
    """Return the documents of a workspace of which what they say now is not in short anywhere."""
    current = Summary.objects.filter(
        document=OuterRef("pk"), document_version=OuterRef("version")
    ).exclude(status__in=(ResultStatus.FAILED, ResultStatus.CANCELLED))
    return Document.objects.in_workspace(workspace).without_content().filter(~Exists(current))


def uncovered(summary: Summary) -> list[tuple[float, float]]:
    """Return the stretches of the document that are not in its summary."""
    return [(one["start"], one["end"]) for one in summary.coverage if not one["is_covered"]]


def _extracted(pieces: list[Piece], language: str) -> Outcome:
    parts = parts_of(
        pieces, limit=EXTRACT_PART_WORDS, cost=lambda text: len(text.split()), language=language
    )
    sentences = extract_summary(pieces, language)
    return Outcome(
        "\n".join(sentence.text for sentence in sentences),
        [Covered(part.start, part.end, is_covered=True) for part in parts],
    )


def _engine_for(document: Document) -> ChatEngine | None:
    """Return who summarises a document, None for nobody but ourselves.

    Raises ``NotFinished`` and ``NothingToDo`` for one without text.
    """
    rows: Any = Document.objects.filter(pk=document.pk)
    if document.transcript_id is not None:
        rows = Transcript.objects.filter(pk=document.transcript_id)
    length = rows.values_list(Length("text"), flat=True).first()
    if length:
        return chat_engine() if length > SHORT_CHARACTERS else None
    if document.kind == DocumentKind.UPLOAD and document.status != DocumentStatus.READY:
        raise NotFinished(f"the document is {document.status}: there is nothing to read in it")
    raise NothingToDo("the document has no text to summarise")


def _engine_name(chat: ChatEngine | None) -> str:
    longest = Summary._meta.get_field("engine").max_length
    return EXTRACTIVE if chat is None else chat.name[:longest]


def _enqueue(summary: Summary, document: Document, **options: Any) -> None:
    enqueue_result(
        summary,
        SUMMARIZATION_JOB,
        subject_id=document.pk,
        workspace_id=document.workspace_id,
        **options,
    )


def _tags(document: Document) -> tuple[str, ...]:
    tags = tags_of(document=document.pk, workspace=document.workspace_id)
    if document.transcript is not None:
        tags += tags_of(recording=document.transcript.recording_id)
    return tags


def _stored(covered: Covered) -> dict[str, Any]:
    return asdict(covered) | {"start": round(covered.start, 3), "end": round(covered.end, 3)}
