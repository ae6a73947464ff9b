"""Recordings come in, are heard, renamed and deleted."""

from django.http.response import HttpResponseBase
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from jobs.choices import JobPriority
from processing.api.access import user_of
from processing.api.filtersets import RecordingFilterSet
from processing.api.idempotency import idempotent
from processing.api.negotiation import FirstRendererNegotiation
from processing.api.receiving import LengthRequired, ReceivesFiles
from processing.api.serializers import (
    RecordingSerializer,
    SubmissionSerializer,
    UploadSerializer,
)
from processing.choices import Role
from processing.managers.recording import RecordingQuerySet
from processing.models import Recording
from processing.playing import sound_answer
from processing.services.deletion import delete_recording
from processing.services.inputs.submission import submit_recording


class RecordingViewSet(ReceivesFiles, ReadOnlyModelViewSet[Recording]):
    """Upload audio or video, look at what was uploaded, rename it and delete it."""

    roles = {"destroy": Role.MANAGER}  # nobody can record it again

    serializer_class = RecordingSerializer
    filterset_class = RecordingFilterSet
    sort_fields = ["created_at", "name", "duration_seconds", "size_bytes"]

    def get_parsers(self) -> list[BaseParser]:
        is_upload = getattr(self.request, "method", "POST") == "POST"  # no request for a schema
        return [MultiPartParser()] if is_upload else [ShallowJSONParser()]

    def get_queryset(self) -> RecordingQuerySet:
        return Recording.objects.in_workspace(self.workspace).with_transcripts()

    @idempotent
    def create(self, request: Request) -> Response:
        """Store ``file`` and have it transcribed: 201, or 200 when its content was known."""
        if "HTTP_TRANSFER_ENCODING" in request.META:
            raise LengthRequired
        upload = UploadSerializer(data=request.data)
        upload.is_valid(raise_exception=True)
        file = upload.validated_data["file"]
        submission = submit_recording(
            source=file,
            name=upload.validated_data["name"] or file.name,
            workspace=self.workspace,
            engine=upload.validated_data["engine"],
            language=upload.validated_data["language"],
            parameters=upload.validated_data["parameters"],
            priority=JobPriority(upload.validated_data["priority"]),
            sha256=file.sha256,
            created_by=user_of(request),
        )
        answer = SubmissionSerializer(
            self.get_queryset().get(pk=submission.recording.pk),
            context={**self.get_serializer_context(), "transcript_request": submission.request},
        )
        return Response(
            answer.data,
            status=status.HTTP_201_CREATED if submission.is_new else status.HTTP_200_OK,
            headers={"Location": answer.data["links"]["self"]},
        )

    @action(detail=True, content_negotiation_class=FirstRendererNegotiation)
    def audio(self, request: Request, pk: str) -> HttpResponseBase:
        """Answer the sound, or the part of it that ``Range`` asks for, at most 1 MiB of it.

        As it was uploaded where browsers play that, or else as a WAV file, mono at 16 kHz, whose
        samples are those that engines hear. 503 when as many of these are made as may be.
        """
        return sound_answer(request._request, self.get_object())

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the ``name``; all else is what the file is."""
        recording = self.get_object()
        changed = self.get_serializer(recording, data=request.data, partial=True)
        changed.is_valid(raise_exception=True)
        changed.save()
        return Response(changed.data)

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a recording with its transcripts and all that followed from them."""
        delete_recording(recording=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
