"""Times that lists are narrowed by."""

from __future__ import annotations

from datetime import UTC, datetime

import django_filters
from django_filters.fields import IsoDateTimeField


class MomentField(IsoDateTimeField):  # type: ignore[misc]  # it ships no types
    """Takes every offset of RFC 3339: PostgreSQL itself refuses those of 16 hours and more."""

    def strptime(self, value: str, format: str) -> datetime:
        try:
            moment: datetime = super().strptime(value, format).astimezone(UTC)
        except OverflowError as error:  # before the first year, or after the last
            raise ValueError(str(error)) from error
        return moment


class MomentFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]  # as above
    field_class = MomentField
