"""How many rows a list has, told fast: counted when they are few, estimated when they are many."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: Up to this many rows are counted, where that costs no more than a few milliseconds: so much in
#: the units of PostgreSQL's planner. An index that has all that is asked for counts 40,000.
EXACT_LIMIT = 100_000
EXACT_COST = 1_000

#: The last row that is reached by skipping those before it, which costs as much as reading them.
OFFSET_LIMIT = 100_000


@dataclass(frozen=True)
class Total:
    """A number of rows, and whether it is only about right."""

    count: int
    is_estimate: bool = False

    def __add__(self, other: Total) -> Total:
        return Total(self.count + other.count, self.is_estimate or other.is_estimate)


def total_of(queryset: QuerySet[Any]) -> Total:
    """Count ``queryset`` when it has up to ``EXACT_LIMIT`` rows and that is cheap, else say what
    the planner expects.

    The planner is asked first, so that nobody counts to the limit in vain, or looks through a
    million rows for ten.
    """
    counted = queryset.order_by().values("pk")[: EXACT_LIMIT + 1]
    expected, cost = _expected(counted)
    if cost > EXACT_COST:
        return Total(expected, is_estimate=True)
    if expected <= 2 * EXACT_LIMIT:
        count = counted.count()
        if count <= EXACT_LIMIT:
            return Total(count)
    return Total(max(expected, EXACT_LIMIT + 1), is_estimate=True)


def _expected(rows: QuerySet[Any]) -> tuple[int, float]:
    """Return how many rows there would be without their limit, and what it costs to find these."""
    plan = rows.explain(format="json")
    if not plan:  # there is none: no rows
        return 0, 0.0
    limit = json.loads(plan)[0]["Plan"]
    return int(limit["Plans"][0]["Plan Rows"]), limit["Total Cost"]


class EstimatingPaginator(Paginator):  # type: ignore[type-arg]  # not subscriptable
    """The admin's pages of a table of any size; ``OFFSET_LIMIT`` is the last row they show."""

    @cached_property
    def total(self) -> Total:
        return total_of(self.object_list)  # type: ignore[arg-type]  # the admin's are querysets

    @cached_property
    def count(self) -> int:
        return self.total.count

    @cached_property
    def num_pages(self) -> int:
        rows = min(self.count, OFFSET_LIMIT)
        return max(1, -(-rows // self.per_page))
