"""Recordings and transcripts as programs read them, and an upload as they write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from processing.models import Recording, Transcript
from processing.services.exports import as_dict
from processing.services.progress import Progress

if TYPE_CHECKING:
    from processing.services.requesting import TranscriptRequest


class UploadSerializer(serializers.Serializer[Any]):
    """What ``POST recordings/`` takes; engine and language are checked by the operation."""

    file = serializers.FileField(allow_empty_file=True, max_length=None)
    engine = serializers.CharField(required=False, allow_blank=True, max_length=50, default="")
    language = serializers.CharField(required=False, allow_blank=True, max_length=10, default="")
    name = serializers.CharField(required=False, allow_blank=True, max_length=255, default="")


class TranscriptSummarySerializer(serializers.ModelSerializer[Transcript]):
    """Which transcript it is and how it is doing: all that a list of a recording's needs."""

    status = serializers.CharField(source="latest_processing.status", read_only=True)
    links = serializers.SerializerMethodField()

    class Meta:
        model = Transcript
        fields = ["id", "engine", "language", "status", "links"]

    def get_links(self, transcript: Transcript) -> dict[str, str]:
        request, pk = self.context["request"], str(transcript.pk)
        recording = str(transcript.recording_id)
        return {
            "self": reverse("transcript-detail", [pk], request=request),
            "recording": reverse("recording-detail", [recording], request=request),
            "export": reverse("transcript-export", [pk], request=request),
            "cancel": reverse("transcript-cancel", [pk], request=request),
        }


class TranscriptSerializer(TranscriptSummarySerializer):
    """A transcript and its progress, without what grows with the recording.

    ``progress`` is 0 to 1, ``done_seconds`` and ``total_seconds`` are seconds of audio (the
    total is null while nobody knows it), ``error`` is null unless the run failed.
    """

    recording = serializers.PrimaryKeyRelatedField[Recording](read_only=True)
    recording_name = serializers.CharField(source="recording.name", read_only=True)
    progress = serializers.FloatField(source="latest_processing.progress", read_only=True)
    done_seconds = serializers.FloatField(source="latest_processing.done_seconds", read_only=True)
    total_seconds = serializers.FloatField(
        source="latest_processing.total_seconds", read_only=True, allow_null=True
    )
    progress_text = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    completed_at = serializers.DateTimeField(
        source="latest_processing.completed_at", read_only=True, allow_null=True
    )

    class Meta(TranscriptSummarySerializer.Meta):
        fields = [
            "id",
            "recording",
            "recording_name",
            "engine",
            "language",
            "status",
            "progress",
            "done_seconds",
            "total_seconds",
            "progress_text",
            "error",
            "duration_seconds",
            "created_at",
            "completed_at",
            "links",
        ]

    def get_progress_text(self, transcript: Transcript) -> str:
        return str(Progress.of(transcript.latest_processing))

    def get_error(self, transcript: Transcript) -> dict[str, str] | None:
        run = transcript.latest_processing
        return {"code": run.error_code, "message": run.error_message} if run.error_code else None


class TranscriptDetailSerializer(TranscriptSerializer):
    """A transcript with all its words; empty until a run has completed."""

    class Meta(TranscriptSerializer.Meta):
        fields = [*TranscriptSerializer.Meta.fields, "parameters"]

    def to_representation(self, instance: Transcript) -> dict[str, Any]:
        content = as_dict(instance)
        return super().to_representation(instance) | {
            name: content[name] for name in ("text", "segments", "gaps")
        }


class RecordingSerializer(serializers.ModelSerializer[Recording]):
    transcripts = TranscriptSummarySerializer(many=True, read_only=True)
    links = serializers.SerializerMethodField()

    class Meta:
        model = Recording
        fields = [
            "id",
            "name",
            "sha256",
            "size_bytes",
            "container",
            "codec",
            "sample_rate",
            "channels",
            "duration_seconds",
            "created_at",
            "transcripts",
            "links",
        ]

    def get_links(self, recording: Recording) -> dict[str, str]:
        request = self.context["request"]
        return {"self": reverse("recording-detail", [str(recording.pk)], request=request)}


class SubmissionSerializer(RecordingSerializer):
    """The answer to an upload: the recording, and in ``transcript`` what the request asked for.

    Takes the ``TranscriptRequest`` from its context.
    """

    def to_representation(self, instance: Recording) -> dict[str, Any]:
        request: TranscriptRequest = self.context["transcript_request"]
        transcript = TranscriptSummarySerializer(request.transcript, context=self.context)
        return super().to_representation(instance) | {"transcript": transcript.data}
