"""The addresses of the Board, below that of the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, path

from monitoring.board.retrying import board_retry
from monitoring.board.views import board_fragment

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.admin import AdminSite


def board_urls(site: AdminSite) -> list[URLPattern]:
    """Return the routes for a site to have before its own, for its staff only."""
    staff: Callable[..., Any] = site.admin_view
    retry = "board/retry/<str:kind>/<uuid:object_id>/"
    return [
        path("board/", staff(board_fragment), name="board"),
        path(retry, staff(board_retry), name="board_retry"),
    ]
