"""Transcripts are asked for, looked at while they are made, and had as files."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from jobs.choices import JobPriority
from processing.api.access import OfWorkspace, user_of
from processing.api.events import EventsMixin
from processing.api.expansions import OF_TRANSCRIPT
from processing.api.filtersets import TranscriptFilterSet
from processing.api.idempotency import idempotent
from processing.api.negotiation import FirstRendererNegotiation
from processing.api.serializers import (
    PartialTranscriptSerializer,
    TranscriptDetailSerializer,
    TranscriptRequestSerializer,
    TranscriptSerializer,
)
from processing.choices import READABLE
from processing.exceptions import AlreadyOver, NotFinished
from processing.managers.transcript import TranscriptQuerySet
from processing.models import Recording, Transcript
from processing.services.exports import FORMATS, exported, file_name
from processing.services.orchestrator import cancel_processing
from processing.services.progress import Progress
from processing.services.requesting import request_transcript, retry_gaps

#: What can be included in the answer to a transcript.
SEAMS = "seams"

#: What becomes of gaps in an export of text.
OMIT, MARK = "omit", "mark"

SERIALIZERS: dict[str, type[BaseSerializer[Transcript]]] = {
    "retrieve": TranscriptDetailSerializer,
    "partial": PartialTranscriptSerializer,
}


def _refusal(name: str, value: str, known: Iterable[str]) -> ValidationError:
    return ValidationError({name: [f"Unknown {name} {value!r}; known: {', '.join(known)}."]})


class TranscriptViewSet(OfWorkspace, EventsMixin, ReadOnlyModelViewSet[Transcript]):
    """How transcripts are doing, and what was said."""

    filterset_class = TranscriptFilterSet
    sort_fields = ["created_at", "duration_seconds"]
    split_by = ("status",)
    expansions = OF_TRANSCRIPT
    parser_classes = [ShallowJSONParser]

    def get_queryset(self) -> TranscriptQuerySet:
        transcripts = Transcript.objects.in_workspace(self.workspace).with_runs()
        has_content = self.action in ("retrieve", "partial")
        return transcripts if has_content else transcripts.without_content()

    def get_serializer_class(self) -> type[BaseSerializer[Transcript]]:
        return SERIALIZERS.get(self.action, TranscriptSerializer)

    @idempotent
    def create(self, request: Request) -> Response:
        """Have a stored ``recording`` transcribed: 202, or 200 when that was done before."""
        asked = TranscriptRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        recordings = Recording.objects.in_workspace(self.workspace).select_related("workspace")
        answered = request_transcript(
            recording=get_object_or_404(recordings, pk=wanted["recording"]),
            engine=wanted["engine"],
            language=wanted["language"],
            parameters=wanted["parameters"],
            priority=JobPriority(wanted["priority"]),
            created_by=user_of(request),
        )
        data = self.get_serializer(self.get_queryset().get(pk=answered.transcript.pk)).data
        return Response(
            data,
            status=status.HTTP_200_OK if answered.is_cached else status.HTTP_202_ACCEPTED,
            headers={"Location": data["links"]["self"]},
        )

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer a transcript; ``include=seams`` adds the account of every overlap."""
        included = request.query_params.getlist("include")
        if unknown := sorted({*included} - {SEAMS}):
            raise _refusal("include", ", ".join(unknown), [SEAMS])
        context = {**self.get_serializer_context(), "has_seams": SEAMS in included}
        return Response(TranscriptDetailSerializer(self.get_object(), context=context).data)

    @action(detail=True)
    def partial(self, request: Request, pk: str) -> Response:
        """Answer what there is to read by now, while the run goes on and afterwards."""
        return Response(self.get_serializer(self.get_object()).data)

    @action(detail=True, content_negotiation_class=FirstRendererNegotiation)
    def export(self, request: Request, pk: str) -> HttpResponse:
        """Answer the transcript as a file; 409 while there is nothing to read.

        ``gaps=mark`` says in a text what was not heard, where that is.
        """
        format_name = request.query_params.get("format", "text")
        if format_name not in FORMATS:
            raise _refusal("format", format_name, FORMATS)
        gaps = request.query_params.get("gaps", OMIT)
        known = (OMIT, MARK) if format_name == "text" else (OMIT,)
        if gaps not in known:
            raise _refusal("gaps", gaps, known)
        transcript = self.get_object()
        run = transcript.latest_processing
        if not transcript.is_readable:
            raise NotFinished(
                f"the transcript is {run.status} ({Progress.of(run)}); "
                f"it can be exported once it is {' or '.join(READABLE)}"
            )
        content_type, _ = FORMATS[format_name]
        disposition = content_disposition_header(True, file_name(transcript, format_name))
        return HttpResponse(
            exported(transcript, format_name, has_marked_gaps=gaps == MARK),
            content_type=content_type,
            headers={"Content-Disposition": disposition or "attachment"},
        )

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop the run that is going on; 409 when it is over."""
        transcript = self.get_object()
        if not cancel_processing(transcript.latest_processing):
            run = transcript.processings.get(pk=transcript.latest_processing.pk)
            raise AlreadyOver(f"the transcript is {run.status} and can no longer be cancelled")
        return Response(self.get_serializer(self.get_queryset().get(pk=pk)).data)

    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Have the gaps heard after all; 409 when there are none.

        The answer is another transcript where the engine has become another since.
        """
        asked = retry_gaps(self.get_object(), created_by=user_of(request))
        return Response(self.get_serializer(self.get_queryset().get(pk=asked.transcript.pk)).data)
