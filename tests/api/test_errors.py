"""What programs get when something is wrong: a problem that they can read, never a page."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, TypeVar

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections
from django.http import HttpRequest, HttpResponseNotAllowed
from django.test import Client, RequestFactory
from psycopg_pool import PoolTimeout, TooManyRequests
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisConnectionError

from config.exceptions import server_error
from config.middleware import ApiAnswers

T = TypeVar("T")

API = "/api/v1"
ID = "01a20580-2685-7b57-8c64-e9c3769ff5b3"

LISTS = [
    "recordings",
    "transcripts",
    "documents",
    "topics",
    "summaries",
    "translations",
    "questions",
    "jobs",
]


@pytest.fixture
def admin(django_user_model: type[User]) -> dict[str, str]:
    """The header of who may do everything."""
    django_user_model.objects.create_superuser("admin", "a@example.org", "right")
    text = base64.b64encode(b"admin:right").decode()
    return {"Authorization": f"Basic {text}"}


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def assert_problem(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["request_id"] == response["X-Request-Id"]
    assert "Traceback" not in response.content.decode()
    return problem


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "identifier",
    ["a%00b", "%ff", "'%20or%20'1'='1", "9" * 400, "%F0%9F%98%80", "-1", ID[:-1], "x" * 5_000],
    ids=["NUL", "no UTF-8", "SQL", "number", "emoji", "negative", "short", "long"],
)
def test_there_is_nothing_under_an_impossible_id(
    client: Client, admin: dict[str, str], name: str, identifier: str
) -> None:
    assert_problem(client.get(f"{API}/{name}/{identifier}/", headers=admin), 404)


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_nul_is_in_no_query(client: Client, admin: dict[str, str], name: str) -> None:
    problem = assert_problem(client.get(f"{API}/{name}/?search=%00", headers=admin), 400)

    assert problem["errors"] == {"search": ["NUL characters are not allowed."]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"text": "\xff"}', 400),
        (b'{"text": "\\ud800"}', 400),
        (b'{"text": "a\\u0000"}', 400),
        (b'{"text": "a", "filters": {"language": "a\\u0000"}}', 400),
        (b'{"text": "a", "filters": {"\\ud800": "a"}}', 400),
        (b'{"text": ' + b"9" * 5_000 + b"}", 400),
        (b'{"text": NaN}', 400),
        (b"[" * 100_000, 400),
        (b"[1]", 400),
        (b"null", 400),
        (b'{"text": "' + b"a" * 3_000_000 + b'"}', 413),
    ],
    ids=[
        "no UTF-8",
        "half a letter",
        "NUL",
        "NUL in a filter",
        "half a letter in a name",
        "long number",
        "no number",
        "deep",
        "list",
        "null",
        "large",
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    client: Client, admin: dict[str, str], body: bytes, status: int
) -> None:
    answer = client.post(f"{API}/questions/", body, "application/json", headers=admin)

    assert_problem(answer, status)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b"--x\r\nnothing"),
        (
            "multipart/form-data; boundary=x",
            (
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
                b"Content-Transfer-Encoding: base64\r\n\r\n!!!\r\n--x--\r\n"
            ),
        ),
        (
            "multipart/form-data; boundary=x",
            b"".join(
                b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\na\r\n'
                for _ in range(1_100)
            ),
        ),
    ],
    ids=["no boundary", "no end", "no base64", "many fields"],
)
def test_a_form_that_cannot_be_read_is_refused(
    client: Client, admin: dict[str, str], content_type: str, body: bytes
) -> None:
    answer = client.generic("POST", f"{API}/recordings/", body, content_type, headers=admin)

    assert_problem(answer, 400)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 400),
        ({"Longhand-Workspace": "a\0"}, 400),
        ({"Longhand-Workspace": "\xff'"}, 404),
        ({"Accept": "application/xml"}, 406),
        ({"Authorization": f"Basic {base64.b64encode(b'a' + bytes(1) + b':b').decode()}"}, 400),
        ({"Authorization": "Basic !"}, 401),
        ({"Authorization": "Bearer \xff"}, 401),
        ({"Authorization": "", "Cookie": 'sessionid="\\000"'}, 401),
    ],
    ids=[
        "host",
        "NUL in a workspace",
        "no workspace",
        "no media type of ours",
        "NUL in a user name",
        "no base64",
        "no token",
        "NUL in a cookie",
    ],
)
def test_a_header_that_makes_no_sense_is_refused(
    client: Client, admin: dict[str, str], headers: dict[str, str], status: int
) -> None:
    assert_problem(client.get(f"{API}/recordings/", headers=admin | headers), status)


@pytest.mark.django_db
def test_browsers_that_come_from_elsewhere_are_refused(admin: dict[str, str]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.login(username="admin", password="right")  # noqa: S106

    assert_problem(browser.post(f"{API}/topics/", {"name": "a"}), 403)


@pytest.mark.django_db
def test_a_post_without_the_slash_is_still_a_post(client: Client, admin: dict[str, str]) -> None:
    answer = client.post(f"{API}/topics", {"name": "a"}, headers=admin)

    assert (answer.status_code, answer["Location"]) == (308, f"{API}/topics/")


def answered(view: Callable[[HttpRequest], Any], path: str = f"{API}/x/") -> Any:
    return ApiAnswers(view)(RequestFactory().post(path))


def test_what_a_view_of_django_may_not_is_a_problem_too() -> None:
    answer = answered(lambda request: HttpResponseNotAllowed(["GET"]))

    assert json.loads(answer.content)["code"] == "method_not_allowed"
    assert (answer.status_code, answer["Allow"]) == (405, "GET")
    assert answer["Content-Type"] == "application/problem+json"


def test_pages_are_pages() -> None:
    answer = answered(lambda request: HttpResponseNotAllowed(["GET"]), "/admin/")

    assert answer.content == b""


@pytest.mark.parametrize("path", [f"{API}/nowhere/", "/v1/nowhere", "/nowhere"])
def test_nobody_sees_what_went_wrong_here(path: str) -> None:
    try:
        raise ValueError("secret")
    except ValueError:
        answer = server_error(RequestFactory().get(path))

    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()


def test_a_developer_sees_no_page_either(client: Client, settings: Settings) -> None:
    settings.DEBUG = True

    assert_problem(client.get(f"{API}/nowhere/"), 404)


@pytest.mark.parametrize(
    "error",
    [PoolTimeout("5 s"), TooManyRequests("20 wait"), RedisConnectionError("refused")],
    ids=["no connection in time", "too many wait", "Redis"],
)
def test_what_is_away_is_no_bug(error: Exception) -> None:
    try:
        with connection.wrap_database_errors:
            raise error
    except (OperationalError, RedisConnectionError):
        answer = server_error(RequestFactory().get(f"{API}/nowhere/"))

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


@pytest.mark.django_db(transaction=True)
class TestWithoutPostgreSQL:
    """A thread whose connections lead to a port where nobody listens."""

    @pytest.fixture
    def cut_off(self, admin: dict[str, str]) -> Callable[[Callable[[], T]], T]:
        def run(work: Callable[[], T]) -> T:
            dead = connections["default"].copy()
            dead.settings_dict = dead.settings_dict | {"HOST": "127.0.0.1", "PORT": "1"}
            connections["default"] = dead
            return work()

        def elsewhere(work: Callable[[], T]) -> T:
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(run, work).result()

        return elsewhere

    @pytest.mark.parametrize(
        "path", [f"{API}/recordings/", f"{API}/jobs/stats/", f"{API}/recordings/{ID}/"]
    )
    def test_programs_are_told_when_to_try_again(
        self, client: Client, admin: dict[str, str], cut_off: Any, path: str
    ) -> None:
        answer = cut_off(lambda: client.get(path, headers=admin))

        assert assert_problem(answer, 503)["code"] == "unavailable"
        assert answer["Retry-After"] == "5"

    def test_so_are_those_with_a_session(self, client: Client, cut_off: Any) -> None:
        client.login(username="admin", password="right")  # noqa: S106

        answer = cut_off(lambda: client.get(f"{API}/recordings/"))

        assert assert_problem(answer, 503)["code"] == "unavailable"

    def test_so_are_those_with_a_browser_below_the_api(
        self, client: Client, admin: dict[str, str], cut_off: Any
    ) -> None:
        headers = admin | {"Accept": "text/html"}

        answer = cut_off(lambda: client.get(f"{API}/recordings/", headers=headers))

        assert assert_problem(answer, 503)["code"] == "unavailable"

    def test_people_see_a_page(self, client: Client, cut_off: Any) -> None:
        client.login(username="admin", password="right")  # noqa: S106

        answer = cut_off(lambda: client.get("/admin/"))

        assert (answer.status_code, answer["Retry-After"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "5")
        assert answer["Content-Type"].startswith("text/html")
        assert "Traceback" not in answer.content.decode()

    def test_who_tries_a_password_meanwhile_is_not_counted(
        self, client: Client, admin: dict[str, str], cut_off: Any, settings: Settings
    ) -> None:
        settings.LOGIN_FAILURES = 1
        tries = cut_off(lambda: [client.get(f"{API}/jobs/", headers=admin) for _ in range(3)])

        assert [answer.status_code for answer in tries] == [503] * 3
        assert client.get(f"{API}/jobs/", headers=admin).status_code == 200
