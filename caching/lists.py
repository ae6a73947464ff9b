"""Lists of entries in the admin, however many there are."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import connections
from django.http import HttpRequest
from django.utils.functional import cached_property

from caching.backend import get_cache
from caching.levels import statements
from caching.presentation import STATES

#: The last row that is reached by its page.
COUNT_LIMIT = 100_000

#: The most prefixes that the list can be narrowed by.
SHOWN_PREFIXES = 200


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable
    """Pages of a table of any size, which count up to ``COUNT_LIMIT`` rows."""

    @cached_property
    def is_more(self) -> bool:
        return self._found > COUNT_LIMIT

    @cached_property
    def count(self) -> int:
        return min(self._found, COUNT_LIMIT)

    @cached_property
    def _found(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: COUNT_LIMIT + 1].count())


class EntryList(ChangeList):
    """A page of entries, the tags of which are asked for at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        get_cache().hierarchy.tags.current({tag for row in self.result_list for tag in row.tags})


class PrefixFilter(admin.SimpleListFilter):
    """By prefix; the choices are read from an index, one row for each."""

    title = "prefix"
    parameter_name = "prefix"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        with connections[get_cache().hierarchy.options.database].cursor() as cursor:
            cursor.execute(f"{statements.PREFIXES} LIMIT %s", [SHOWN_PREFIXES])
            return [(prefix, prefix or "(none)") for (prefix,) in cursor]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        prefix = self.value()
        known = {str(value) for value, _ in self.lookup_choices}
        if prefix is None:
            return queryset
        return queryset.with_prefix(prefix) if prefix in known else queryset.none()


class StateFilter(admin.SimpleListFilter):
    """By what the clock says; what a tag has invalidated may still be fresh by it."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in STATES]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        narrow = STATES.get(self.value() or "")
        return narrow(queryset) if narrow else queryset
