"""What every list of the API has in common: pages by number, pages by cursor, orders, totals."""

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.api import totals
from jobs.models import Job
from processing.models import Recording
from tests.api.conftest import RECORDINGS, TRANSCRIPTS
from tests.api.test_recordings import assert_problem
from tests.factories.jobs import JobFactory
from tests.factories.processing import RecordingFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

JOBS = "/api/v1/jobs/"
LISTS = [RECORDINGS, TRANSCRIPTS, JOBS]


def listed(api: APIClient, address: str, **query: Any) -> dict[str, Any]:
    page: dict[str, Any] = api.get(address, query).json()
    return page


def ids_of(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["items"]]


def walk(api: APIClient, address: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pages from the first cursor to the last."""
    pages = [api.get(address, {**query, "cursor": ""}).json()]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())
    return pages


def walk_back(api: APIClient, page: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pages before ``page``, in the order of the list."""
    pages: list[dict[str, Any]] = []
    while page["previous"]:
        page = api.get(page["previous"]).json()
        pages.insert(0, page)
    return pages


def make_equal_jobs(count: int) -> list[Job]:
    return JobFactory.create_batch(count, created_at=timezone.now())


@pytest.mark.parametrize("address", LISTS)
def test_empty_list_is_one_empty_page(api: APIClient, address: str) -> None:
    assert api.get(address).json() == {
        "items": [],
        "page": 1,
        "size": 20,
        "total": 0,
        "total_is_estimate": False,
        "total_pages": 0,
        "has_next": False,
        "has_previous": False,
    }


@pytest.mark.parametrize(
    ("number", "shown", "has_next", "has_previous"),
    [(1, 2, True, False), (2, 2, True, True), (3, 1, False, True)],
)
def test_page_says_where_it_is(
    api: APIClient, number: int, shown: int, has_next: bool, has_previous: bool
) -> None:
    JobFactory.create_batch(5)

    page = listed(api, JOBS, page=number, size=2)

    assert len(page["items"]) == shown
    assert (page["page"], page["size"]) == (number, 2)
    assert (page["total"], page["total_is_estimate"], page["total_pages"]) == (5, False, 3)
    assert (page["has_next"], page["has_previous"]) == (has_next, has_previous)


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("size", ["0", "101", "-1", "1.5", "many", "", "9999999999"])
def test_size_out_of_range_is_refused_with_the_range(
    api: APIClient, address: str, size: str
) -> None:
    problem = assert_problem(api.get(address, {"size": size}), 400, "invalid")

    assert problem["errors"] == {"size": ["A whole number from 1 to 100 is needed."]}


@pytest.mark.parametrize("size", [1, 100])
def test_size_at_the_ends_of_the_range_is_taken(api: APIClient, size: int) -> None:
    assert listed(api, JOBS, size=size)["size"] == size


@pytest.mark.parametrize("number", ["0", "-1", "last", "", "²"])
def test_number_that_no_page_has_is_refused(api: APIClient, number: str) -> None:
    problem = assert_problem(api.get(JOBS, {"page": number}), 400, "invalid")

    assert problem["errors"] == {"page": ["A whole number of at least 1 is needed."]}


def test_page_past_the_end_does_not_exist(api: APIClient) -> None:
    JobFactory.create()

    problem = assert_problem(api.get(JOBS, {"page": 2}), 404, "not_found")

    assert problem["detail"] == "There is no page 2."


@pytest.mark.parametrize(("number", "size"), [(1_001, 100), (5_001, 20), (999_999_999, 1)])
def test_page_by_number_is_refused_where_skipping_would_cost_too_much(
    api: APIClient, number: int, size: int
) -> None:
    problem = assert_problem(api.get(JOBS, {"page": number, "size": size}), 400, "invalid")

    assert "100,000): use cursor=" in problem["errors"]["page"][0]


def test_last_page_by_number_is_looked_for(api: APIClient) -> None:
    assert_problem(api.get(JOBS, {"page": 1_000, "size": 100}), 404, "not_found")


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        (RECORDINGS, "created_at or name or duration_seconds or size_bytes"),
        (TRANSCRIPTS, "created_at or duration_seconds"),
        (JOBS, "created_at"),
    ],
)
@pytest.mark.parametrize("name", ["id", "status", "created_by__password", "-created_at", ""])
def test_order_that_is_not_allowed_is_refused_with_those_that_are(
    api: APIClient, address: str, allowed: str, name: str
) -> None:
    problem = assert_problem(api.get(address, {"sort_by": name}), 400, "invalid")

    assert problem["errors"] == {"sort_by": [f"This list is ordered by {allowed}."]}


