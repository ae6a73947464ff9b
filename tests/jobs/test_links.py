"""Addresses in answers are those that Django's own function finds."""

from uuid import uuid4

import pytest
from django.test import override_settings
from django.urls import NoReverseMatch, set_script_prefix
from rest_framework.request import Request
from rest_framework.reverse import reverse as address_by_drf
from rest_framework.test import APIRequestFactory

from jobs.api.links import reverse


@pytest.fixture
def request_of_a_list() -> Request:
    return Request(APIRequestFactory().get("/api/v1/jobs/", {"size": "2"}))


@pytest.mark.parametrize("count", [0, 1], ids=["list", "detail"])
def test_address_is_what_drf_finds(request_of_a_list: Request, count: int) -> None:
    name, ids = ("job-detail", [str(uuid4())]) if count else ("job-list", [])

    first = reverse(name, ids, request=request_of_a_list)
    again = reverse(name, ids, request=request_of_a_list)

    assert first == again == address_by_drf(name, ids, request=request_of_a_list)


def test_addresses_of_different_rows_differ(request_of_a_list: Request) -> None:
    addresses = {reverse("job-detail", [str(n)], request=request_of_a_list) for n in range(3)}

    assert addresses == {f"http://testserver/api/v1/jobs/{n}/" for n in range(3)}


def test_address_names_the_host_that_was_asked() -> None:
    request = Request(APIRequestFactory().get("/", headers={"host": "longhand.test:8000"}))

    with override_settings(ALLOWED_HOSTS=["longhand.test"]):
        address = reverse("job-list", request=request)

    assert address == "http://longhand.test:8000/api/v1/jobs/"


def test_address_begins_with_where_the_project_is_mounted(request_of_a_list: Request) -> None:
    set_script_prefix("/longhand/")
    try:
        address = reverse("job-list", request=request_of_a_list)
    finally:
        set_script_prefix("/")

    assert address == "http://testserver/longhand/api/v1/jobs/"


def test_what_is_no_view_has_no_address(request_of_a_list: Request) -> None:
    with pytest.raises(NoReverseMatch):
        reverse("no-such-view", request=request_of_a_list)
