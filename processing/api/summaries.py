"""Documents in short: asked for, and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.mixins import ListModelMixin
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from jobs.api.fields import FlagField, OneOfField
from jobs.api.parsers import ShallowJSONParser
from jobs.choices import JobPriority
from processing.api.access import user_of
from processing.api.filtersets import SummaryFilterSet
from processing.api.idempotency import idempotent
from processing.api.results import OfDocument, OfDocumentSerializer, RetryMixin
from processing.choices import ResultStatus
from processing.knowledge.summarizing.summaries import (
    cancel_summary,
    request_summary,
    retry_summary,
    uncovered,
)
from processing.models import Summary

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.serializers import BaseSerializer

    from processing.managers.result import ResultQuerySet
    from processing.models import Workspace

#: What grows with the document; not in lists.
CONTENT = ("text", "coverage", "key_phrases", "document__text")


class SummaryRequestSerializer(serializers.Serializer[Any]):
    """What ``POST documents/{id}/summaries/`` takes."""

    anew = FlagField(default=False)
    priority = OneOfField(choices=JobPriority.choices, default=JobPriority.NORMAL)


class SummarySerializer(OfDocumentSerializer[Summary]):
    """A summary and how far it is."""

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


def summaries_for_lists(workspace: Workspace) -> ResultQuerySet[Summary]:
    summaries = Summary.objects.in_workspace(workspace)
    return summaries.select_related("document").defer(*CONTENT)


class SummaryViewSet(RetryMixin, ReadOnlyModelViewSet[Summary]):
    """How summaries are doing, and what they say."""

    filterset_class = SummaryFilterSet
    sort_fields = ["created_at"]
    cancel_result = staticmethod(cancel_summary)
    retry_result = staticmethod(retry_summary)

    def get_queryset(self) -> ResultQuerySet[Summary]:
        if self.action == "list":
            return summaries_for_lists(self.workspace)
        summaries = Summary.objects.in_workspace(self.workspace)
        return summaries.select_related("document").defer("document__text")

    def get_serializer_class(self) -> type[BaseSerializer[Summary]]:
        return SummarySerializer if self.action == "list" else SummaryDetailSerializer


class DocumentSummaryViewSet(OfDocument, ListModelMixin, GenericViewSet[Summary]):
    """The summaries of one document."""

    queryset = Summary.objects.none()
    serializer_class = SummarySerializer
    filterset_class = SummaryFilterSet
    sort_fields = ["created_at"]
    parser_classes = [ShallowJSONParser]

    def get_queryset(self) -> ResultQuerySet[Summary]:
        return summaries_for_lists(self.workspace).of_document(self.document)

    @idempotent
    def create(self, request: Request, document_pk: str) -> Response:
        """Have the document summarised: 202, or 200 when that is there and not wanted ``anew``.

        409 when there is nothing to summarise, or not yet.
        """
        asked = SummaryRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return self.answer(
            request_summary(
                document=self.document,
                anew=asked.validated_data["anew"],
                priority=JobPriority(asked.validated_data["priority"]),
                created_by=user_of(request),
            )
        )
