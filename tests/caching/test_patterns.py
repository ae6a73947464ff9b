"""One grammar of patterns: what a level finds by it is what every other level finds."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caching.exceptions import InvalidPattern
from caching.patterns import MAX_RUNS, Glob

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

#: All that is special in patterns, what is next to nothing special, and two to four bytes.
ASCII = "*?[]^-\\\nabc:"
ALPHABET = ASCII + "\u00e9\u20ac\U0001f600"
#: No file of examples beside the code, no failure because the machine is busy.
quick = settings(database=None, deadline=None, max_examples=300)


@dataclass(frozen=True)
class Piece:
    """A part of a pattern, and which characters it admits; a run of any when it has none."""

    text: str
    admitted: str | None = None


def admits(pieces: Sequence[Piece], key: str) -> bool:
    """Say whether the pattern of these pieces admits ``key``, by trying everything."""
    if not pieces:
        return not key
    first, rest = pieces[0], pieces[1:]
    if first.admitted is None:
        return any(admits(rest, key[start:]) for start in range(len(key) + 1))
    return key[:1] != "" and key[0] in first.admitted and admits(rest, key[1:])


def pieces(alphabet: str) -> st.SearchStrategy[list[Piece]]:
    """Build patterns whose keys are of these characters."""
    characters = st.sampled_from(alphabet)
    literals = characters.map(lambda c: Piece(f"\\{c}" if c in "*?[\\" else c, c)) | characters.map(
        lambda c: Piece(f"\\{c}", c)
    )
    members = characters.map(lambda c: (f"\\{c}" if c in "\\]^-" else c, c))
    ends = [c for c in alphabet if c not in "]\\^-"]
    ranges = st.tuples(st.sampled_from(ends), st.sampled_from(ends)).map(
        lambda two: (
            f"{min(two)}-{max(two)}",
            "".join(c for c in alphabet if min(two) <= c <= max(two)),
        )
    )
    classes = st.tuples(st.booleans(), st.lists(members | ranges, max_size=3)).map(
        lambda parts: Piece(
            f"[{'^' * parts[0]}{''.join(text for text, _ in parts[1])}]",
            "".join(c for c in alphabet if any(c in some for _, some in parts[1]) != parts[0]),
        )
    )
    wild = st.sampled_from([Piece("*"), Piece("?", alphabet)])
    return st.lists(literals | classes | wild, min_size=1, max_size=6)


@st.composite
def questions(draw: st.DrawFn, alphabet: str) -> tuple[list[Piece], list[str]]:
    """Build a pattern and keys: some that match it, some almost, some at random."""
    pattern = draw(pieces(alphabet))
    anything = st.text(alphabet, max_size=5)
    keys = draw(st.lists(anything, max_size=4))
    for is_exact in (True, True, False):
        parts = [
            draw(st.text(alphabet, max_size=2))
            if piece.admitted is None or not (is_exact or draw(st.booleans()))
            else draw(st.sampled_from(piece.admitted or alphabet))
            for piece in pattern
        ]
        keys.append("".join(parts))
    return pattern, keys


def glob_of(pattern: Sequence[Piece]) -> Glob:
    return Glob("".join(piece.text for piece in pattern))


def found(connection: redis.Redis, pattern: str, keys: Sequence[str]) -> set[str]:
    """Return which of ``keys`` Redis itself finds by ``pattern``."""
    connection.flushdb()
    connection.mset(dict.fromkeys(keys, 1))
    return {key.decode() for key in connection.scan_iter(match=pattern, count=100)}


# Matching


@quick
@given(questions(ALPHABET))
def test_a_key_matches_when_its_pieces_can_be_laid_along_it(
    question: tuple[list[Piece], list[str]],
) -> None:
    pattern, keys = question
    glob = glob_of(pattern)

    assert [glob.matches(key) for key in keys] == [admits(pattern, key) for key in keys]


@quick
@given(questions(ASCII))
def test_where_a_character_is_a_byte_redis_finds_what_matches(
    redis_connection: redis.Redis, question: tuple[list[Piece], list[str]]
) -> None:
    pattern, keys = question
    keys = [key or ":" for key in keys]  # Redis 6 does not find the empty one by **
    glob = glob_of(pattern)

    assert found(redis_connection, glob.pattern, keys) == set(filter(glob.matches, keys))


@pytest.mark.parametrize(
    ("pattern", "key", "is_match"),
    [
        pytest.param("user:*", "user:", True, id="a run may be empty"),
        pytest.param("user:*", "User:1", False, id="case matters"),
        pytest.param("user:*", "my user:1", False, id="from the beginning"),
        pytest.param("user", "user:1", False, id="to the end"),
        pytest.param("user", "user\n", False, id="a newline is a character"),
        pytest.param("?", "\U0001f600", True, id="one character of four bytes"),
        pytest.param("?", "\n", True, id="one character may be a newline"),
        pytest.param("?", "", False, id="one character is not none"),
        pytest.param("[^a]", "\u00e9", True, id="another character of two bytes"),
        pytest.param("[]", "]", False, id="an empty class"),
        pytest.param("[^]", "]", True, id="the opposite of an empty class"),
        pytest.param("a]", "a]", True, id="a bracket that closes nothing"),
        pytest.param(r"[\^a]", "^", True, id="an escaped caret in a class"),
        pytest.param("[a^]", "^", True, id="a caret that is not first"),
        pytest.param(r"[\a-c]", "b", False, id="no range from an escaped character"),
        pytest.param("[a.c]", "b", False, id="no regular expression"),
    ],
)
def test_a_pattern_means_what_it_means_in_redis(pattern: str, key: str, is_match: bool) -> None:
    assert Glob(pattern).matches(key) is is_match


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        pytest.param("*a*a*a*a*b", "a" * 10_000, id="nothing of the end"),
        pytest.param("*a*a*a*a*b", "b" * 9_999 + "c", id="nothing of the middle"),
        pytest.param("*a*a*a*a*b*c", "a" * 5_000 + "b" * 5_000, id="nearly all"),
        pytest.param("*[ab]?*[ab]?*[ab]?*bc", "ab" * 5_000, id="classes"),
    ],
)
def test_a_long_key_that_nearly_matches_is_refused_at_once(pattern: str, key: str) -> None:
    glob = Glob(pattern)
    start = time.process_time()

    assert not glob.matches(key)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("pattern", "is_everything"),
    [("*", True), ("***", True), ("a*", False), ("?*", False), (r"\*", False)],
)
def test_only_runs_match_everything(pattern: str, is_everything: bool) -> None:
    assert Glob(pattern).matches_everything is is_everything


# Refusals


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        pytest.param("", "must not be empty", id="empty"),
        pytest.param("ab[c", "not closed, at character 3", id="open class"),
        pytest.param("ab[", "not closed, at character 3", id="open class of nothing"),
        pytest.param("[^", "not closed, at character 1", id="open negated class"),
        pytest.param(r"[a\]", "not closed, at character 1", id="escaped bracket"),
        pytest.param("ab\\", "nothing after it, at character 3", id="backslash at the end"),
        pytest.param("[ab\\", "nothing after it, at character 4", id="backslash in a class"),
        pytest.param("a[xz-a]", "reversed range, at character 4", id="reversed range"),
        pytest.param("[a-]", "without an end .* at character 2", id="half a range"),
        pytest.param("[a-", "without an end .* at character 2", id="half a range at the end"),
        pytest.param(r"[A-\]]", "without an end .* at character 2", id="range to an escape"),
        pytest.param("a\ud800", "surrogate pair, at character 2", id="no Unicode"),
    ],
)
def test_what_is_no_pattern_is_refused_with_the_place(pattern: str, problem: str) -> None:
    with pytest.raises(InvalidPattern, match=problem):
        Glob(pattern)


@quick
@given(st.text(ALPHABET, max_size=8))
def test_a_text_is_a_pattern_or_refused(text: str) -> None:
    with suppress(InvalidPattern):
        assert Glob(text).pattern == text


# Literals and prefixes


@quick
@given(st.text(ALPHABET, min_size=1, max_size=8), st.text(ALPHABET, max_size=8))
def test_an_escaped_text_matches_itself_alone(text: str, other: str) -> None:
    glob = Glob(Glob.escape(text))

    assert glob.matches(text)
    assert glob.matches(other) is (other == text)
    assert glob.literal_prefix == text


@quick
@given(questions(ALPHABET), st.text(ALPHABET, max_size=4))
def test_a_prefixed_pattern_matches_behind_the_prefix_alone(
    question: tuple[list[Piece], list[str]], prefix: str
) -> None:
    pattern, keys = question
    glob = glob_of(pattern)

    behind = glob.prefixed(prefix)

    assert [behind.matches(prefix + key) for key in keys] == [glob.matches(key) for key in keys]
    assert behind.literal_prefix == prefix + glob.literal_prefix


@quick
@given(questions(ALPHABET))
def test_every_match_begins_with_the_literal_prefix(
    question: tuple[list[Piece], list[str]],
) -> None:
    pattern, keys = question
    glob = glob_of(pattern)

    assert all(key.startswith(glob.literal_prefix) for key in keys if glob.matches(key))


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("user:1:*", "user:1:"),
        (r"a\*b?c", "a*b"),
        ("[a]b", ""),
        ("*a", ""),
        ("gr\u00fc\u00dfe", "gr\u00fc\u00dfe"),
    ],
)
def test_the_literal_prefix_is_what_is_before_anything_special(pattern: str, prefix: str) -> None:
    assert Glob(pattern).literal_prefix == prefix


# What Redis is asked


@quick
@given(questions(ALPHABET))
def test_redis_finds_every_match_by_the_superset(
    redis_connection: redis.Redis, question: tuple[list[Piece], list[str]]
) -> None:
    pattern, keys = question
    glob = glob_of(pattern)

    candidates = found(redis_connection, glob.redis_superset, keys)

    assert set(filter(glob.matches, keys)) <= candidates
    assert set(glob.among(keys)) == set(filter(glob.matches, keys))
    assert not glob.is_plain or set(glob.among(keys)) == candidates


@pytest.mark.parametrize(
    ("pattern", "is_plain"),
    [
        pytest.param("user:*", True, id="a run"),
        pytest.param("*é\\*:*x", True, id="three runs"),
        pytest.param("*a*b*c*", False, id="four runs"),
        pytest.param("user:?", False, id="a character"),
        pytest.param("user:[1]", False, id="a class"),
    ],
)
def test_a_pattern_of_literals_and_few_runs_is_plain(pattern: str, is_plain: bool) -> None:
    assert Glob(pattern).is_plain is is_plain


@pytest.mark.parametrize(
    ("pattern", "superset"),
    [
        pytest.param("user:*", "user:*", id="a run"),
        pytest.param("user:**:x", "user:*:x", id="two runs in one"),
        pytest.param("user:??", "user:??*", id="two characters are at least two bytes"),
        pytest.param("a?*?b", "a??*b", id="wildcards beside each other"),
        pytest.param("[a-c]x", "[a-c]x", id="a class of bytes"),
        pytest.param("[a\u00e9]x", "?*x", id="a class of characters"),
        pytest.param("[^a]x", "?*x", id="a negated class"),
        pytest.param(r"\*\a]", r"\*a]", id="literals"),
        pytest.param("a*b*c*d", "a*b*c*d", id="few runs"),
        pytest.param("a*b*c*d*e", "a*e", id="many runs"),
        pytest.param("a??b*c*d*e", "a??*e", id="many runs after some characters"),
    ],
)
def test_redis_is_asked_as_narrowly_as_is_simple(pattern: str, superset: str) -> None:
    assert Glob(pattern).redis_superset == superset


def test_redis_is_never_asked_to_try_many_divisions() -> None:
    superset = Glob("*a?" * 50).redis_superset

    assert superset.count("*") <= MAX_RUNS
