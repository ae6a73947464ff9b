"""What lists can be narrowed by; anything else is refused, not ignored."""

from typing import Any

import django_filters

from jobs.api.moments import MomentFilter
from jobs.choices import JobStatus
from processing.api.access import access_of
from processing.choices import ProcessingStatus, ResultStatus
from processing.managers.document import DocumentQuerySet
from processing.managers.recording import RecordingQuerySet
from processing.models import (
    ChunkTask,
    Document,
    Question,
    Recording,
    Summary,
    Topic,
    Transcript,
    Translation,
)


class FlagFilter(django_filters.TypedChoiceFilter):
    """``true`` or ``false``, and nothing else."""

    def __init__(self, *args: Any, **options: Any) -> None:
        choices = [(name, name) for name in ("true", "false")]
        super().__init__(*args, choices=choices, coerce="true".__eq__, **options)


class RecordingFilterSet(django_filters.FilterSet):
    """``name`` has words of it; ``beg*`` is the beginning of one."""

    name = django_filters.CharFilter(method="named")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Recording
        fields = ["sha256"]

    def named(self, queryset: RecordingQuerySet, name: str, text: str) -> RecordingQuerySet:
        return queryset.named(text)


class TranscriptFilterSet(django_filters.FilterSet):
    """``status`` is that of the latest run and may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=ProcessingStatus.choices)
    recording = django_filters.UUIDFilter("recording_id")  # without telling which there are
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Transcript
        fields = ["engine", "language"]


class TranslationFilterSet(django_filters.FilterSet):
    """``status`` may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=ResultStatus.choices)
    document = django_filters.UUIDFilter("document_id")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Translation
        fields = ["language"]


class SummaryFilterSet(django_filters.FilterSet):
    """``status`` may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=ResultStatus.choices)
    document = django_filters.UUIDFilter("document_id")
    is_extractive = FlagFilter()
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Summary
        fields: list[str] = []


class DocumentFilterSet(django_filters.FilterSet):
    """``title`` has words of it, as ``beg*`` their beginnings; ``topic`` is the slug of one."""

    title = django_filters.CharFilter(method="titled")
    topic = django_filters.CharFilter(method="about")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Document
        fields = ["status", "kind", "language", "sha256"]

    def titled(self, queryset: DocumentQuerySet, name: str, text: str) -> DocumentQuerySet:
        return queryset.titled(text)

    def about(self, queryset: DocumentQuerySet, name: str, slug: str) -> DocumentQuerySet:
        topics = Topic.objects.in_workspace(access_of(self.request).workspace)
        topic = topics.filter(slug=slug).first()
        return queryset.by_topic(topic) if topic is not None else queryset.none()


class QuestionFilterSet(django_filters.FilterSet):
    """``search`` is for words of the question; ``status`` may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=ResultStatus.choices)
    is_extractive = FlagFilter()
    search = django_filters.CharFilter("text", lookup_expr="icontains")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = Question
        fields: list[str] = []


class ChunkFilterSet(django_filters.FilterSet):
    """``status`` may be given several times."""

    status = django_filters.MultipleChoiceFilter(choices=JobStatus.choices)

    class Meta:
        model = ChunkTask
        fields = ["engine"]


class TopicFilterSet(django_filters.FilterSet):
    name = django_filters.CharFilter(lookup_expr="icontains")
