"""Workspaces in the admin."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminIntegerFieldWidget, AdminTextInputWidget
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from jobs.presentation import NOTHING
from processing.engines.registry import engine_names
from processing.models import Workspace


class WorkspaceForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    engines = SimpleArrayField(forms.CharField(), required=False, widget=AdminTextInputWidget)
    max_concurrent_chunks = forms.IntegerField(
        required=False,
        min_value=1,
        widget=AdminIntegerFieldWidget,
        help_text="Of all its recordings together. Empty: no limit.",
    )

    class Meta:
        model = Workspace
        fields = ("name", "slug", "engines", "max_concurrent_chunks")

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


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """The slug is how programs and settings name a workspace: it is chosen once."""

    form = WorkspaceForm
    list_display = ("name", "slug", "shown_engines", "max_concurrent_chunks", "created_at")
    search_fields = ("name", "slug")
    show_full_result_count = False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fields = ["name", "slug", "engines", "max_concurrent_chunks"]
        return fields if obj is None else [*fields, "created_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["slug", "created_at"]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Any = None
    ) -> dict[str, Sequence[str]]:
        return {"slug": ("name",)} if obj is None else {}

    @admin.display(description="engines")
    def shown_engines(self, workspace: Workspace) -> str:
        return ", ".join(workspace.engines) or NOTHING
