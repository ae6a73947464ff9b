"""Bodies read from gunicorn's socket: whole, and not a byte of what follows them."""

import socket
import struct
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]
from gunicorn.http.body import Body  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]

from config.gunicorn_input import SocketInput, reading_sockets

BODY = bytes(range(256)) * 12_000  # more than is asked of the socket at once
NEXT = b"GET /next HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client's end of a TCP connection, and the server's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        yield client, accepted


Connection = tuple[socket.socket, socket.socket]


def posted(body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + body


def parser_of(server: socket.socket) -> Any:
    return RequestParser(Config(), server, ("127.0.0.1", 0))


def input_of(body: Any) -> Any:
    """Return what an application that gunicorn calls would read."""
    environ: dict[str, Any] = {"wsgi.input": body}
    reading_sockets(lambda environ, start_response: [])(environ, lambda *_: None)
    return environ["wsgi.input"]


def read_all(stream: Any, size: int) -> list[bytes]:
    return list(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("size", [1000, 65_536, 1 << 20, 10 << 20])
def test_body_is_read_whole_and_the_next_request_after_it(
    connection: Connection, size: int
) -> None:
    client, server = connection
    sender = Thread(target=client.sendall, args=(posted(BODY) + NEXT,))
    sender.start()
    parser = parser_of(server)
    stream = input_of(next(parser).body)

    pieces = read_all(stream, size)
    sender.join()

    assert isinstance(stream, SocketInput)
    assert b"".join(pieces) == BODY
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert next(parser).path == "/next"


def test_body_that_came_with_its_head_is_not_waited_for(connection: Connection) -> None:
    client, server = connection
    client.sendall(posted(b"early") + NEXT)
    parser = parser_of(server)
    stream = input_of(next(parser).body)

    assert [stream.read(2), stream.read(100), stream.read(100)] == [b"ea", b"rly", b""]
    assert next(parser).path == "/next"


def test_what_the_application_leaves_of_a_body_is_no_request(connection: Connection) -> None:
    client, server = connection
    sender = Thread(target=client.sendall, args=(posted(BODY) + NEXT,))
    sender.start()
    parser = parser_of(server)

    input_of(next(parser).body).read(100_000)

    assert next(parser).path == "/next"
    sender.join()


def test_body_is_read_on_after_its_lines(connection: Connection) -> None:
    client, server = connection
    client.sendall(posted(b"one\ntwo\nthree") + NEXT)
    parser = parser_of(server)
    stream = input_of(next(parser).body)

    assert [stream.readline(), stream.read(2), stream.read()] == [b"one\n", b"tw", b"o\nthree"]
    assert next(parser).path == "/next"


def test_body_ends_where_its_connection_does(connection: Connection) -> None:
    client, server = connection
    client.sendall(posted(b"all there is", length=1000))
    client.shutdown(socket.SHUT_WR)

    assert read_all(input_of(next(parser_of(server)).body), 500) == [b"all there is"]


def test_reset_connection_is_raised_and_never_used_again(connection: Connection) -> None:
    client, server = connection
    client.sendall(posted(b"", length=1000))
    parser = parser_of(server)
    body = next(parser).body
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    with pytest.raises(ConnectionResetError):
        input_of(body).read(500)
    with pytest.raises(StopIteration):
        next(parser)


def test_body_in_chunks_is_read_by_gunicorn(connection: Connection) -> None:
    client, server = connection
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.sendall(head + b"3\r\none\r\n0\r\n\r\n")
    stream = input_of(next(parser_of(server)).body)

    assert isinstance(stream, Body)
    assert stream.read() == b"one"
