"""Values and entries as bytes: what comes back is what was given, or nothing at all."""

import copy
import hashlib
import math
import struct
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import zstandard
from django.contrib.auth.models import User
from django.utils.safestring import SafeString
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caching.codec import decode, encode
from caching.entries import Entry
from caching.exceptions import UndecodableEntry
from caching.packing import (
    COMPRESS_BYTES,
    FORMAT_MARK,
    HEADER_BYTES,
    MAX_VALUE_BYTES,
    VERSION_OFFSET,
    pack,
    unpack,
)

#: No file of examples beside the code, no failure because the machine is busy.
quick = settings(database=None, deadline=None, max_examples=200)

PARIS = ZoneInfo("Europe/Paris")
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.decimals().filter(lambda number: not number.is_snan()),  # has no hash
    st.uuids(),
    st.datetimes(timezones=st.none() | OFFSETS),
    st.dates(),
    st.times(timezones=st.none() | OFFSETS),
    st.timedeltas(),
)
KEYS = HASHABLE | st.tuples(HASHABLE, st.tuples(HASHABLE)) | st.frozensets(HASHABLE, max_size=2)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(KEYS, max_size=3),
        st.frozensets(KEYS, max_size=3),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=12,
)
ENTRIES = st.builds(
    Entry,
    payload=st.none() | st.binary(max_size=40),
    version=st.integers(-(2**63), 2**63 - 1),
    stored_at=st.floats(allow_nan=False, allow_infinity=False),
    expires_at=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    discard_at=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    tags=st.lists(st.tuples(st.text(max_size=5), st.integers(0, 2**63 - 1)), max_size=3).map(tuple),
    prefix=st.text(max_size=20),
)
ENTRY = Entry(
    b"value", 7, 1.5, 2.5, None, tags=(("user:1", 3), ("gr\u00fc\u00dfe", 2**40)), prefix="page"
)


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Shape(Enum):
    ROUND = 1


@dataclass(frozen=True)
class Point:
    x: int = 1


Pair = namedtuple("Pair", "a b")


def shape(value: Any) -> Any:
    """Return what two values have in common that are the same to the last type."""
    kind = type(value)
    if kind is dict:
        return kind, [(shape(name), shape(inner)) for name, inner in value.items()]
    if kind in (list, tuple):
        return kind, [shape(inner) for inner in value]
    if kind in (set, frozenset):
        return kind, sorted(repr(shape(inner)) for inner in value)
    return kind, repr(value)


def nested(wrap: Callable[[Any], Any], depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = wrap(value)
    return value


# Values


@quick
@given(VALUES)
@example([math.nan, math.inf, -0.0, Decimal("sNaN"), Decimal("1.10"), 2**64, -(2**63) - 1])
@example({True: 1, None: (), 2: {3: ({4},)}, (1, (2,)): b"", math.nan: "", date(2020, 2, 29): 0})
def test_a_value_comes_back_as_it_was_to_the_last_type(value: Any) -> None:
    assert shape(decode(encode(value, key="k"))) == shape(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(datetime(2024, 10, 27, 2, 30, fold=1), id="second time of an hour"),  # noqa: DTZ001
        pytest.param(time(2, 30, fold=1), id="time of day in it"),
        pytest.param(datetime(2024, 1, 1, 0, 0, 0, 1, UTC), id="UTC with a microsecond"),
        pytest.param(datetime.max.replace(tzinfo=UTC), id="last moment"),
        pytest.param(timedelta.min, id="least span"),
    ],
)
def test_a_time_keeps_all_that_it_says(value: Any) -> None:
    assert repr(decode(encode(value, key="k"))) == repr(value)


def test_a_named_time_zone_becomes_its_offset() -> None:
    moment = datetime(2024, 7, 1, 12, tzinfo=PARIS)

    result = decode(encode(moment, key="k"))

    assert result == moment
    assert result.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        pytest.param(SafeString("<b>"), "<b>", id="SafeString"),
        pytest.param(Color.RED, "red", id="StrEnum"),
        pytest.param(Level.HIGH, 3, id="IntEnum"),
        pytest.param({SafeString("a"): [Level.HIGH]}, {"a": [3]}, id="nested, and as a key"),
        pytest.param(bytearray(b"\x00"), b"\x00", id="bytearray"),
        pytest.param((memoryview(b"\x01"),), (b"\x01",), id="memoryview"),
    ],
)
def test_what_is_more_than_str_int_or_bytes_comes_back_as_that(value: Any, plain: Any) -> None:
    assert shape(decode(encode(value, key="k"))) == shape(plain)


