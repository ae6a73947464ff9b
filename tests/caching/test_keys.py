"""Names made from content: equal for equal questions, different for all others."""

import io
import json
import os
import re
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from caching.keys import CHUNK_BYTES, ContentAddresser

ADDRESSER = ContentAddresser()
Part = bytes | str | dict[str, Any]

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
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


@pytest.mark.parametrize(
    ("domain", "parts", "digest"),
    [
        pytest.param(
            "chunk",
            (b"\x00\x01", "scripted", {"language": "en", "beam": 5}),
            "2827fee42cc18fb37d04ced583b6342ff971a179622ff9deaa021889e4a9cb06",
            id="one of each kind",
        ),
        pytest.param(
            "d",
            (),
            "43c4f909f09483d5d730ec5d6081f3f793670b3cd158c6111798ad27c3668cb2",
            id="no part",
        ),
        pytest.param(
            "d",
            ("",),
            "3f8ccb2ed8e578c2303bb6463fc71d4f58253a653784b1ff2c9622b96b72437b",
            id="empty text",
        ),
        pytest.param(
            "d",
            (b"",),
            "638285bc2cadf209872a7e7ebe0d385c5e531c31486eeda1361254e351e8f62a",
            id="empty bytes",
        ),
        pytest.param(
            "d",
            ({},),
            "705956591534a848ec9349e04afa802274a0bec8cc88061e01a101aa88716354",
            id="empty mapping",
        ),
        pytest.param(
            "chunk",
            ("gr\u00fc\u00dfe \U0001f600",),
            "4114c91fb3073fb37366748fa20b936603cafcf71be49dcafb034626300eb987",
            id="text",
        ),
        pytest.param(
            "chunk",
            (b"\x00\xff",),
            "26a91edd6b2cfddea040ae1936dc58657d9012a38ebde7ee9ac0d89c8efccbbb",
            id="bytes",
        ),
        pytest.param(
            "transcript",
            ({"b": [1, 1.0, True, None, -0.0], "a": {"\u00e9": "\U0001f600"}},),
            "1ed0992ef2dee6f2ffb0af41f449bd9422c259e50f1cc9650d81ba50a5b1887c",
            id="mapping",
        ),
        pytest.param(
            "transcript",
            ("w", "s", "3", {"engine": "x"}),
            "b3ce333f9387a39124c568edd1829551b1711f30a1c56398b7a66492ed52e352",
            id="texts and a mapping",
        ),
    ],
)
def test_a_key_does_not_change_between_versions_unnoticed(
    domain: str, parts: tuple[Part, ...], digest: str
) -> None:
    assert ADDRESSER.key(domain, *parts) == f"{domain}:{digest}"


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
        pytest.param(({"n": 1},), ({"n": 1.0},), id="a number or one with a fraction"),
        pytest.param(({"n": 0.0},), ({"n": -0.0},), id="zero from above or below"),
        pytest.param(({"n": 0},), ({"n": False},), id="zero or a falsehood"),
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


@quick
@given(st.text(max_size=8), st.data())
def test_a_text_cut_elsewhere_has_another_key(text: str, data: st.DataObject) -> None:
    place = st.integers(0, len(text))
    one, other = data.draw(place), data.draw(place)
    keys = {ADDRESSER.key("d", text[:cut], text[cut:]) for cut in (one, other)}

    assert len(keys) == len({one, other})


@quick
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=3))
def test_a_mapping_its_text_and_its_bytes_have_three_keys(mapping: dict[str, Any]) -> None:
    text = json.dumps(mapping, sort_keys=True, separators=(",", ":"))

    assert len({ADDRESSER.key("d", part) for part in (mapping, text, text.encode())}) == 3


@quick
@given(st.lists(st.binary(max_size=3) | st.text(max_size=3), max_size=4, unique_by=repr))
def test_every_order_of_parts_has_its_own_key(parts: list[Part]) -> None:
    orders = list(permutations(parts))

    assert len({ADDRESSER.key("d", *order) for order in orders}) == len(orders)


@quick
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=5), st.data())
def test_every_order_of_a_mapping_has_the_same_key(
    mapping: dict[str, Any], data: st.DataObject
) -> None:
    names = data.draw(st.permutations(list(mapping)))

    assert ADDRESSER.key("d", {name: mapping[name] for name in names}) == ADDRESSER.key(
        "d", mapping
    )


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


@pytest.mark.parametrize(
    "mapping",
    [
        pytest.param({1: "x"}, id="a number"),
        pytest.param({True: "x"}, id="a truth"),
        pytest.param({None: "x"}, id="nothing"),
        pytest.param({"a": [{"b": ({2.0: "x"},)}]}, id="a number deep inside"),
    ],
)
def test_a_name_that_json_would_turn_into_text_is_refused(mapping: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="keys of a mapping are str"):
        ADDRESSER.key("d", mapping)


@pytest.mark.parametrize(
    "part",
    [
        pytest.param("\ud83d\ude00", id="text"),
        pytest.param({"a": ["\ud83d\ude00"]}, id="a value, which JSON would join"),
        pytest.param({"\ud83d\ude00": 1}, id="a name, which JSON would join"),
    ],
)
def test_halves_of_a_surrogate_pair_are_refused(part: Part) -> None:
    with pytest.raises(UnicodeEncodeError, match="surrogates"):
        ADDRESSER.key("d", part)


@pytest.mark.parametrize("part", [1, None, ["a"], bytearray(b"a")], ids=repr)
def test_a_part_of_another_type_is_refused(part: Any) -> None:
    with pytest.raises(TypeError, match="a key is made of"):
        ADDRESSER.key("d", part)


