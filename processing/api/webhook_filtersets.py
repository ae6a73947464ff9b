"""What lists of webhooks and of their deliveries can be narrowed by."""

import django_filters

from jobs.api.moments import MomentFilter
from jobs.choices import JobStatus
from processing.api.filtersets import FlagFilter
from processing.choices import WebhookEvent
from processing.managers.webhook import WebhookQuerySet
from processing.models import Webhook, WebhookDelivery


class WebhookFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # it ships no types
    """``event`` is one that it is told; ``url`` a part of its address."""

    event = django_filters.ChoiceFilter(choices=WebhookEvent.choices, method="told")
    url = django_filters.CharFilter(lookup_expr="icontains")
    is_paused = FlagFilter("paused_at", lookup_expr="isnull", exclude=True)

    class Meta:
        model = Webhook
        fields: list[str] = []

    def told(self, queryset: WebhookQuerySet, name: str, event: str) -> WebhookQuerySet:
        return queryset.told(event)


class WebhookDeliveryFilterSet(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """``status`` may be given several times; ``message_id`` finds what was sent again."""

    status = django_filters.MultipleChoiceFilter(choices=JobStatus.choices)
    created_after = MomentFilter("created_at", lookup_expr="gte")
    created_before = MomentFilter("created_at", lookup_expr="lt")

    class Meta:
        model = WebhookDelivery
        fields = ["event", "message_id"]
