"""Documents in other languages: asked for, looked at, and had as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from jobs.api.fields import OneOfField, TextField
from jobs.api.parsers import ShallowJSONParser
from jobs.choices import JobPriority
from processing.api.access import user_of
from processing.api.filtersets import TranslationFilterSet
from processing.api.idempotency import idempotent
from processing.api.negotiation import FirstRendererNegotiation
from processing.api.results import OfDocument, OfDocumentSerializer, RetryMixin
from processing.knowledge.translating.exports import (
    exported_translation,
    file_name,
    segments_of,
)
from processing.knowledge.translating.translations import (
    cancel_translation,
    request_translation,
    retry_translation,
)
from processing.models import Translation
from processing.services.exports import FORMATS

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.serializers import BaseSerializer

    from processing.managers.result import ResultQuerySet
    from processing.models import Workspace


class TranslationRequestSerializer(serializers.Serializer[Any]):
    """What ``POST documents/{id}/translations/`` takes; the operation knows the languages."""

    language = TextField(max_length=50)
    priority = OneOfField(choices=JobPriority.choices, required=False, default=JobPriority.NORMAL)


class TranslationSerializer(OfDocumentSerializer[Translation]):
    """A translation and how far it is."""

    verbs: ClassVar[tuple[str, ...]] = ("export", "cancel", "retry")

    class Meta:
        model = Translation
        fields = [
            "id",
            "document",
            "document_version",
            "is_outdated",
            "language",
            "status",
            "progress",
            "engine",
            "error",
            "created_at",
            "completed_at",
            "links",
        ]


class TranslationDetailSerializer(TranslationSerializer):
    """A translation with its segments; there are none until it is completed."""

    class Meta(TranslationSerializer.Meta):
        fields = [*TranslationSerializer.Meta.fields, "segments"]

    def to_representation(self, instance: Translation) -> dict[str, Any]:
        return super().to_representation(instance) | {"segments": segments_of(instance)}


def translations_for_lists(workspace: Workspace) -> ResultQuerySet[Translation]:
    translations = Translation.objects.in_workspace(workspace)
    return translations.select_related("document").defer("segments", "document__text")


class TranslationViewSet(RetryMixin, ReadOnlyModelViewSet[Translation]):
    """How translations are doing, and what they say."""

    filterset_class = TranslationFilterSet
    sort_fields = ["created_at"]
    cancel_result = staticmethod(cancel_translation)
    retry_result = staticmethod(retry_translation)

    def get_queryset(self) -> ResultQuerySet[Translation]:
        if self.action in ("retrieve", "export"):
            translations = Translation.objects.in_workspace(self.workspace)
            return translations.select_related("document").defer("document__text")
        return translations_for_lists(self.workspace)

    def get_serializer_class(self) -> type[BaseSerializer[Translation]]:
        is_whole = self.action == "retrieve"
        return TranslationDetailSerializer if is_whole else TranslationSerializer

    @action(detail=True, content_negotiation_class=FirstRendererNegotiation)
    def export(self, request: Request, pk: str) -> HttpResponse:
        """Answer the translation as a file (``format``: text, srt, vtt, json).

        409 until it is completed, 400 for subtitles of what nobody spoke.
        """
        translation = self.get_object()
        format_name = request.query_params.get("format", "text")
        text = exported_translation(translation, format_name)
        disposition = content_disposition_header(True, file_name(translation, format_name))
        return HttpResponse(
            text,
            content_type=FORMATS[format_name][0],
            headers={"Content-Disposition": disposition or "attachment"},
        )


class DocumentTranslationViewSet(OfDocument, ListModelMixin, GenericViewSet[Translation]):
    """The translations of one document."""

    queryset = Translation.objects.none()
    serializer_class = TranslationSerializer
    filterset_class = TranslationFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]

    def get_queryset(self) -> ResultQuerySet[Translation]:
        return translations_for_lists(self.workspace).of_document(self.document)

    @idempotent
    def create(self, request: Request, document_pk: str) -> Response:
        """Have the document translated into ``language``: 202, or 200 when that is there.

        422 when nobody is configured who could.
        """
        asked = TranslationRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.answer(
            request_translation(
                document=self.document,
                language=asked.validated_data["language"],
                priority=JobPriority(asked.validated_data["priority"]),
                created_by=user_of(request),
            )
        )
