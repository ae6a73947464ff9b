"""The search over everything that was said or written, as a page."""

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from processing.admin.scoping import workspace_of, workspaces_of
from processing.choices import DocumentKind
from processing.exceptions import ProcessingError
from processing.knowledge.searching.filters import SearchFilters
from processing.knowledge.searching.search import Hit, SearchPage, search
from processing.managers.workspace import WorkspaceQuerySet
from processing.models import Topic, Workspace
from processing.services.progress import clock

HITS_PER_PAGE = 20

VIEW = "processing.view_document"

MODES = [("auto", "words and meaning"), ("words", "words"), ("meaning", "meaning")]


class SearchForm(forms.Form):
    """What is looked for, and where."""

    q = forms.CharField(
        label="Search",
        widget=AdminTextInputWidget(attrs={"type": "search"}),
        help_text='"exact words", -without, one OR another, beg*',
    )
    mode = forms.ChoiceField(required=False, choices=MODES)
    language = forms.CharField(required=False, max_length=10)
    kind = forms.ChoiceField(required=False, choices=[("", "all"), *DocumentKind.choices])
    topic = forms.ModelChoiceField(Topic.objects.none(), required=False, empty_label="all")
    speaker = forms.CharField(required=False, max_length=100)
    workspace = forms.ModelChoiceField(Workspace.objects.none(), required=False, empty_label=None)

    def __init__(
        self, *args: Any, workspace: Workspace, workspaces: WorkspaceQuerySet, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        topics: Any = self.fields["topic"]
        topics.queryset = Topic.objects.in_workspace(workspace)
        if not topics.queryset.exists():
            del self.fields["topic"]
        choices: Any = self.fields["workspace"]
        choices.queryset = workspaces
        if not workspaces[1:].exists():
            del self.fields["workspace"]


def search_view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the form and what was found; ``context`` is what every page of the admin knows."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    workspaces = workspaces_of(request, VIEW)
    workspace = _chosen(workspaces, request.GET.get("workspace", "")) or workspace_of(request, VIEW)
    form = SearchForm(
        request.GET if "q" in request.GET else None, workspace=workspace, workspaces=workspaces
    )
    page: SearchPage | None = None
    offset = _offset(request.GET.get("offset", ""))
    if form.is_valid():
        try:
            page = _found(form.cleaned_data, workspace, offset)
        except ProcessingError as error:
            form.add_error("q", str(error))
    context |= {
        "title": "Search",
        "form": form,
        "query": request.GET.get("q", ""),
        "page": page,
        "hits": [_shown(hit) for hit in page.hits] if page else [],
        "earlier": _address(request, offset - HITS_PER_PAGE) if offset else "",
        "later": _address(request, offset + HITS_PER_PAGE) if page and page.has_more else "",
    }
    return TemplateResponse(request, "admin/processing/document/search.html", context)


def _found(asked: dict[str, Any], workspace: Workspace, offset: int) -> SearchPage:
    topic = asked.get("topic")
    filters = SearchFilters(
        language=asked["language"],
        kind=asked["kind"],
        topic=topic.slug if topic else "",
        speaker=asked["speaker"],
    )
    return search(
        workspace=workspace,
        query=asked["q"],
        filters=filters,
        mode=asked["mode"] or "auto",
        limit=HITS_PER_PAGE,
        offset=offset,
    )


def _shown(hit: Hit) -> dict[str, Any]:
    """Return a hit as its line on the page: where it leads to, and when it was said."""
    address = reverse("admin:processing_document_change", args=[hit.document_id])
    return {
        "hit": hit,
        "address": f"{address}#passage-{hit.passage_id}",
        "time": "" if hit.start_seconds is None else clock(hit.start_seconds),
    }


def _chosen(workspaces: WorkspaceQuerySet, pk: str) -> Workspace | None:
    return workspaces.filter(pk=pk).first() if _is_uuid(pk) else None


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and text.replace("-", "").isalnum()


def _offset(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _address(request: HttpRequest, offset: int) -> str:
    query = request.GET.copy()
    query["offset"] = str(max(offset, 0))
    return f"?{query.urlencode()}"