@pytest.mark.parametrize("order", ["DESC", "up", ""])
def test_direction_is_asc_or_desc(api: APIClient, order: str) -> None:
    problem = assert_problem(api.get(JOBS, {"sort_order": order}), 400, "invalid")

    assert problem["errors"] == {"sort_order": ["The order is asc or desc."]}


@pytest.mark.parametrize("address", LISTS)
def test_what_a_list_does_not_know_is_refused_with_what_it_knows(
    api: APIClient, address: str
) -> None:
    problem = assert_problem(api.get(address, {"colour": "red"}), 400, "invalid")

    [reason] = problem["errors"]["colour"]
    assert "created_after" in reason
    assert "sort_by" in reason


def test_newest_come_first_unless_asked_otherwise(api: APIClient) -> None:
    old, new = (str(JobFactory.create().pk) for _ in range(2))

    assert ids_of(api.get(JOBS).json()) == [new, old]
    assert ids_of(api.get(JOBS, {"sort_order": "asc"}).json()) == [old, new]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_ids_decide_between_equals(api: APIClient, order: str) -> None:
    ids = sorted((str(job.pk) for job in make_equal_jobs(5)), reverse=order == "desc")

    pages = [listed(api, JOBS, page=number, size=2, sort_order=order) for number in (1, 2, 3)]

    assert [pk for page in pages for pk in ids_of(page)] == ids


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_cursors_lead_through_equals_and_back(api: APIClient, order: str) -> None:
    ids = sorted((str(job.pk) for job in make_equal_jobs(7)), reverse=order == "desc")

    pages = walk(api, JOBS, {"size": 3, "sort_order": order})

    assert [ids_of(page) for page in pages] == [ids[:3], ids[3:6], ids[6:]]
    assert [ids_of(page) for page in walk_back(api, pages[-1])] == [ids[:3], ids[3:6]]


