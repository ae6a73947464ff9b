"""What people type is always a query or refused with a reason, never an error of the database."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from processing.exceptions import InvalidQuery
from processing.knowledge.searching.queries import (
    MAX_QUERY_LENGTH,
    MAX_TERMS,
    Query,
    Term,
    parse,
    text_query,
)

pytestmark = pytest.mark.django_db


def groups(*terms: str) -> tuple[tuple[Term, ...], ...]:
    return tuple((Term(term),) for term in terms)


def is_found(query: str, text: str, *, configuration: str = "english") -> bool:
    """Whether a passage in that configuration is found."""
    condition = text_query(parse(query), ["english", "german"]).condition
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT to_tsvector(%s::regconfig, %s) @@ %s::tsquery",
            [configuration, text, condition],
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("text", "query"),
    [
        pytest.param("one two", Query(groups("one", "two"), ()), id="words"),
        pytest.param('"one two" three', Query(groups("one two", "three"), ()), id="phrase"),
        pytest.param("„one two“", Query(groups("one two"), ()), id="other quotes"),
        pytest.param('"one two', Query(groups("one two"), ()), id="open quote"),
        pytest.param("one -two", Query(groups("one"), (Term("two"),)), id="minus"),
        pytest.param('one -"two 3"', Query(groups("one"), (Term("two 3"),)), id="minus phrase"),
        pytest.param("full-text", Query(groups("full-text"), ()), id="hyphen"),
        pytest.param("wor*", Query(((Term("wor", is_prefix=True),),), ()), id="prefix"),
        pytest.param("会*", Query(((Term("会", is_prefix=True),),), ()), id="prefix of a letter"),
        pytest.param(
            "a b OR c", Query((*groups("a"), (Term("b"), Term("c"))), ()), id="or joins neighbours"
        ),
        pytest.param("a|b", Query(((Term("a"), Term("b")),), ()), id="bar"),
        pytest.param("or a or", Query(groups("a"), ()), id="or of nothing"),
        pytest.param("one ( & ) ! two", Query(groups("one", "two"), ()), id="signs"),
        pytest.param("one\0two", Query(groups("one", "two"), ()), id="NUL"),
        pytest.param("one\ud800", Query(groups("one"), ()), id="half a surrogate pair"),
    ],
)
def test_a_query_is_read_as_search_engines_do(text: str, query: Query) -> None:
    assert parse(text) == query


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "no word", id="empty"),
        pytest.param(' "" -- * !', "no word", id="signs"),
        pytest.param("-one", "only what is not wanted", id="minus"),
        pytest.param("wo*", "MIN_PREFIX_LENGTH", id="short prefix"),
        pytest.param("x" * (MAX_QUERY_LENGTH + 1), "MAX_QUERY_LENGTH", id="long"),
        pytest.param("x " * (MAX_TERMS + 1), "MAX_TERMS", id="many"),
    ],
)
def test_a_query_that_says_nothing_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidQuery, match=reason):
        parse(text)


@pytest.mark.parametrize("text", ["the of", '"to be or not to be"', "the -cat"])
def test_a_query_of_stop_words_is_refused(text: str) -> None:
    with pytest.raises(InvalidQuery, match="too common"):
        text_query(parse(text), ["english"])


def test_a_stop_word_of_one_language_may_mean_something_in_another() -> None:
    assert is_found("die", "to die another day", configuration="english")
    assert text_query(parse("die"), ["english", "german"]).wanted_by["german"] == ""


@pytest.mark.parametrize(
    ("query", "text", "is_there"),
    [
        pytest.param("ran running", "he runs, she ran", True, id="stems"),
        pytest.param("runs cat", "he runs", False, id="all words"),
        pytest.param("cat or runs", "he runs", True, id="either"),
        pytest.param('"new york"', "New York", True, id="phrase"),
        pytest.param('"new york"', "York is new", False, id="phrase out of order"),
        pytest.param("runs -dogs", "he runs with a dog", False, id="minus by stem"),
        pytest.param("runs -dogs", "he runs with a cat", True, id="minus of nothing"),
        pytest.param("transcr*", "a transcription", True, id="prefix"),
        pytest.param("o'clo*", "at one o'clock", True, id="prefix with a quote"),
        pytest.param("full-text", "a full-text search", True, id="hyphen"),
        pytest.param("x:b <-> c\\", "b c", False, id="operators are words"),
    ],
)
def test_a_query_finds_what_it_means(query: str, text: str, is_there: bool) -> None:
    assert is_found(query, text) is is_there


def test_any_stretch_of_a_script_without_spaces_is_found() -> None:
    condition = text_query(parse("天开"), []).condition

    with connection.cursor() as cursor:
        cursor.execute("SELECT to_tsvector('simple', '今 天 开 会') @@ %s::tsquery", [condition])
        assert cursor.fetchone() == (True,)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example("'\\:*")
@example("\\*")
@example("a' | 'b*")
@example("x" * 999 + "*")
@example("<!-- & -->*")
@example('"a\' \\ b"')
@given(
    st.one_of(
        st.text(max_size=100),
        st.lists(
            st.sampled_from(
                ["a", "the", "wor*", '"', "'", "\\", "-", "|", "&", "!", "(", ")", ":", "*", "<->"]
            ),
            max_size=20,
        ).map("".join),
        st.lists(st.sampled_from(["ab", "or", "-", '"', "'x*", "会议", "\\'", ":A"])).map(" ".join),
    )
)
def test_nothing_that_is_typed_is_an_error_of_syntax(text: str) -> None:
    try:
        query = text_query(parse(text), ["english", "arabic"])
    except InvalidQuery:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT querytree(%s::tsquery)", [query.condition])
        [[tree]] = cursor.fetchall()
    assert tree not in ("", "T")
