"""The client of a provider: its pool, its waits, its forks, its secrets."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from processing.exceptions import (
    BadAnswer,
    ProviderRefused,
    ProviderTooLarge,
    ProviderUnauthorized,
    ProviderUnavailable,
    RateLimited,
)
from processing.providers.base import ProviderSettings, Secret, Timeouts
from processing.providers.http import client_for
from tests.providers.conftest import KEY, UPLOAD, MakeClient, ask, upload
from tests.providers.server import (
    Exchange,
    Provider,
    answering,
    gate,
    refusing,
)
from tests.waiting import wait_for


def test_json_arrives_with_the_key(provider: Provider, make_client: MakeClient) -> None:
    provider.will(answering({"text": "hello"}))

    answer = ask(make_client(provider.url))

    request = provider.requests[0]
    assert answer == {"text": "hello"}
    assert (request.path, request.body) == ("/v1/chat", b'{"question":1}')
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_form_arrives_byte_for_byte(provider: Provider, make_client: MakeClient) -> None:
    upload(make_client(provider.url))

    request = provider.requests[0]
    assert request.form == {"model": ["m"], "words[]": ["a", "b"]}
    assert request.file == UPLOAD["file"][1]


def test_no_key_means_no_authorization(provider: Provider, make_client: MakeClient) -> None:
    ask(make_client(provider.url, api_key=Secret("")))

    assert "authorization" not in provider.requests[0].headers


def test_headers_of_a_refusal_are_learned_from_too(
    provider: Provider, make_client: MakeClient
) -> None:
    provider.will(refusing(400, headers={"X-RateLimit-Remaining-Requests": "7"}))
    learned: dict[str, str] = {}

    with pytest.raises(ProviderRefused):
        ask(make_client(provider.url), learn=learned.update)

    assert learned["x-ratelimit-remaining-requests"] == "7"


def test_a_request_over_the_limit_is_not_sent(provider: Provider, make_client: MakeClient) -> None:
    client = make_client(provider.url, max_request_bytes=99_999)

    with pytest.raises(ProviderTooLarge, match="99999 bytes"):
        upload(client)

    assert provider.requests == []


def test_one_connection_serves_one_request_after_the_other(
    provider: Provider, make_client: MakeClient
) -> None:
    client = make_client(provider.url)

    for _ in range(5):
        upload(client)

    statistics = client.statistics()
    assert provider.connection_count == 1
    assert (statistics.requests, statistics.opened, statistics.idle) == (5, 1, 1)


def test_a_connection_that_the_provider_has_closed_is_not_used_again(
    provider: Provider, make_client: MakeClient
) -> None:
    client = make_client(provider.url)
    provider.will(answering({}, headers={"Connection": "close"}))

    ask(client)
    ask(client)

    assert provider.connection_count == 2


def test_twenty_threads_share_four_connections(provider: Provider, make_client: MakeClient) -> None:
    client = make_client(provider.url, max_connections=4)
    provider.always(held := gate(answering({"text": "here"})))

    with ThreadPoolExecutor(20) as threads:
        answers = [threads.submit(upload, client) for _ in range(20)]
        wait_for(lambda: client.statistics().queued == 16)
        busy = client.statistics()
        held.opened.set()
        texts = [answer.result()["text"] for answer in answers]

    after = client.statistics()
    assert texts == ["here"] * 20
    assert (busy.active, busy.idle, provider.connection_count) == (4, 0, 4)
    assert (after.active, after.queued, after.requests, after.opened) == (0, 0, 20, 4)


def test_work_that_finds_no_connection_is_postponed(
    provider: Provider, make_client: MakeClient
) -> None:
    client = make_client(provider.url, max_connections=1, timeouts=Timeouts(pool=0.05))
    provider.will(held := gate(answering({})))
    holder = threading.Thread(target=ask, args=(client,))
    holder.start()
    held.reached.acquire(timeout=10)

    with pytest.raises(RateLimited) as refusal:
        ask(client)
    held.opened.set()
    holder.join()

    assert refusal.value.dimension == "connections"
    assert client.statistics().errors == {"RateLimited": 1}
    assert client.statistics().queued == 0


def test_errors_are_counted_by_class(provider: Provider, make_client: MakeClient) -> None:
    client = make_client(provider.url)
    provider.will(refusing(500), refusing(500), refusing(401), answering("<html>"))

    for error in (ProviderUnavailable, ProviderUnavailable, ProviderUnauthorized, BadAnswer):
        with pytest.raises(error):
            ask(client)

    assert client.statistics().errors == {
        "ProviderUnavailable": 2,
        "ProviderUnauthorized": 1,
        "BadAnswer": 1,
    }


def test_a_redirect_is_not_followed(provider: Provider, make_client: MakeClient) -> None:
    provider.will(answering(b"", status=307, headers={"Location": f"{provider.url}/elsewhere"}))

    with pytest.raises(ProviderRefused, match="redirect"):
        ask(make_client(provider.url))

    assert len(provider.requests) == 1


def test_the_same_settings_have_the_same_client() -> None:
    one = ProviderSettings(base_url="http://localhost:9/v1", api_key=Secret("a"))
    same = ProviderSettings(base_url="http://localhost:9/v1", api_key=Secret("a"))
    other = ProviderSettings(base_url="http://localhost:9/v1", api_key=Secret("b"))

    assert client_for(one) is client_for(same)
    assert client_for(one) is not client_for(other)


@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://localhost/v1",
        "localhost/v1",
        "http://",
        "file:///etc/passwd",
        "http://user:password@localhost/v1",
        "http://localhost/v1?key=1",
        f"http://{'a' * 64}.example/v1",
    ],
)
def test_an_address_that_is_no_provider_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"base_url|label"):
        ProviderSettings(base_url=base_url)


def test_the_answer_is_the_one_to_the_request(provider: Provider, make_client: MakeClient) -> None:
    """A provider that answers twice must not have its second answer taken for the next one."""
    client = make_client(provider.url)
    provider.will(_answer_twice, answering({"text": "second"}))

    assert ask(client) == {"text": "first"}
    with pytest.raises(BadAnswer, match="earlier request"):
        ask(client)

    # whether the second request had left by then is a matter of moments
    assert ask(client) in ({"text": "second"}, {"text": ""})


def _answer_twice(exchange: Exchange) -> None:
    content = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"text": "first"}'
    exchange.read_body()
    exchange.wfile.write(content * 2)
