"""Who asks too much is told when to come back; nobody else notices."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings as installed
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from config.throttling import Buckets, Rate, buckets
from processing.choices import Scope
from processing.models import Workspace
from processing.workspaces.keys import issue_key

RECORDINGS, TOPICS = "/api/v1/recordings/", "/api/v1/topics/"
LOGIN = "/admin/login/"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _limits(settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = 5
    settings.API_UPLOADS_PER_MINUTE = 2
    settings.ANONYMOUS_REQUESTS_PER_MINUTE = 3
    settings.LOGIN_FAILURES = 4


@pytest.fixture
def no_redis(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    buckets.cache_clear()
    yield
    buckets.cache_clear()


@pytest.fixture
def admin_user(django_user_model: type[User]) -> User:
    return django_user_model.objects.create_superuser("admin", "a@example.org", "right")


def bearer(user: User) -> dict[str, str]:
    """Return the header of a new key of a user, who may do everything."""
    workspace = Workspace.objects.default()
    scopes = [scope.value for scope in Scope]
    _, token = issue_key(workspace=workspace, user=user, name="key", scopes=scopes)
    return {"Authorization": f"Bearer {token}"}


def basic(password: str, username: str = "admin") -> dict[str, str]:
    text = f"{username}:{password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


def statuses(client: Client, count: int, path: str = RECORDINGS, **options: Any) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(count)]


def test_every_answer_says_how_much_is_left(api: APIClient) -> None:
    first, second = api.get(RECORDINGS), api.get(f"{RECORDINGS}nothing/")

    assert (first.status_code, second.status_code) == (200, 404)
    assert (first["RateLimit-Limit"], first["RateLimit-Remaining"]) == ("5", "4")
    assert (second["RateLimit-Limit"], second["RateLimit-Remaining"]) == ("5", "3")
    assert (first["RateLimit-Reset"], second["RateLimit-Reset"]) == ("12", "24")
    assert first["RateLimit-Policy"] == "5;w=60"


def test_who_asks_too_much_is_told_when_to_come_back(api: APIClient) -> None:
    assert statuses(api, 5) == [200] * 5

    refused = api.get(RECORDINGS)

    assert refused.status_code == 429
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "throttled"
    assert (refused["Retry-After"], refused["RateLimit-Remaining"]) == ("12", "0")


def test_no_wait_is_so_long_that_clients_give_up(client: Client, settings: Settings) -> None:
    settings.LOGIN_FAILURES = 1
    client.get(RECORDINGS, headers=basic("wrong"))

    refused = client.get(RECORDINGS, headers=basic("wrong"))

    assert (refused.status_code, refused["RateLimit-Reset"]) == (429, "300")
    assert refused["Retry-After"] == "120"


def test_what_makes_something_is_limited_by_itself(api: APIClient) -> None:
    made = [api.post(TOPICS, {"name": f"topic {n}"}, format="json") for n in range(3)]

    assert [answer.status_code for answer in made] == [201, 201, 429]
    assert made[1]["RateLimit-Policy"] == "5;w=60, 2;w=60"
    assert (made[1]["RateLimit-Limit"], made[1]["RateLimit-Remaining"]) == ("2", "0")
    assert made[2]["Retry-After"] == "30"
    assert api.get(TOPICS).status_code == 200


def test_each_key_has_a_limit_of_its_own(client: Client, admin_user: User) -> None:
    first, second = bearer(admin_user), bearer(admin_user)
    assert statuses(client, 6, headers=first) == [200] * 5 + [429]

    assert statuses(client, 6, headers=second) == [200] * 5 + [429]
    assert statuses(client, 1, headers=basic("right")) == [200]


def test_who_is_nobody_is_limited_by_address(client: Client) -> None:
    assert statuses(client, 4, REMOTE_ADDR="192.0.2.1") == [401] * 3 + [429]

    assert statuses(client, 1, REMOTE_ADDR="192.0.2.2") == [401]


def test_wrong_keys_are_limited_by_address_and_right_ones_are_not(
    client: Client, admin_user: User
) -> None:
    wrong = {"Authorization": f"Bearer lh_{'0' * 16}_{'0' * 64}"}
    assert statuses(client, 4, headers=wrong) == [401] * 3 + [429]

    assert statuses(client, 1, headers=bearer(admin_user)) == [200]


def test_who_may_not_is_counted_too(client: Client, django_user_model: type[User]) -> None:
    client.force_login(django_user_model.objects.create_user("stranger"))

    assert statuses(client, 6) == [403] * 5 + [429]


def test_zero_is_no_limit(api: APIClient, settings: Settings) -> None:
    settings.API_REQUESTS_PER_MINUTE = settings.API_UPLOADS_PER_MINUTE = 0

    answer = api.get(RECORDINGS)

    assert answer.status_code == 200
    assert "RateLimit-Limit" not in answer


@pytest.mark.usefixtures("no_redis")
def test_without_redis_all_requests_pass(api: APIClient) -> None:
    assert statuses(api, 8) == [200] * 8
    assert statuses(Client(), 5, headers=basic("wrong")) == [401] * 5


def test_no_number_of_processes_lets_more_through() -> None:
    rate = Rate("requests", 50, 36_000)
    processes = [Buckets(installed.REDIS_URL) for _ in range(4)]

    def ask(number: int) -> bool:
        allowance = processes[number % 4].take("user:1", [rate])
        return allowance is not None and not allowance.wait_seconds

    with ThreadPoolExecutor(16) as threads:
        admitted = sum(threads.map(ask, range(400)))

    assert admitted == 50


def test_what_was_taken_and_given_back_can_be_taken_again() -> None:
    rate = Rate("failures", 1, 36_000)
    first = buckets().take("user:1", [rate])

    buckets().give_back("user:1", rate)
    second, third = buckets().take("user:1", [rate]), buckets().take("user:1", [rate])

    assert first is not None
    assert second is not None
    assert third is not None
    assert [first.wait_seconds, second.wait_seconds] == [0, 0]
    assert third.wait_seconds > 35_000


def test_redis_forgets_whoever_does_not_come_back(redis_connection: Any) -> None:
    buckets().take("user:1", [Rate("requests", 5), Rate("uploads", 2, 300)])

    [key] = redis_connection.keys("throttle:*")
    assert 0 < redis_connection.pttl(key) <= 300_000


def test_passwords_are_not_guessed_for_long(client: Client, admin_user: User) -> None:
    assert statuses(client, 3, headers=basic("wrong")) == [401] * 3
    assert statuses(client, 3, headers=basic("right")) == [200] * 3
    client.get(RECORDINGS, headers=basic("wrong"), REMOTE_ADDR="192.0.2.3")

    over = [
        client.get(RECORDINGS, headers=basic(password)) for password in ("wrong", "wrong", "right")
    ]

    assert [answer.status_code for answer in over] == [429, 429, 429]
    assert over[2]["Content-Type"] == "application/problem+json"
    assert 1 <= int(over[2]["Retry-After"]) <= 120
    elsewhere = client.get(RECORDINGS, headers=basic("right"), REMOTE_ADDR="192.0.2.9")
    assert elsewhere.status_code == 200


def test_the_form_says_that_there_were_too_many(client: Client, admin_user: User) -> None:
    wrong = {"username": "admin", "password": "wrong"}
    pages = [client.post(LOGIN, wrong).content.decode() for _ in range(5)]

    right = client.post(LOGIN, {"username": "admin", "password": "right"})

    assert ["Too many wrong passwords" in page for page in pages] == [False] * 4 + [True]
    assert right.status_code == 200
    assert "Too many wrong passwords" in right.content.decode()


def test_a_right_password_does_not_count(client: Client, admin_user: User) -> None:
    right = {"username": "admin", "password": "right"}

    logins = [client.post(LOGIN, right).status_code for _ in range(6)]

    assert logins == [302] * 6


def test_names_in_other_letters_are_the_same_name(client: Client, admin_user: User) -> None:
    statuses(client, 2, headers=basic("wrong", "Admin"), REMOTE_ADDR="192.0.2.4")
    statuses(client, 1, headers=basic("wrong", "ADMIN"), REMOTE_ADDR="192.0.2.4")

    last = client.post(LOGIN, {"username": "aDMIN", "password": "wrong"}, REMOTE_ADDR="192.0.2.4")
    refused = client.post(
        LOGIN, {"username": "admin", "password": "right"}, REMOTE_ADDR="192.0.2.4"
    )

    assert (last.status_code, refused.status_code) == (200, 200)
    assert "Too many wrong passwords" in refused.content.decode()
