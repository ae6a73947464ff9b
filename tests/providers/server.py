"""A provider on this machine: real sockets, whose answers and misbehaviour a test scripts."""

import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http.multipartparser import MultiPartParser

#: A certificate that signs itself, for localhost, with its key; nothing else trusts it.
CERTIFICATE = Path(__file__).with_name("localhost.pem")


@dataclass
class Received:
    """A request as the server got it; ``connection`` counts from 1."""

    connection: int
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def form(self) -> dict[str, list[str]]:
        return dict(self._parsed()[0].lists())

    @property
    def file(self) -> bytes:
        content: bytes = self._parsed()[1]["file"].read()
        return content

    def _parsed(self) -> Any:
        meta = {
            "CONTENT_TYPE": self.headers["content-type"],
            "CONTENT_LENGTH": str(len(self.body)),
        }
        return MultiPartParser(meta, BytesIO(self.body), [TemporaryFileUploadHandler()]).parse()


class Exchange(BaseHTTPRequestHandler):
    """One connection, at one request of it; what a reply works with."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"
    received: Received

    def setup(self) -> None:
        super().setup()
        self.number = self.server.provider.connected()

    def handle(self) -> None:
        with suppress(OSError):
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.do_handshake()
                if self.connection.selected_alpn_protocol() == "h2":
                    self.server.provider.http2(self)
                    return
            super().handle()

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.received = Received(self.number, self.path, headers)
        self.server.provider.next_reply(self.received)(self)

    def read_body(self) -> None:
        if not self.received.body:
            self.received.body = self.rfile.read(int(self.received.headers["content-length"]))

    def send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """End the connection with RST, as a crashed host or a firewall does."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.rfile.close()
        self.connection.close()
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


Reply = Callable[[Exchange], None]


def answering(
    body: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """Answer with a body: bytes and strings as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else None
    if content is None:
        content = json.dumps(body).encode()

    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send(status, content, headers or {})

    return reply


def refusing(status: int, headers: Mapping[str, str] | None = None, **error: Any) -> Reply:
    """Answer with an error in OpenAI's shape."""
    shape = {"message": f"refused with {status}", "type": "error", "param": None, "code": None}
    return answering({"error": shape | error}, status=status, headers=headers)


@dataclass
class _Gate:
    """Holds every request that reaches it until it is opened."""

    then: Reply
    opened: threading.Event = field(default_factory=threading.Event)
    reached: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __call__(self, exchange: Exchange) -> None:
        exchange.read_body()
        self.reached.release()
        self.opened.wait(30)
        self.then(exchange)


def gate(then: Reply) -> _Gate:
    return _Gate(then)


class Provider:
    """The running server; ``requests`` are all it got, in their order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Received] = []
        self.connection_count = 0
        self._replies: deque[Reply] = deque()
        self._always: Reply = answering({"text": ""})
        self._lock = threading.Lock()
        self.http2: Callable[[Exchange], None] = answer_over_http2

    def will(self, *replies: Reply) -> None:
        """Answer the next requests so, one after the other."""
        self._replies.extend(replies)

    def always(self, reply: Reply) -> None:
        """Answer so whatever has no reply of its own."""
        self._always = reply

    def forget(self) -> None:
        """Give nobody any more of the answers that ``will`` was told and nobody has had."""
        self._replies.clear()

    def next_reply(self, received: Received) -> Reply:
        with self._lock:
            self.requests.append(received)
            return self._replies.popleft() if self._replies else self._always

    def connected(self) -> int:
        with self._lock:
            self.connection_count += 1
            return self.connection_count


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: Provider
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.context is not None:  # its handshake is the connection's own thread's work
            connection = self.context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, *_: Any) -> None:
        """Clients that go away are what the tests are about."""


@contextmanager
def serving(*, tls: bool = False, http2: bool = False) -> Iterator[Provider]:
    """Run a provider in threads of this process."""
    with _Server(("127.0.0.1", 0), Exchange) as server:
        if tls:
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(CERTIFICATE)
            server.context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
        scheme = "https" if tls else "http"
        server.provider = Provider(f"{scheme}://localhost:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server.provider
        finally:
            server.shutdown()
            thread.join()


def answer_over_http2(exchange: Exchange) -> None:
    """Answer every request of an HTTP/2 connection with a text in JSON."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    exchange.connection.sendall(connection.data_to_send())
    while data := exchange.connection.recv(65_536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.StreamEnded):
                received = Received(exchange.number, "over HTTP/2", {})
                exchange.server.provider.next_reply(received)
                connection.send_headers(event.stream_id, [(":status", "200")])
                connection.send_data(event.stream_id, b'{"text": "two"}', end_stream=True)
        exchange.connection.sendall(connection.data_to_send())


def break_http2(exchange: Exchange) -> None:
    """Negotiate HTTP/2, and answer whatever comes over it with GOAWAY for a protocol error."""
    settings, goaway = b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\0\0\0\0\x01"
    exchange.connection.recv(65_536)
    exchange.connection.sendall(settings + goaway)
    while exchange.connection.recv(65_536):
        pass
