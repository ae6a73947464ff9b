"""Receivers of webhooks that are real servers on this machine, and a worker that serves them."""

import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import standardwebhooks
from django.contrib.auth.models import User

from jobs.services.runner import JobRunner
from processing.choices import WEBHOOK_QUEUE, Role
from processing.models import Membership, Webhook, WebhookDelivery, Workspace
from processing.webhooks.signing import secret_of
from tests.factories.jobs import WorkerFactory
from tests.factories.webhooks import WebhookFactory
from tests.providers.server import Provider, answering, serving


@pytest.fixture(scope="session")
def _server() -> Iterator[Provider]:
    with serving() as server:
        yield server


@pytest.fixture
def receiver(_server: Provider, settings: Any) -> Provider:
    """A server that says yes to all, at an address that webhooks may lead to."""
    _server.requests.clear()
    _server.forget()
    _server.always(answering(""))
    settings.WEBHOOK_ALLOW_HTTP = True
    settings.WEBHOOK_ALLOWED_HOSTS = ["localhost"]
    settings.WEBHOOK_PORTS = [urlsplit(_server.url).port]
    return _server


@pytest.fixture(scope="session")
def _tls_server() -> Iterator[Provider]:
    with serving(tls=True) as server:
        yield server


@pytest.fixture
def tls_receiver(_tls_server: Provider) -> Provider:
    """A server whose certificate nobody vouches for."""
    _tls_server.requests.clear()
    return _tls_server


@pytest.fixture
def unused_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def webhook(receiver: Provider) -> Webhook:
    """A webhook of the default workspace that leads to the receiver."""
    return WebhookFactory.create(url=receiver.url)


@pytest.fixture
def manager(db: None) -> User:
    """A manager of the default workspace."""
    user = User.objects.create_user("maria", email="maria@example.org")
    workspace = Workspace.objects.default()
    Membership.objects.create(workspace=workspace, user=user, role=Role.MANAGER)
    return user


def work() -> None:
    """Do what a worker does that hears the queue of webhooks."""
    JobRunner(worker=WorkerFactory.create(queues=[WEBHOOK_QUEUE])).drain(WEBHOOK_QUEUE)


def verified(webhook: Webhook, receiver: Provider, index: int = -1) -> Any:
    """Return the body of a request as a client of Standard Webhooks reads it; it checks first."""
    request = receiver.requests[index]
    client = standardwebhooks.Webhook(secret_of(webhook))
    return client.verify(request.body, dict(request.headers))


def only() -> WebhookDelivery:
    return WebhookDelivery.objects.get()
