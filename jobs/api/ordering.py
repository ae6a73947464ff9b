"""The order of a list, and the places in it that cursors name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import F, Func, Q, Value
from django.db.models.lookups import GreaterThan, LessThan

if TYPE_CHECKING:
    from django.db.models import Field, Model

_SALT = "jobs.api.ordering"


class BadCursor(Exception):
    """A cursor that was not given out for this order; the message says so."""


class _Row(Func):
    function = "ROW"


@dataclass(frozen=True)
class Sort:
    """An order by a column of the list's rows, and by id where they are equal in it."""

    field: Field[Any, Any]
    is_descending: bool

    def ordering(self) -> tuple[str, str]:
        sign = "-" if self.is_descending else ""
        return f"{sign}{self.field.name}", f"{sign}pk"

    def reversed(self) -> Sort:
        return Sort(self.field, not self.is_descending)

    def after(self, value: Any, pk: Any) -> Q:
        """Return the condition of the rows that come after the one with this value and id.

        One comparison of rows, which an index answers. Null is greater than any value.
        """
        is_null = Q(**{f"{self.field.name}__isnull": True})
        if value is None and self.is_descending:
            return ~is_null | (is_null & Q(pk__lt=pk))
        if value is None:
            return is_null & Q(pk__gt=pk)
        here = _Row(F(self.field.name), F("pk"), output_field=self.field)
        place = _Row(Value(value, self.field), Value(pk, self._pk), output_field=self.field)
        if self.is_descending:
            return Q(LessThan(here, place))
        greater = Q(GreaterThan(here, place))
        return greater | is_null if self.field.null else greater

    @property
    def _pk(self) -> Field[Any, Any]:
        return self.field.model._meta.pk


@dataclass(frozen=True)
class Place:
    """Where a page begins: right after a row, or right before it."""

    value: Any
    pk: Any
    is_before: bool

    @classmethod
    def beside(cls, row: Model, sort: Sort, *, is_before: bool) -> Place:
        return cls(getattr(row, sort.field.attname), row.pk, is_before)

    @classmethod
    def named(cls, cursor: str, sort: Sort) -> Place:
        """Return the place that ``cursor`` names in a list of this order; raise ``BadCursor``."""
        try:
            *ordering, value, pk, is_before = signing.loads(cursor, salt=_SALT)
            if tuple(ordering) != sort.ordering():
                raise BadCursor("it belongs to another order")
            value = None if value is None else sort.field.to_python(value)
            return cls(value, sort._pk.to_python(pk), is_before)
        except (signing.BadSignature, ValidationError):
            raise BadCursor("it was not given out for this list") from None

    def cursor(self, sort: Sort) -> str:
        """Return the name of this place: opaque, and signed so that nobody makes one up."""
        value = None if self.value is None else _text(self.value)
        return signing.dumps([*sort.ordering(), value, str(self.pk), self.is_before], salt=_SALT)


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
