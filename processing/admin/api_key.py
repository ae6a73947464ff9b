"""API keys in the admin: made, exchanged and revoked; their tokens are shown once."""

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import (
    AdminIntegerFieldWidget,
    AdminTextInputWidget,
    AutocompleteSelect,
)
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache

from jobs.lists import AMONG_NEWEST
from jobs.presentation import age, status_badge
from processing.admin.presentation import STYLES
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.admin.upload import FormPageAdmin
from processing.choices import Role, Scope
from processing.exceptions import KeyUnusable, ScopeTooWide
from processing.managers.api_key import ApiKeyQuerySet
from processing.models import ApiKey, Workspace
from processing.workspaces.access import access_of_user
from processing.workspaces.keys import PREFIX, issue_key
from processing.workspaces.scopes import exchange_key, refuse_wider

READ_ONLY = (
    "name",
    "prefix",
    "workspace",
    "user",
    "shown_scopes",
    "state",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
)


class ApiKeyForm(forms.Form):
    """What a key is for; ``user`` is whom it acts for, and who else than a superuser asks for
    one for themselves."""

    name = forms.CharField(
        max_length=100, widget=AdminTextInputWidget, help_text="What uses it, such as a program."
    )
    workspace = forms.ModelChoiceField(Workspace.objects.all())
    user = forms.ModelChoiceField(
        User.objects.filter(is_active=True),
        widget=AutocompleteSelect(ApiKey._meta.get_field("user"), admin.site),
        help_text="Whom it acts for, within their role.",
    )
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        initial=[Scope.READ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Each includes those before it.",
    )
    expires_in_days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        widget=AdminIntegerFieldWidget,
        help_text="Empty: it is good until it is revoked.",
    )

    def __init__(self, *args: Any, asking: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asking = asking
        if asking.is_superuser:
            self.fields["user"].initial = asking.pk
        else:
            del self.fields["user"]
            own = Workspace.objects.of_user(asking)
            cast("forms.ModelChoiceField[Workspace]", self.fields["workspace"]).queryset = own

    @property
    def owner(self) -> User:
        return cast("User", self.cleaned_data.get("user", self.asking))

    def clean(self) -> None:
        super().clean()
        workspace, scopes = self.cleaned_data.get("workspace"), self.cleaned_data.get("scopes")
        if workspace is None or not scopes or self.errors:
            return
        access = access_of_user(self.owner, workspace.slug)
        if access is None:
            self.add_error("workspace", f"{self.owner} is no member of it.")
            return
        try:
            refuse_wider(scopes, access.role)
        except ScopeTooWide as error:
            self.add_error("scopes", str(error))


@admin.register(ApiKey)
class ApiKeyAdmin(OfWorkspaces, FormPageAdmin):
    list_display = (
        "name",
        "prefix",
        "state",
        "shown_scopes",
        "user",
        "workspace_link",
        "age",
        "last_used_at",
        "expires_at",
    )
    list_filter = (WorkspaceFilter,)
    list_select_related = ["workspace", "user"]
    empty_text = "No keys yet: make one for each program."
    search_fields = ("name", "user__username")
    search_help_text = (
        f"The beginning of a key up to its second _, or words of names {AMONG_NEWEST}"
    )
    sortable_by = ()
    fields = readonly_fields = READ_ONLY
    plain_values = {
        "shown_scopes": "scopes",
        "state": lambda key: state_of(key),
        "workspace_link": "workspace",
    }
    actions = ["revoke", "rotate"]

    class Media:
        css = {"all": ["jobs/admin.css", *STYLES["all"]]}

    def rows(self) -> ApiKeyQuerySet:
        return ApiKey.objects.select_related("workspace", "user")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("processing.change_apikey")

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show and take the form; answer the token, on a page that nobody sees again."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ApiKeyForm(request.POST or None, asking=cast("User", request.user))
        if request.method != "POST" or not form.is_valid():
            return self.form_page(request, form, title="Make an API key")
        days = form.cleaned_data["expires_in_days"]
        key, token = issue_key(
            workspace=form.cleaned_data["workspace"],
            user=form.owner,
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        self.log_addition(request, key, [{"added": {}}])
        return self._shown_once(request, [(key, token)])

    @admin.action(description="Revoke the selected keys", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        count = ApiKey.objects.filter(pk__in=ids).revoke()
        self.message_user(request, f"Revoked {count} of {len(ids)}.", messages.SUCCESS)

    @admin.action(description="Exchange the selected keys for others", permissions=["operate"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Exchange keys of one's own, or as a superuser anybody's; the old ones last for a day."""
        made = []
        for key in queryset:
            try:
                made.append(exchange_key(key, self._role_for(request, key)))
            except (KeyUnusable, ScopeTooWide) as error:
                self.message_user(request, f"{key}: {error}.", messages.WARNING)
            else:
                self.log_change(request, key, [{"changed": {"fields": ["expires_at"]}}])
        return self._shown_once(request, made) if made else None

    def _role_for(self, request: HttpRequest, key: ApiKey) -> Role:
        """Return what the owner may do, where the caller may act for them."""
        if key.user_id != request.user.pk and not request.user.is_superuser:
            raise KeyUnusable("only its owner or a superuser exchanges a key")
        access = access_of_user(key.user, key.workspace.slug)
        if access is None:
            raise KeyUnusable("its owner is no member any more")
        return access.role

    def _shown_once(self, request: HttpRequest, made: list[tuple[ApiKey, str]]) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": "Take note of this" if len(made) == 1 else "Take note of these",
            "made": made,
            "opts": self.opts,
            "media": self.media,
        }
        return _uncached(request, "admin/processing/apikey/tokens.html", context)

    @admin.display(description="key", ordering="id")
    def prefix(self, key: ApiKey) -> str:
        return f"{PREFIX}_{key.pk}_…"

    @admin.display(description="scopes")
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="state")
    def state(self, key: ApiKey) -> SafeString:
        return status_badge(state_of(key))

    @admin.display(description="age", ordering="-created_at")
    def age(self, key: ApiKey) -> str:
        return age(key.created_at)

    def known_by(self, request: HttpRequest, term: str) -> Q:
        """Find by what a key begins with, and never send its secret to the database."""
        prefix, _, rest = term.partition("_")
        return super().known_by(request, rest.partition("_")[0] if prefix == PREFIX else term)


def state_of(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "REVOKED"
    is_over = key.expires_at is not None and key.expires_at <= timezone.now()
    return "EXPIRED" if is_over else "LIVE"


#: Browsers and proxies keep no copy of what is on the page.
_uncached = never_cache(render)
