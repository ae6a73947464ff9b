"""Names made from content: equal for equal questions, different for all others."""

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from caching.keys import ContentAddresser

ADDRESSER = ContentAddresser()
Part = bytes | str | dict[str, Any]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
PARTS = st.lists(
    st.binary(max_size=6)
    | st.text(max_size=6)
    | st.dictionaries(st.text(max_size=3), JSON, max_size=3),
    max_size=4,
)
#: No file of examples beside the code, no failure because the machine is busy.
quick = settings(database=None, deadline=None, max_examples=200)


def test_a_key_is_its_domain_and_64_hex_digits() -> None:
    key = ADDRESSER.key("transcript", "audio", {"language": "en"})

    assert re.fullmatch(r"transcript:[0-9a-f]{64}", key)


def test_a_key_does_not_change_between_versions_unnoticed() -> None:
    key = ADDRESSER.key("chunk", b"\x00\x01", "scripted", {"language": "en", "beam": 5})

    assert key == "chunk:2827fee42cc18fb37d04ced583b6342ff971a179622ff9deaa021889e4a9cb06"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("a", "bc"), ("ab", "c"), id="where one part ends"),
        pytest.param(("ab",), ("a", "b"), id="one part or two"),
        pytest.param(("a:b", "c"), ("a", "b:c"), id="a separator in a part"),
        pytest.param(("a",), ("a", ""), id="an empty part"),
        pytest.param((), ("",), id="no part"),
        pytest.param(("a", "b"), ("b", "a"), id="the order of parts"),
        pytest.param(("a",), (b"a",), id="text or bytes"),
        pytest.param(({"b": "1"},), ('{"b":"1"}',), id="a mapping or its JSON"),
        pytest.param(("a", {"b": "1"}), ('a{"b": "1"}',), id="the seed's collision"),
        pytest.param(({"language": None},), ({"language": "None"},), id="nothing or its name"),
        pytest.param(({"language": None},), ({},), id="nothing or not there"),
        pytest.param(({"n": 1},), ({"n": "1"},), id="a number or its digits"),
        pytest.param(({"n": 1},), ({"n": True},), id="a number or a truth"),
        pytest.param(({"n": [1, [2]]},), ({"n": [1, 2]},), id="nested lists"),
        pytest.param(("\u00e9",), ("e\u0301",), id="two ways to write a letter"),
    ],
)
def test_different_questions_have_different_keys(
    one: tuple[Part, ...], other: tuple[Part, ...]
) -> None:
    assert ADDRESSER.key("d", *one) != ADDRESSER.key("d", *other)


@quick
@given(PARTS, PARTS)
def test_no_two_lists_of_parts_run_together(one: list[Part], other: list[Part]) -> None:
    assume(repr(one) != repr(other) and one != other)

    assert ADDRESSER.key("d", *one) != ADDRESSER.key("d", *other)


def test_a_domain_is_hashed_and_not_only_put_in_front() -> None:
    transcript, chunk = ADDRESSER.key("transcript", "x"), ADDRESSER.key("chunk", "x")

    assert transcript.split(":")[1] != chunk.split(":")[1]


def test_a_domain_does_not_run_into_the_first_part() -> None:
    assert ADDRESSER.key("a", "bc").split(":")[1] != ADDRESSER.key("ab", "c").split(":")[1]


def test_the_order_in_which_parameters_were_given_does_not_matter() -> None:
    one = {"language": "en", "options": {"beam": 5, "best_of": 2}}
    other = {"options": {"best_of": 2, "beam": 5}, "language": "en"}

    assert ADDRESSER.key("d", one) == ADDRESSER.key("d", other)


@quick
@given(PARTS)
def test_a_key_is_the_same_every_time_and_validates(parts: list[Part]) -> None:
    key = ADDRESSER.key("d", *parts)

    assert ContentAddresser().key("d", *parts) == key
    assert ADDRESSER.validate_key(key, "d", *parts)


@pytest.mark.parametrize(
    ("domain", "parts"),
    [
        pytest.param("d", ("audio",), id="without the parameters"),
        pytest.param("d", ("audio", {"language": "de"}), id="other parameters"),
        pytest.param("d", ("other", {"language": "en"}), id="other audio"),
        pytest.param("e", ("audio", {"language": "en"}), id="another domain"),
    ],
)
def test_a_key_is_not_valid_for_anything_else(domain: str, parts: tuple[Part, ...]) -> None:
    key = ADDRESSER.key("d", "audio", {"language": "en"})

    assert not ADDRESSER.validate_key(key, domain, *parts)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_parameter_that_json_cannot_say_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        ADDRESSER.key("d", {"temperature": number})


def test_what_is_hashed_is_not_changed() -> None:
    parameters = {"b": [2, 1], "a": {"y": 1, "x": 2}}

    ADDRESSER.key("d", parameters)

    assert list(parameters) == ["b", "a"]
    assert parameters["b"] == [2, 1]
