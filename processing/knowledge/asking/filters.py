"""The filters of a search as a question keeps them: in JSON, to be applied when it is answered."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from processing.choices import DocumentKind
from processing.exceptions import InvalidQuery
from processing.knowledge.searching.filters import SearchFilters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The most documents that one question names, and the longest word of a filter.
MAX_DOCUMENTS = 100
MAX_FILTER_CHARACTERS = 100


def checked_filters(filters: Mapping[str, Any]) -> dict[str, Any]:
    """Return filters as they are stored; what does not matter is left out.

    Raises ``InvalidQuery`` for what no search knows.
    """
    parsed = filters_of(filters)
    return {
        name: _stored(value)
        for name in (field.name for field in fields(SearchFilters))
        if (value := getattr(parsed, name))
    }


def filters_of(filters: Mapping[str, Any]) -> SearchFilters:
    """Return stored filters, or others in JSON, as a search takes them."""
    if unknown := sorted({*filters} - {*_READERS}):
        raise InvalidQuery(f"unknown filter {', '.join(unknown)}; known: {', '.join(_READERS)}")
    return SearchFilters(
        **{name: _READERS[name](name, value) for name, value in filters.items() if value}
    )


def _stored(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _documents(name: str, value: Any) -> tuple[UUID, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidQuery(f"the filter {name} is a list of ids of documents")
    if len(value) > MAX_DOCUMENTS:
        raise InvalidQuery(f"{name} are {len(value):,}; at most MAX_DOCUMENTS = {MAX_DOCUMENTS}")
    return tuple(dict.fromkeys(_identifier(name, one) for one in value))


def _identifier(name: str, value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise InvalidQuery(f"the filter {name} has an id that is none: {value!r:.60}") from None


def _word(name: str, value: Any) -> str:
    is_word = isinstance(value, str) and len(value) <= MAX_FILTER_CHARACTERS
    if not is_word or not value.isprintable():
        raise InvalidQuery(
            f"the filter {name} is a text of at most {MAX_FILTER_CHARACTERS} characters "
            "(MAX_FILTER_CHARACTERS)"
        )
    return str(value)


def _kind(name: str, value: Any) -> str:
    if value not in DocumentKind.values:
        raise InvalidQuery(f"the filter {name} is one of: {', '.join(DocumentKind.values)}")
    return str(value)


def _moment(name: str, value: Any) -> datetime:
    try:
        moment = value if isinstance(value, datetime) else parse_datetime(str(value))
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidQuery(f"the filter {name} is a time such as 2026-01-31T12:00:00Z")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "documents": _documents,
    "recording": _identifier,
    "topic": _word,
    "language": _word,
    "speaker": _word,
    "created_from": _moment,
    "created_to": _moment,
    "kind": _kind,
}
