"""Answers that come as a stream of events."""

import pytest

from processing.exceptions import BadAnswer, ProviderBusy
from processing.providers.http import ProviderClient
from tests.providers.conftest import MakeClient
from tests.providers.server import Provider, answering, refusing
from tests.providers.text_server import streaming

EVENTS = [b"data: one\n\n", b": nothing\n\n", b"id: 7\n\n", b"data:two\ndata\ndata: three\n\n"]


def events(client: ProviderClient, **options: object) -> list[str]:
    return list(client.stream("chat", payload={"question": 1}, **options))  # type: ignore[arg-type]


def test_the_data_of_each_event_comes(provider: Provider, make_client: MakeClient) -> None:
    provider.will(streaming(*EVENTS))

    assert events(make_client(provider.url)) == ["one", "two\n\nthree"]
    assert provider.requests[0].body == b'{"question":1}'


def test_a_stream_that_has_ended_leaves_its_connection_to_the_next(
    provider: Provider, make_client: MakeClient
) -> None:
    provider.always(streaming(*EVENTS))
    client = make_client(provider.url)

    events(client)
    events(client)

    statistics = client.statistics()
    assert provider.connection_count == 1
    assert (statistics.requests, statistics.active, statistics.idle) == (2, 0, 1)


def test_one_that_is_left_leaves_nothing_open(provider: Provider, make_client: MakeClient) -> None:
    provider.will(streaming(*EVENTS))
    client = make_client(provider.url)
    stream = client.stream("chat", payload={})

    next(stream)
    stream.close()

    assert (client.statistics().active, client.statistics().idle) == (0, 0)


def test_a_refusal_is_learned_from_and_counted(provider: Provider, make_client: MakeClient) -> None:
    provider.will(refusing(429, headers={"Retry-After": "7"}))
    client, learned = make_client(provider.url), dict[str, str]()

    with pytest.raises(ProviderBusy) as refusal:
        events(client, learn=learned.update)

    assert refusal.value.retry_after_seconds == 7
    assert learned["retry-after"] == "7"
    assert client.statistics().errors == {"ProviderBusy": 1}


def test_headers_of_a_stream_are_learned_from(provider: Provider, make_client: MakeClient) -> None:
    provider.will(streaming(*EVENTS))
    learned: dict[str, str] = {}

    events(make_client(provider.url), learn=learned.update)

    assert learned["content-type"] == "text/event-stream"


@pytest.mark.parametrize(
    "reply",
    [
        answering({"text": "whole"}),
        streaming(b"data: " + b"x" * 3_000 + b"\n\n"),
        streaming(b"data: " + b"x" * 3_000),
        streaming(b"data: one\n\n", ends=False),
    ],
    ids=["no stream", "too much", "too much in one line", "cut"],
)
def test_what_is_no_whole_stream_is_a_bad_answer(
    provider: Provider, make_client: MakeClient, reply: object
) -> None:
    provider.will(reply)  # type: ignore[arg-type]

    with pytest.raises(BadAnswer):
        events(make_client(provider.url, max_answer_bytes=2_000))
