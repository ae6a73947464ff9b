"""OpenAI's routes: recordings go in, transcripts and translations come out of the same request."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from processing.api.access import OfWorkspace, user_of
from processing.api.negotiation import FirstRendererNegotiation
from processing.api.openai.catalogue import model_object, models
from processing.api.openai.errors import VERSION_HEADERS, OpenAIError, model_not_found
from processing.api.openai.requests import (
    AudioRequest,
    TranscriptionForm,
    TranslationForm,
    read_form,
)
from processing.api.openai.responses import (
    ENGLISH,
    TRANSLATE,
    Spoken,
    answer,
    heard_language,
    transcribed,
    translated,
)
from processing.api.openai.streaming import TranscriptStream
from processing.api.openai.waiting import (
    Patience,
    finished_transcript,
    finished_translation,
    place,
    take_place,
)
from processing.api.receiving import LengthRequired, ReceivesFiles
from processing.api.server_sent import CONTENT_TYPE, HEADERS
from processing.audio.probe import probe
from processing.engines.base import AUTO
from processing.engines.languages import LANGUAGES, language_code
from processing.exceptions import NotConfigured
from processing.knowledge.translating.translations import HOW_TO_CONFIGURE, request_translation
from processing.live.following import follow
from processing.models import ApiKey, Document
from processing.services.inputs.submission import submit_recording
from processing.services.requesting import choose_engine
from processing.text_engines.registry import translator_for
from processing.workspaces.audit import record_event

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from processing.models import Transcript

#: Audio that is shorter than this is refused, as OpenAI does.
MIN_SECONDS = 0.1

#: Names in an answer the transcript it was made from, to be found under ``/api/v1/transcripts/``.
TRANSCRIPT_HEADER = "longhand-transcript"


class OpenAIView(OfWorkspace, ViewSet):
    """What all of OpenAI's routes have: its headers."""

    content_negotiation_class = FirstRendererNegotiation
    renderer_classes = [JSONRenderer]
    parser_classes = [MultiPartParser]

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        self._begun_at = time.monotonic()
        return super().initialize_request(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        milliseconds = round((time.monotonic() - self._begun_at) * 1000)
        headers = VERSION_HEADERS | {"openai-processing-ms": str(milliseconds)}
        if access := getattr(request, "_access", None):
            headers["openai-organization"] = access.workspace.slug
        if allowance := getattr(request._request, "rate_limit", None):
            headers |= {
                "x-ratelimit-limit-requests": str(allowance.limit),
                "x-ratelimit-remaining-requests": str(allowance.remaining),
                "x-ratelimit-reset-requests": duration(allowance.reset_seconds),
            }
        for name, value in headers.items():
            response[name] = value
        return super().finalize_response(request, response, *args, **kwargs)


class ModelView(OpenAIView):
    """The engines, and OpenAI's names for the workspace's own."""

    def list(self, request: Request) -> Response:
        return Response({"object": "list", "data": models(self.workspace)})

    def retrieve(self, request: Request, model: str) -> Response:
        if model not in [each["id"] for each in models(self.workspace)]:
            raise model_not_found(model)
        return Response(model_object(model, self.workspace))


class AudioView(ReceivesFiles, OpenAIView):
    """Takes a recording of whatever length, and answers in the same request."""

    form: type[TranslationForm]

    def create(self, request: Request) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META:
            raise LengthRequired
        patience = Patience(request)
        asked = read_form(request.data, self.form, self.workspace)
        self.check(asked)
        transcript_id = self._submitted(request, asked)
        response = self.answer(transcript_id, asked, patience)
        response[TRANSCRIPT_HEADER] = str(transcript_id)
        return response

    def check(self, asked: AudioRequest) -> None:
        """Refuse what we know to be in vain, before it costs anything."""
        audio = probe(asked.file, size_bytes=asked.file.size or 0)
        if audio.duration_seconds is not None and audio.duration_seconds < MIN_SECONDS:
            raise OpenAIError(
                f"Audio file is too short. Minimum audio length is {MIN_SECONDS} seconds.",
                param="file",
                code="audio_too_short",
            )

    def answer(
        self, transcript_id: UUID, asked: AudioRequest, patience: Patience
    ) -> HttpResponseBase:
        raise NotImplementedError

    def _submitted(self, request: Request, asked: AudioRequest) -> UUID:
        """Hand the recording in, and hold neither its upload nor a connection from then on."""
        submission = submit_recording(
            source=asked.file,
            name=asked.file.name or "",
            workspace=self.workspace,
            engine=asked.engine,
            language=asked.language,
            parameters=asked.parameters,
            sha256=asked.file.sha256,
            created_by=user_of(request),
        )
        transcript_id = submission.request.transcript.pk
        record_event(
            action=f"{self.basename}.create",
            object_type="transcript",
            object_id=str(transcript_id),
            workspace=self.workspace,
            actor=user_of(request),
            api_key_id=request.auth.pk if isinstance(request.auth, ApiKey) else "",
        )
        asked.file.close()
        if not connection.in_atomic_block:
            connection.close()
        return transcript_id


class TranscriptionView(AudioView):
    """Answers what was said, whole, or while it is heard with ``stream``."""

    form = TranscriptionForm

    def answer(
        self, transcript_id: UUID, asked: AudioRequest, patience: Patience
    ) -> HttpResponseBase:
        if asked.is_streamed:
            followed = follow(transcript_id, heartbeat_seconds=settings.EVENT_HEARTBEAT_SECONDS)
            stream = TranscriptStream(
                followed, transcript_id, asked, request=self.request, places=take_place()
            )
            return StreamingHttpResponse(stream, content_type=CONTENT_TYPE, headers=HEADERS)
        with place():
            transcript = finished_transcript(transcript_id, patience=patience)
        return answer(transcribed(transcript), asked)


class TranslationView(AudioView):
    """Answers what was said, in English."""

    form = TranslationForm

    def check(self, asked: AudioRequest) -> None:
        super().check(asked)
        _, language = choose_engine(asked.engine, asked.language, workspace=self.workspace)
        if language != AUTO:
            check_translator(language_code(language) or "")

    def answer(self, transcript_id: UUID, asked: AudioRequest, patience: Patience) -> HttpResponse:
        with place():
            transcript = finished_transcript(transcript_id, patience=patience)
            spoken = self._in_english(transcript, patience)
        return answer(spoken, asked)

    def _in_english(self, transcript: Transcript, patience: Patience) -> Spoken:
        language = heard_language(transcript)
        if language == ENGLISH or not transcript.text:
            return replace(transcribed(transcript), task=TRANSLATE, language=ENGLISH)
        check_translator(language)
        translation = request_translation(
            document=Document.objects.get(transcript=transcript),
            language=ENGLISH,
            created_by=user_of(self.request),
        )
        return translated(transcript, finished_translation(translation, patience=patience))


def check_translator(source: str) -> None:
    """Raise ``NotConfigured`` when nobody puts this language (ISO 639-1) into English here."""
    if source != ENGLISH and translator_for(source, ENGLISH) is None:
        begins = f"from {LANGUAGES[source].title()} " if source in LANGUAGES else ""
        raise NotConfigured(f"Nobody translates {begins}into English here: {HOW_TO_CONFIGURE}.")


def duration(seconds: float) -> str:
    """Return seconds as OpenAI writes them in headers: ``20ms``, ``1.2s``, ``6m0s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:.3g}s"
