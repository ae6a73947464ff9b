"""What lists can be narrowed and ordered by; anything else is refused, not ignored."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from processing.choices import ProcessingStatus
from processing.models import Recording, Transcript


class StableOrderingFilter(django_filters.OrderingFilter):
    """Orders by an allow-list, and then by id, so that pages neither repeat nor miss a row."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        ordered: QuerySet[Any] = super().filter(qs, value)
        return ordered.order_by(*ordered.query.order_by, "id") if value else ordered


class RecordingFilterSet(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains")
    created_after = django_filters.IsoDateTimeFilter("created_at", lookup_expr="gte")
    created_before = django_filters.IsoDateTimeFilter("created_at", lookup_expr="lt")
    ordering = StableOrderingFilter(fields=["created_at", "name", "duration_seconds", "size_bytes"])

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
    ordering = StableOrderingFilter(fields=["created_at", "duration_seconds"])

    class Meta:
        model = Transcript
        fields = ["recording", "engine", "language"]

    def in_status(self, queryset: Any, name: str, statuses: list[str]) -> Any:
        return queryset.in_status(*statuses) if statuses else queryset
