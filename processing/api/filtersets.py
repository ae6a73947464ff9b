"""What lists can be narrowed by; anything else is refused, not ignored."""

from typing import Any

import django_filters

from processing.choices import ProcessingStatus
from processing.models import Recording, Transcript


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
