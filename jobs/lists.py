"""Lists of the admin in tables of any size: no page of them reads more rows than it is worth.

Where an index finds what is asked for, all rows are looked through, and else the newest.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Field, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from jobs import handlers
from jobs import specifications as spec
from jobs.api.totals import EstimatingPaginator
from jobs.identifiers import least_uuid7, uuid7
from jobs.models import Job

#: How many of the newest rows are looked through for what no index finds, and how many for the
#: values that there are. Words that more rows have than ``FEW_ROWS`` are looked for among the
#: newest.
NEWEST_ROWS = 10_000
SAMPLED_ROWS = 1_000
FEW_ROWS = 1_000

AMONG_NEWEST = f"among the newest {NEWEST_ROWS:,}"
AMONG_ALL = f"among all; what more than {FEW_ROWS:,} have, {AMONG_NEWEST}"

#: How much earlier than its row an id may be made, by another clock.
CLOCK_SKEW = timedelta(minutes=1)


class LargeListAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """A list that begins with the newest rows; its total is estimated when it is large.

    ``found_by`` are fields that have an index, as the primary key has: their whole values are
    found among all rows. The other ``search_fields`` are looked through for words, among the
    newest. Rows ``in_order_of_ids`` are listed by these, which needs no other index.
    ``empty_text`` says what to do where there are no rows.
    """

    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count the whole table
    found_by: Sequence[str] = ()
    empty_text = "There are none yet."
    in_order_of_ids = False

    def get_ordering(self, request: HttpRequest) -> Any:
        return ("-id",) if self.in_order_of_ids else super().get_ordering(request)

    def indexed_fields(self, request: HttpRequest) -> Sequence[str]:
        """Return by which fields an index finds what a filter leaves, in the order of the list."""
        return ()

    def newest(self, request: HttpRequest, rows: QuerySet[Any], count: int) -> QuerySet[Any]:
        """Return the newest ``count`` of ``rows``, or a few more, as what a range of an index has.

        One query finds where they begin.
        """
        first = (self.get_ordering(request) or self.opts.ordering or ["pk"])[0]
        name = str(first).lstrip("-")
        values = rows.order_by(f"-{name}").values_list(name, flat=True)
        last = list(values[count - 1 : count])
        return rows.filter(**{f"{name}__gte": last[0]}) if last else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find by a whole value where an index has it, and else by words among the newest."""
        term = search_term.strip()
        if not term or "\0" in term:
            return (queryset.none() if term else queryset), False
        known = self.known_by(request, term)
        if known and queryset.filter(known).exists():
            return queryset.filter(known), False
        if not self.words_of(request):
            return queryset.none(), False
        return self.with_words(request, queryset, term)

    def with_words(
        self, request: HttpRequest, rows: QuerySet[Any], words: str
    ) -> tuple[QuerySet[Any], bool]:
        """Return the ``rows`` that have the words, and whether some may be there twice.

        Where an index has the words, what they find is told by its ids: an order would have the
        planner read the whole table in it, for it takes rare words for common ones.
        """
        condition = self.has_words(words)
        if condition is None:
            newest = self.newest(request, rows, NEWEST_ROWS)
            return super().get_search_results(request, newest, words)
        found = rows.filter(condition).order_by().values_list("pk", flat=True)
        few = list(found[: FEW_ROWS + 1])
        if len(few) <= FEW_ROWS:
            return rows.filter(pk__in=few), False
        return self.newest(request, rows, NEWEST_ROWS).filter(condition), False

    def has_words(self, words: str) -> Q | None:
        """Return the condition that an index finds words by; None where there is none."""
        return None

    def words_of(self, request: HttpRequest) -> Sequence[str]:
        """Return the fields that are looked through: those that are not found whole."""
        found = (self.opts.pk.name, *self.found_by)
        return [name for name in self.get_search_fields(request) if name not in found]

    def known_by(self, request: HttpRequest, term: str) -> Q:
        """Return the condition that ``term`` is a whole value of one of ``found_by``."""
        condition = Q()
        for name in (self.opts.pk.name, *self.found_by):
            field: Any = self.opts.get_field(name)
            try:
                value = (field.target_field if field.is_relation else field).to_python(term)
            except ValidationError:
                continue
            condition |= Q(**{name: value})
        return condition


