"""What people correct in transcripts, its history, and what follows from it."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Subquery
from django.db.models.functions import Now

from caching.invalidation import CacheInvalidator
from processing.choices import ACTIVE_RESULT, ResultStatus
from processing.engines.spacing import spaced, words_of
from processing.exceptions import (
    InvalidCorrection,
    NotFinished,
    NothingToDo,
    Outdated,
    ProcessingError,
)
from processing.knowledge.documents import follow_transcript, request_indexing
from processing.knowledge.results import cancel_result
from processing.knowledge.summarizing.summaries import request_summary
from processing.knowledge.translating.translations import request_translation
from processing.managers.result import ResultQuerySet, ResultT
from processing.models import Document, DocumentVersion, Summary, Transcript, Translation
from processing.services.merging.gap_filling import channel_of, with_corrections
from processing.services.merging.realignment import JsonObject, realigned
from processing.webhooks.announcing import announce_correction

logger = logging.getLogger(__name__)

#: The most that a segment and the name of a speaker may have, in characters.
MAX_TEXT_CHARACTERS = 20_000
MAX_SPEAKER_CHARACTERS = 100


def correct_transcript(
    *,
    transcript: Transcript,
    changes: Sequence[Mapping[str, Any]],
    expected_version: int,
    note: str = "",
    by: User | None = None,
) -> Document:
    """Change what segments of a transcript say; return its document, in its next version.

    A change has ``segment``, its index, and ``text``, ``speaker`` or both: an empty text takes
    the segment away, an empty speaker the name. The version before is kept with ``note``; index,
    summaries and translations follow.

    Raises ``Outdated`` when the document is not at ``expected_version``, ``NotFinished`` while a
    run goes on, ``InvalidCorrection``, and ``NothingToDo`` when no change changes anything.
    """
    with transaction.atomic():
        locked, document = _locked(transcript, expected_version)
        segments = _corrected_segments(locked.segments, changes)
        return _replaced(locked, document, segments, note=note, by=by)


def revert_to(
    version: DocumentVersion, *, expected_version: int, note: str = "", by: User | None = None
) -> Document:
    """Have a transcript say again what it said in a version, as a correction like any other.

    What was a gap then and was heard since stays. Raises what ``correct_transcript`` raises.
    """
    transcript = version.document.transcript
    if transcript is None:
        raise NothingToDo("the document is no transcript")
    with transaction.atomic():
        locked, document = _locked(transcript, expected_version)
        segments = version.segments
        if version.gaps != locked.gaps:
            segments, _ = with_corrections(segments, version.gaps, locked.segments, locked.gaps)
        note = note or f"back to version {version.number}"
        return _replaced(locked, document, segments, note=note, by=by)


def renew_results(document: Document, *, by: User | None = None) -> None:
    """Have summaries and translations of older versions made of this one.

    Those that are there or under way; the latter are stopped. What cannot be asked for any more
    is left out.
    """
    older: list[Summary | Translation] = [
        *_older(Summary.objects.of_document(document), document),
        *_older(Translation.objects.of_document(document), document),
    ]
    for result in older:
        cancel_result(result, subject_id=document.pk)
    languages = {result.language for result in older if isinstance(result, Translation)}
    requests: list[Callable[[], object]] = [
        partial(request_translation, document=document, language=language, created_by=by)
        for language in sorted(languages)
    ]
    if any(isinstance(result, Summary) for result in older):
        requests.append(partial(request_summary, document=document, created_by=by))
    for request in requests:
        try:
            request()
        except ProcessingError as error:
            logger.warning("document %s keeps a result of an older version: %s", document.pk, error)


def _older(results: ResultQuerySet[ResultT], document: Document) -> list[ResultT]:
    wanted = results.filter(
        status__in=(*ACTIVE_RESULT, ResultStatus.COMPLETED), document_version__lt=document.version
    )
    return list(wanted.only("status", "document_version", "language"))


def _locked(transcript: Transcript, expected_version: int) -> tuple[Transcript, Document]:
    """Lock a transcript that can be corrected, then its document; raise for any other."""
    locked = Transcript.objects.select_for_update().get(pk=transcript.pk)
    run = locked.latest_processing
    if run.is_active or not locked.is_readable:
        raise NotFinished(
            f"the transcript is {run.status}; it can be corrected once that is over and it has text"
        )
    document = Document.objects.select_for_update().filter(transcript=locked).first()
    document = document or follow_transcript(locked)
    if document.version != expected_version:
        raise Outdated(
            f"this was to change version {expected_version} of the transcript, which is at "
            f"version {document.version} by now"
        )
    return locked, document


def _replaced(
    transcript: Transcript,
    document: Document,
    segments: list[JsonObject],
    *,
    note: str,
    by: User | None,
) -> Document:
    """Store other segments as the next version, and have everything follow."""
    if segments == transcript.segments:
        raise NothingToDo("that is what the transcript says already")
    stored = Transcript.objects.filter(pk=transcript.pk)  # what is large never leaves the database
    DocumentVersion.objects.create(
        document=document,
        number=document.version,
        text=Subquery(stored.values("text")),
        segments=Subquery(stored.values("segments")),
        gaps=Subquery(stored.values("gaps")),
        note=note,
        replaced_by=by,
    )
    Transcript.objects.filter(pk=transcript.pk).update(
        text=spaced(segment["text"] for segment in segments), segments=segments
    )
    Document.objects.filter(pk=document.pk).update(version=F("version") + 1, updated_at=Now())
    document.refresh_from_db()
    CacheInvalidator().invalidate_transcript(transcript.pk)
    request_indexing(document)
    renew_results(document, by=by)
    announce_correction(document)
    return document


def _corrected_segments(
    segments: Sequence[JsonObject], changes: Iterable[Mapping[str, Any]]
) -> list[JsonObject]:
    corrected: dict[int, JsonObject | None] = {}
    for change in changes:
        index = change["segment"]
        if not 0 <= index < len(segments):
            raise InvalidCorrection(
                f"there is no segment {index}; the transcript has {len(segments)}, counted from 0"
            )
        if index in corrected:
            raise InvalidCorrection(f"segment {index} is changed twice")
        corrected[index] = _corrected(segments[index], change)
    changed = (corrected.get(index, segment) for index, segment in enumerate(segments))
    return [segment for segment in changed if segment is not None]


def _corrected(segment: JsonObject, change: Mapping[str, Any]) -> JsonObject | None:
    """Return a segment as it is to be, None when it is to go."""
    text, speaker = change.get("text"), change.get("speaker")
    if text is not None:
        _check("text", text, MAX_TEXT_CHARACTERS)
        said = words_of(text)
        if not said:
            return None
        if said != words_of(segment["text"]):
            words = realigned(segment["words"], text, start=segment["start"], end=segment["end"])
            segment = {name: value for name, value in segment.items() if name != "flags"}
            segment |= {"text": spaced(word["word"] for word in words), "words": words}
    if speaker is not None:
        _check("speaker", speaker, MAX_SPEAKER_CHARACTERS)
        segment = _spoken_by(" ".join(speaker.split()), segment)
    return segment


def _spoken_by(speaker: str, segment: JsonObject) -> JsonObject:
    """Return a segment with another speaker, and the channel it was heard in."""
    if speaker == segment.get("speaker", ""):
        return segment
    rest = {name: value for name, value in segment.items() if name not in ("speaker", "channel")}
    named = {"speaker": speaker, "channel": channel_of(segment)}
    return rest | {name: value for name, value in named.items() if value}


def _check(name: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise InvalidCorrection(
            f"the {name} of a segment has at most {limit:,} characters, not {len(text):,}"
        )
    if "\0" in text or text.encode("utf-8", "replace").decode() != text:
        raise InvalidCorrection(f"the {name} of a segment has characters that are none")