def test_the_order_of_a_dict_is_kept() -> None:
    value = {"b": 1, "a": {2: 0, 1: 0}}

    result = decode(encode(value, key="k"))

    assert list(result) == ["b", "a"]
    assert list(result["a"]) == [2, 1]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param(len, "builtin_function_or_method", id="function"),
        pytest.param(Point, "type", id="class"),
        pytest.param(object(), "object", id="object"),
        pytest.param(SimpleNamespace(), "SimpleNamespace", id="namespace"),
        pytest.param(User(), "User", id="model instance"),
        pytest.param(Point(), "Point", id="dataclass"),
        pytest.param(Shape.ROUND, "Shape", id="enum"),
        pytest.param(Pair(1, 2), "Pair", id="named tuple"),
        pytest.param(OrderedDict(a=1), "OrderedDict", id="ordered dict"),
        pytest.param(1j, "complex", id="complex number"),
        pytest.param(iter([]), "list_iterator", id="iterator"),
        pytest.param({Point(): 1}, "Point", id="as a key"),
        pytest.param([{"a": ({1: Shape.ROUND},)}], "Shape", id="deep inside"),
        pytest.param(time(1, tzinfo=PARIS), "time", id="time of day in a named zone"),
        pytest.param("\ud800", "str", id="half of a surrogate pair"),
        pytest.param({"\ud800": 1}, "string contains surrogates", id="such a key"),
    ],
)
def test_a_value_that_would_not_come_back_is_refused_by_name(value: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"'page:1'.*{name}"):
        encode(value, key="page:1")


def contains_itself(kind: str) -> Any:
    value: Any = [] if kind == "list" else {}
    if kind == "list":
        value.append((value,))
    else:
        value[1] = value
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(contains_itself("list"), id="a list in itself"),
        pytest.param(contains_itself("dict"), id="a dict in itself"),
        pytest.param(nested(lambda inner: [inner], 10_000), id="lists"),
        pytest.param(nested(lambda inner: (inner,), 10_000), id="tuples"),
        pytest.param(nested(lambda inner: {1: inner}, 10_000), id="dicts"),
    ],
)
def test_what_is_nested_without_end_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"'k'.*(deeply|[Rr]ecursion)"):
        encode(value, key="k")


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda inner: [inner], id="lists"),
        pytest.param(lambda inner: (inner,), id="tuples"),
        pytest.param(lambda inner: {1: inner}, id="dicts"),
        pytest.param(lambda inner: [(inner,)], id="both"),
    ],
)
def test_what_is_nested_deeply_comes_back(wrap: Callable[[Any], Any]) -> None:
    value = nested(wrap, 100)

    assert decode(encode(value, key="k")) == value


def test_a_value_is_not_changed_by_being_encoded() -> None:
    value = {"a": [1, {2: (3, {4})}], SafeString("b"): {None: []}}
    before = copy.deepcopy(value)

    encode(value, key="k")

    assert shape(value["a"]) == shape(before["a"])
    assert [type(name) for name in value] == [str, SafeString]


@pytest.mark.parametrize("value", [{"a": [1]}, {"a": [1], "b": (1,)}], ids=["plain", "rebuilt"])
def test_each_reader_has_its_own_value(value: Any) -> None:
    payload = encode(value, key="k")

    decode(payload)["a"].append(2)

    assert decode(payload) == value


# What is no value


@quick
@given(st.binary(max_size=60))
@example(b"\xc7\x00\x14")
@example(b"\x91\xc7\x00\x14")
@example(b"\x91\xc7\x00\x11\x91\x90")
def test_bytes_are_a_value_or_undecodable(payload: bytes) -> None:
    with suppress(UndecodableEntry):
        value = decode(payload)
        assert shape(decode(encode(value, key="k"))) == shape(value)


@quick
@given(VALUES, st.data())
def test_a_changed_byte_makes_another_value_or_none(value: Any, data: st.DataObject) -> None:
    payload = bytearray(encode(value, key="k"))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] = data.draw(st.integers(0, 255))

    with suppress(UndecodableEntry):
        result = decode(bytes(payload))
        assert shape(decode(encode(result, key="k"))) == shape(result)


@quick
@given(VALUES, st.data())
def test_a_value_that_is_cut_off_is_none(value: Any, data: st.DataObject) -> None:
    payload = encode(value, key="k")

    with pytest.raises(UndecodableEntry):
        decode(payload[: data.draw(st.integers(0, len(payload) - 1))])