@pytest.mark.parametrize("name", ["created_at", "name", "duration_seconds", "size_bytes"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_cursors_lead_through_the_list_in_any_order_nulls_included(
    api: APIClient, name: str, order: str
) -> None:
    for seconds in (None, 0.1 + 0.2, 3e-7, None, 0.1 + 0.2, 7.25, None):
        RecordingFactory.create(duration_seconds=seconds, name=f"é 'quoted' {seconds}")
    query = {"sort_by": name, "sort_order": order}
    all_at_once = ids_of(api.get(RECORDINGS, query).json())

    pages = walk(api, RECORDINGS, {**query, "size": 2})

    assert [pk for page in pages for pk in ids_of(page)] == all_at_once
    assert [ids_of(page) for page in walk_back(api, pages[-1])] == [
        ids_of(page) for page in pages[:-1]
    ]


def test_cursor_page_has_no_total(api: APIClient) -> None:
    JobFactory.create_batch(2)

    page = listed(api, JOBS, cursor="", size=1)

    assert list(page) == ["items", "size", "next", "previous", "has_next", "has_previous"]
    assert (page["has_next"], page["has_previous"], page["previous"]) == (True, False, None)


def test_cursor_keeps_filter_and_size(api: APIClient) -> None:
    JobFactory.create_batch(3, failed=True)
    JobFactory.create_batch(3)

    pages = walk(api, JOBS, {"status": "FAILED", "size": 2})

    assert [[item["status"] for item in page["items"]] for page in pages] == [
        ["FAILED", "FAILED"],
        ["FAILED"],
    ]


def test_new_rows_move_nothing_that_a_cursor_leads_to(api: APIClient) -> None:
    ids = [str(job.pk) for job in JobFactory.create_batch(4)][::-1]
    first = listed(api, JOBS, cursor="", size=2)
    JobFactory.create_batch(3)

    second = api.get(first["next"]).json()

    assert ids_of(first) + ids_of(second) == ids


def test_cursor_of_a_row_that_is_gone_leads_on(api: APIClient) -> None:
    jobs = JobFactory.create_batch(4)
    first = listed(api, JOBS, cursor="", size=2)
    Job.objects.filter(pk=ids_of(first)[-1]).delete()

    assert ids_of(api.get(first["next"]).json()) == [str(jobs[1].pk), str(jobs[0].pk)]


def test_page_whose_rows_are_gone_leads_back(api: APIClient) -> None:
    jobs = JobFactory.create_batch(4)
    first = listed(api, JOBS, cursor="", size=2)
    Job.objects.filter(pk__in=[job.pk for job in jobs[:2]]).delete()

    second = api.get(first["next"]).json()

    assert (second["items"], second["has_next"]) == ([], False)
    assert ids_of(api.get(second["previous"]).json()) == [str(jobs[3].pk)]


@pytest.mark.parametrize("cursor", ["x", "cD0yMDI2LTEx", "W10:1vNbpb:signature"])
def test_cursor_that_was_not_given_out_is_refused(api: APIClient, cursor: str) -> None:
    problem = assert_problem(api.get(JOBS, {"cursor": cursor}), 400, "invalid")

    assert "not given out" in problem["errors"]["cursor"][0]


def test_cursor_of_another_order_is_refused(api: APIClient) -> None:
    JobFactory.create_batch(2)
    following = listed(api, JOBS, cursor="", size=1)["next"]

    problem = assert_problem(api.get(f"{following}&sort_order=asc"), 400, "invalid")

    assert "another order" in problem["errors"]["cursor"][0]


def test_page_has_a_number_or_a_cursor(api: APIClient) -> None:
    problem = assert_problem(api.get(f"{JOBS}?cursor=&page=1"), 400, "invalid")

    assert problem["errors"] == {"cursor": ["A page has a number or a cursor, not both."]}


def test_total_over_the_limit_is_an_estimate_and_says_so(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "EXACT_LIMIT", 5)
    JobFactory.create_batch(30)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_jobs")

    page = listed(api, JOBS, size=10)

    assert (page["total"], page["total_is_estimate"], page["total_pages"]) == (30, True, 3)


def test_total_up_to_the_limit_is_counted(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "EXACT_LIMIT", 5)
    JobFactory.create_batch(5, failed=True)
    JobFactory.create_batch(30)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_jobs")

    page = listed(api, JOBS, size=2, status="FAILED")

    assert (page["total"], page["total_is_estimate"]) == (5, False)


def test_estimate_is_never_less_than_what_is_seen(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "EXACT_LIMIT", 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_jobs")
    JobFactory.create_batch(30)

    page = listed(api, JOBS, size=10, page=2)

    assert page["total_is_estimate"]
    assert page["total"] >= 21


def test_last_page_knows_the_total_without_a_count(api: APIClient) -> None:
    JobFactory.create_batch(5)

    queries = queries_of(lambda: api.get(JOBS, {"page": 2, "size": 3}))

    assert len(queries) == 1


@pytest.mark.parametrize("address", LISTS)
def test_list_is_a_page_to_a_browser(api: APIClient, address: str) -> None:
    RecordingFactory.create_batch(2)
    JobFactory.create_batch(2)

    response = api.get(address, {"size": 1}, HTTP_ACCEPT="text/html")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")


def test_browser_is_led_on(api: APIClient) -> None:
    JobFactory.create_batch(3)

    page = api.get(JOBS, {"size": 1, "page": 2}, HTTP_ACCEPT="text/html").content.decode()

    assert "page=1&amp;size=1" in page
    assert "page=3&amp;size=1" in page


def test_recordings_of_all_pages_are_all_there_are(api: APIClient) -> None:
    RecordingFactory.create_batch(3)

    pages = walk(api, RECORDINGS, {"size": 2})

    assert {pk for page in pages for pk in ids_of(page)} == {
        str(pk) for pk in Recording.objects.values_list("pk", flat=True)
    }
