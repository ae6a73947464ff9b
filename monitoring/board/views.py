"""The Board as a page, and the part of it that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from monitoring.board.sections import sections_for
from monitoring.board.viewer import Viewer

if TYPE_CHECKING:
    from django.http import HttpRequest


def board_context(request: HttpRequest) -> dict[str, Any]:
    """Return what ``admin/index.html`` and ``admin/board/sections.html`` show to who asks."""
    return {"sections": sections_for(Viewer(request)), "made_at": timezone.now()}


@require_safe
def board_fragment(request: HttpRequest) -> TemplateResponse:
    """Answer with the sections alone, for the page that is open to show them."""
    return TemplateResponse(request, "admin/board/sections.html", board_context(request))
