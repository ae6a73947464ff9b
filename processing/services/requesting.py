"""Asking for a transcript: what is meant, whether it is there already, and a run if not."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from caching.keys import ContentAddresser
from jobs.choices import JobPriority
from jobs.services.enqueueing import enqueue_job
from processing.choices import TRANSCRIPTION_JOB, ProcessingStatus
from processing.engines.base import AUTO, SpeechEngine
from processing.engines.registry import get_engine
from processing.exceptions import (
    NoGaps,
    UnknownEngine,
    UnknownParameter,
    UnreadableAudio,
    UnsupportedLanguage,
)
from processing.models import ProcessingTask, Recording, Transcript, Workspace
from processing.workspaces.quotas import charge_run

logger = logging.getLogger(__name__)

#: Changes whenever cutting or joining may give another transcript for the same request.
PIPELINE_VERSION = "2"

#: Parameters of the pipeline, each with its values; the engine is not told of them. ``mixed`` is
#: one voice for all channels, ``separate`` hears each channel by itself, as of a telephone call.
PIPELINE_PARAMETERS: dict[str, tuple[str, ...]] = {"channels": ("mixed", "separate")}

#: What a request means that does not say: to say it makes no other request.
DEFAULTS = {name: values[0] for name, values in PIPELINE_PARAMETERS.items()}


@dataclass(frozen=True)
class TranscriptRequest:
    """A transcript, the run that says how it is doing, and what the request meant for it.

    ``is_cached``: it was answered in full before. ``is_started``: the run is this request's own.
    """

    transcript: Transcript
    processing: ProcessingTask
    is_cached: bool
    is_started: bool


def request_transcript(
    *,
    recording: Recording,
    engine: str = "",
    language: str = "",
    parameters: Mapping[str, Any] | None = None,
    priority: JobPriority = JobPriority.NORMAL,
    max_concurrent_chunks: int | None = None,
    created_by: User | None = None,
) -> TranscriptRequest:
    """Ask for a transcript; equal requests share one row, and one run while it goes on.

    A request that was answered in full ends here. One that failed, was cancelled or has gaps
    is run again, and chunks that were heard before are not heard again. Raises
    ``UnknownEngine``, ``UnsupportedLanguage`` or ``UnknownParameter``, and ``QuotaReached`` for
    one that was not heard before; nothing is kept then.
    """
    parameters = dict(parameters or {})
    speech_engine, language = choose_engine(
        engine, language, parameters, workspace=recording.workspace
    )
    parameters = dict(item for item in parameters.items() if item not in DEFAULTS.items())
    cache_key = ContentAddresser().key(
        "transcript",
        str(recording.workspace_id),
        recording.sha256,
        PIPELINE_VERSION,
        question(speech_engine, language, parameters) | {"parameters": parameters},
    )
    with transaction.atomic():
        if Recording.objects.locked(recording.pk) is None:
            raise UnreadableAudio("the recording was deleted meanwhile")
        Transcript.objects.get_or_create(
            cache_key=cache_key,
            defaults={
                "workspace_id": recording.workspace_id,
                "recording": recording,
                "engine": speech_engine.name,
                "language": language,
                "parameters": parameters,
            },
        )
        transcript = Transcript.objects.select_for_update().get(cache_key=cache_key)
        transcript.recording = recording
        latest = ProcessingTask.objects.for_transcript(transcript).first()
        if latest is not None and latest.status == ProcessingStatus.COMPLETED:
            return TranscriptRequest(transcript, latest, is_cached=True, is_started=False)
        if latest is not None and latest.is_active:
            return TranscriptRequest(transcript, latest, is_cached=False, is_started=False)
        started = ProcessingTask.objects.create(
            transcript=transcript,
            priority=priority,
            max_concurrent_chunks=max_concurrent_chunks,
            chunk_seconds=ProcessingTask.objects.chunk_seconds_of(transcript),
        )
        enqueue_step(TRANSCRIPTION_JOB, started, created_by=created_by)
        charge_run(started)
    return TranscriptRequest(transcript, started, is_cached=False, is_started=True)


def retry_gaps(transcript: Transcript, *, created_by: User | None = None) -> TranscriptRequest:
    """Have the gaps of a transcript heard after all; what was heard is not heard again.

    Raises ``NoGaps`` when there is nothing to retry.
    """
    latest = ProcessingTask.objects.for_transcript(transcript).first()
    if latest is None or latest.status == ProcessingStatus.COMPLETED:
        raise NoGaps("every part of the recording was heard")
    return request_transcript(
        recording=transcript.recording,
        engine=transcript.engine,
        language=transcript.language,
        parameters=transcript.parameters,
        priority=JobPriority(latest.priority),
        max_concurrent_chunks=latest.max_concurrent_chunks,
        created_by=created_by,
    )


def choose_engine(
    engine: str = "",
    language: str = "",
    parameters: Mapping[str, Any] | None = None,
    *,
    workspace: Workspace | None = None,
) -> tuple[SpeechEngine, str]:
    """Return the engine and the language a request means.

    Where it names none: the first engine of the workspace, and the workspace's language if that
    engine understands it, else the first that it does. Raises ``UnknownEngine``,
    ``UnsupportedLanguage`` or ``UnknownParameter``.
    """
    preferred = workspace.engines[0] if workspace is not None and workspace.engines else ""
    speech_engine = get_engine(engine or preferred or settings.ENGINE)
    own = workspace.language if workspace is not None else ""
    language = language or (own if own in speech_engine.languages else speech_engine.languages[0])
    if language not in speech_engine.languages:
        known = ", ".join(speech_engine.languages)
        raise UnsupportedLanguage(
            f"{speech_engine.name} does not understand {language!r}; it knows {known}"
        )
    _check(parameters or {}, speech_engine)
    return speech_engine, language


def engines_after(engine: str, language: str, *, workspace: Workspace) -> Iterator[SpeechEngine]:
    """Yield the engines that are asked when ``engine`` could not hear a chunk.

    Those of the workspace that come after it and understand the language, or find it out; each
    once, however often the workspace names it. One that is not there is passed over.
    """
    names = list(dict.fromkeys(workspace.engines))
    for name in names[names.index(engine) + 1 :] if engine in names else names:
        try:
            candidate = get_engine(name)
        except (UnknownEngine, ImproperlyConfigured, ImportError) as error:
            logger.warning("%s is passed over: %s", name, error)
            continue
        if language in candidate.languages or AUTO in candidate.languages:
            yield candidate


def language_for(engine: SpeechEngine, language: str) -> str:
    """Return what an engine is asked to hear: ``AUTO`` where it does not know the language."""
    return language if language in engine.languages else AUTO


def engine_parameters(engine: SpeechEngine, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a request's parameters is for the engine."""
    return {name: value for name, value in parameters.items() if name in engine.parameter_names}


