"""Bulk actions in the admin: asked about, done at once or by a job, followed and cancelled."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.forms.widgets import Media, Script
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from jobs.bulk_actions import Asked, BulkActionKind, Outcome, request_bulk_action
from jobs.identifiers import uuid7
from jobs.lists import LargeListAdmin
from jobs.models import BulkAction, Job
from jobs.presentation import NOTHING, age, elapsed, link_to, status_badge

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Rows that a confirmation names.
NAMED_ROWS = 10


def bulk_action(
    kind: BulkActionKind, *, description: str, permissions: Sequence[str]
) -> Callable[..., HttpResponse | None]:
    """Return the admin action that does ``kind`` to what is selected.

    Up to ``settings.BULK_ACTION_AT_ONCE`` rows are done at once; more are confirmed and done by
    a job, to whose progress it leads. What destroys is confirmed always.
    """

    def act(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        limit = settings.BULK_ACTION_AT_ONCE
        keys = list(queryset.order_by().values_list("pk", flat=True)[: limit + 1])
        is_by_job = len(keys) > limit
        if (is_by_job or kind.is_destructive) and "confirmed" not in request.POST:
            return _confirmation(model_admin, request, queryset, kind, is_by_job=is_by_job)
        asked = Asked(by=cast("User", request.user))
        if not is_by_job:
            _tell(model_admin, request, kind, len(keys), kind.apply_to_all(keys, asked))
            return None
        try:
            pk = UUID(request.POST.get("bulk_action", ""))
        except ValueError:
            raise BadRequest("this was asked for without having been confirmed") from None
        action = request_bulk_action(kind=kind, rows=queryset, asked=asked, pk=pk)
        return redirect("admin:jobs_bulkaction_change", action.pk)

    act.__name__ = kind.name.rpartition(".")[2]
    decorated: Callable[..., HttpResponse | None] = admin.action(
        description=description, permissions=permissions
    )(act)
    return decorated


def _confirmation(
    model_admin: Any,
    request: HttpRequest,
    queryset: QuerySet[Any],
    kind: BulkActionKind,
    *,
    is_by_job: bool,
) -> HttpResponse:
    """Show what will happen to how many rows, and ask."""
    count = queryset.count()
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "title": kind.title,
        "kind": kind,
        "is_by_job": is_by_job,
        "count": count,
        "rows": list(queryset[:NAMED_ROWS]),
        "more_count": max(count - NAMED_ROWS, 0),
        "consequences": kind.consequences(queryset) if count else (),
        "action": request.POST.get("action", ""),
        "selected": request.POST.getlist("_selected_action"),
        "select_across": request.POST.get("select_across", "0"),
        "bulk_action_id": uuid7(),
        "list_address": request.get_full_path(),
    }
    return TemplateResponse(request, "admin/jobs/bulkaction/confirm.html", context)


def _tell(
    model_admin: Any, request: HttpRequest, kind: BulkActionKind, count: int, outcome: Outcome
) -> None:
    level = messages.SUCCESS if outcome.done_count else messages.WARNING
    done = kind.done.format(f"{outcome.done_count:,} of {count:,}")
    model_admin.message_user(request, done, level)
    for reason, refused_count in outcome.refusals.most_common():
        said = f"Refused {refused_count:,}: {reason}."
        model_admin.message_user(request, said, messages.WARNING)


@admin.register(BulkAction)
class BulkActionAdmin(LargeListAdmin):
    """Each sees their own, superusers all."""

    list_display = ("description", "badge", "progress", "done", "refused", "created_by", "age")
    list_filter = ("status",)
    list_select_related = ["created_by"]
    sortable_by = ("age",)

    class Media:
        css = {"all": ["jobs/admin.css", "jobs/bulk_action.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkAction]:
        actions = BulkAction.objects.all()
        user = cast("User", request.user)
        return actions if user.is_superuser else actions.filter(created_by=user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever asks for one may see it."""
        return bool(request.user.is_active and request.user.is_staff)

    def get_urls(self) -> list[URLPattern]:
        def page(name: str, view: Any) -> URLPattern:
            wrapped: Any = self.admin_site.admin_view(view)
            route, full_name = f"<uuid:object_id>/{name}/", f"jobs_bulkaction_{name}"
            found: URLPattern = path(route, wrapped, name=full_name)
            return found

        return [
            page("progress", require_safe(never_cache(self.progress_view))),
            page("cancel", require_POST(self.cancel_view)),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show how far it is and what became of the rows; it follows by itself while it goes on."""
        action = self.get_object(request, object_id)
        if action is None:
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media + _following(),
            "title": action.description,
            **_account(action),
        }
        return TemplateResponse(request, "admin/jobs/bulkaction/account.html", context)

    def progress_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Answer the part of the page that changes."""
        context = _account(self._action(request, object_id))
        return TemplateResponse(request, "admin/jobs/bulkaction/progress.html", context)

    def cancel_view(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Have it stop after the batch that is being done."""
        action = self._action(request, object_id)
        if Job.objects.about(action.pk).cancel():
            self.message_user(request, "Cancelled: no further row is touched.", messages.SUCCESS)
        else:
            self.message_user(request, "It was over before.", messages.WARNING)
        return redirect("admin:jobs_bulkaction_change", action.pk)

    def _action(self, request: HttpRequest, pk: UUID) -> BulkAction:
        action = self.get_queryset(request).filter(pk=pk).first()
        if action is None:
            raise Http404
        return action

    @admin.display(description="status")
    def badge(self, action: BulkAction) -> SafeString:
        return status_badge(action.status)

    @admin.display(description="progress")
    def progress(self, action: BulkAction) -> SafeString:
        return format_html(
            '<progress value="{}" max="{}"></progress> {} of {}',
            action.settled_count,
            action.total_count or 1,
            f"{action.settled_count:,}",
            f"{action.total_count:,}",
        )

    @admin.display(description="done")
    def done(self, action: BulkAction) -> str:
        return f"{action.done_count:,}"

    @admin.display(description="refused")
    def refused(self, action: BulkAction) -> str:
        return f"{action.refused_count:,}"

    @admin.display(description="age", ordering="-created_at")
    def age(self, action: BulkAction) -> str:
        return age(action.created_at)


def _following() -> Media:
    return Media(js=[Script("jobs/bulk_action.js", type="module")])  # type: ignore[list-item]  # the stubs know only addresses


def _account(action: BulkAction) -> dict[str, Any]:
    """Return what is told of one action; of its job only while that is remembered."""
    job = Job.objects.about(action.pk).first()
    return {
        "action": action,
        "badge": status_badge(action.status),
        "left_count": action.total_count - action.settled_count,
        "refusals": sorted(action.refusals.items(), key=lambda each: -each[1]),
        "took": elapsed(action.started_at, action.finished_at),
        "job": link_to(job) if job else NOTHING,
    }
