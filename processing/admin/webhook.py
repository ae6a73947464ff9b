"""Webhooks in the admin: how they do, what was sent, and sending it again."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.admin import WORK_FIELDSETS, MachineOwnedAdmin, WorkAdmin
from jobs.lists import AMONG_NEWEST, CreatedFilter, NewestChoices
from jobs.presentation import NOTHING, age, link_to, status_badge
from processing.admin.presentation import STYLES
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.exceptions import WebhookIsPaused
from processing.models import Webhook, WebhookDelivery
from processing.webhooks.announcing import ping, resend
from processing.webhooks.pausing import pause, resume

#: How the page of a webhook asks for its deliveries.
OF_WEBHOOK = "webhook__id__exact"


def state_of(webhook: Webhook) -> str:
    return "ACTIVE" if webhook.paused_at is None else "PAUSED"


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
    list_display = (
        "url",
        "badge",
        "failure_count",
        "last_delivery",
        "shown_deliveries",
        "age",
        "workspace_link",
        "created_by",
    )
    list_filter = (WorkspaceFilter, PausedFilter, CreatedFilter)
    list_select_related = ["workspace", "created_by"]
    in_order_of_ids = True
    is_listed_by_workspace = True
    empty_text = "No webhooks yet: programs register them through the API."
    search_fields = ("url", "description")
    search_help_text = f"An id, or words of an address or a description {AMONG_NEWEST}"
    sortable_by = ()
    plain_values = {
        "badge": lambda webhook: state_of(webhook),
        "last_delivery": "last_delivery_at",
        "shown_deliveries": lambda webhook: webhook.last_delivery_status,
        "workspace_link": "workspace",
    }
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
        return status_badge(state_of(webhook))

    @admin.display(description="age", ordering="-created_at")
    def age(self, webhook: Webhook) -> str:
        return age(webhook.created_at)

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
        "worker_link",
        "workspace_link",
        "error",
    )
    list_filter = (
        WorkspaceFilter,
        ("status", NewestChoices),
        CreatedFilter,
        ("event", NewestChoices),
    )
    in_order_of_ids = True
    found_by = ("webhook",)
    empty_text = "Nothing was sent yet: a webhook can be sent a ping."
    search_fields = ("=message_id",)
    search_help_text = f"An id, that of a webhook, or that of a message {AMONG_NEWEST}"
    sortable_by = ()
    plain_values = {
        **WorkAdmin.plain_values,
        "address": "webhook",
        "answer": "response_status",
        "workspace_link": lambda delivery: delivery.webhook.workspace_id,
    }
    actions = ["resend"]
    fieldsets = [
        (None, {"fields": ["id", "event", "address", "badge", "message_id", "shown_payload"]}),
        ("Last answer", {"fields": ["answer", "response_seconds", "response_excerpt"]}),
        *WORK_FIELDSETS,
    ]

    def get_ordering(self, request: HttpRequest) -> Any:
        """Return an order that an index has for those of one webhook, too."""
        is_of_webhook = OF_WEBHOOK in request.GET
        return self.opts.ordering if is_of_webhook else super().get_ordering(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup == OF_WEBHOOK or super().lookup_allowed(lookup, value, request)

    def rows(self) -> QuerySet[WebhookDelivery]:
        return WebhookDelivery.objects.select_related("webhook__workspace", "worker")

    def of_workspaces(self, rows: QuerySet[Any], workspace_ids: list[UUID]) -> QuerySet[Any]:
        """Return what was sent to the webhooks of these, as the index has it."""
        webhooks = Webhook.objects.filter(workspace__in=workspace_ids)
        return rows.filter(webhook__in=list(webhooks.order_by().values_list("pk", flat=True)))

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
