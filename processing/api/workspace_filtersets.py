"""What lists of members, keys and audit events can be narrowed by."""

import django_filters

from jobs.api.moments import MomentFilter
from processing.api.filtersets import FlagFilter
from processing.choices import Role
from processing.managers.api_key import ApiKeyQuerySet
from processing.models import ApiKey, AuditEvent, Membership, Workspace


class WorkspaceFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # it ships no types
    """``name`` is a part of it."""

    name = django_filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = Workspace
        fields = ["slug"]


class MemberFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """``role`` may be given several times."""

    role = django_filters.MultipleChoiceFilter(choices=Role.choices)
    username = django_filters.CharFilter("user__username")

    class Meta:
        model = Membership
        fields: list[str] = []


class ApiKeyFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """``is_usable``: neither revoked nor expired."""

    is_usable = FlagFilter(method="usable")
    username = django_filters.CharFilter("user__username")
    name = django_filters.CharFilter(lookup_expr="icontains")

    class Meta:
        model = ApiKey
        fields: list[str] = []

    def usable(self, queryset: ApiKeyQuerySet, name: str, value: str) -> ApiKeyQuerySet:
        usable = queryset.usable()
        return usable if value else queryset.exclude(pk__in=usable.values("pk"))


class AuditEventFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """``action`` is one such as ``recording.create``; ``actor`` a user's name at that time."""

    actor = django_filters.CharFilter("actor_name")
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = AuditEvent
        fields = ["action", "object_type", "object_id", "api_key_id", "request_id"]
