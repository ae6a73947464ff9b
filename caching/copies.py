"""Copies of decoded values, for less than it takes to decode them again.

What a copier is depends on the shape of a value alone. Where values are regular, as those of
JSON mostly are, it is made of functions of the interpreter: a list of records is copied by
``list(map(dict.copy, records))``.
"""

import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any
from uuid import UUID

#: Values of these types need no copy, as they are decoded.
IMMUTABLE = frozenset(
    {NoneType, bool, int, float, str, bytes, Decimal, UUID, datetime, date, time, timedelta}
)

#: A list of more shapes, or a value that is nested deeper, is as quickly decoded as copied.
MAX_SHAPES = 8
MAX_DEPTH = 16

#: Copiers that are shared by all values of their shape.
MAX_COPIERS = 1_000

Copier = Callable[[Any], Any]


class _Irregular(Exception):
    """A value of too many shapes."""


def copier_of(value: Any) -> Copier | None:
    """Return what copies values of this one's shape, so that who changes one changes no other.

    None for what is better decoded again: a value of many shapes, or of a type that is no plain
    container.
    """
    try:
        return _copier(value, MAX_DEPTH)
    except _Irregular:
        return None


def size_of(value: Any) -> int:
    """Return how many bytes a value takes, counting what is shared within it each time."""
    size = sys.getsizeof(value)
    if type(value) is dict:
        size += sum(map(size_of, value)) + sum(map(size_of, value.values()))
    elif type(value) in (list, tuple, set, frozenset):
        size += sum(map(size_of, value))
    return size


def _copier(value: Any, depth: int) -> Copier:
    kind = type(value)
    if kind in IMMUTABLE or kind is frozenset:
        return _same
    if depth == 0:
        raise _Irregular
    if kind is dict:
        inner = tuple(
            (name, copier)
            for name, item in value.items()
            if (copier := _copier(item, depth - 1)) is not _same
        )
        return _record_copier(inner) if inner else dict.copy
    if kind is list or kind is tuple:
        copiers = tuple(_copier(item, depth - 1) for item in value)
        return _sequence_copier(kind, copiers)
    if kind is set:
        return set.copy
    raise _Irregular


def _same(value: Any) -> Any:
    return value


@lru_cache(MAX_COPIERS)
def _record_copier(inner: tuple[tuple[Any, Copier], ...]) -> Copier:
    """Copy dicts that have something to be copied under these names."""

    def copy(record: dict[Any, Any]) -> dict[Any, Any]:
        copied = record.copy()
        for name, copier in inner:
            copied[name] = copier(copied[name])
        return copied

    return copy


def _sequence_copier(
    kind: type[list[Any] | tuple[Any, ...]], copiers: tuple[Copier, ...]
) -> Copier:
    shapes = set(copiers)
    if shapes <= {_same}:
        return list.copy if kind is list else _same
    if len(shapes) == 1:
        return _uniform_copier(kind, copiers[0])
    if len(shapes) > MAX_SHAPES:
        raise _Irregular
    return lambda items: kind([copier(item) for copier, item in zip(copiers, items, strict=True)])


@lru_cache(MAX_COPIERS)
def _uniform_copier(kind: type[list[Any] | tuple[Any, ...]], copier: Copier) -> Copier:
    return lambda items: kind(map(copier, items))
