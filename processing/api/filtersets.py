"""What lists can be narrowed by; anything else is refused, not ignored."""

from typing import Any

import django_filters

from processing.choices import ProcessingStatus, ResultStatus
from processing.managers.document import DocumentQuerySet
from processing.models import (
    Document,
    Recording,
    Summary,
    Topic,
    Transcript,
    Translation,
    Workspace,
)


class RecordingFilterSet(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains")
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Recording
        fields = ["sha256"]


class TranscriptFilterSet(django_filters.FilterSet):
    """``status`` is that of the latest run and may be given several times."""

    status = django_filters.MultipleChoiceFilter(
        choices=ProcessingStatus.choices, method="in_status"
    )
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Transcript
        fields = ["recording", "engine", "language"]

    def in_status(self, queryset: Any, name: str, statuses: list[str]) -> Any:
        return queryset.in_status(*statuses) if statuses else queryset


class TranslationFilterSet(django_filters.FilterSet):
    """``status`` may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=ResultStatus.choices)
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Translation
        fields = ["document", "language"]


class SummaryFilterSet(django_filters.FilterSet):
    """``status`` may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=ResultStatus.choices)
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Summary
        fields = ["document", "is_extractive"]


class DocumentFilterSet(django_filters.FilterSet):
    """``title`` is a part of it; ``topic`` is the slug of one, whoever says so."""

    title = django_filters.CharFilter(lookup_expr="icontains")
    topic = django_filters.CharFilter(method="about")
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Document
        fields = ["status", "kind", "language", "sha256"]

    def about(self, queryset: DocumentQuerySet, name: str, slug: str) -> DocumentQuerySet:
        topic = Topic.objects.in_workspace(Workspace.objects.default()).filter(slug=slug).first()
        return queryset.by_topic(topic) if topic is not None else queryset.none()


class TopicFilterSet(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains")
