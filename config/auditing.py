"""Every change that somebody asks the API or the admin for leaves an audit event.

One place for all views, so that none can forget it: those of ``jobs`` and ``caching`` do not even
know that there are workspaces. A view that knows better writes its event itself
(``record_event``), and no other is written then.
"""

from __future__ import annotations

from collections.abc import Mapping
from getpass import getuser
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.core.exceptions import ValidationError

from config.exceptions import Shape, shape_of
from processing.api.idempotency import REPLAYED_HEADER
from processing.models import ApiKey, Workspace
from processing.origin import current_origin
from processing.workspaces.audit import record_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.contrib.admin import ModelAdmin
    from django.contrib.auth.models import User
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.urls import ResolverMatch

SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")

#: What the answer, or else the address, calls the thing that was changed.
IDENTIFIERS = ("id", "slug", "key")

#: What only goes on with what another request began, many times.
PIECES = {"upload.partial_update"}

#: No event names more fields or objects than this.
MAX_NAMES = 100

ADMIN = "admin"


class AuditEvents:
    """Writes an event for each request that changed something."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        match = request.resolver_match
        if request.method not in SAFE_METHODS and match is not None and not _is_recorded():
            if match.app_names == [ADMIN]:
                if _has_changed(request, response):
                    _record_admin(request, match)
            elif shape_of(request.path) is not Shape.PAGE and 200 <= response.status_code < 300:
                what = _of_api(request, response, match)
                is_replayed = response.has_header(REPLAYED_HEADER)
                if what["action"] not in PIECES and not is_replayed:
                    _record(request, **what)
        return response


def record_command(arguments: Sequence[str]) -> None:
    """Write down that an operator had a command do its work, and under which name of the host."""
    name, *rest = arguments
    details = {"arguments": list(rest), "operator": getuser()}
    record_event(action=f"command.{name}", object_type="command", object_id=name, details=details)


def _is_recorded() -> bool:
    origin = current_origin()
    return origin is not None and origin.event_count > 0


def _record(request: HttpRequest, **what: Any) -> None:
    auth = getattr(request, "auth", None)
    access = getattr(request, "access", None)
    record_event(
        actor=request.user if request.user.is_authenticated else None,
        api_key_id=auth.pk if isinstance(auth, ApiKey) else "",
        workspace=access.workspace if access else None,
        **what,
    )


def _of_api(
    request: HttpRequest, response: HttpResponseBase, match: ResolverMatch
) -> dict[str, Any]:
    noun, verb = name_of(match, str(request.method))
    answered = getattr(response, "data", None)
    asked = getattr(response, "renderer_context", {}).get("request")
    details: dict[str, Any] = {name: str(value) for name, value in match.kwargs.items()}
    identifier = details.pop("pk", "")
    if not identifier and isinstance(answered, Mapping):
        found = (answered.get(name) for name in IDENTIFIERS)
        identifier = next((str(one) for one in found if one), "")
    if not identifier and "Location" in response.headers:
        identifier = response.headers["Location"].rstrip("/").rpartition("/")[2]
    return {
        "action": f"{noun}.{verb}",
        "object_type": noun,
        "object_id": identifier,
        "details": details | {"fields": _names(vars(asked).get("_full_data") if asked else None)},
    }


def name_of(match: ResolverMatch, method: str) -> tuple[str, str]:
    """Return noun and verb of a request: those of the viewset, or else of the address."""
    verb = (getattr(match.func, "actions", None) or {}).get(method.lower(), method.lower())
    noun = getattr(match.func, "initkwargs", {}).get("basename") or match.url_name or "request"
    return noun, verb


def _names(data: Any) -> list[str]:
    """Return the names of what was sent; what is no name may be anything."""
    names = data if isinstance(data, Mapping) else ()
    return sorted(name for name in names if str(name).isidentifier() and len(name) <= 64)[
        :MAX_NAMES
    ]


def _has_changed(request: HttpRequest, response: HttpResponseBase) -> bool:
    """A form that was right ends in a redirect, and so does an action, of at least one object;
    what a script of a page asks for is answered in JSON."""
    if not request.user.is_authenticated:
        return False
    if "json" in response.headers.get("Content-Type", ""):
        return 200 <= response.status_code < 300
    has_chosen = "action" not in request.POST or bool(request.POST.getlist("_selected_action"))
    return response.status_code == 302 and has_chosen


def _record_admin(request: HttpRequest, match: ResolverMatch) -> None:
    """Write an event for each object that was changed, in its workspace where it has one."""
    model_admin, noun, verb = _of_admin(match.url_name or "page")
    action = request.POST.get("action", "")
    selected = request.POST.getlist("_selected_action")[:MAX_NAMES]
    if action.isidentifier() and selected:
        verb, ids = action, selected
    else:
        ids = [str(match.kwargs.get("object_id") or next(iter(match.kwargs.values()), ""))]
    details = {"matching": request.GET.urlencode()} if _is_of_all(request) else {}
    workspaces = _workspaces_of(model_admin, ids) if model_admin else {}
    for object_id in ids:
        record_event(
            action=".".join(filter(None, (ADMIN, noun, verb))),
            object_type=noun,
            object_id=object_id,
            actor=cast("User", request.user),
            workspace=workspaces.get(object_id),
            details=details,
        )


def _is_of_all(request: HttpRequest) -> bool:
    """Say whether all rows of a list were meant, of which the form names those of one page."""
    return request.POST.get("select_across", "0") not in ("", "0")


def _of_admin(name: str) -> tuple[ModelAdmin[Any] | None, str, str]:
    """Return whose page has that name, and noun and verb of it: of ``jobs_job_change`` job's."""
    app_label, _, rest = name.partition("_")
    model_name, _, verb = rest.partition("_")
    try:
        model_admin = admin.site.get_model_admin(apps.get_model(app_label, model_name))
    except (LookupError, NotRegistered):
        return None, name, ""
    return model_admin, model_name, verb


def _workspaces_of(model_admin: ModelAdmin[Any], ids: list[str]) -> dict[str, Workspace]:
    """Return the workspace of each of these rows that has one."""
    model = model_admin.model
    path = getattr(model_admin, "workspace_path", "workspace_id")
    if path == "workspace_id" and not hasattr(model, path):
        return {}
    try:
        rows = model._default_manager.filter(pk__in=ids).values_list("pk", path)
    except (ValidationError, ValueError):  # somebody made up ids
        return {}
    own = {str(pk): workspace_id for pk, workspace_id in rows if workspace_id}
    found = Workspace.objects.in_bulk({*own.values()})
    return {pk: found[workspace_id] for pk, workspace_id in own.items() if workspace_id in found}
