"""Documents in other languages: asked for, looked at, and had as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from jobs.api.permissions import MAY_CHANGE
from jobs.choices import JobPriority
from processing.api.filtersets import TranslationFilterSet
from processing.api.viewsets import FirstRendererNegotiation, user_of
from processing.choices import ResultStatus
from processing.exceptions import AlreadyOver
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
from processing.models import Document, Translation, Workspace
from processing.services.exports import FORMATS

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer

    from processing.managers.result import ResultQuerySet


class TranslationRequestSerializer(serializers.Serializer[Any]):
    """What ``POST documents/{id}/translations/`` takes; the operation knows the languages."""

    language = serializers.CharField(max_length=50)
    priority = serializers.ChoiceField(
        choices=JobPriority.choices, required=False, default=JobPriority.NORMAL
    )


class TranslationSerializer(serializers.ModelSerializer[Translation]):
    """A translation and how far it is; ``error`` is null unless it failed.

    ``is_outdated``: the document was corrected since.
    """

    document = serializers.PrimaryKeyRelatedField[Document](read_only=True)
    is_outdated = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

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

    def get_is_outdated(self, translation: Translation) -> bool:
        return translation.document_version != translation.document.version

    def get_error(self, translation: Translation) -> dict[str, str] | None:
        if not translation.error_code:
            return None
        return {"code": translation.error_code, "message": translation.error_message}

    def get_links(self, translation: Translation) -> dict[str, str]:
        request, pk = self.context["request"], str(translation.pk)
        return {
            "self": reverse("translation-detail", [pk], request=request),
            "export": reverse("translation-export", [pk], request=request),
            "cancel": reverse("translation-cancel", [pk], request=request),
            "retry": reverse("translation-retry", [pk], request=request),
        }


class TranslationDetailSerializer(TranslationSerializer):
    """A translation with its segments; there are none until it is completed."""

    class Meta(TranslationSerializer.Meta):
        fields = [*TranslationSerializer.Meta.fields, "segments"]

    def to_representation(self, instance: Translation) -> dict[str, Any]:
        return super().to_representation(instance) | {"segments": segments_of(instance)}


def translations_for_lists() -> ResultQuerySet[Translation]:
    translations = Translation.objects.in_workspace(Workspace.objects.default())
    return translations.select_related("document").defer("segments", "document__text")


class TranslationViewSet(ReadOnlyModelViewSet[Translation]):
    """How translations are doing, and what they say."""

    filterset_class = TranslationFilterSet
    sort_fields = ["created_at"]

    def get_queryset(self) -> ResultQuerySet[Translation]:
        if self.action in ("retrieve", "export"):
            translations = Translation.objects.in_workspace(Workspace.objects.default())
            return translations.select_related("document").defer("document__text")
        return translations_for_lists()

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

    @action(detail=True, methods=["post"], permission_classes=MAY_CHANGE)
    def cancel(self, request: Request, pk: str) -> Response:
        """Have nobody make it any more; 409 when it is over."""
        translation = self.get_object()
        is_cancelled = cancel_translation(translation)
        translation = self.get_object()
        if not is_cancelled:
            raise AlreadyOver(
                f"the translation is {translation.status} and can no longer be cancelled"
            )
        return Response(self.get_serializer(translation).data)

    @action(detail=True, methods=["post"], permission_classes=MAY_CHANGE)
    def retry(self, request: Request, pk: str) -> Response:
        """Have one that failed or was cancelled made after all; 409 for any other.

        The answer is another translation where the document was corrected since.
        """
        retried = retry_translation(self.get_object(), created_by=user_of(request))
        return Response(self.get_serializer(self.get_queryset().get(pk=retried.pk)).data)


class DocumentTranslationViewSet(ListModelMixin, GenericViewSet[Translation]):
    """The translations of one document."""

    serializer_class = TranslationSerializer
    filterset_class = TranslationFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]

    def get_queryset(self) -> ResultQuerySet[Translation]:
        return translations_for_lists().of_document(self._document())

    def create(self, request: Request, document_pk: str) -> Response:
        """Have the document translated into ``language``: 202, or 200 when that is there.

        422 when nobody is configured who could.
        """
        asked = TranslationRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        translation = request_translation(
            document=self._document(),
            language=asked.validated_data["language"],
            priority=JobPriority(asked.validated_data["priority"]),
            created_by=user_of(request),
        )
        is_there = translation.status == ResultStatus.COMPLETED
        data = self.get_serializer(self.get_queryset().get(pk=translation.pk)).data
        return Response(
            data,
            status=status.HTTP_200_OK if is_there else status.HTTP_202_ACCEPTED,
            headers={"Location": data["links"]["self"]},
        )

    def _document(self) -> Document:
        documents = Document.objects.in_workspace(Workspace.objects.default()).without_content()
        return get_object_or_404(documents, pk=self.kwargs["document_pk"])
