"""No list of the admin reads more than what it shows and the newest rows, however it is asked."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client

from jobs import lists
from jobs.api import totals
from tests.admin.test_lists import narrowings, page, sortings
from tests.plans.listed_tables import FILLED, empty, fill, tables
from tests.plans.test_job_lists import rows_read
from tests.queries import queries_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("many_rows")]

ROW_COUNT = 40_000
NEWEST = 1_000

#: A page, what a join adds to each of its rows, and the newest rows: twice, by index and table.
MOST_ROWS = 5 * NEWEST

FIRST_WORDS = re.compile(r'^SELECT.* FROM "(\w+)"', re.DOTALL)


@pytest.fixture(scope="module")
def many_rows(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Made once, because no test here changes it."""
    with django_db_blocker.unblock():
        fill(ROW_COUNT)
    try:
        yield
    finally:
        with django_db_blocker.unblock():
            empty()


@pytest.fixture(autouse=True)
def _small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many rows in proportion as a table of two million would have looked through."""
    monkeypatch.setattr(lists, "NEWEST_ROWS", NEWEST)
    monkeypatch.setattr(lists, "FEW_ROWS", NEWEST // 10)
    monkeypatch.setattr(totals, "EXACT_COST", 50)
    monkeypatch.setattr(totals, "EXACT_LIMIT", NEWEST)


def named(model: type[Model]) -> str:
    return model.__name__


def costs(client: Client, model: type[Model], query: dict[str, str]) -> dict[str, int]:
    """Return what was read of rows by each query of a list, but for what is told by EXPLAIN."""
    answers: list[Any] = []
    queries = queries_of(lambda: answers.append(client.get(page(model, "changelist"), query)))
    assert answers[0].status_code == 200
    assert not answers[0].request["QUERY_STRING"].startswith("e=")
    return {
        sql: rows_read(sql)
        for sql in queries
        if (found := FIRST_WORDS.match(sql)) and found[1] in tables()
    }


@pytest.mark.parametrize("model", FILLED, ids=named)
def test_list_reads_what_it_shows(admin_client: Client, model: type[Model]) -> None:
    admin_client.get(page(model, "changelist"))

    assert max(costs(admin_client, model, {}).values()) <= MOST_ROWS


@pytest.mark.parametrize("model", FILLED, ids=named)
def test_every_filter_reads_what_it_shows_or_the_newest(
    admin_client: Client, model: type[Model]
) -> None:
    asked = narrowings(admin_client, model)

    read = {str(each): max(costs(admin_client, model, each).values()) for each in asked}

    assert {query: count for query, count in read.items() if count > MOST_ROWS} == {}


@pytest.mark.parametrize("model", FILLED, ids=named)
def test_every_filter_within_a_workspace_reads_what_it_shows_or_the_newest(
    admin_client: Client, model: type[Model]
) -> None:
    asked = [each for each in narrowings(admin_client, model) if "workspace" not in each]

    read = {
        str(each): max(costs(admin_client, model, each | {"workspace": "small"}).values())
        for each in asked
    }

    assert {query: count for query, count in read.items() if count > MOST_ROWS} == {}


@pytest.mark.parametrize("model", FILLED, ids=named)
def test_every_order_reads_what_it_shows(admin_client: Client, model: type[Model]) -> None:
    read = {str(each): max(costs(admin_client, model, each).values()) for each in sortings(model)}

    assert {query: count for query, count in read.items() if count > MOST_ROWS} == {}


@pytest.mark.parametrize("model", FILLED, ids=named)
def test_search_reads_what_it_finds_or_the_newest(admin_client: Client, model: type[Model]) -> None:
    terms = ["00000000-0000-0000-0000-000000000009", "nothing", "board", "meeting 777"]

    read = {
        term: max(costs(admin_client, model, {"q": term}).values(), default=0) for term in terms
    }

    assert {term: count for term, count in read.items() if count > MOST_ROWS} == {}
