"""The cache as staff see it: what is in it, how its levels are doing, and taking things out.

To look needs the permission ``view_cacheentry``, to invalidate ``delete_cacheentry``. No row is
deleted here: what is invalidated goes from all levels and all processes.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from caching import presentation
from caching.backend import get_cache
from caching.exceptions import InvalidPattern
from caching.invalidation import CacheInvalidator
from caching.lists import BoundedPaginator, EntryList, PrefixFilter, StateFilter
from caching.managers import CacheEntryQuerySet
from caching.models import CacheEntry
from caching.patterns import Glob
from caching.preview import (
    BATCH,
    Preview,
    callers_key,
    entries_of,
    preview_of_entries,
    preview_of_pattern,
    preview_of_tags,
)
from caching.report import overview_of, report_of

#: The most entries that one action takes on.
ACTION_LIMIT = 10_000

#: Before what is sought, when it is a tag and not the beginning of a key.
TAG = "tag:"


class InvalidationForm(forms.Form):
    """What is to go: the keys of a pattern, or what bears a tag."""

    pattern = forms.CharField(
        required=False,
        max_length=500,
        strip=False,
        widget=AdminTextInputWidget,
        help_text="Keys such as transcript:*, in the way of Redis: * ? [abc] [a-z] [^a] and \\",
    )
    tag = forms.CharField(
        required=False,
        max_length=500,
        strip=False,
        widget=AdminTextInputWidget,
        help_text="Everything that bears this tag",
    )

    def clean_pattern(self) -> str:
        pattern: str = self.cleaned_data["pattern"]
        try:
            return Glob(pattern).pattern if pattern else ""
        except InvalidPattern as error:
            raise ValidationError(f"This is no pattern: {error}.") from None

    def clean(self) -> None:
        asked = [name for name in self.fields if self.cleaned_data.get(name)]
        if not self.errors and len(asked) != 1:
            raise ValidationError("Write a pattern or a tag, one of them.")


@admin.register(CacheEntry)
class CacheEntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    list_display = (
        "shown_key",
        "state",
        "shown_size",
        "expires_in",
        "reads",
        "last_read",
        "prefix",
        "version",
    )
    list_filter = (PrefixFilter, StateFilter)
    search_fields = ("key",)
    search_help_text = f"How a key begins, or {TAG}NAME for what bears a tag"
    sortable_by = ("shown_key",)  # no index has all entries in another order
    paginator = BoundedPaginator
    show_full_result_count = False
    plain_values = presentation.PLAIN_VALUES
    show_facets = admin.ShowFacets.NEVER
    actions = ["invalidate"]
    fieldsets = [
        (None, {"fields": ["key", "prefix", "state", "shown_size", "version", "value"]}),
        ("Tags", {"fields": ["shown_tags"]}),
        ("Times", {"fields": ["stored_at", "expires_at", "expires_in", "discard_at"]}),
        ("Use", {"fields": ["access_count", "accessed_at"]}),
    ]

    class Media:
        css = {"all": ["caching/admin.css"]}

    # What is seen

    def get_queryset(self, request: HttpRequest) -> CacheEntryQuerySet:
        return entries_of(get_cache())

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return EntryList

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return an order that an index has."""
        return ("-accessed_at",) if PrefixFilter.parameter_name in request.GET else ("key",)

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[CacheEntryQuerySet, bool]:
        """Find by tag, or by the beginning of a key: as callers write it, else as it is stored."""
        if search_term.startswith(TAG):
            return queryset.with_tag(search_term.removeprefix(TAG)), False
        cache = get_cache()
        own = cache.make_key(search_term)
        is_own = entries_of(cache).filter(key__startswith=own).exists()
        return queryset.filter(key__startswith=own if is_own else search_term), False

    @admin.display(description="key", ordering="key")
    def shown_key(self, entry: CacheEntry) -> str:
        return presentation.short_key(callers_key(get_cache(), entry.key))

    @admin.display(description="size")
    def shown_size(self, entry: CacheEntry) -> str:
        return presentation.size(entry.size_bytes)

    @admin.display(description="reads")
    def reads(self, entry: CacheEntry) -> int:
        return entry.access_count

    @admin.display(description="last read")
    def last_read(self, entry: CacheEntry) -> str:
        return f"{timesince(entry.accessed_at, depth=1)} ago"

    @admin.display(description="state")
    def state(self, entry: CacheEntry) -> SafeString:
        shown = presentation.badge(presentation.state_of(entry))
        if get_cache().hierarchy.tags.are_current(_tags_of(entry)):
            return shown
        return format_html("{} {}", shown, presentation.badge("invalidated"))

    @admin.display(description="expires in")
    def expires_in(self, entry: CacheEntry) -> str:
        return presentation.time_left(entry.expires_at)

    @admin.display(description="value")
    def value(self, entry: CacheEntry) -> SafeString:
        return format_html('<pre class="cache-value">{}</pre>', presentation.value_text(entry))

    @admin.display(description="tags, with their versions when it was made")
    def shown_tags(self, entry: CacheEntry) -> SafeString | str:
        are_current = get_cache().hierarchy.tags.are_current
        lines = [
            (
                name,
                version,
                "" if are_current(((name, version),)) else presentation.badge("invalidated"),
            )
            for name, version in _tags_of(entry)
        ]
        return format_html_join("", "<div>{} ({}) {}</div>", lines) or presentation.NOTHING

    # What is allowed

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("caching.view_cacheentry")

    def has_invalidate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("caching.delete_cacheentry")

    # Pages

    def get_urls(self) -> list[URLPattern]:
        def page(name: str, view: Any) -> URLPattern:
            wrapped: Any = self.admin_site.admin_view(view)
            found: URLPattern = path(f"{name}/", wrapped, name=f"caching_cacheentry_{name}")
            return found

        return [
            page("invalidate", self.invalidate_view),
            page("statistics", self.statistics_view),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the levels above the list."""
        extra = {
            "overview": overview_of(get_cache().hierarchy),
            "may_invalidate": self.has_invalidate_permission(request),
        }
        return super().changelist_view(request, extra | (extra_context or {}))

    def statistics_view(self, request: HttpRequest) -> HttpResponse:
        """Show what each level holds and did, by prefix; it is all counted for this page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        report = report_of(get_cache().hierarchy)
        return self._page(request, "statistics", title="Statistics of the cache", report=report)

    def invalidate_view(self, request: HttpRequest) -> HttpResponse:
        """Ask what is to go, show what that is, and do it once that is confirmed."""
        if not (self.has_view_permission(request) and self.has_invalidate_permission(request)):
            raise PermissionDenied
        form = InvalidationForm(request.POST or None)
        title = "Invalidate"
        if not form.is_valid():
            return self._page(request, "invalidate", title=title, form=form)
        pattern, tag = form.cleaned_data["pattern"], form.cleaned_data["tag"]
        cache = get_cache()
        preview = preview_of_tags(cache, [tag]) if tag else preview_of_pattern(cache, pattern)
        is_all = bool(pattern) and Glob(pattern).matches_everything
        is_confirmed = "confirmed" in request.POST and ("all" in request.POST or not is_all)
        if not is_confirmed:
            if "confirmed" in request.POST:
                form.add_error(None, "Nothing was done: tick that every key is to go.")
            context = {"preview": preview, "is_all": is_all}
            return self._page(request, "invalidate", title=title, form=form, **context)
        if tag:
            CacheInvalidator(cache).invalidate_tags(tag)
            done = f"Invalidated the tag {tag}: {_counted(preview)} had it."
        else:
            count = CacheInvalidator(cache).invalidate_pattern(pattern, is_confirmed=is_all)
            done = f"Invalidated {count:,} keys that match {pattern}."
        self.message_user(request, done, messages.SUCCESS)
        return redirect("admin:caching_cacheentry_changelist")

    @admin.action(description="Invalidate the selected entries", permissions=["invalidate"])
    def invalidate(
        self, request: HttpRequest, queryset: CacheEntryQuerySet
    ) -> TemplateResponse | None:
        """Show what would go; once that is confirmed, have it go from all levels."""
        rows = list(queryset.order_by("key").values_list("pk", flat=True)[: ACTION_LIMIT + 1])
        if len(rows) > ACTION_LIMIT:
            reason = f"At most {ACTION_LIMIT:,} entries at once: nothing was done."
            self.message_user(
                request, f"{reason} Narrow the list, or use a pattern.", messages.ERROR
            )
            return None
        cache = get_cache()
        if "confirmed" not in request.POST:
            selected = entries_of(cache).filter(pk__in=rows)
            return self._page(
                request,
                "invalidate_selected",
                title="Invalidate the selected entries",
                preview=preview_of_entries(cache, selected),
                selected=request.POST.getlist("_selected_action"),
                select_across=request.POST.get("select_across", "0"),
            )
        count = 0
        for start in range(0, len(rows), BATCH):
            keys = cache.keys_of(rows[start : start + BATCH])
            count += cache.hierarchy.writes.delete_many(keys)
        level = messages.SUCCESS if count else messages.WARNING
        others = "" if count == len(rows) else "; the others had no fresh value"
        self.message_user(request, f"Invalidated {count:,} of {len(rows):,}{others}.", level)
        return None

    def _page(self, request: HttpRequest, name: str, **context: Any) -> TemplateResponse:
        shared = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        return TemplateResponse(request, f"admin/caching/{name}.html", shared | context)


def _tags_of(entry: CacheEntry) -> tuple[tuple[str, int], ...]:
    return tuple(zip(entry.tags, entry.tag_versions, strict=True))


def _counted(preview: Preview) -> str:
    return "1 entry" if preview.count == 1 else f"{preview.count:,} entries"
