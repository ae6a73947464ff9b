"""Runs and their chunks: how a transcript came about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from processing.api.access import OfWorkspace
from processing.api.filtersets import ChunkFilterSet
from processing.models import ChunkTask, ProcessingTask, Transcript

if TYPE_CHECKING:
    from processing.managers.chunk import ChunkTaskQuerySet
    from processing.managers.processing import ProcessingTaskQuerySet


class FailingSerializer(serializers.ModelSerializer[Any]):
    """Something that may fail: ``error`` is null unless it did."""

    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    def get_error(self, row: Any) -> dict[str, str] | None:
        return {"code": row.error_code, "message": row.error_message} if row.error_code else None


class ProcessingSerializer(FailingSerializer):
    """A run. Counts of chunks and seconds are null while it is being cut."""

    transcript = serializers.PrimaryKeyRelatedField[Transcript](read_only=True)
    progress = serializers.FloatField(read_only=True)
    done_seconds = serializers.FloatField(read_only=True)
    total_seconds = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = ProcessingTask
        fields = [
            "id",
            "transcript",
            "status",
            "priority",
            "progress",
            "done_seconds",
            "total_seconds",
            "chunk_seconds",
            "total_chunks",
            "completed_chunks",
            "failed_chunks",
            "max_concurrent_chunks",
            "error",
            "created_at",
            "started_at",
            "completed_at",
            "links",
        ]

    def get_links(self, processing: ProcessingTask) -> dict[str, str]:
        request, pk = self.context["request"], str(processing.pk)
        return {
            "self": reverse("processing-detail", [pk], request=request),
            "transcript": reverse(
                "transcript-detail", [str(processing.transcript_id)], request=request
            ),
            "chunks": reverse("processing-chunk-list", [pk], request=request),
        }


class ProcessingViewSet(OfWorkspace, RetrieveModelMixin, GenericViewSet[ProcessingTask]):
    """A run: one try to hear all of a recording."""

    serializer_class = ProcessingSerializer

    def get_queryset(self) -> ProcessingTaskQuerySet:
        return ProcessingTask.objects.in_workspace(self.workspace).with_recordings()


class TranscriptProcessingViewSet(OfWorkspace, ListModelMixin, GenericViewSet[ProcessingTask]):
    """The runs of a transcript; the latest says how it is doing."""

    queryset = ProcessingTask.objects.none()
    serializer_class = ProcessingSerializer
    sort_fields = ["created_at"]

    def get_queryset(self) -> ProcessingTaskQuerySet:
        transcripts = Transcript.objects.in_workspace(self.workspace).without_content()
        transcript = get_object_or_404(transcripts, pk=self.kwargs["transcript_pk"])
        return ProcessingTask.objects.for_transcript(transcript).with_recordings()


class ChunkSerializer(FailingSerializer):
    """A chunk of a recording, in seconds of it; what was heard is in its transcript.

    ``is_reused``: the same audio had been heard before. ``busy_seconds`` is what its engine took.
    """

    processing = serializers.PrimaryKeyRelatedField[ProcessingTask](read_only=True)

    class Meta:
        model = ChunkTask
        fields = [
            "id",
            "processing",
            "index",
            "channel",
            "start_seconds",
            "end_seconds",
            "engine",
            "status",
            "attempt",
            "max_attempts",
            "crash_count",
            "is_reused",
            "busy_seconds",
            "error",
            "created_at",
            "started_at",
            "completed_at",
            "links",
        ]

    def get_links(self, chunk: ChunkTask) -> dict[str, str]:
        request = self.context["request"]
        run = str(chunk.processing_id)
        return {
            "self": reverse("chunk-detail", [str(chunk.pk)], request=request),
            "processing": reverse("processing-detail", [run], request=request),
        }


class ChunkViewSet(OfWorkspace, RetrieveModelMixin, GenericViewSet[ChunkTask]):
    """A stretch of a recording that one worker hears."""

    serializer_class = ChunkSerializer

    def get_queryset(self) -> ChunkTaskQuerySet:
        return ChunkTask.objects.in_workspace(self.workspace).without_content()


class ProcessingChunkViewSet(OfWorkspace, ListModelMixin, GenericViewSet[ChunkTask]):
    """The chunks that a run cut its recording into."""

    queryset = ChunkTask.objects.none()
    serializer_class = ChunkSerializer
    filterset_class = ChunkFilterSet
    sort_fields = ["index"]

    def get_queryset(self) -> ChunkTaskQuerySet:
        runs = ProcessingTask.objects.in_workspace(self.workspace)
        run = get_object_or_404(runs, pk=self.kwargs["processing_pk"])
        return ChunkTask.objects.of(run.pk).without_content()