@quick
@given(VALUES, VALUES)
def test_two_values_are_none(one: Any, other: Any) -> None:
    with pytest.raises(UndecodableEntry):
        decode(encode(one, key="k") + encode(other, key="k"))


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc1", id="no type"),
        pytest.param(b"\xa2\xff\xff", id="no UTF-8"),
        pytest.param(b"\x81\x01\x02", id="a map as others write it"),
        pytest.param(b"\x81\x90\x01", id="an array as a key"),
        pytest.param(b"\xd4\x63\x00", id="an extension of somebody else"),
        pytest.param(b"\xd6\xff\x00\x00\x00\x00", id="a timestamp of msgpack"),
        pytest.param(b"\xc7\x00\x63", id="a mark of somebody else"),
        pytest.param(b"\xc7\x00\x10", id="a mark alone"),
        pytest.param(b"\x92\x01\xc7\x00\x10", id="a mark that is not first"),
        pytest.param(b"\x92\xc7\x00\x14\x01", id="a mark of no container"),
        pytest.param(b"\x92\xc7\x00\x11\x90", id="a set of lists"),
        pytest.param(b"\x93\xc7\x00\x13\x90\x01", id="a dict with a list as a key"),
        pytest.param(b"\x92\xc7\x00\x13\x01", id="a dict with half a pair"),
        pytest.param(b"\xc7\x03\x02abc", id="no number"),
        pytest.param(b"\xc7\x02\x03ab", id="no UUID"),
        pytest.param(b"\xc7\x0b\x0402020-13-45", id="no date and time"),
        pytest.param(b"\xc7\x0a\x052020-13-45", id="no date"),
        pytest.param(b"\xc7\x05\x06x1:00", id="no time"),
        pytest.param(b"\xc7\x0c\x07\x7f" + b"\xff" * 11, id="no span"),
        pytest.param(b"\xdd\xff\xff\xff\xff", id="an array of billions"),
        pytest.param(b"\xdf\xff\xff\xff\xff", id="a map of billions"),
        pytest.param(b"\xc6\xff\xff\xff\xff", id="bytes of billions"),
        pytest.param(b"\xc9\xff\xff\xff\xff\x01", id="an extension of billions"),
        pytest.param(b"\x91" * 100_000 + b"\x01", id="arrays without end"),
        pytest.param(b"\x91" * 1000 + b"\x92\xc7\x00\x10\x01", id="a tuple too deep inside"),
    ],
)
def test_what_was_never_encoded_is_undecodable(payload: bytes) -> None:
    with pytest.raises(UndecodableEntry):
        decode(payload)


# Entries


@quick
@given(ENTRIES)
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    assert unpack(pack(entry)) == entry


def test_the_layout_is_what_is_stored_already() -> None:
    assert pack(ENTRY).hex() == (
        "c500"
        "0000000000000007"
        "3ff8000000000000"
        "4004000000000000"
        "7ff0000000000000"
        "0470616765"
        "0002"
        "0006757365723a31" + "0000000000000003"
        "0007" + "gr\u00fc\u00dfe".encode().hex() + "0000010000000000"
        "76616c7565"
    )


def test_the_version_and_the_times_are_where_a_script_looks_for_them() -> None:
    data = pack(ENTRY)

    assert data[0] == FORMAT_MARK
    assert struct.unpack_from(">qddd", data, VERSION_OFFSET) == (7, 1.5, 2.5, math.inf)
    assert data[HEADER_BYTES] == len("page")


@pytest.mark.parametrize(
    ("payload", "flags"),
    [
        pytest.param(b"value", 0, id="value"),
        pytest.param(b"", 0, id="empty value"),
        pytest.param(None, 1, id="tombstone"),
        pytest.param(b"a" * COMPRESS_BYTES, 2, id="compressed"),
        pytest.param(b"a" * (COMPRESS_BYTES - 1), 0, id="too small to be compressed"),
    ],
)
def test_the_flags_say_what_follows(payload: bytes | None, flags: int) -> None:
    data = pack(replace(ENTRY, payload=payload))

    assert data[1] == flags
    assert unpack(data).payload == payload


def test_what_compression_does_not_make_smaller_is_left_as_it_is() -> None:
    entry = replace(ENTRY, payload=hashlib.shake_128().digest(2 * COMPRESS_BYTES))

    assert pack(entry)[1] == 0
    assert unpack(pack(entry)) == entry


