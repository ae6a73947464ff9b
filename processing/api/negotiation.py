"""Views that choose themselves what kind of answer they give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.negotiation import DefaultContentNegotiation

from processing.api.server_sent import CONTENT_TYPE

if TYPE_CHECKING:
    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request


class FirstRendererNegotiation(DefaultContentNegotiation):
    """Leaves ``?format=`` and ``Accept`` to the view, which answers with a file of its own."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class EventStreamNegotiation(DefaultContentNegotiation):
    """Leaves ``Accept`` to the view, which has one kind of answer."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], CONTENT_TYPE
