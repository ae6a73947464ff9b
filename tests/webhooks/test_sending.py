"""Which addresses are posted to, and that those are what is connected to."""

import ssl
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.checks import Error

from processing.services.inputs.addresses import ForbiddenAddress
from processing.webhooks.checks import check_webhooks
from processing.webhooks.sending import check_url, post
from tests.providers.server import CERTIFICATE, Provider, answering

PUBLIC = "93.184.215.14"


def to_public(host: str, port: int) -> list[str]:
    return [PUBLIC]


def to_this_machine(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_address_of_a_public_host_is_accepted() -> None:
    check_url("https://hooks.example.org/longhand?token=1", resolver=to_public)


def test_name_of_which_one_address_is_private_is_refused() -> None:
    with pytest.raises(ForbiddenAddress, match=r"hooks\.example\.org"):
        check_url("https://hooks.example.org/", resolver=lambda *_: [PUBLIC, "10.0.0.1"])


def test_allowed_network_off_the_internet_is_accepted(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["10.0.0.0/8"]

    check_url("https://intranet/", resolver=lambda *_: ["10.1.2.3"])


def test_name_that_was_public_when_it_was_checked_is_checked_again(receiver: Provider) -> None:
    url = receiver.url.replace("localhost", "hooks.example.org")
    check_url(url, resolver=to_public)

    with pytest.raises(ForbiddenAddress, match=r"hooks\.example\.org"):
        post(url, body=b"{}", headers={}, resolver=to_this_machine)

    assert receiver.requests == []


def test_receiver_hears_its_own_name_whatever_the_address(
    receiver: Provider, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["hooks.example.org"]
    url = receiver.url.replace("localhost", "hooks.example.org")

    answer = post(f"{url}?token=1", body=b"{}", headers={}, resolver=to_this_machine)

    [request] = receiver.requests
    assert answer.is_success
    assert request.headers["host"] == urlsplit(url).netloc
    assert request.path == "/v1?token=1"


def test_trusted_receiver_is_posted_to_over_tls(tls_receiver: Provider, settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    settings.WEBHOOK_PORTS = [urlsplit(tls_receiver.url).port]
    tls_receiver.will(answering("thank you"))
    trusting = ssl.create_default_context(cafile=CERTIFICATE)

    answer = post(tls_receiver.url, body=b"{}", headers={}, ssl_context=trusting)

    assert (answer.status, answer.excerpt) == (200, "thank you")


def test_hosts_that_are_neither_names_nor_networks_are_refused_at_start(settings: Any) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["10.0.0.0/40"]

    [error] = check_webhooks()

    assert isinstance(error, Error)
    assert "10.0.0.0/40" in error.msg
