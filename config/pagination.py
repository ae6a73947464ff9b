"""Lists in pages of at most a hundred: by number with a total, or by cursor however deep.

Not DRF's own cursors: those find their place by the first column of the order alone and count
on from there, to 1,000 at most. Ten thousand jobs that were enqueued at once are equal in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.template import loader
from django_filters import CharFilter, Filter
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.utils.urls import replace_query_param

from jobs.api.ordering import BadCursor, Place, Sort
from jobs.api.totals import OFFSET_LIMIT, Total, total_of
from processing.api.representation import EXPAND, FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import Model, QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

DEFAULT_SIZE = 20
MAX_SIZE = 100
ORDERS = ("asc", "desc")

#: What every list can be asked, besides its filters.
PARAMETERS = {
    "page": "the number of the page, from 1",
    "size": f"how many items a page has, 1 to {MAX_SIZE}",
    "sort_by": "what the list is ordered by; ids decide between equals",
    "sort_order": "asc or desc, the default",
    "cursor": "instead of page: empty for the first one, then as next and previous have it",
    FIELDS: "what is wanted of each item, names with commas between them",
}


@dataclass(frozen=True)
class ListQuery:
    """What a request asks of a list: which rows, in which order, how many of them.

    ``branches`` are conditions of which each row meets one. Each is looked up by itself, because
    no index has the rows of several values in one order.
    """

    rows: QuerySet[Any]
    sort: Sort
    size: int
    branches: Sequence[Q]

    def read(self, start: int = 0, *, place: Place | None = None) -> list[Any]:
        """Return the page from row ``start``, and one row more when there is one."""
        sort = self.sort.reversed() if place and place.is_before else self.sort
        rows = self.rows.order_by(*sort.ordering())
        if place is not None:
            rows = rows.filter(sort.after(place.value, place.pk))
        stop = start + self.size + 1
        if len(self.branches) > 1:
            first, *others = (rows.filter(q).values("pk")[:stop] for q in self.branches)
            rows = rows.filter(pk__in=first.union(*others, all=True))
        return list(rows[start:stop])

    def total(self) -> Total:
        return sum((total_of(self.rows.filter(q)) for q in self.branches), Total(0))


class NumberedPage:
    """The page of a number, and how many there are."""

    def __init__(self, query: ListQuery, number: int) -> None:
        start = (number - 1) * query.size
        if start + query.size > OFFSET_LIMIT:
            last = OFFSET_LIMIT // query.size
            reason = f"The last page by number is {last:,} (row {OFFSET_LIMIT:,}): use cursor="
            raise _refusal("page", reason)
        found = query.read(start)
        if not found and number > 1:
            raise NotFound(f"There is no page {number}.")
        self.items = found[: query.size]
        self.has_next, self.has_previous = len(found) > query.size, number > 1
        self.number, self.size = number, query.size
        self.total = Total(start + len(found))
        if self.has_next:
            total = query.total()
            self.total = Total(max(total.count, self.total.count), total.is_estimate)

    def links(self, address: str) -> tuple[str | None, str | None]:
        """Return the addresses of the next page and the previous one."""
        number = self.number
        following = replace_query_param(address, "page", number + 1) if self.has_next else None
        previous = replace_query_param(address, "page", number - 1) if self.has_previous else None
        return following, previous

    def envelope(self, address: str) -> dict[str, Any]:
        return {
            "page": self.number,
            "size": self.size,
            "total": self.total.count,
            "total_is_estimate": self.total.is_estimate,
            "total_pages": -(-self.total.count // self.size),
            "has_next": self.has_next,
            "has_previous": self.has_previous,
        }


class CursorPage:
    """The page after, or before, the row that a cursor names; the first one without a cursor."""

    def __init__(self, query: ListQuery, cursor: str) -> None:
        try:
            place = Place.named(cursor, query.sort) if cursor else None
        except BadCursor as error:
            raise _refusal("cursor", f"{error}: begin with an empty one.".capitalize()) from None
        found = query.read(place=place)
        items, is_more = found[: query.size], len(found) > query.size
        if place is not None and place.is_before:
            items.reverse()
            self.has_next, self.has_previous = True, is_more
        else:
            self.has_next, self.has_previous = is_more, place is not None
        self.items, self.size, self.sort = items, query.size, query.sort
        self.place = place

    def links(self, address: str) -> tuple[str | None, str | None]:
        """Return the addresses of the next page and the previous one."""
        return (
            self._link(address, -1, is_before=False) if self.has_next else None,
            self._link(address, 0, is_before=True) if self.has_previous else None,
        )

    def _link(self, address: str, index: int, *, is_before: bool) -> str:
        if self.items:
            place = Place.beside(self.items[index], self.sort, is_before=is_before)
        else:  # what came here is gone: the way back begins where this page would
            assert self.place is not None  # noqa: S101  else there is no other page
            place = Place(self.place.value, self.place.pk, is_before)
        return replace_query_param(address, "cursor", place.cursor(self.sort))

    def envelope(self, address: str) -> dict[str, Any]:
        following, previous = self.links(address)
        return {
            "size": self.size,
            "next": following,
            "previous": previous,
            "has_next": self.has_next,
            "has_previous": self.has_previous,
        }


class ListPagination(BasePagination):
    """Pages of any list; whatever the list does not know is refused, not ignored.

    A view says what it can be ordered by in ``sort_fields`` (the first is the default, and
    without any it is id), and in ``split_by`` which of its filters take several values of a
    column that begins an index.
    """

    def paginate_queryset(  # type: ignore[override]  # our lists are querysets
        self, queryset: QuerySet[Any], request: Request, view: APIView | None = None
    ) -> list[Any]:
        asked = request.query_params
        filters = getattr(getattr(view, "filterset_class", None), "base_filters", {})
        known = [*filters, *PARAMETERS, *([EXPAND] if getattr(view, "expansions", None) else [])]
        if unknown := asked.keys() - {*known, api_settings.URL_FORMAT_OVERRIDE}:
            reason = f"This list does not know it, but {', '.join(known)}."
            raise ValidationError({name: [reason] for name in sorted(unknown)})
        if empty := [name for name, each in filters.items() if _is_nothing(each, asked.get(name))]:
            raise ValidationError({name: ["A value is needed."] for name in empty})
        query = ListQuery(
            rows=queryset,
            sort=_sort_asked(request, queryset.model, getattr(view, "sort_fields", ("pk",))),
            size=_number_asked(request, "size", default=DEFAULT_SIZE, at_most=MAX_SIZE),
            branches=_branches_asked(request, getattr(view, "split_by", ())),
        )
        self.address = request.build_absolute_uri()
        self.page: NumberedPage | CursorPage
        if "cursor" not in asked:
            self.page = NumberedPage(query, _number_asked(request, "page", default=1))
        elif "page" not in asked:
            self.page = CursorPage(query, asked["cursor"])
        else:
            raise _refusal("cursor", "A page has a number or a cursor, not both.")
        self.display_page_controls = self.page.has_next or self.page.has_previous
        return self.page.items

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"items": data, **self.page.envelope(self.address)})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        flags = {name: {"type": "boolean"} for name in ("has_next", "has_previous")}
        of_number = {name: {"type": "integer"} for name in ("page", "total", "total_pages")}
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "description": "`next` and `previous` where a cursor was asked for, else the counts.",
            "properties": {
                "items": schema,
                "size": {"type": "integer"},
                **flags,
                **of_number,
                "total_is_estimate": {"type": "boolean"},
                "next": link,
                "previous": link,
            },
            "required": ["items", "size", *flags],
        }

    def get_results(self, data: Any) -> Any:
        return data["items"]

    def to_html(self) -> str:
        following, previous = self.page.links(self.address)
        template = loader.get_template("rest_framework/pagination/previous_and_next.html")
        return template.render({"next_url": following, "previous_url": previous})

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        number = {"type": "integer", "minimum": 1}
        schemas: dict[str, dict[str, Any]] = {
            "page": number,
            "size": number | {"maximum": MAX_SIZE, "default": DEFAULT_SIZE},
            "sort_by": {"type": "string", "enum": list(getattr(view, "sort_fields", ("pk",)))},
            "sort_order": {"type": "string", "enum": list(ORDERS), "default": "desc"},
            "cursor": {"type": "string"},
            FIELDS: {"type": "string"},
        }
        return [
            {"name": name, "in": "query", "required": False, "description": text, "schema": schema}
            for (name, text), schema in zip(PARAMETERS.items(), schemas.values(), strict=True)
        ]


def _is_nothing(each: Filter, value: str | None) -> bool:
    """Whether a filter was given a value that is none, where an empty text says nothing."""
    return value == "" and not isinstance(each, CharFilter)


def _refusal(name: str, reason: str) -> ValidationError:
    return ValidationError({name: [reason]})


def _number_asked(request: Request, name: str, *, default: int, at_most: int | None = None) -> int:
    text = request.query_params.get(name, str(default))
    is_number = text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0
    if not is_number or (at_most and int(text) > at_most):
        limits = f"from 1 to {at_most}" if at_most else "of at least 1"
        raise _refusal(name, f"A whole number {limits} is needed.")
    return int(text)


def _sort_asked(request: Request, model: type[Model], allowed: Sequence[str]) -> Sort:
    name = request.query_params.get("sort_by", allowed[0])
    order = request.query_params.get("sort_order", "desc")
    if name not in allowed:
        raise _refusal("sort_by", f"This list is ordered by {' or '.join(allowed)}.")
    if order not in ORDERS:
        raise _refusal("sort_order", f"The order is {' or '.join(ORDERS)}.")
    field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return Sort(field, is_descending=order == "desc")  # type: ignore[arg-type]  # a column


def _branches_asked(request: Request, names: Sequence[str]) -> list[Q]:
    for name in names:
        values = dict.fromkeys(request.query_params.getlist(name))
        if len(values) > 1:
            return [Q(**{name: value}) for value in values]
    return [Q()]
