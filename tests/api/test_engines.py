"""What programs read of the engines: their record, and how they stand now."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from processing.engines.remote import breaker_of, guards_of
from processing.models import Engine
from processing.providers.rate_limit import RateLimiter
from tests.api.test_recordings import assert_problem
from tests.caching.servers import OwnRedis
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

ENGINES = "/api/v1/engines/"
KEY = "sk-do-not-tell-anybody-1234567890"

PROVIDER: dict[str, Any] = {
    "BASE_URL": "http://localhost:9/v1",
    "MODEL": "whisper-1",
    "API_KEY": KEY,
    "RESPONSE_FORMAT": "auto",
    "LANGUAGES": ["en", "de"],
    "MAX_CONCURRENCY": 8,
    "REQUESTS_PER_MINUTE": 600.0,
    "AUDIO_SECONDS_PER_HOUR": 0.0,
    "MAX_CLIP_SECONDS": 1400.0,
    "MAX_CLIP_BYTES": 26_214_400,
}


@pytest.fixture
def provider(settings: LazySettings) -> str:
    """The name of a provider that is an engine."""
    settings.PROVIDERS = {"remote": PROVIDER}
    return "remote"


@pytest.fixture
def away(settings: LazySettings) -> Iterator[None]:
    """A Redis that takes connections and answers nothing."""
    with tempfile.TemporaryDirectory() as directory:
        own = OwnRedis(Path(directory))
        settings.REDIS_URL = own.url
        own.freeze()
        yield
        own.thaw()
        own.stop()


def engine(api: APIClient, name: str) -> dict[str, Any]:
    body: dict[str, Any] = api.get(f"{ENGINES}{name}/").json()
    return body


def test_engine_tells_what_it_can(api: APIClient) -> None:
    body = engine(api, "scripted")

    assert (body["name"], body["health"], body["reason"]) == ("scripted", "ready", None)
    assert (body["is_remote"], body["version"]) == (False, "1")
    assert (body["languages"], body["parameters"][0]) == (["en", "de"], "beam")
    assert body["limits"] == {
        "max_clip_seconds": None,
        "max_clip_bytes": None,
        "max_concurrency": None,
        "window_seconds": None,
    }
    assert (body["rate_limits"], body["breaker"]) == (None, None)


def test_engine_without_work_has_an_empty_record(api: APIClient) -> None:
    body = engine(api, "scripted")

    assert (body["real_time_factor"], body["heard_count"], body["last_failure"]) == (None, 0, None)
    assert not Engine.objects.exists()


def test_engine_tells_what_it_has_done(api: APIClient) -> None:
    Engine.objects.record_run("scripted", chunk_count=4, audio_seconds=120.0, busy_seconds=15.0)
    Engine.objects.record_failure("scripted", code="bad_answer", message="it was cut off")

    body = engine(api, "scripted")

    assert body["real_time_factor"] == pytest.approx(0.125)
    assert (body["heard_count"], body["failed_count"]) == (4, 1)
    assert (body["audio_seconds"], body["busy_seconds"]) == (120.0, 15.0)
    failure = body["last_failure"]
    assert (failure["code"], failure["message"]) == ("bad_answer", "it was cut off")
    assert failure["at"].endswith("Z")


def test_list_has_every_engine_that_is_configured_or_was(api: APIClient, provider: str) -> None:
    Engine.objects.record_failure("retired", code="bad_answer", message="")

    body = api.get(ENGINES).json()

    names = [item["name"] for item in body["items"]]
    assert names == ["broken", "remote", "retired", "scripted", "sphinx", "whisper"]
    assert body["total"] == 6
    assert body["items"][3] == engine(api, "scripted")


def test_links_lead_to_the_engine(api: APIClient) -> None:
    address = engine(api, "scripted")["links"]["self"]

    assert api.get(address).json()["name"] == "scripted"


def test_provider_tells_its_limits_and_its_breaker(api: APIClient, provider: str) -> None:
    limiter = guards_of(provider).limiter
    assert isinstance(limiter, RateLimiter)

    with limiter.admitted():
        body = engine(api, provider)

    states = {state["dimension"]: state for state in body["rate_limits"]["dimensions"]}
    assert (body["health"], body["is_remote"]) == ("ready", True)
    assert states["requests"]["limit"] == 600
    assert states["requests"]["remaining"] < 10
    assert (states["concurrency"]["used"], states["concurrency"]["remaining"]) == (1, 7)
    assert (body["breaker"]["status"], body["breaker"]["call_count"]) == ("closed", 0)


def test_provider_that_is_left_alone_says_for_how_long(api: APIClient, provider: str) -> None:
    breaker_of(provider).trip(60)

    body = engine(api, provider)

    assert (body["health"], body["breaker"]["status"]) == ("open", "open")
    assert 50 < body["breaker"]["seconds"] <= 60


def test_provider_that_asked_all_to_wait_is_paused(api: APIClient, provider: str) -> None:
    limiter = guards_of(provider).limiter
    assert isinstance(limiter, RateLimiter)
    limiter.pause(60)

    body = engine(api, provider)

    assert body["health"] == "paused"
    assert 50 < body["rate_limits"]["paused_seconds"] <= 60


def test_provider_without_limits_has_none_to_tell(api: APIClient, settings: LazySettings) -> None:
    settings.PROVIDERS = {"free": PROVIDER | {"MAX_CONCURRENCY": 0, "REQUESTS_PER_MINUTE": 0.0}}

    body = engine(api, "free")

    assert (body["health"], body["rate_limits"]["dimensions"]) == ("ready", [])


def test_nobody_knows_how_providers_stand_while_redis_is_away(
    api: APIClient, settings: LazySettings, away: None
) -> None:
    settings.PROVIDERS = {"one-away": PROVIDER, "two-away": PROVIDER}

    items = {item["name"]: item for item in api.get(ENGINES).json()["items"]}

    for_one, for_two = items["one-away"], items["two-away"]
    assert (for_one["health"], for_one["rate_limits"], for_one["breaker"]) == ("unknown",) * 3
    assert (for_two["health"], for_two["rate_limits"], for_two["breaker"]) == ("unknown",) * 3
    assert items["scripted"]["health"] == "ready"


def test_redis_that_is_away_is_asked_for_one_provider_only(
    api: APIClient, settings: LazySettings, away: None
) -> None:
    settings.PROVIDERS = {f"away-{number}": PROVIDER for number in range(20)}
    began = time.monotonic()

    api.get(ENGINES)

    assert time.monotonic() - began < 20 * 0.25


@pytest.mark.parametrize(
    ("engines", "providers", "reason"),
    [
        pytest.param({"odd": "no_such_package.Engine"}, {}, "no_such_package", id="package"),
        pytest.param({"odd": "tests.fakes.speech.Nothing"}, {}, "Nothing", id="class"),
        pytest.param(
            {}, {"odd": PROVIDER | {"BASE_URL": "ftp://x"}}, "base_url starts with", id="address"
        ),
        pytest.param(
            {}, {"odd": PROVIDER | {"API_KEY": "two words"}}, "a secret is ASCII", id="key"
        ),
        pytest.param({}, {"odd": {"MODEL": "whisper-1"}}, "BASE_URL", id="setting missing"),
    ],
)
def test_engine_that_cannot_be_made_says_why_and_leaves_the_others_alone(
    api: APIClient,
    settings: LazySettings,
    engines: dict[str, str],
    providers: dict[str, Any],
    reason: str,
) -> None:
    settings.ENGINES = {**settings.ENGINES, **engines}
    settings.PROVIDERS = providers

    items = {item["name"]: item for item in api.get(ENGINES).json()["items"]}

    assert items["odd"]["health"] == "unavailable"
    assert reason in items["odd"]["reason"]
    assert (items["odd"]["version"], items["odd"]["languages"]) == (None, None)
    assert items["scripted"]["health"] == "ready"


@pytest.mark.parametrize("key", [KEY, "two words"], ids=["good", "bad"])
def test_no_key_is_ever_shown(api: APIClient, settings: LazySettings, key: str) -> None:
    settings.PROVIDERS = {"remote": PROVIDER | {"API_KEY": key}}

    assert key not in api.get(ENGINES).content.decode()


@pytest.mark.parametrize("name", ["oracle", "%00", "a'b"])
def test_engine_nobody_knows_does_not_exist(api: APIClient, name: str) -> None:
    assert_problem(api.get(f"{ENGINES}{name}/"), 404, "not_found")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_engines_are_not_changed_here(api: APIClient, method: str) -> None:
    response = getattr(api, method)(f"{ENGINES}scripted/")

    assert_problem(response, 405, "method_not_allowed")


def test_engines_are_for_members(viewer: APIClient, django_user_model: type[User]) -> None:
    stranger = APIClient()
    stranger.force_authenticate(django_user_model.objects.create_user("stranger", is_staff=True))

    assert viewer.get(ENGINES).status_code == 200
    assert_problem(stranger.get(ENGINES), 403, "no_workspace")


def test_what_an_engine_failed_at_is_told_to_members_by_its_code(viewer: APIClient) -> None:
    Engine.objects.record_failure("scripted", code="bad_answer", message="of another workspace")

    failure = viewer.get(f"{ENGINES}scripted/").json()["last_failure"]

    assert (failure["code"], failure["message"]) == ("bad_answer", None)


def test_list_asks_the_database_as_often_for_many_as_for_one(api: APIClient) -> None:
    api.get(ENGINES)  # makes the default workspace
    few = queries_of(lambda: api.get(ENGINES))

    for number in range(5):
        Engine.objects.record_failure(f"retired-{number}", code="bad_answer", message="")
    many = queries_of(lambda: api.get(ENGINES))

    assert len(many) == len(few)
