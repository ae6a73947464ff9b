"""How much of an answer is wanted: ``fields=`` for less, ``expand=`` for more in one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.serializers import BaseSerializer

    from processing.models import Workspace

FIELDS, EXPAND = "fields", "expand"


@dataclass(frozen=True)
class Expansion:
    """What ``expand=`` puts into each item: the row whose ``column`` is the item's ``key``.

    ``rows`` are those of a workspace; of several that fit the last one is taken. All items
    together cost as many queries as one.
    """

    rows: Callable[[Workspace], QuerySet[Any]]
    serializer: type[BaseSerializer[Any]]
    key: str = "id"
    column: str = "pk"

    def put(self, name: str, items: list[dict[str, Any]], view: Any) -> None:
        keys = {item[self.key] for item in items if item[self.key] is not None}
        rows = list(self.rows(view.workspace).filter(**{f"{self.column}__in": keys}))
        written = self.serializer(rows, many=True, context=view.get_serializer_context()).data
        found = {
            str(getattr(row, self.column)): one for row, one in zip(rows, written, strict=True)
        }
        for item in items:
            item[name] = found.get(str(item[self.key]))


def present(response: Response, request: Request, view: Any) -> None:
    """Do what ``fields=`` and ``expand=`` ask to what is about to be answered.

    Both take names with commas between them, ``fields`` those at the top of each item;
    ``ValidationError`` for names that are not there.
    """
    asked_fields, asked_expansions = _asked(request, FIELDS), _asked(request, EXPAND)
    items = _items_of(response.data)
    if items is None or not (asked_fields or asked_expansions):
        return
    expansions: dict[str, Expansion] = getattr(view, "expansions", {})
    _refuse_unknown(EXPAND, asked_expansions, expansions)
    known = {name: None for item in items for name in item} or _fields_of(view)
    if known:
        _refuse_unknown(FIELDS, asked_fields, known | dict.fromkeys(asked_expansions))
    for name in asked_expansions:
        if not asked_fields or name in asked_fields:
            expansions[name].put(name, items, view)
    for item in items if asked_fields else []:
        for name in item.keys() - asked_fields:
            del item[name]


def _asked(request: Request, name: str) -> dict[str, None]:
    texts = request.query_params.getlist(name)
    return dict.fromkeys(part for text in texts for part in text.split(",") if part)


def _items_of(data: Any) -> list[dict[str, Any]] | None:
    """Return the things of an answer, one or many; None for one that has none."""
    items = data.get("items", [data]) if isinstance(data, dict) else data
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    return None


def _fields_of(view: Any) -> dict[str, None]:
    """Return what an item of an empty list would have."""
    serializer = view.get_serializer() if hasattr(view, "get_serializer") else None
    return dict.fromkeys(getattr(serializer, "fields", ()))


def _refuse_unknown(name: str, asked: dict[str, None], known: dict[str, Any]) -> None:
    if unknown := [one for one in asked if one not in known]:
        names = ", ".join(known) or "nothing"
        raise ValidationError({name: [f"Unknown: {', '.join(unknown)}; known: {names}."]})
