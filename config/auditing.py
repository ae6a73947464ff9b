"""Every change that somebody asks the API or the admin for leaves an audit event.

One place for all views, so that none can forget it: those of ``jobs`` and ``caching`` do not even
know that there are workspaces. A view that knows better writes its event itself
(``record_event``), and no other is written then.
"""

from __future__ import annotations

from collections.abc import Mapping
from getpass import getuser
from typing import TYPE_CHECKING, Any

from config.exceptions import Shape, shape_of
from processing.api.idempotency import REPLAYED_HEADER
from processing.models import ApiKey
from processing.origin import current_origin
from processing.workspaces.audit import record_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
            if match.app_names == [ADMIN] and _has_changed_by_form(request, response):
                _record(request, **_of_admin(request, match))
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


def _has_changed_by_form(request: HttpRequest, response: HttpResponseBase) -> bool:
    """A form that was right ends in a redirect; so does an action, of at least one object."""
    if response.status_code != 302 or not request.user.is_authenticated:
        return False
    return "action" not in request.POST or bool(request.POST.getlist("_selected_action"))


def _of_admin(request: HttpRequest, match: ResolverMatch) -> dict[str, Any]:
    name = match.url_name or "page"
    selected = request.POST.getlist("_selected_action")[:MAX_NAMES]
    action = request.POST.get("action", "")
    return {
        "action": ".".join([ADMIN, name, *([action] if action.isidentifier() else [])]),
        "object_type": name,
        "object_id": str(match.kwargs.get("object_id") or next(iter(match.kwargs.values()), "")),
        "details": {"selected": selected} if selected else {},
    }
