"""Documents in short: asked for, and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
from processing.api.filtersets import SummaryFilterSet
from processing.api.viewsets import user_of
from processing.choices import ResultStatus
from processing.exceptions import AlreadyOver
from processing.knowledge.summarizing.summaries import (
    cancel_summary,
    request_summary,
    retry_summary,
    uncovered,
)
from processing.models import Document, Summary, Workspace

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer

    from processing.managers.result import ResultQuerySet

#: What grows with the document; not in lists.
CONTENT = ("text", "coverage", "key_phrases", "document__text")


class SummaryRequestSerializer(serializers.Serializer[Any]):
    """What ``POST documents/{id}/summaries/`` takes."""

    anew = serializers.BooleanField(default=False)
    priority = serializers.ChoiceField(choices=JobPriority.choices, default=JobPriority.NORMAL)


class SummarySerializer(serializers.ModelSerializer[Summary]):
    """A summary and how far it is; ``error`` is null unless it failed.

    ``is_outdated``: the document was corrected since.
    """

    document = serializers.PrimaryKeyRelatedField[Document](read_only=True)
    is_outdated = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Summary
        fields = [
            "id",
            "document",
            "document_version",
            "is_outdated",
            "language",
            "status",
            "progress",
            "engine",
            "is_extractive",
            "error",
            "created_at",
            "completed_at",
            "links",
        ]

    def get_is_outdated(self, summary: Summary) -> bool:
        return summary.document_version != summary.document.version

    def get_error(self, summary: Summary) -> dict[str, str] | None:
        if not summary.error_code:
            return None
        return {"code": summary.error_code, "message": summary.error_message}

    def get_links(self, summary: Summary) -> dict[str, str]:
        request, pk = self.context["request"], str(summary.pk)
        return {
            "self": reverse("summary-detail", [pk], request=request),
            "cancel": reverse("summary-cancel", [pk], request=request),
            "retry": reverse("summary-retry", [pk], request=request),
        }


class SummaryDetailSerializer(SummarySerializer):
    """A summary with what it says and what it is of.

    ``is_whole``: every part of the document is in it; ``coverage`` says which are not.
    """

    is_whole = serializers.SerializerMethodField()

    class Meta(SummarySerializer.Meta):
        fields = [
            *SummarySerializer.Meta.fields,
            "text",
            "key_phrases",
            "is_whole",
            "coverage",
        ]

    def get_is_whole(self, summary: Summary) -> bool:
        return summary.status == ResultStatus.COMPLETED and not uncovered(summary)


def summaries_for_lists() -> ResultQuerySet[Summary]:
    summaries = Summary.objects.in_workspace(Workspace.objects.default())
    return summaries.select_related("document").defer(*CONTENT)


class SummaryViewSet(ReadOnlyModelViewSet[Summary]):
    """How summaries are doing, and what they say."""

    filterset_class = SummaryFilterSet
    sort_fields = ["created_at"]

    def get_queryset(self) -> ResultQuerySet[Summary]:
        if self.action == "list":
            return summaries_for_lists()
        summaries = Summary.objects.in_workspace(Workspace.objects.default())
        return summaries.select_related("document").defer("document__text")

    def get_serializer_class(self) -> type[BaseSerializer[Summary]]:
        return SummarySerializer if self.action == "list" else SummaryDetailSerializer

    @action(detail=True, methods=["post"], permission_classes=MAY_CHANGE)
    def cancel(self, request: Request, pk: str) -> Response:
        """Have nobody make it any more; 409 when it is over."""
        is_cancelled = cancel_summary(self.get_object())
        summary = self.get_object()
        if not is_cancelled:
            raise AlreadyOver(f"the summary is {summary.status} and can no longer be cancelled")
        return Response(self.get_serializer(summary).data)

    @action(detail=True, methods=["post"], permission_classes=MAY_CHANGE)
    def retry(self, request: Request, pk: str) -> Response:
        """Have one that failed or was cancelled made after all; 409 for any other.

        The answer is another summary where the document was corrected since.
        """
        retried = retry_summary(self.get_object(), created_by=user_of(request))
        return Response(self.get_serializer(self.get_queryset().get(pk=retried.pk)).data)


class DocumentSummaryViewSet(ListModelMixin, GenericViewSet[Summary]):
    """The summaries of one document."""

    serializer_class = SummarySerializer
    filterset_class = SummaryFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]

    def get_queryset(self) -> ResultQuerySet[Summary]:
        return summaries_for_lists().of_document(self._document())

    def create(self, request: Request, document_pk: str) -> Response:
        """Have the document summarised: 202, or 200 when that is there and not wanted ``anew``.

        409 when there is nothing to summarise, or not yet.
        """
        asked = SummaryRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        summary = request_summary(
            document=self._document(),
            anew=asked.validated_data["anew"],
            priority=JobPriority(asked.validated_data["priority"]),
            created_by=user_of(request),
        )
        is_there = summary.status == ResultStatus.COMPLETED
        data = self.get_serializer(self.get_queryset().get(pk=summary.pk)).data
        return Response(
            data,
            status=status.HTTP_200_OK if is_there else status.HTTP_202_ACCEPTED,
            headers={"Location": data["links"]["self"]},
        )

    def _document(self) -> Document:
        documents = Document.objects.in_workspace(Workspace.objects.default()).without_content()
        return get_object_or_404(documents, pk=self.kwargs["document_pk"])
