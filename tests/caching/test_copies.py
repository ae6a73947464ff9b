"""Copies of values: equal, and nobody else's."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caching.codec import decode, encode
from caching.copies import MAX_DEPTH, MAX_SHAPES, copier_of, size_of

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.frozensets(st.integers())
        | st.sets(st.text())
    ),
    max_leaves=40,
)

WORDS = [{"word": "so", "start": 0.1}, {"word": "it", "start": 0.4}]


def kinds(value: Any) -> Any:
    """Return the types of a value and of all that it holds in order."""
    if isinstance(value, dict):
        return [type(value), *map(kinds, value.values())]
    if isinstance(value, list | tuple):
        return [type(value), *map(kinds, value)]
    return type(value)


def mutable_parts(value: Any) -> set[int]:
    """Return the identities of all that somebody could change in a value."""
    if isinstance(value, dict):
        return {id(value)}.union(*map(mutable_parts, value.values()))
    if isinstance(value, list | tuple):
        own = {id(value)} if isinstance(value, list) else set()
        return own.union(*map(mutable_parts, value))
    return {id(value)} if isinstance(value, set) else set()


@given(VALUES)
def test_a_copy_is_equal_of_the_same_types_and_shares_nothing_that_can_change(value: Any) -> None:
    value = decode(encode(value, key="key"))
    copier = copier_of(value)
    copied = value if copier is None else copier(value)

    assert (copied, kinds(copied)) == (value, kinds(value))
    assert copier is None or not mutable_parts(copied) & mutable_parts(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": 1, "b": "two"}, id="record"),
        pytest.param([1, 2, 3], id="list of numbers"),
        pytest.param([{"a": 1}, {"a": 2}], id="records"),
        pytest.param({"text": "so", "words": WORDS}, id="record with records"),
        pytest.param([{"words": WORDS}, {"words": []}, {"words": WORDS}], id="some of them empty"),
        pytest.param(([1], [2]), id="tuple of lists"),
        pytest.param({"tags": {"a", "b"}}, id="set"),
        pytest.param([], id="nothing"),
    ],
)
def test_values_of_few_shapes_have_a_copier(value: Any) -> None:
    copier = copier_of(value)

    assert copier is not None
    assert copier(value) == value


def test_lists_of_records_of_one_shape_share_a_copier() -> None:
    assert copier_of([WORDS, WORDS]) is copier_of([WORDS[:1]])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([{str(n): []} for n in range(MAX_SHAPES + 1)], id="too many shapes"),
        pytest.param(object(), id="no plain value"),
    ],
)
def test_what_is_better_decoded_has_none(value: Any) -> None:
    assert copier_of(value) is None


def test_what_is_nested_too_deeply_has_none() -> None:
    value: list[Any] = []
    for _ in range(MAX_DEPTH):
        value = [value]

    assert copier_of(value) is None


def test_size_counts_all_that_a_value_holds() -> None:
    assert size_of({"a": ["x" * 1000, ("y" * 500,)]}) > 1500
    assert size_of({"a": ["x" * 1000]}) < 1500
