"""Our server, OpenAI's client, and a worker between them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from jobs.services.retry import RetryHandler
from jobs.services.runner import JobRunner
from processing.choices import CHUNK_QUEUE, TRANSCRIPTION_QUEUE, TRANSLATION_QUEUE, Role
from processing.live import hub
from processing.models import Membership, Workspace
from processing.workspaces.keys import issue_key
from tests.api.openai.voices import VoicesEngine
from tests.factories.jobs import WorkerFactory
from tests.fakes.tones import ENGINES, ToneEngine, tones, write_tones

ClientOf = Callable[..., openai.OpenAI]

#: Two turns of five tones, in one chunk.
SHORT_SECONDS = 8.0
FIRST, SECOND = "t200 t300 t400 t500 t600", "t700 t800 t900 t1000 t1100"
TEXT = f"{FIRST} {SECOND}"


@pytest.fixture(autouse=True)
def _engines(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Engines that hear tones; the first of them is everybody's who names none."""
    voices = f"{VoicesEngine.__module__}.{VoicesEngine.__name__}"
    settings.ENGINES = settings.ENGINES | ENGINES | {"voices": voices}
    settings.ENGINE = "tones"
    settings.CHAT = settings.TRANSLATOR = None
    settings.AUTO_SUMMARIZE = False
    monkeypatch.setattr(hub, "LOOK_SECONDS", 0.02)
    ToneEngine.asked.clear()
    yield
    ToneEngine.asked.clear()
    ToneEngine.troubles.clear()


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openai") / "short.wav"
    return write_tones(path, [tones(SHORT_SECONDS)], SHORT_SECONDS)


@pytest.fixture(scope="session")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 s of tones: four chunks."""
    return write_tones(tmp_path_factory.mktemp("openai") / "long.wav", [tones(40.0)], 40.0)


@pytest.fixture
def workspace(db: None) -> Workspace:
    return Workspace.objects.default()


@pytest.fixture
def token_of(workspace: Workspace) -> Callable[..., str]:
    """Issue a key of a member of the workspace."""

    def issue(*scopes: str, role: Role = Role.EDITOR) -> str:
        user, is_new = User.objects.get_or_create(username=f"{role.lower()}-of-tapes")
        if is_new:
            Membership.objects.create(workspace=workspace, user=user, role=role)
        _, token = issue_key(
            workspace=workspace, user=user, name="tapes", scopes=scopes or ("write",)
        )
        return token

    return issue


@pytest.fixture
def url(live_server: LiveServer) -> str:
    return f"{live_server.url}/v1"


@pytest.fixture
def client_of(url: str) -> Iterator[ClientOf]:
    """Make a client of a token, as its users do; it repeats nothing."""
    yield from _clients(base_url=url)


@pytest.fixture
def client(client_of: ClientOf, token_of: Callable[..., str]) -> openai.OpenAI:
    return client_of(token_of())


@pytest.fixture
def near() -> Iterator[httpx2.Client]:
    """Call our WSGI application in this very thread: for what no worker is waited for.

    As in the client of Django's tests, no request closes the connection of its test.
    """
    signals = (request_started, request_finished)
    transport = httpx2.WSGITransport(app=WSGIHandler())
    with httpx2.Client(transport=transport, base_url="http://testserver/v1") as client:
        for signal in signals:
            signal.disconnect(close_old_connections)
        yield client
        for signal in signals:
            signal.connect(close_old_connections)


@pytest.fixture
def near_client_of(near: httpx2.Client) -> Iterator[ClientOf]:
    yield from _clients(base_url=str(near.base_url), http_client=near)


@pytest.fixture
def near_client(near_client_of: ClientOf, token_of: Callable[..., str]) -> openai.OpenAI:
    return near_client_of(token_of())


def _clients(**common: Any) -> Iterator[ClientOf]:
    clients = []

    def make(token: str, **options: Any) -> openai.OpenAI:
        client = openai.OpenAI(api_key=token, **({"max_retries": 0} | common | options))
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def worker(live_server: LiveServer, workspace: Workspace) -> Iterator[None]:
    """A worker that does what a request waits for, in a thread of this process."""
    is_over = threading.Event()

    def work() -> None:
        runner = JobRunner(
            worker=WorkerFactory.create(stopped=True), retry_handler=RetryHandler(base_seconds=0.0)
        )
        while not is_over.wait(0.02):
            for name in (TRANSCRIPTION_QUEUE, CHUNK_QUEUE, TRANSLATION_QUEUE):
                runner.drain(name)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    is_over.set()
    thread.join()
