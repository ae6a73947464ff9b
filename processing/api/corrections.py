"""Transcripts are corrected, and what they said before can be read and had back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from jobs.api.fields import TextField, WholeNumberField
from jobs.api.parsers import ShallowJSONParser
from processing.api.access import OfWorkspace, user_of
from processing.api.idempotency import idempotent
from processing.knowledge.corrections import (
    MAX_SPEAKER_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    correct_transcript,
    revert_to,
)
from processing.models import Document, DocumentVersion, Transcript
from processing.services.exports import segments_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer


#: Segments that are corrected at once.
MAX_CHANGES = 1_000


class ChangeSerializer(serializers.Serializer[Any]):
    """Another text for a segment, another speaker, or both."""

    segment = WholeNumberField(min_value=0)
    text = TextField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=MAX_TEXT_CHARACTERS
    )
    speaker = TextField(required=False, allow_blank=True, max_length=MAX_SPEAKER_CHARACTERS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.keys() == {"segment"}:
            raise serializers.ValidationError("A text or a speaker is needed.")
        return attrs


class RevertSerializer(serializers.Serializer[Any]):
    """``version`` is the one that the change was made from: of any other it is refused."""

    version = WholeNumberField(min_value=1)
    note = TextField(required=False, allow_blank=True, max_length=255, default="")


class CorrectionSerializer(RevertSerializer):
    """What ``POST transcripts/{id}/corrections/`` takes."""

    changes = serializers.ListField(
        child=ChangeSerializer(), allow_empty=False, max_length=MAX_CHANGES
    )


class VersionSerializer(serializers.ModelSerializer[DocumentVersion]):
    """What a transcript said before it was corrected, and why and by whom it was."""

    replaced_by = serializers.CharField(
        source="replaced_by.get_username", default=None, read_only=True
    )
    links = serializers.SerializerMethodField()

    class Meta:
        model = DocumentVersion
        fields = ["number", "note", "replaced_by", "replaced_at", "links"]

    def get_links(self, version: DocumentVersion) -> dict[str, str]:
        request = self.context["request"]
        key = [str(self.context["transcript_pk"]), version.number]
        return {
            "self": reverse("transcript-version-detail", key, request=request),
            "restore": reverse("transcript-version-restore", key, request=request),
        }


class VersionDetailSerializer(VersionSerializer):
    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "text", "segments"]

    def to_representation(self, instance: DocumentVersion) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return shown | {"segments": segments_of(instance.segments)}


class OfTranscript(OfWorkspace):
    """A view of what belongs to ``transcript``, which the address names."""

    transcript: Transcript

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        transcripts = Transcript.objects.in_workspace(self.workspace).without_content()
        self.transcript = get_object_or_404(transcripts, pk=kwargs["transcript_pk"])

    def answer(self, request: Request, document: Document) -> Response:
        """Answer what became of a correction."""
        pk = str(document.transcript_id)
        links = {
            "transcript": reverse("transcript-detail", [pk], request=request),
            "versions": reverse("transcript-version-list", [pk], request=request),
        }
        return Response(
            {"transcript": pk, "document": document.pk, "version": document.version, "links": links}
        )


class CorrectionViewSet(OfTranscript, GenericViewSet[Transcript]):
    """Correct what was heard."""

    queryset = Transcript.objects.none()
    serializer_class = CorrectionSerializer
    parser_classes = [ShallowJSONParser]

    @idempotent
    def create(self, request: Request, transcript_pk: str) -> Response:
        """Change what segments say, who said it, or take them away (an empty text).

        409 when the transcript is not at ``version`` any more, while a run goes on, and when
        nothing changes.
        """
        asked = CorrectionSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        document = correct_transcript(
            transcript=self.transcript,
            changes=asked.validated_data["changes"],
            expected_version=asked.validated_data["version"],
            note=asked.validated_data["note"],
            by=user_of(request),
        )
        return self.answer(request, document)


class VersionViewSet(OfTranscript, ReadOnlyModelViewSet[DocumentVersion]):
    """What a transcript said before its corrections, newest first."""

    queryset = DocumentVersion.objects.none()
    sort_fields = ["number"]
    parser_classes = [ShallowJSONParser]
    lookup_field = "number"
    lookup_value_regex = r"[0-9]{1,9}"

    def get_queryset(self) -> QuerySet[DocumentVersion]:
        versions = DocumentVersion.objects.filter(document__transcript=self.transcript)
        versions = versions.select_related("replaced_by")
        return versions.defer("text", "segments") if self.action == "list" else versions

    def get_serializer_class(self) -> type[BaseSerializer[DocumentVersion]]:
        return VersionSerializer if self.action == "list" else VersionDetailSerializer

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "transcript_pk": self.kwargs["transcript_pk"]}

    @action(detail=True, methods=["post"])
    def restore(self, request: Request, **kwargs: Any) -> Response:
        """Have the transcript say again what it said then, as its next version."""
        asked = RevertSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        document = revert_to(
            self.get_object(),
            expected_version=asked.validated_data["version"],
            note=asked.validated_data["note"],
            by=user_of(request),
        )
        return self.answer(request, document)
