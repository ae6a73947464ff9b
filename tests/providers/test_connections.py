"""Whose connections they are, and what is spoken over them."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.providers.conftest import MakeClient, ask, upload
from tests.providers.server import Provider, answering, break_http2, gate


class TestFork:
    def test_a_child_opens_connections_of_its_own(
        self, provider: Provider, make_client: MakeClient
    ) -> None:
        client = make_client(provider.url)
        upload(client)

        in_child = _in_child(lambda: (upload(client), client.statistics()))
        upload(client)

        connections = [request.connection for request in provider.requests]
        assert connections == [1, 2, 1]
        assert (in_child[1].requests, in_child[1].opened) == (1, 1)

    def test_a_child_forked_while_threads_ask_is_not_stuck(
        self, provider: Provider, make_client: MakeClient
    ) -> None:
        client = make_client(provider.url, max_connections=1)
        provider.will(held := gate(answering({"text": "parent"})))
        provider.always(answering({"text": "child"}))

        with ThreadPoolExecutor(4) as threads:
            answers = [threads.submit(ask, client) for _ in range(4)]
            held.reached.acquire(timeout=10)
            in_child = _in_child(lambda: ask(client))
            held.opened.set()
            in_parent = [answer.result()["text"] for answer in answers]

        assert in_child == {"text": "child"}
        assert sorted(in_parent) == ["child", "child", "child", "parent"]


class TestHttp2:
    def test_small_calls_share_one_connection_over_http2(
        self, secure_provider: Provider, make_client: MakeClient, certificate: str
    ) -> None:
        client = make_client(secure_provider.url, http2=True, ca_file=certificate)

        answers = [ask(client) for _ in range(3)]

        assert answers == [{"text": "two"}] * 3
        assert [request.path for request in secure_provider.requests] == ["over HTTP/2"] * 3
        assert client.statistics().opened == 1

    def test_uploads_never_use_it(
        self, secure_provider: Provider, make_client: MakeClient, certificate: str
    ) -> None:
        client = make_client(secure_provider.url, http2=True, ca_file=certificate)

        upload(client)

        assert secure_provider.requests[0].path == "/v1/audio/transcriptions"

    def test_it_is_used_only_where_it_is_allowed(
        self, secure_provider: Provider, make_client: MakeClient, certificate: str
    ) -> None:
        ask(make_client(secure_provider.url, ca_file=certificate))

        assert secure_provider.requests[0].path == "/v1/chat"

    def test_a_protocol_error_makes_it_fall_back_for_good(
        self, secure_provider: Provider, make_client: MakeClient, certificate: str
    ) -> None:
        secure_provider.http2 = break_http2
        secure_provider.always(answering({"text": "one"}))
        client = make_client(secure_provider.url, http2=True, ca_file=certificate)

        answers = [ask(client) for _ in range(3)]

        assert answers == [{"text": "one"}] * 3
        assert client.statistics().http2_fallbacks == 1
        assert client.statistics().errors == {}


def _in_child(work: Any) -> Any:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=lambda: answers.put(work()))
    child.start()
    child.join(20)
    assert child.exitcode == 0
    return answers.get()
