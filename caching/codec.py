"""Values as bytes: msgpack, and types of our own."""

import struct
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple
from uuid import UUID

import ormsgpack
from django.http import HttpResponse

from caching.exceptions import UndecodableEntry
from caching.responses import parts_of, response_of

_TIMEDELTA = struct.Struct(">iii")


class _Mark:
    """The first element of an array that stands for another container."""

    def __init__(self, code: int, build: Callable[[list[Any]], Any]) -> None:
        self.code = code
        self.extension = ormsgpack.Ext(code, b"")
        self.packed = ormsgpack.packb(self.extension)
        self.build = build


def _moment(value: datetime | time) -> bytes:
    if value.tzinfo is not None and value.utcoffset() is None:
        raise TypeError("its zone has no offset")
    return f"{value.fold}{value.isoformat()}".encode()


def _moment_again(kind: type[datetime] | type[time], data: bytes) -> datetime | time:
    return kind.fromisoformat(data[1:].decode()).replace(fold=int(data[:1]))


def _dict(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _not_a_container(_: list[Any]) -> None:
    raise ValueError("the end is not where it should be")


class _Extension(NamedTuple):
    """A type of ours: its code, which is stored and never given another meaning, and its bytes."""

    code: int
    to_bytes: Callable[[Any], bytes]
    from_bytes: Callable[[bytes], Any]


_EXTENSIONS: dict[type, _Extension] = {
    int: _Extension(
        1,
        lambda value: value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True),
        lambda data: int.from_bytes(data, "big", signed=True),
    ),
    Decimal: _Extension(2, lambda value: str(value).encode(), lambda data: Decimal(data.decode())),
    UUID: _Extension(3, lambda value: value.bytes, lambda data: UUID(bytes=data)),
    datetime: _Extension(4, _moment, partial(_moment_again, datetime)),
    date: _Extension(5, lambda day: str(day).encode(), lambda it: date.fromisoformat(it.decode())),
    time: _Extension(6, _moment, partial(_moment_again, time)),
    timedelta: _Extension(
        7,
        lambda value: _TIMEDELTA.pack(value.days, value.seconds, value.microseconds),
        lambda data: timedelta(*_TIMEDELTA.unpack(data)),
    ),
}
_RESTORED = {extension.code: extension.from_bytes for extension in _EXTENSIONS.values()}

_CONTAINERS: dict[type, _Mark] = {
    tuple: _Mark(16, tuple),
    set: _Mark(17, set),
    frozenset: _Mark(18, frozenset),
    dict: _Mark(19, _dict),
}

#: Stands after a value to be decoded: another thing in its place, and the value has more bytes.
_END = _Mark(20, _not_a_container)
_RESPONSE = _Mark(21, response_of)
_MARKS = {mark.code: mark for mark in (*_CONTAINERS.values(), _END, _RESPONSE)}

_NATIVE = frozenset({NoneType, bool, int, float, str, bytes, bytearray, memoryview})

#: Whatever msgpack has no type for comes to ``_extended``, so that none is lost unnoticed.
_OPTIONS = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)

#: What decoding raises for bytes that ``encode`` never made.
_DECODING_ERRORS = (ValueError, TypeError, ArithmeticError, struct.error, RecursionError)


def encode(value: Any, *, key: str) -> bytes:
    """Return ``value`` as bytes that ``decode`` makes an equal value of, of the same types.

    Values are None, bool, int, float, str, bytes, Decimal, UUID, datetime, date, time,
    timedelta, and lists, tuples, sets, frozensets and dicts of them; and HTTP responses. A
    subclass of str, int or HttpResponse comes back as that, a bytearray or memoryview as bytes,
    a named time zone as its offset. Raises ``TypeError`` for all else, naming ``key``.
    """
    try:
        return _compact(ormsgpack.packb(value, default=_extended, option=_OPTIONS))
    except TypeError:  # also for a dict whose keys are not all str, which is not refused
        pass
    try:
        return _compact(ormsgpack.packb(_plain(value), default=_extended, option=_OPTIONS))
    except TypeError as error:
        problem = str(error)
    except RecursionError:
        problem = "it is nested too deeply, or contains itself"
    raise TypeError(f"the value of {key!r} ({type(value).__name__}) cannot be cached: {problem}")


def decode(payload: bytes) -> Any:
    """Return the value that was encoded, new each time; raise ``UndecodableEntry`` if none was."""
    marks: list[_Mark] = []
    data = b"\x92" + payload + _END.packed
    try:
        value, end = ormsgpack.unpackb(data, ext_hook=partial(_restored, marks))
        if end is not _END:
            raise UndecodableEntry("there is more than one value")
        return value if marks == [_END] else _rebuilt(value)
    except _DECODING_ERRORS as error:
        raise UndecodableEntry(f"no value: {error}") from error


def decoded_quickly(payload: bytes) -> tuple[Any, Callable[[bytes], Any]]:
    """Return the value of a payload that was encoded here, and what decodes it quickest.

    It must be of this process: nothing is checked.
    """
    try:
        return ormsgpack.unpackb(payload), ormsgpack.unpackb
    except ormsgpack.MsgpackDecodeError:
        return decode(payload), decode


def _compact(packed: bytes) -> bytes:
    """Return a copy in a buffer of its size: ormsgpack's was larger, and leaves a hole behind."""
    return bytes(memoryview(packed))


def _extended(value: Any) -> Any:
    """Return what stands for a value that msgpack has no type for."""
    kind = type(value)
    if kind in _EXTENSIONS:
        extension = _EXTENSIONS[kind]
        return ormsgpack.Ext(extension.code, extension.to_bytes(value))
    if kind in _CONTAINERS:
        return [_CONTAINERS[kind].extension, *value]
    if isinstance(value, HttpResponse):
        return [_RESPONSE.extension, *parts_of(value)]
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} is not a type of plain values")


def _plain(value: Any) -> Any:
    """Return a copy in which arrays stand for the dicts that msgpack cannot take."""
    kind = type(value)
    if kind is dict:
        if all(type(name) is str for name in value):
            return dict(zip(value, map(_plain, value.values()), strict=True))
        return [_CONTAINERS[dict].extension, *map(_plain, chain.from_iterable(value.items()))]
    if kind is list:
        return list(map(_plain, value))
    if kind in _CONTAINERS:
        return [_CONTAINERS[kind].extension, *map(_plain, value)]
    return value if kind in _NATIVE or kind in _EXTENSIONS else _extended(value)


def _restored(marks: list[_Mark], code: int, data: bytes) -> Any:
    """Return what an extension stands for; add to ``marks`` what an array is to be rebuilt by."""
    if data:
        return _RESTORED[code](data)
    marks.append(_MARKS[code])
    return marks[-1]


def _rebuilt(value: Any) -> Any:
    """Return a copy in which arrays are the containers that they stand for."""
    kind = type(value)
    if kind is list:
        if value and type(value[0]) is _Mark:
            return value[0].build(list(map(_rebuilt, value[1:])))
        return list(map(_rebuilt, value))
    if kind is dict:
        return dict(zip(value, map(_rebuilt, value.values()), strict=True))
    if kind is _Mark:
        raise ValueError("the mark of a container that is not there")
    return value
