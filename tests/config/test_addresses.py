"""From where a request comes: believed as far as our own proxies say it."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from config.addresses import address_of, neighbourhood_of

PEER = "10.0.0.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", PEER),
        (0, "192.0.2.7", PEER),
        (1, "192.0.2.7", "192.0.2.7"),
        (1, "203.0.113.9, 192.0.2.7", "192.0.2.7"),
        (2, "203.0.113.9, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        (2, "192.0.2.7", PEER),
        (1, "unknown", PEER),
        (1, "", PEER),
        (1, "::ffff:192.0.2.7", "192.0.2.7"),
        (1, "2001:db8::1%eth0", "2001:db8::1"),
    ],
    ids=[
        "direct",
        "a client's own word",
        "one proxy",
        "one proxy and a client's own word",
        "two proxies and a client's own word",
        "past a proxy",
        "no address",
        "nothing",
        "IPv4 in IPv6",
        "with a zone",
    ],
)
def test_only_our_own_proxies_are_believed(
    settings: Settings, proxies: int, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=PEER)

    assert address_of(request) == address


def test_a_server_behind_a_socket_knows_no_address() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="")

    assert address_of(request) is None
    assert neighbourhood_of(request) == "unknown"


@pytest.mark.parametrize(
    ("address", "neighbourhood"),
    [("192.0.2.7", "192.0.2.7"), ("2001:db8:1:2:3::4", "2001:db8:1:2::")],
    ids=["IPv4", "IPv6"],
)
def test_a_network_of_ipv6_is_one_neighbour(address: str, neighbourhood: str) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR=address)

    assert neighbourhood_of(request) == neighbourhood
