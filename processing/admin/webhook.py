"""Webhooks in the admin: how they do, what was sent, and sending it again."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.admin import WORK_FIELDSETS, MachineOwnedAdmin, WorkAdmin
from jobs.presentation import NOTHING, age, link_to, status_badge
from processing.admin.presentation import STYLES
from processing.admin.scoping import OfWorkspaces
from processing.exceptions import WebhookIsPaused
from processing.models import Webhook, WebhookDelivery
from processing.webhooks.announcing import ping, resend
from processing.webhooks.pausing import pause, resume


class PausedFilter(admin.SimpleListFilter):
    title = "paused"
    parameter_name = "paused"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        is_active = {"yes": False, "no": True}.get(self.value() or "")
        return queryset if is_active is None else queryset.filter(paused_at__isnull=is_active)


class WebhookVerbsAdmin(MachineOwnedAdmin):
    """Rows that the API makes, and that staff do a verb to."""

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"processing.change_{self.opts.model_name}")

    def act(
        self, request: HttpRequest, rows: Iterable[Any], done: str, verb: Callable[[Any], Any]
    ) -> None:
        """Do ``verb`` to the selected rows, and say to how many it was done and why not to all."""
        count, reasons = 0, Counter[str]()
        for row in rows:
            try:
                count += bool(verb(row))
            except WebhookIsPaused as error:
                reasons[str(error)] += 1
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{done}: {count}.", level)
        for reason, refused_count in reasons.most_common():
            self.message_user(request, f"Refused {refused_count}: {reason}.", messages.WARNING)


@admin.register(Webhook)
class WebhookAdmin(OfWorkspaces, WebhookVerbsAdmin):
    list_display = ("url", "workspace", "badge", "failure_count", "last_delivery", "created_at")
    list_filter = (PausedFilter,)
    list_select_related = ["workspace"]
    search_fields = ("url", "description", "=id")
    actions = ["pause", "resume", "ping"]
    fieldsets = [
        (None, {"fields": ["url", "workspace", "description", "shown_events"]}),
        ("Now", {"fields": ["badge", "pause_reason", "paused_at", "failure_count"]}),
        ("Sent", {"fields": ["last_delivery", "shown_deliveries"]}),
        ("Secret", {"fields": ["secret_version", "secret_changed_at"]}),
        ("Made", {"fields": ["created_by", "created_at", "id"]}),
    ]

    class Media:
        css = STYLES

    def rows(self) -> QuerySet[Webhook]:
        return Webhook.objects.with_last_delivery().select_related("workspace", "created_by")

    @admin.action(description="Pause the selected webhooks", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self.act(request, queryset, "Paused", pause)

    @admin.action(description="Resume the selected webhooks", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self.act(request, queryset, "Resumed", resume)

    @admin.action(description="Send a ping to the selected webhooks", permissions=["operate"])
    def ping(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self.act(request, queryset, "Pings on their way", ping)

    @admin.display(description="status")
    def badge(self, webhook: Webhook) -> SafeString:
        return status_badge("ACTIVE" if webhook.paused_at is None else "PAUSED")

    @admin.display(description="last delivery")
    def last_delivery(self, webhook: Any) -> SafeString | str:
        if webhook.last_delivery_at is None:
            return NOTHING
        badge = status_badge(webhook.last_delivery_status)
        return format_html("{} {} ago", badge, age(webhook.last_delivery_at))

    @admin.display(description="events")
    def shown_events(self, webhook: Webhook) -> str:
        return ", ".join(webhook.events)

    @admin.display(description="deliveries")
    def shown_deliveries(self, webhook: Webhook) -> SafeString:
        address = reverse("admin:processing_webhookdelivery_changelist")
        return format_html('<a href="{}?webhook__id__exact={}">All</a>', address, webhook.pk)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(OfWorkspaces, WorkAdmin, WebhookVerbsAdmin):
    workspace_path = "webhook__workspace"
    list_display = (
        "event",
        "address",
        "badge",
        "attempts",
        "answer",
        "age",
        "duration",
        "error",
    )
    list_filter = ("status", "event", "created_at")
    list_select_related = ["webhook"]
    search_fields = ("=id", "=message_id", "=webhook__id")
    sortable_by = ("age",)
    actions = ["resend"]
    fieldsets = [
        (None, {"fields": ["id", "event", "address", "badge", "message_id", "shown_payload"]}),
        ("Last answer", {"fields": ["answer", "response_seconds", "response_excerpt"]}),
        *WORK_FIELDSETS,
    ]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == "webhook__id__exact" or super().lookup_allowed(lookup, value, request)

    def rows(self) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.select_related("webhook", "worker")

    @admin.action(description="Send the selected deliveries again", permissions=["operate"])
    def resend(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        self.act(request, queryset, "Sent again", resend)

    @admin.display(description="webhook")
    def address(self, delivery: WebhookDelivery) -> SafeString:
        return link_to(delivery.webhook)

    @admin.display(description="answer")
    def answer(self, delivery: WebhookDelivery) -> str:
        return NOTHING if delivery.response_status is None else str(delivery.response_status)

    @admin.display(description="payload")
    def shown_payload(self, delivery: WebhookDelivery) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(delivery.payload, indent=2))
