"""Workspaces in the admin: what they may have, what they use, and who belongs to them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import (
    AdminBigIntegerFieldWidget,
    AdminIntegerFieldWidget,
    AdminTextInputWidget,
)
from django.contrib.auth.models import User
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.db.models import Field, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from jobs.lists import AMONG_NEWEST
from jobs.presentation import NOTHING
from processing.admin.scoping import JudgedByRole, OfWorkspaces
from processing.choices import Role
from processing.engines.languages import LANGUAGES
from processing.engines.registry import engine_names
from processing.models import Membership, ProcessingTask, Workspace
from processing.workspaces.members import revoke_keys
from processing.workspaces.quotas import current_month

LIMITS = (
    "max_storage_bytes",
    "max_audio_minutes_per_month",
    "max_concurrent_recordings",
    "max_concurrent_chunks",
)
USED = ("stored", "audio", "at_work", "created_at")
EMPTY = "Empty: no limit."


def _limit(help_text: str, *, at_least: int = 1) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        min_value=at_least,
        widget=AdminBigIntegerFieldWidget,
        help_text=f"{help_text} {EMPTY}",
    )


class WorkspaceForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    engines = SimpleArrayField(forms.CharField(), required=False, widget=AdminTextInputWidget)
    language = forms.ChoiceField(
        required=False,
        choices=[
            ("", "the engine's first"),
            *((code, f"{name.title()} ({code})") for code, name in LANGUAGES.items()),
        ],
        help_text="Of requests that name none, where the engine understands it.",
    )
    retention_days = forms.IntegerField(
        required=False,
        min_value=1,
        widget=AdminIntegerFieldWidget,
        help_text="Recordings and uploaded documents are deleted after so many days. "
        "Empty: they are kept.",
    )
    max_storage_bytes = _limit(
        "Bytes of recordings and uploaded documents together: 10000000000 are 10 GB.", at_least=0
    )
    max_audio_minutes_per_month = _limit("What is heard again costs nothing.", at_least=0)
    max_concurrent_recordings = _limit("Transcribed at once; more wait for their turn.")
    max_concurrent_chunks = _limit("Of all its recordings together.")

    class Meta:
        model = Workspace
        fields = ("name", "slug", "engines", "language", "retention_days", *LIMITS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "engines" in self.fields:  # not for who may only look
            self.fields["engines"].help_text = (
                "Names with commas between them: the first is asked where a request names none, "
                "the others in this order for what one before could not hear. "
                f"Known: {', '.join(engine_names())}."
            )

    def clean_engines(self) -> list[str]:
        names: list[str] = self.cleaned_data["engines"]
        known = engine_names()
        if unknown := [name for name in names if name not in known]:
            raise ValidationError(
                f"There is no engine {', '.join(unknown)}; known: {', '.join(known)}."
            )
        if len({*names}) < len(names):
            raise ValidationError("Each engine is asked once: one is named twice.")
        return names


class MembershipFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]  # not subscriptable
    """Refuses to leave a workspace without a manager that had one."""

    def clean(self) -> None:
        super().clean()
        had_one = any(form.initial.get("role") == Role.MANAGER for form in self.initial_forms)
        kept = [form for form in self.forms if form not in self.deleted_forms]
        if had_one and not any(_role_in(form) == Role.MANAGER for form in kept):
            raise ValidationError("Nobody would manage the workspace any more.")

    def delete_existing(self, obj: Membership, commit: bool = True) -> None:
        if commit:
            revoke_keys(obj)
        super().delete_existing(obj, commit=commit)


def _role_in(form: Any) -> Any:
    return getattr(form, "cleaned_data", {}).get("role")


class UsernameField(forms.ModelChoiceField):  # type: ignore[type-arg]  # not subscriptable
    """A user, by the name that they log in with: for who may not look through all users."""

    def __init__(self) -> None:
        super().__init__(
            User.objects.filter(is_active=True),
            to_field_name="username",
            widget=AdminTextInputWidget,
            help_text="The name that they log in with.",
            error_messages={"invalid_choice": "There is no such user."},
        )

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int):
            return User.objects.values_list("username", flat=True).get(pk=value)
        return super().prepare_value(value)


class MembershipInline(JudgedByRole, admin.TabularInline):  # type: ignore[type-arg]  # not subscriptable
    model = Membership
    formset = MembershipFormSet
    fields = ("user", "role")
    autocomplete_fields = ("user",)
    extra = 0
    verbose_name_plural = "members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return Membership.objects.select_related("user", "workspace")

    def workspace_id_of(self, row: Workspace) -> UUID:
        """Return the workspace of the page: Django asks about that, and not about members."""
        return row.pk

    def has_add_permission(self, request: HttpRequest, obj: Any) -> bool:  # type: ignore[override]  # as of all inlines
        may = super().has_add_permission(request, obj)
        return may and self.is_allowed(request, obj, "add")

    def formfield_for_dbfield(
        self, db_field: "Field[Any, Any]", request: Any, **kwargs: Any
    ) -> forms.Field | None:
        if db_field.name == "user" and not request.user.has_perm("auth.view_user"):
            return UsernameField()
        return super().formfield_for_dbfield(db_field, request, **kwargs)


@admin.register(Workspace)
class WorkspaceAdmin(OfWorkspaces):
    """The slug is how programs and settings name a workspace: it is chosen once. Limits are set
    by superusers, as through the API."""

    workspace_path = "pk"
    form = WorkspaceForm
    inlines = [MembershipInline]
    list_display = (
        "name",
        "slug",
        "shown_engines",
        "stored",
        "audio",
        "retention_days",
        "created_at",
    )
    search_fields = ("name", "slug")
    search_help_text = f"An id, or words of a name or a slug {AMONG_NEWEST}"
    sortable_by = ()
    plain_values = {
        "shown_engines": "engines",
        "stored": "stored_bytes",
        "audio": lambda workspace: round(workspace.audio_seconds / 60, 1),
    }

    def rows(self) -> QuerySet[Workspace]:
        return Workspace.objects.with_usage(current_month())

    def workspace_id_of(self, row: Workspace) -> UUID:
        return row.pk

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        own = ("name", "slug", "engines", "language", "retention_days")
        fieldsets = [(None, {"fields": own}), ("Limits", {"fields": LIMITS})]
        if obj is None:
            return fieldsets
        return [*fieldsets, ("Used", {"fields": USED})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        limits = [] if request.user.is_superuser else list(LIMITS)
        return limits if obj is None else [*limits, "slug", *USED]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)} if obj is None else {}

    @admin.display(description="engines")
    def shown_engines(self, workspace: Workspace) -> str:
        return ", ".join(workspace.engines) or NOTHING

    @admin.display(description="stored")
    def stored(self, workspace: Any) -> str:
        limit = workspace.max_storage_bytes
        used = filesizeformat(workspace.stored_bytes)
        return used if limit is None else f"{used} of {filesizeformat(limit)}"

    @admin.display(description="audio this month")
    def audio(self, workspace: Any) -> str:
        limit = workspace.max_audio_minutes_per_month
        used = f"{workspace.audio_seconds / 60:,.1f}"
        return f"{used} min" if limit is None else f"{used} of {limit:,} min"

    @admin.display(description="recordings at work")
    def at_work(self, workspace: Workspace) -> str:
        runs = ProcessingTask.objects.in_workspace(workspace)
        begun = runs.begun().count()
        return f"{begun:,} transcribed now, {runs.active().count() - begun:,} waiting"
