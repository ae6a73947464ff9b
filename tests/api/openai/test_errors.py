"""What OpenAI's own client raises for what goes wrong at our server."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import httpx2
import openai
import pytest
from django.db import connection
from django.test import RequestFactory
from pytest_django import Settings
from rest_framework.request import Request

from jobs.exceptions import PermanentError
from processing.api.openai import waiting
from processing.api.openai.errors import OpenAIError
from processing.api.openai.waiting import Patience
from processing.exceptions import ProviderRefused, UnreadableAudio
from processing.models import Transcript, Workspace
from processing.services.orchestrator import cancel_processing
from tests.api.openai.conftest import ClientOf
from tests.api.openai.errors import TRANSCRIPTIONS, error_of, refusal_of
from tests.fakes.tones import ToneEngine
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def post(url: str, client: openai.OpenAI, short: Path) -> Callable[..., httpx2.Response]:
    """Post a form to transcriptions by hand: fields as they are, and the short recording."""

    def send(path: str = TRANSCRIPTIONS, **options: Any) -> httpx2.Response:
        options = {"files": {"file": ("short.wav", short.read_bytes())}} | options
        authorization = {"Authorization": f"Bearer {client.api_key}"}
        headers = authorization | options.pop("headers", {})
        return httpx2.post(f"{url}/{path}", headers=headers, timeout=30, **options)

    return send


def test_each_error_is_raised_by_its_class(
    client: openai.OpenAI,
    client_of: ClientOf,
    token_of: Callable[..., str],
    short: Path,
    settings: Settings,
    workspace: Workspace,
) -> None:
    errors = [
        refusal_of(client, short, response_format="xml"),
        refusal_of(client_of("lh_0_1"), short),
        refusal_of(client_of(token_of("read")), short),
        refusal_of(client, short, model="gpt-9"),
    ]
    settings.MAX_UPLOAD_BYTES = 100_000
    errors.append(refusal_of(client, short))
    settings.MAX_UPLOAD_BYTES = 1_000_000
    Workspace.objects.filter(pk=workspace.pk).update(max_storage_bytes=1_000)
    errors.append(refusal_of(client, short))
    settings.API_REQUESTS_PER_MINUTE = 1
    client.models.list()
    errors.append(refusal_of(client, short))
    settings.API_REQUESTS_PER_MINUTE = 0
    Workspace.objects.filter(pk=workspace.pk).update(max_storage_bytes=None)
    settings.ENGINES = settings.ENGINES | {"tones": "no.such.Engine"}
    errors.append(refusal_of(client, short))

    assert [(type(error), error.status_code, error.code) for error in errors] == [
        (openai.BadRequestError, 400, "invalid_value"),
        (openai.AuthenticationError, 401, "invalid_api_key"),
        (openai.PermissionDeniedError, 403, "insufficient_permissions"),
        (openai.NotFoundError, 404, "model_not_found"),
        (openai.APIStatusError, 413, None),
        (openai.RateLimitError, 429, "insufficient_quota"),
        (openai.RateLimitError, 429, "rate_limit_exceeded"),
        (openai.InternalServerError, 500, "error"),
    ]
    assert {error.request_id for error in errors}.isdisjoint({None, ""})


# What goes wrong here


@pytest.mark.parametrize(
    ("trouble", "status", "code", "message"),
    [
        pytest.param(
            PermanentError("it is broken"), 500, "permanent", "it is broken", id="our fault"
        ),
        pytest.param(
            ProviderRefused("no more"), 502, "provider_refused", "no more", id="a provider's fault"
        ),
        pytest.param(
            UnreadableAudio("noise"), 400, "unreadable_audio", "noise", id="the caller's fault"
        ),
    ],
)
@pytest.mark.usefixtures("worker")
def test_a_run_that_fails_says_whose_fault_it_is(
    client_of: ClientOf,
    token_of: Callable[..., str],
    short: Path,
    trouble: Exception,
    status: int,
    code: str,
    message: str,
) -> None:
    def fail(clip: object) -> None:
        raise trouble

    ToneEngine.troubles["tones"] = fail

    error = refusal_of(client_of(token_of(), max_retries=2), short)

    assert (error.status_code, error.code) == (status, code)
    assert message in error.message
    assert Transcript.objects.get().processings.count() == 1


def test_who_has_waited_long_enough_is_told_that_it_goes_on(
    post: Callable[..., httpx2.Response],
) -> None:
    response = post(data={"model": "tones"}, headers={"x-stainless-read-timeout": "0.2"})

    assert response.status_code == 504
    assert error_of(response)["code"] == "still_running"
    assert response.headers["Retry-After"] == "1"
    assert Transcript.objects.get().latest_processing.is_active


def test_no_connection_to_the_database_is_held_by_who_waits(
    post: Callable[..., httpx2.Response],
) -> None:
    before = backend_count()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(post, data={"model": "tones"})
        wait_for(Transcript.objects.exists)

        wait_for(lambda: backend_count() <= before)
        is_done = asked.done()
        cancel_processing(Transcript.objects.get().latest_processing)
        response = asked.result()

    assert not is_done
    assert (response.status_code, error_of(response)["code"]) == (500, "cancelled")
    assert response.headers["x-should-retry"] == "false"


def backend_count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_who_finds_no_place_to_wait_is_to_come_again(
    client: openai.OpenAI, short: Path, is_streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_places", BoundedSemaphore(0))

    error = refusal_of(client, short, stream=is_streamed)

    assert (error.status_code, error.code) == (503, "too_many_streams")
    assert error.response.headers["Retry-After"] == "5"


def test_places_are_given_back(
    client: openai.OpenAI,
    post: Callable[..., httpx2.Response],
    short: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = BoundedSemaphore(1)
    monkeypatch.setattr(waiting, "_places", places)

    response = post(data={"model": "tones"}, headers={"x-stainless-read-timeout": "0.1"})
    stream = client.audio.transcriptions.create(file=short, model="tones", stream=True)
    was_taken = not places.acquire(blocking=False)
    cancel_processing(Transcript.objects.get().latest_processing)
    with pytest.raises(openai.APIError):
        list(stream)

    assert (response.status_code, was_taken) == (504, True)
    assert wait_for(lambda: places.acquire(blocking=False))


def test_nobody_waits_for_a_client_that_has_gone() -> None:
    ours, theirs = socket.socketpair()
    request = Request(RequestFactory().get("/"))
    request.META["gunicorn.socket"] = ours
    patience = Patience(request)

    patience.check()
    theirs.close()

    with ours, pytest.raises(OpenAIError) as over:
        patience.check()
    assert over.value.code == "still_running"


# What clients that are not OpenAI's send


@pytest.mark.usefixtures("worker")
def test_lists_may_come_without_brackets_and_addresses_with_a_slash(
    post: Callable[..., httpx2.Response],
) -> None:
    response = post(
        f"{TRANSCRIPTIONS}/",
        data={
            "model": "tones",
            "response_format": "verbose_json",
            "timestamp_granularities": ["word", "segment"],
        },
    )

    body = response.json()
    assert response.status_code == 200
    assert (len(body["words"]), len(body["segments"])) == (10, 2)


@pytest.mark.usefixtures("worker")
def test_whatever_is_accepted_is_answered_as_asked(post: Callable[..., httpx2.Response]) -> None:
    response = post(
        data={"model": "tones", "response_format": "text"}, headers={"Accept": "text/plain"}
    )

    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.text.startswith("t200 t300")
