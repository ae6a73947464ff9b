"""Documents in other languages."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from caching.invalidation import tags_of
from jobs.choices import JobPriority
from jobs.models import Job
from processing.choices import TRANSLATION_JOB, DocumentKind, DocumentStatus, ResultStatus
from processing.engines.languages import LANGUAGES, language_code
from processing.engines.spacing import spaced
from processing.exceptions import NotConfigured, NotFinished, NothingToDo, UnsupportedLanguage
from processing.knowledge.content import Section, sections_of
from processing.knowledge.results import (
    cancel_result,
    complete_result,
    enqueue_result,
    result_of,
)
from processing.knowledge.translating.cached_translator import CachedTranslator
from processing.models import Document, Transcript, Translation
from processing.text_engines.base import Translator
from processing.text_engines.pieces import pieces
from processing.text_engines.registry import translator_for

#: What is translated at once, and is then done: that much is lost when a worker dies.
BATCH_TEXTS = 40
BATCH_CHARACTERS = 2_000

HOW_TO_CONFIGURE = (
    "set CHAT_BASE_URL and CHAT_MODEL to an OpenAI-compatible server, or install "
    "requirements-argos.txt and the Argos package for these languages"
)


def request_translation(
    *,
    document: Document,
    language: str,
    created_by: User | None = None,
    priority: JobPriority = JobPriority.NORMAL,
) -> Translation:
    """Have what a document says now translated; equal requests share one translation.

    ``language`` is an ISO 639-1 code or an English name. One that is under way, or was completed
    by who would do it now, is the answer; one of an older version that is under way is cancelled.
    Raises ``UnsupportedLanguage``, ``NotFinished`` when there is nothing to read yet,
    ``NothingToDo``, and ``NotConfigured`` when nobody translates these languages.
    """
    return _request(document, language, created_by, priority)


def retry_translation(translation: Translation, *, created_by: User | None = None) -> Translation:
    """Have a translation that failed or was cancelled made after all; return it.

    The answer is another one when the document was corrected or translated since. Raises
    ``NothingToDo`` for one that is neither, and what ``request_translation`` raises.
    """
    if translation.status not in (ResultStatus.FAILED, ResultStatus.CANCELLED):
        raise NothingToDo(f"the translation is {translation.status}: there is nothing to retry")
    return _request(
        translation.document, translation.language, created_by, JobPriority.NORMAL, translation
    )


def cancel_translation(translation: Translation) -> bool:
    """Stop a translation; False when it is over."""
    return cancel_result(translation, subject_id=translation.document_id)


@transaction.atomic
def _request(
    document: Document,
    language: str,
    created_by: User | None,
    priority: JobPriority,
    unfinished: Translation | None = None,
) -> Translation:
    target = _known(language)
    document = Document.objects.select_for_update().without_content().get(pk=document.pk)
    translator = _translator(document, target)
    rows = Translation.objects.of_document(document).filter(language=target)
    for active in rows.active():
        if active.document_version == document.version:
            return active
        cancel_translation(active)
    current = rows.filter(document_version=document.version)
    done = current.completed().filter(engine=translator.name).first()
    if done is not None:
        return done
    translation = current.filter(pk=unfinished.pk).first() if unfinished is not None else None
    if translation is None:
        translation = Translation.objects.create(
            workspace_id=document.workspace_id,
            document=document,
            document_version=document.version,
            language=target,
            created_by=created_by,
        )
    elif Translation.objects.restart(translation.pk):
        translation.refresh_from_db()
    enqueue_result(
        translation,
        TRANSLATION_JOB,
        subject_id=document.pk,
        workspace_id=document.workspace_id,
        priority=priority,
        created_by=created_by,
    )
    return translation


def translate(job: Job) -> None:
    """Translate segment by segment, each once: what was translated before is in the cache.

    Idempotent. Of what was translated when the job ends early nothing is asked for again. Stops
    when the translation is cancelled or the document corrected.
    """
    translation = result_of(job, Translation)
    if translation is None:
        return
    documents = Document.objects.select_related("transcript").defer("transcript__seams")
    document = documents.get(pk=translation.document_id)
    if document.version != translation.document_version:
        Translation.objects.cancel(
            translation.pk
        )  # another was asked for by who corrected the document
        return
    translator = _cached(_translator(document, translation.language), document, translation)
    if not Translation.objects.begin(translation.pk, engine=translator.name):
        return
    sections = list(sections_of(document))
    del document
    units = _units(sections)
    translated: list[list[str]] = [[] for _ in sections]
    before = ""
    for batch in _batches(units):
        texts = [text for _, text in batch]
        for (number, _), text in zip(
            batch, translator.translate(texts, before=before), strict=True
        ):
            translated[number].append(text)
        before = texts[-1]
        if not Translation.objects.advance(translation.pk, (batch[-1][0] + 1) / len(sections)):
            return
    segments = [
        _segment(section, spaced(texts))
        for section, texts in zip(sections, translated, strict=True)
    ]
    complete_result(translation, segments=segments)


def _known(language: str) -> str:
    code = language_code(language)
    if code is None:
        raise UnsupportedLanguage(
            f"there is no language {language!r} to translate into; known: {', '.join(LANGUAGES)}"
        )
    return code


def _translator(document: Document, target: str) -> Translator:
    """Return who translates a document; raise when nobody does, or nothing is to be done."""
    source = _source(document)
    if source == target:
        raise NothingToDo(f"the document is in {LANGUAGES[target].title()} already")
    if not _has_text(document):
        if document.kind == DocumentKind.UPLOAD and document.status != DocumentStatus.READY:
            raise NotFinished(f"the document is {document.status}: there is nothing to read in it")
        raise NothingToDo("the document has no text")
    translator = translator_for(source, target)
    if translator is None:
        begins = f"from {LANGUAGES[source].title()} " if source else ""
        raise NotConfigured(
            f"nobody translates {begins}into {LANGUAGES[target].title()} here: {HOW_TO_CONFIGURE}"
        )
    return translator


def _has_text(document: Document) -> bool:
    if document.transcript_id is not None:
        return Transcript.objects.filter(pk=document.transcript_id).exclude(text="").exists()
    return Document.objects.filter(pk=document.pk).exclude(text="").exists()


def _cached(
    translator: Translator, document: Document, translation: Translation
) -> CachedTranslator:
    tags = tags_of(document=document.pk, workspace=document.workspace_id)
    if document.transcript is not None:
        tags += tags_of(recording=document.transcript.recording_id)
    return CachedTranslator(
        translator,
        source=_source(document),
        target=translation.language,
        owner=str(document.workspace_id),
        tags=tags,
    )


def _source(document: Document) -> str:
    """Return the language of a document (ISO 639-1), empty when nobody knows it."""
    return language_code(document.language) or ""


def _units(sections: Sequence[Section]) -> list[tuple[int, str]]:
    """Return texts with the number of their section: all of it, or what can be done at once."""
    return [
        (number, piece)
        for number, section in enumerate(sections)
        for piece in pieces(section.text, BATCH_CHARACTERS)
    ]


def _batches(units: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    batch: list[tuple[int, str]] = []
    characters = 0
    for unit in units:
        if batch and (len(batch) == BATCH_TEXTS or characters + len(unit[1]) > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(unit)
        characters += len(unit[1])
    if batch:
        yield batch


def _segment(section: Section, text: str) -> dict[str, Any]:
    segment = {"start": section.start, "end": section.end, "text": text}
    return segment | ({"speaker": section.speaker} if section.speaker else {})
