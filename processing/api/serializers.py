"""Recordings and transcripts as programs read them, and an upload as they write it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.api.fields import OF_COLUMNS, IdField, OneOfField, TextField
from jobs.api.links import reverse
from jobs.choices import JobPriority
from processing.engines.spacing import spaced
from processing.models import Recording, Transcript
from processing.services.exports import content_so_far, gaps_of, segments_of
from processing.services.progress import Progress

if TYPE_CHECKING:
    from processing.services.requesting import TranscriptRequest


#: What a parameter is, or each of its values is: nothing that a row cannot hold.
TEXT = {"type": "string", "pattern": r"^[^\u0000]*$"}
SINGLE = {"anyOf": [TEXT, {"type": ["number", "boolean", "null"]}]}


@extend_schema_field(
    {
        "type": "object",
        "propertyNames": TEXT,
        "additionalProperties": {"anyOf": [SINGLE, {"type": "array", "items": SINGLE}]},
    }
)
class ParametersField(serializers.JSONField):
    """An object of single values and lists of them, which a row can hold."""

    default_error_messages = {
        "shape": "An object is needed, of strings, numbers, true, false, null and lists of these.",
    }

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            parameters = super().to_internal_value(data)
            text = json.dumps(parameters, allow_nan=False, ensure_ascii=False)
            text.encode()
        except (RecursionError, ValueError):  # too deep, no number, no letter
            self.fail("invalid")
        if "\\u0000" in text.replace("\\\\", ""):
            self.fail("invalid")
        if not isinstance(parameters, dict) or not all(map(_is_flat, parameters.values())):
            self.fail("shape")
        return parameters


def _is_flat(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return not any(isinstance(item, dict | list) for item in items)


class AskedSerializer(serializers.Serializer[Any]):
    """What is asked of a recording; what the engine knows of it is checked by the operation."""

    engine = TextField(required=False, allow_blank=True, max_length=50, default="")
    language = TextField(required=False, allow_blank=True, max_length=10, default="")
    parameters = ParametersField(required=False, default=dict)
    priority = serializers.ChoiceField(
        choices=JobPriority.choices, required=False, default=JobPriority.NORMAL
    )


class UploadSerializer(AskedSerializer):
    """What ``POST recordings/`` takes."""

    file = serializers.FileField(allow_empty_file=True, max_length=None)
    name = serializers.CharField(required=False, allow_blank=True, max_length=255, default="")


class TranscriptRequestSerializer(AskedSerializer):
    """What ``POST transcripts/`` takes."""

    recording = IdField()
    priority = OneOfField(choices=JobPriority.choices, required=False, default=JobPriority.NORMAL)


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
            "partial": reverse("transcript-partial", [pk], request=request),
            "events": reverse("transcript-events", [pk], request=request),
            "cancel": reverse("transcript-cancel", [pk], request=request),
            "retry": reverse("transcript-retry", [pk], request=request),
        }


class TranscriptSerializer(TranscriptSummarySerializer):
    """A transcript and its progress, without what grows with the recording.

    ``progress`` is 0 to 1, ``done_seconds`` and ``total_seconds`` are seconds of audio (the
    total is null while nobody knows it), ``eta_seconds`` is how long the rest takes, null while
    nothing is done and once it is over, ``error`` is null unless the run failed.
    """

    recording = serializers.PrimaryKeyRelatedField[Recording](read_only=True)
    recording_name = serializers.CharField(source="recording.name", read_only=True)
    progress = serializers.FloatField(source="latest_processing.progress", read_only=True)
    done_seconds = serializers.FloatField(source="latest_processing.done_seconds", read_only=True)
    total_seconds = serializers.FloatField(
        source="latest_processing.total_seconds", read_only=True, allow_null=True
    )
    eta_seconds = serializers.SerializerMethodField()
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
            "heard_language",
            "status",
            "progress",
            "done_seconds",
            "total_seconds",
            "eta_seconds",
            "progress_text",
            "error",
            "duration_seconds",
            "created_at",
            "completed_at",
            "links",
        ]

    def get_eta_seconds(self, transcript: Transcript) -> float | None:
        eta_seconds = Progress.of(transcript.latest_processing).eta_seconds
        return None if eta_seconds is None else round(eta_seconds, 1)

    def get_progress_text(self, transcript: Transcript) -> str:
        return str(Progress.of(transcript.latest_processing))

    def get_error(self, transcript: Transcript) -> dict[str, str] | None:
        run = transcript.latest_processing
        return {"code": run.error_code, "message": run.error_message} if run.error_code else None


class TranscriptDetailSerializer(TranscriptSerializer):
    """A transcript with all its words; empty until a run has completed.

    With ``has_seams`` in its context also the account of every overlap, else only their count.
    """

    segments = serializers.SerializerMethodField()
    gaps = serializers.SerializerMethodField()
    seam_count = serializers.SerializerMethodField()

    class Meta(TranscriptSerializer.Meta):
        fields = [
            *TranscriptSerializer.Meta.fields,
            "parameters",
            "seam_count",
            "text",
            "segments",
            "gaps",
            "seams",
        ]

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if not self.context.get("has_seams"):
            del fields["seams"]
        return fields

    def get_seam_count(self, transcript: Transcript) -> int:
        return len(transcript.seams)

    def get_segments(self, transcript: Transcript) -> list[dict[str, Any]]:
        return segments_of(transcript.segments)

    def get_gaps(self, transcript: Transcript) -> list[dict[str, Any]]:
        return gaps_of(transcript.gaps)


class PartialTranscriptSerializer(TranscriptSerializer):
    """What there is to read of a transcript by now, and how far that is."""

    text = serializers.SerializerMethodField()
    segments = serializers.SerializerMethodField()
    gaps = serializers.SerializerMethodField()

    class Meta(TranscriptSerializer.Meta):
        fields = [
            "id",
            "status",
            "progress",
            "done_seconds",
            "total_seconds",
            "eta_seconds",
            "progress_text",
            "text",
            "segments",
            "gaps",
        ]

    def to_representation(self, instance: Transcript) -> dict[str, Any]:
        self._content = content_so_far(instance)
        return super().to_representation(instance)

    def get_text(self, transcript: Transcript) -> str:
        return spaced(segment["text"] for segment in self._content.segments)

    def get_segments(self, transcript: Transcript) -> list[dict[str, Any]]:
        return segments_of(self._content.segments)

    def get_gaps(self, transcript: Transcript) -> list[dict[str, Any]]:
        return gaps_of(self._content.gaps)


class RecordingSerializer(serializers.ModelSerializer[Recording]):
    serializer_field_mapping = OF_COLUMNS
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
        read_only_fields = [name for name in fields if name != "name"]

    def get_links(self, recording: Recording) -> dict[str, str]:
        request = self.context["request"]
        return {"self": reverse("recording-detail", [str(recording.pk)], request=request)}


class SubmissionSerializer(RecordingSerializer):
    """The answer to an upload: the recording, and in ``transcript`` what the request asked for.

    Takes the ``TranscriptRequest`` from its context.
    """

    transcript = serializers.SerializerMethodField()

    class Meta(RecordingSerializer.Meta):
        fields = [*RecordingSerializer.Meta.fields, "transcript"]

    @extend_schema_field(TranscriptSummarySerializer)
    def get_transcript(self, recording: Recording) -> Any:
        request: TranscriptRequest = self.context["transcript_request"]
        return TranscriptSummarySerializer(request.transcript, context=self.context).data