@pytest.mark.parametrize(
    ("prefix", "kept"),
    [
        pytest.param("x" * 255, "x" * 255, id="as long as may be"),
        pytest.param("x" * 300, "x" * 255, id="too long"),
        pytest.param("x" * 254 + "\u00e9", "x" * 254, id="not within a character"),
        pytest.param("a\ud800", "a?", id="no Unicode"),
    ],
)
def test_a_prefix_is_cut_to_its_room(prefix: str, kept: str) -> None:
    assert unpack(pack(replace(ENTRY, prefix=prefix))).prefix == kept


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(replace(ENTRY, version=2**63), id="version"),
        pytest.param(replace(ENTRY, tags=(("a", 2**63),)), id="version of a tag"),
        pytest.param(replace(ENTRY, tags=(("a" * 65_536, 1),)), id="name of a tag"),
        pytest.param(replace(ENTRY, tags=(("\ud800", 1),)), id="tag that is no Unicode"),
        pytest.param(replace(ENTRY, tags=(("a", 1),) * 65_536), id="number of tags"),
    ],
)
def test_what_has_no_room_in_the_layout_is_refused(entry: Entry) -> None:
    with pytest.raises(ValueError, match=r"cannot be stored|surrogates"):
        pack(entry)


def test_threads_do_not_disturb_each_other() -> None:
    entries = [replace(ENTRY, payload=bytes([n]) * 50_000 + b"end" * n) for n in range(200)]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda entry: unpack(pack(entry)), entries))

    assert results == entries


# What is no entry


@quick
@given(st.binary(max_size=80), st.booleans())
def test_bytes_are_an_entry_or_undecodable(data: bytes, is_marked: bool) -> None:
    with suppress(UndecodableEntry):
        entry = unpack(bytes([FORMAT_MARK, 0]) + data if is_marked else data)
        assert unpack(pack(entry)) == entry


@pytest.mark.parametrize("length", range(len(pack(ENTRY)) - len(b"value")))
def test_an_entry_that_is_cut_off_before_its_value_is_none(length: int) -> None:
    with pytest.raises(UndecodableEntry):
        unpack(pack(ENTRY)[:length])


def with_bytes(at: int, data: bytes) -> bytes:
    packed = pack(ENTRY)
    return packed[:at] + data + packed[at + len(data) :]


def with_frame(frame: bytes) -> bytes:
    packed = bytearray(pack(replace(ENTRY, payload=b"")))
    packed[1] = 2
    return bytes(packed) + frame


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(with_bytes(0, b"\xc4"), id="another mark"),
        pytest.param(with_bytes(1, b"\x04"), id="an unknown flag"),
        pytest.param(with_bytes(1, b"\x03"), id="a compressed tombstone"),
        pytest.param(with_bytes(1, b"\x01"), id="a tombstone with a value"),
        pytest.param(with_bytes(10, struct.pack(">d", math.nan)), id="a time that is none"),
        pytest.param(with_bytes(26, struct.pack(">d", math.nan)), id="an end that is none"),
        pytest.param(with_bytes(HEADER_BYTES + 1, b"\xff"), id="a prefix that is no UTF-8"),
        pytest.param(with_bytes(HEADER_BYTES + 9, b"\xff"), id="a tag that is no UTF-8"),
        pytest.param(with_bytes(HEADER_BYTES + 5, b"\xff\xff"), id="tags that are not there"),
        pytest.param(with_frame(b""), id="no frame"),
        pytest.param(with_frame(b"value"), id="a frame that is none"),
        pytest.param(with_frame(zstandard.compress(b"value")[:-1]), id="a frame that is cut off"),
        pytest.param(with_frame(zstandard.compress(b"value") + b"x"), id="more than a frame"),
        pytest.param(
            with_frame(zstandard.ZstdCompressor(write_content_size=False).compress(b"value")),
            id="a frame that does not say its size",
        ),
        pytest.param(
            with_frame(zstandard.compress(bytes(MAX_VALUE_BYTES + 1))),
            id="a frame that says it is too large",
        ),
    ],
)
def test_what_was_never_packed_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableEntry):
        unpack(data)


def test_a_frame_does_not_yield_more_than_it_says() -> None:
    frame = bytearray(zstandard.compress(bytes(100_000)))
    said = frame.index((100_000).to_bytes(4, "little"))
    frame[said : said + 4] = (1000).to_bytes(4, "little")
    assert zstandard.frame_content_size(bytes(frame)) == 1000

    with pytest.raises(UndecodableEntry):
        unpack(with_frame(bytes(frame)))