def question(
    engine: SpeechEngine, language: str, parameters: Mapping[str, Any]
) -> dict[str, str | dict[str, Any]]:
    """Return all that an engine's answer to the same audio depends on, for cache keys."""
    return {
        "engine": engine.name,
        "engine_version": engine.version,
        "language": language_for(engine, language),
        "parameters": engine_parameters(engine, parameters),
    }


def enqueue_step(
    job_type: str, processing: ProcessingTask, *, created_by: User | None = None
) -> None:
    """Have a worker take the next step of a run."""
    enqueue_job(
        job_type=job_type,
        payload={"processing_id": str(processing.pk)},
        priority=processing.priority,
        subject_id=processing.transcript_id,
        workspace_id=processing.transcript.recording.workspace_id,
        created_by=created_by,
    )


def _check(parameters: Mapping[str, Any], engine: SpeechEngine) -> None:
    known = PIPELINE_PARAMETERS.keys() | engine.parameter_names
    if unknown := parameters.keys() - known:
        raise UnknownParameter(
            f"{engine.name} has no parameter {', '.join(sorted(unknown))}; "
            f"it knows {', '.join(sorted(known))}"
        )
    for name, values in PIPELINE_PARAMETERS.items():
        if parameters.get(name, DEFAULTS[name]) not in values:
            raise UnknownParameter(f"{name} is one of {', '.join(values)}")