class NewestChoices(admin.ChoicesFieldListFilter):
    """By a choice, among the newest rows where no index has it."""

    def __init__(
        self,
        field: "Field[Any, Any]",
        request: HttpRequest,
        params: dict[str, Any],
        model: Any,
        model_admin: Any,
        field_path: str,
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        self.model_admin = model_admin
        self.is_indexed = field_path in model_admin.indexed_fields(request)
        if not self.is_indexed:
            self.title = f"{self.title}, {AMONG_NEWEST}"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.used_parameters and not self.is_indexed:
            queryset = self.model_admin.newest(request, queryset, NEWEST_ROWS)
        narrowed: QuerySet[Any] | None = super().queryset(request, queryset)
        return queryset if narrowed is None else narrowed


class NewestValues(admin.FieldListFilter):
    """By a value that the newest rows have, among the newest rows where no index has it."""

    def __init__(
        self,
        field: "Field[Any, Any]",
        request: HttpRequest,
        params: dict[str, Any],
        model: Any,
        model_admin: Any,
        field_path: str,
    ) -> None:
        self.parameter_name = f"{field_path}__exact"
        super().__init__(field, request, params, model, model_admin, field_path)
        self.model_admin = model_admin
        given: Any = self.used_parameters.get(self.parameter_name, [None])
        self.value = given[-1]
        self.is_indexed = field_path in model_admin.indexed_fields(request)
        if not self.is_indexed:
            self.title = f"{self.title}, {AMONG_NEWEST}"
        order = ["-pk"] if model_admin.in_order_of_ids else model._meta.ordering
        rows = model_admin.get_queryset(request).order_by(*order)  # of all workspaces
        seen = rows.values_list(field_path, flat=True)[:SAMPLED_ROWS]
        values = {str(value) for value in seen if value not in ("", None)}
        self.values = sorted({*values, *([self.value] if self.value else [])})

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name]

    def has_output(self) -> bool:
        return len(self.values) > 1 or self.value is not None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value is None:
            return queryset
        if not self.is_indexed:
            queryset = self.model_admin.newest(request, queryset, NEWEST_ROWS)
        return queryset.filter(**{self.parameter_name: self.value})

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        yield {
            "selected": self.value is None,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "All",
        }
        for value in self.values:
            yield {
                "selected": value == self.value,
                "query_string": changelist.get_query_string({self.parameter_name: value}),
                "display": value,
            }


class CreatedFilter(admin.SimpleListFilter):
    """By when a row was made: a range of the index that the list is read by."""

    title = "created"
    parameter_name = "created"
    spans = {
        "hour": ("Past hour", timedelta(hours=1)),
        "day": ("Past day", timedelta(days=1)),
        "week": ("Past week", timedelta(days=7)),
        "month": ("Past 30 days", timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in self.spans.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in self.spans:
            return queryset
        _, span = self.spans[str(self.value())]
        since = timezone.now() - span
        if queryset.model._meta.pk.default is uuid7:
            queryset = queryset.filter(pk__gte=least_uuid7(since - CLOCK_SKEW))
        return queryset.filter(created_at__gte=since)


class JobTypeFilter(admin.SimpleListFilter):
    """By type; the choices come from the registry, not from a look through all rows."""

    title = "type"
    parameter_name = "job_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in handlers.job_types()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        job_type = self.value()
        return queryset.matching(spec.has_type(job_type)) if job_type else queryset


class ReadyFilter(admin.SimpleListFilter):
    """What waits for a worker on a queue: the rows that an index has by queue."""

    title = "ready on queue"
    parameter_name = "ready_on"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = handlers.queue_names()
        return [(name, name) for name in names if handlers.source_of(name).model is Job]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        queue_name = self.value()
        return queryset.ready().on_queue(queue_name) if queue_name else queryset
