"""Every request has an id: in its answer, in problems, and in each line of the log."""

import io
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from config.logs import RequestIdFilter
from config.middleware import RequestIds
from processing.origin import request_id

NOWHERE = "/api/v1/nowhere/"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged meanwhile, as it is written in every installation."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    formatters: Any = settings.LOGGING["formatters"]
    handler.setFormatter(logging.Formatter(formatters["line"]["format"], style="{"))
    handler.addFilter(RequestIdFilter())
    logging.getLogger().addHandler(handler)
    yield text
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize("sent", ["a", "0123-abc_DEF.9", "x" * 64])
def test_a_good_id_of_the_client_is_kept(client: Client, sent: str) -> None:
    response = client.get(NOWHERE, headers={"X-Request-Id": sent})

    assert response["X-Request-Id"] == response.json()["request_id"] == sent


@pytest.mark.parametrize(
    "sent", ["", "x" * 65, "a b", "a\r\nSet-Cookie: b", "é", "<script>", "a\0"]
)
def test_any_other_is_replaced(client: Client, sent: str) -> None:
    response = client.get(NOWHERE, headers={"X-Request-Id": sent})

    given = response["X-Request-Id"]
    assert len(given) == 32
    assert int(given, 16)
    assert response.json()["request_id"] == given


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/recordings/", 401),
        ("/v1/nowhere", 404),
        ("/nowhere", 404),
        ("/admin/login/", 200),
        ("/admin/", 302),
        ("/static/admin/css/base.css", 200),
        ("/health", 200),
    ],
)
@pytest.mark.django_db
def test_every_answer_has_one(client: Client, path: str, status: int) -> None:
    response = client.get(path, headers={"X-Request-Id": "mine"})

    assert (response.status_code, response["X-Request-Id"]) == (status, "mine")


@pytest.mark.django_db
def test_requests_of_one_connection_have_ids_of_their_own(api: APIClient) -> None:
    first, second = api.get("/api/v1/recordings/"), api.get("/api/v1/recordings/")

    assert first["X-Request-Id"] != second["X-Request-Id"]


def test_lines_of_the_log_are_of_their_requests_in_any_number_of_threads(log: io.StringIO) -> None:
    def ask(number: int) -> str:
        path = f"/api/v1/nowhere-{number}-/"
        Client().get(path, headers={"X-Request-Id": f"id-{number}-"})
        return request_id()

    with ThreadPoolExecutor(8) as threads:
        left = set(threads.map(ask, range(40)))

    lines = {line for line in log.getvalue().splitlines() if "Not Found" in line}
    assert len(lines) == 40
    wrong = [
        line
        for line in lines
        if line.split("[id-")[1].split("-")[0] != line.split("nowhere-")[1].split("-")[0]
    ]
    assert wrong == []
    assert left == {""}


def test_lines_of_workers_have_none(log: io.StringIO) -> None:
    logging.getLogger("jobs").warning("no request asked for this")

    assert " jobs: no request asked for this" in log.getvalue()


@pytest.mark.django_db
def test_a_stream_has_its_id_until_it_is_closed() -> None:
    def parts() -> Iterator[str]:
        yield request_id()
        yield request_id()

    answered = RequestIds(lambda request: StreamingHttpResponse(parts()))
    request = RequestFactory().get("/", headers={"X-Request-Id": "stream"})

    response = answered(request)
    told = [part.decode() for part in response]
    response.close()

    assert told == ["stream", "stream"]
    assert request_id() == ""


@pytest.mark.django_db
def test_the_id_is_there_for_views(rf: RequestFactory) -> None:
    seen = []

    def view(request: HttpRequest) -> StreamingHttpResponse:
        seen.append(request.id)  # type: ignore[attr-defined]
        return StreamingHttpResponse([])

    RequestIds(view)(rf.get("/", headers={"X-Request-Id": "seen"})).close()

    assert seen == ["seen"]
