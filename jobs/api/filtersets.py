"""What the list of jobs can be narrowed by: what an index finds; anything else is refused."""

from collections.abc import Callable, Sequence
from typing import Any

import django_filters
from django import forms
from django.db.models import Q
from rest_framework.exceptions import ValidationError

from jobs import handlers
from jobs import specifications as spec
from jobs.api.moments import MomentFilter
from jobs.choices import JobPriority, JobStatus
from jobs.managers.job import JobQuerySet
from jobs.models import Job

#: Filters without an index: they only look through what one of the others finds.
WITHOUT_INDEX = ("queue_name", "priority", "min_priority")

#: Filters that find few of all the jobs there are. COMPLETED is what most of them are.
FINDING_FEW = ("status", "is_ready", "is_stalled", "subject_id", "created_after")


def _matching(condition: Callable[[Any], Q]) -> Callable[[JobQuerySet, str, Any], JobQuerySet]:
    """Return the method of a filter that keeps the jobs which meet ``condition`` of its value."""
    return lambda jobs, name, value: jobs.matching(condition(value))


def _queue_choices() -> list[tuple[str, str]]:
    names = handlers.queue_names()
    return [(name, name) for name in names if handlers.source_of(name).model is Job]


class JobTypeField(forms.MultipleChoiceField):
    """Types that have a handler, and those of which there are still jobs."""

    default_error_messages = {"invalid_choice": "There is no job of the type %(value)s."}

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=lambda: [(name, name) for name in handlers.job_types()], **options)

    def valid_value(self, value: str) -> bool:
        if super().valid_value(value):
            return True
        return value.isprintable() and Job.objects.matching(spec.has_type(value)).exists()


class JobTypeFilter(django_filters.Filter):
    field_class = JobTypeField


class WholeNumberFilter(django_filters.Filter):
    field_class = forms.IntegerField


class ClaimFilter(django_filters.TypedChoiceFilter):
    """Whether a condition without a value is met: ``true``, or one of ``claims``."""

    def __init__(self, condition: Callable[[], Q], *, claims: Sequence[str] = ("true",)) -> None:

        def narrowed(jobs: JobQuerySet, name: str, value: str) -> JobQuerySet:
            return jobs.matching(condition() if value else ~condition())

        super().__init__(
            choices=[(claim, claim) for claim in claims],
            coerce="true".__eq__,
            method=narrowed,
        )


class JobFilterSet(django_filters.FilterSet):
    """``status`` and ``job_type`` may be given several times; times are ``[after, before)``."""

    status = django_filters.MultipleChoiceFilter(
        choices=JobStatus.choices, method=_matching(lambda statuses: spec.has_status(*statuses))
    )
    job_type = JobTypeFilter(method=_matching(lambda types: spec.has_type(*types)))
    queue_name = django_filters.ChoiceFilter(
        choices=_queue_choices, method=_matching(lambda name: Q(queue_name=name))
    )
    priority = django_filters.ChoiceFilter(
        choices=JobPriority.choices, method=_matching(lambda priority: Q(priority=priority))
    )
    min_priority = django_filters.ChoiceFilter(
        choices=JobPriority.choices, method=_matching(spec.has_priority_of_at_least)
    )
    created_after = MomentFilter(
        method=_matching(lambda start: spec.is_created_within(start=start))
    )
    created_before = MomentFilter(method=_matching(lambda end: spec.is_created_within(end=end)))
    workspace_id = django_filters.UUIDFilter(method=_matching(spec.is_in_workspace))
    subject_id = django_filters.UUIDFilter(method=_matching(spec.is_about))
    created_by = WholeNumberFilter(method=_matching(lambda pk: Q(created_by=pk)))
    is_stalled = ClaimFilter(spec.is_stalled, claims=("true", "false"))
    is_ready = ClaimFilter(spec.is_ready)

    class Meta:
        model = Job
        fields: list[str] = []

    def filter_queryset(self, queryset: Any) -> Any:
        self._refuse_to_look_through_all()
        return super().filter_queryset(queryset)

    def _refuse_to_look_through_all(self) -> None:
        asked = {name: value for name, value in self.form.cleaned_data.items() if value}
        if JobStatus.COMPLETED in asked.get("status", ()):
            del asked["status"]
        if not asked.keys() & set(FINDING_FEW):
            reason = f"It would look through all jobs: add one of {', '.join(FINDING_FEW)}"
            problems = {name: [f"{reason}."] for name in WITHOUT_INDEX if name in asked}
            if problems:
                raise ValidationError(problems)