@pytest.mark.parametrize("domain", ["", "A", "1a", "-a", "a:b", "a b", "a\n", "\u00e9"], ids=repr)
def test_a_domain_that_could_be_mistaken_is_refused(domain: str) -> None:
    with pytest.raises(ValueError, match="not the name of a domain"):
        ADDRESSER.key(domain, "x")


@pytest.mark.parametrize(
    ("text", "is_key"),
    [
        pytest.param(f"chunk:{'0f' * 32}", True, id="a key"),
        pytest.param(f"a-b_2:{'0f' * 32}", True, id="a longer domain"),
        pytest.param(f"chunk:{'0f' * 31}", False, id="too short"),
        pytest.param(f"chunk:{'0f' * 32}0", False, id="too long"),
        pytest.param(f"chunk:{'0F' * 32}", False, id="upper case"),
        pytest.param(f"chunk:{'0g' * 32}", False, id="no hex"),
        pytest.param(f"chunk:{'0f' * 32}\n", False, id="a newline after it"),
        pytest.param(f"x:chunk:{'0f' * 32}", False, id="a domain before it"),
        pytest.param(f":{'0f' * 32}", False, id="no domain"),
        pytest.param("0f" * 32, False, id="a digest alone"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_key_is_known_by_its_form(text: str, is_key: bool) -> None:
    assert ContentAddresser.is_key(text) is is_key


# Files


@pytest.mark.parametrize(
    "size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]
)
def test_a_file_has_the_key_of_its_bytes(size: int, tmp_path: Path) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    path = tmp_path / "recording"
    path.write_bytes(data)

    with path.open("rb") as file:
        key = ADDRESSER.key("d", "before", file, "after")

    assert key == ADDRESSER.key("d", "before", data, "after")


def test_a_file_is_read_from_its_start_and_left_where_it_stood() -> None:
    file = io.BytesIO(b"recording")
    file.seek(4)

    assert ADDRESSER.key("d", file, file) == ADDRESSER.key("d", b"recording", b"recording")
    assert file.read() == b"rding"


class Elastic(io.BytesIO):
    """A file that is another length by the time that it is read."""

    def __init__(self, data: bytes, later: bytes) -> None:
        super().__init__(data)
        self._later = later

    def read(self, size: int | None = -1) -> bytes:
        data = self._later[self.tell() :][:size]
        self.seek(len(data), os.SEEK_CUR)
        return data


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(b"record", id="shorter"),
        pytest.param(b"", id="empty"),
        pytest.param(b"recordings", id="longer"),
        pytest.param(b"recording" * CHUNK_BYTES, id="many times as long"),
    ],
)
def test_a_file_that_changes_its_length_is_refused(later: bytes) -> None:
    with pytest.raises(ValueError, match="changed its length"):
        ADDRESSER.key("d", Elastic(b"recording", later))


def test_a_file_that_cannot_be_read_twice_is_refused() -> None:
    receiver, sender = os.pipe()
    os.close(sender)

    with open(receiver, "rb") as file, pytest.raises(ValueError, match="must be seekable"):  # noqa: PTH123
        ADDRESSER.key("d", file)


def test_a_file_of_text_is_refused() -> None:
    file: Any = io.StringIO("recording")

    with pytest.raises(TypeError, match="binary files"):
        ADDRESSER.key("d", file)


# What transcripts and embeddings depend on

TRANSCRIPT: dict[str, Any] = {
    "file_sha256": "0f" * 32,
    "language": "en",
    "engine": "sphinx",
    "model_version": "5.0",
    "parameters": {"beam": 5},
    "code_version": "3",
}
EMBEDDING: dict[str, Any] = {"text": "gr\u00fc\u00dfe", "model": "m", "dimension": 384}


def test_the_key_of_a_transcript_does_not_change_unnoticed() -> None:
    digest = "a079e7f3e5fdb3b876c0cfa03fac289a21e8bc7a0edb5ee5ebbc3cf570f66f3d"

    assert ADDRESSER.transcript_key(**TRANSCRIPT) == f"transcript:{digest}"


def test_the_key_of_an_embedding_does_not_change_unnoticed() -> None:
    digest = "224faf2d50d4837d52922fb64d03e14911b0667498b269ddcdd3f1a098eb085f"

    assert ADDRESSER.embeddings_key(**EMBEDDING) == f"embeddings:{digest}"


@pytest.mark.parametrize(
    "change",
    [
        {"file_sha256": "f0" * 32},
        {"language": "de"},
        {"engine": "whisper"},
        {"model_version": "5.1"},
        {"parameters": {"beam": 6}},
        {"parameters": {}},
        {"code_version": "4"},
        {"engine": "5.0", "model_version": "sphinx"},
    ],
    ids=str,
)
def test_whatever_a_transcript_depends_on_changes_its_key(change: dict[str, Any]) -> None:
    assert ADDRESSER.transcript_key(**TRANSCRIPT | change) != ADDRESSER.transcript_key(**TRANSCRIPT)


@pytest.mark.parametrize(
    "change",
    [{"text": "gru\u0308\u00dfe"}, {"model": "n"}, {"dimension": 768}],
    ids=["text", "model", "dimension"],
)
def test_whatever_an_embedding_depends_on_changes_its_key(change: dict[str, Any]) -> None:
    assert ADDRESSER.embeddings_key(**EMBEDDING | change) != ADDRESSER.embeddings_key(**EMBEDDING)


@pytest.mark.parametrize("digest", ["", "0f" * 31, "0F" * 32, "0f" * 32 + "\n"], ids=repr)
def test_what_is_no_digest_of_a_file_is_refused(digest: str) -> None:
    with pytest.raises(ValueError, match="not a SHA-256"):
        ADDRESSER.transcript_key(**TRANSCRIPT | {"file_sha256": digest})
