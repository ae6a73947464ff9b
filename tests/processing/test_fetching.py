"""Fetching a recording from a URL: from servers that are real, and mostly wicked."""

import gzip
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from processing.exceptions import AudioTooLarge, ProcessingError
from processing.services.inputs.addresses import AllowedHosts, ForbiddenAddress, is_public
from processing.services.inputs.connecting import FetchTimeout, Unreachable
from processing.services.inputs.fetching import BadDownload, FetchRules, InvalidUrl, fetch_recording
from tests.factories.audio import wav_bytes

Respond = Callable[[socket.socket], None]

LOOPBACK = AllowedHosts.parse(["127.0.0.1"])
OK = b"HTTP/1.1 200 OK\r\n"


@dataclass
class Server:
    """What a running server is reached at, and what it was asked so far."""

    port: int
    requests: list[str] = field(default_factory=list)

    def rules(self, **changes: Any) -> FetchRules:
        return replace(
            FetchRules(allowed=LOOPBACK, ports=frozenset({self.port}), idle_seconds=2.0), **changes
        )

    def url(self, path: str = "/meeting.wav", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


@contextmanager
def serving(
    *responses: Respond, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Answer the first connections with ``responses`` in turn, whatever they ask."""
    with socket.create_server((host, 0)) as listener:
        server = Server(listener.getsockname()[1])

        def serve() -> None:
            for respond in responses:
                with suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        stream = context.wrap_socket(connection, True) if context else connection
                        server.requests.append(stream.recv(65_536).decode())
                        respond(stream)
                        stream.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)
            assert not thread.is_alive()


def saying(*parts: bytes) -> Respond:
    def respond(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return respond


def file(content: bytes, *headers: bytes) -> Respond:
    head = [*headers, b"Content-Length: %d" % len(content), b"Connection: close"]
    return saying(OK, *(header + b"\r\n" for header in head), b"\r\n", content)


def redirect(location: str, status: int = 302) -> Respond:
    head = f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n"
    return saying(head.encode() + b"Connection: close\r\n\r\n")


def endless(head: bytes, part: bytes, *, every: float = 0.0) -> Respond:
    def respond(connection: socket.socket) -> None:
        gone = threading.Event()
        connection.sendall(head)
        while not gone.wait(every):
            connection.sendall(part)  # raises once the client has had enough

    return respond


def fetched(server: Server, path: str = "/meeting.wav", **rules: Any) -> tuple[str, bytes]:
    with fetch_recording(server.url(path), rules=server.rules(**rules)) as upload:
        return upload.name or "", upload.read()


@pytest.fixture(autouse=True)
def _nothing_is_left(stored_files: Callable[[], set[Path]]) -> Iterator[None]:
    before = stored_files()
    yield
    assert stored_files() == before


def test_a_recording_arrives_whole_with_its_name_size_and_hash() -> None:
    content = wav_bytes()

    with (
        serving(file(content)) as server,
        fetch_recording(server.url("/talks/m%C3%A4rz.wav?token=1"), rules=server.rules()) as upload,
    ):
        assert upload.read() == content
        assert (upload.name, upload.size) == ("märz.wav", len(content))
        assert upload.sha256 == hashlib.sha256(content).hexdigest()


def test_the_request_says_which_host_and_carries_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    with serving(file(b"x")) as server:
        fetched(server)

    assert server.requests[0].split("\r\n") == [
        "GET /meeting.wav HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "User-Agent: Longhand",
        "",
        "",
    ]


def test_progress_is_told_in_bytes_of_bytes() -> None:
    told: list[tuple[int, int | None]] = []

    with serving(file(b"12345")) as server:
        fetch_recording(
            server.url(), rules=server.rules(), on_progress=lambda *now: told.append(now)
        ).close()

    assert told[-1] == (5, 5)


def test_a_chunked_body_arrives_whole() -> None:
    body = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    with serving(saying(OK, b"Transfer-Encoding: chunked\r\n\r\n", body)) as server:
        assert fetched(server) == ("meeting.wav", b"abcde")


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    with serving(saying(OK, b"\r\n", b"abcde")) as server:
        assert fetched(server)[1] == b"abcde"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(status: int) -> None:
    with serving(redirect("/b/final.wav", status), file(b"x")) as server:
        assert fetched(server) == ("final.wav", b"x")

    assert server.requests[1].startswith("GET /b/final.wav ")


def test_five_redirects_are_followed() -> None:
    with serving(*[redirect("/again")] * 5, file(b"x")) as server:
        assert fetched(server)[1] == b"x"


def test_a_sixth_redirect_is_too_many() -> None:
    with (
        serving(*[redirect("/again")] * 6) as server,
        pytest.raises(BadDownload, match="more than 5 redirects"),
    ):
        fetched(server)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        pytest.param(b'attachment; filename="a b.mp3"', "a b.mp3", id="plain"),
        pytest.param(b"attachment; filename*=UTF-8''m%C3%A4rz.mp3", "märz.mp3", id="rfc-5987"),
        pytest.param('attachment; filename="märz.mp3"'.encode(), "märz.mp3", id="raw-utf-8"),
        pytest.param(b'attachment; filename="m\xe4rz.mp3"', "märz.mp3", id="latin-1"),
        pytest.param(b'attachment; filename="../../etc/passwd"', "passwd", id="traversal"),
        pytest.param(rb'attachment; filename="C:\\x\\a.mp3"', "a.mp3", id="windows-path"),
        pytest.param(b'attachment; filename=".bashrc"', "bashrc", id="hidden"),
        pytest.param(b'attachment; filename=".."', "meeting.wav", id="dots"),
        pytest.param(
            'attachment; filename="a\N{RIGHT-TO-LEFT OVERRIDE}3pm.exe"'.encode(),
            "a3pm.exe",
            id="right-to-left",
        ),
        pytest.param(b"attachment; filename*=nonesuch''a.mp3", "meeting.wav", id="no-such-coding"),
        pytest.param(b"attachment; filename*=idna''a%FF.mp3", "meeting.wav", id="odd-coding"),
        pytest.param(b"inline", "meeting.wav", id="none"),
        pytest.param(
            b'attachment; filename="' + b"n" * 900 + b'.mp3"', "n" * 196 + ".mp3", id="long"
        ),
    ],
)
def test_the_name_is_the_servers_or_the_paths_and_harmless(disposition: bytes, name: str) -> None:
    with serving(file(b"x", b"Content-Disposition: " + disposition)) as server:
        assert fetched(server)[0] == name


def test_a_url_without_a_path_has_a_name_too() -> None:
    with serving(file(b"x")) as server:
        assert fetched(server, "/")[0] == "recording"


# What is refused before it costs anything


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ftp://recordings.example/a.wav", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("gopher://127.0.0.1:70/_x", id="gopher"),
        pytest.param("//recordings.example/a.wav", id="no-scheme"),
        pytest.param("a.wav", id="path"),
        pytest.param("http:///a.wav", id="no-host"),
        pytest.param("http://user:secret@recordings.example/", id="password"),
        pytest.param("http://recordings.example\\@127.0.0.1/", id="backslash"),
        pytest.param("http://recordings.example:80@127.0.0.1/", id="at-sign"),
        pytest.param("http://recordings.example\r\nX: y/", id="line-break"),
        pytest.param("http://127.0.0.1\x00.example/", id="nul"),
        pytest.param("http://0177.0.0.1/", id="octal"),
        pytest.param("http://[fe80::1%25lo]/", id="zone"),
        pytest.param("http://[127.0.0.1]/", id="bracketed-v4"),
        pytest.param("http://127.0.0.1%2f@recordings.example/", id="escaped-slash"),
        pytest.param("http://a%6c.example/", id="escaped-host"),
        pytest.param("http://" + "a" * 70_000, id="huge"),
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidUrl):
        fetch_recording(url)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("localhost", id="by-name"),
        pytest.param("127.1", id="short"),
        pytest.param("2130706433", id="decimal"),
        pytest.param("0x7f000001", id="hexadecimal"),
        pytest.param("0x7f.1", id="hexadecimal-short"),
        pytest.param("017700000001", id="octal"),
        pytest.param("127\N{IDEOGRAPHIC FULL STOP}0.0.1", id="ideographic-stop"),
        pytest.param("0.0.0.0", id="any"),  # noqa: S104
        pytest.param("0", id="zero"),
        pytest.param("[::]", id="any-v6"),
        pytest.param("[::1]", id="loopback-v6"),
        pytest.param("[::ffff:127.0.0.1]", id="mapped"),
        pytest.param("[::ffff:7f00:1]", id="mapped-hexadecimal"),
        pytest.param("[0:0:0:0:0:ffff:127.0.0.1]", id="mapped-long"),
        pytest.param("[::127.0.0.1]", id="compatible"),
        pytest.param("[64:ff9b::127.0.0.1]", id="nat64"),
        pytest.param("[2002:7f00:1::]", id="6to4"),
    ],
)
def test_no_spelling_of_this_machine_is_connected_to(host: str) -> None:
    with serving(file(b"x")) as server:
        rules = server.rules(allowed=AllowedHosts())

        with pytest.raises(ForbiddenAddress, match="not on the public internet"):
            fetch_recording(server.url(host=host), rules=rules)

    assert server.requests == []


@pytest.mark.parametrize(
    "address",
    [
        *("0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.255.255.254"),
        *("168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.170"),
        *("192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
        *("255.255.255.255", "::", "::1", "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::808:808"),
        *("64:ff9b:1::1", "100::1", "2001::1", "2001:20::1", "2001:db8::1", "2002:808:808::1"),
        *("3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%lo", "fec0::1"),
        *("ff02::1", "ff0e::1", "2a00:1450::1%lo"),
    ],
)
def test_an_address_off_the_public_internet_is_known_for_it(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "172.15.0.1"),
        *("172.32.0.1", "192.167.1.1", "198.17.0.1", "198.20.0.1", "223.255.255.255"),
        *("2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1"),
    ],
)
def test_an_address_of_the_public_internet_is_known_for_it(address: str) -> None:
    assert is_public(address)


def test_a_port_that_is_not_for_the_web_is_refused() -> None:
    with pytest.raises(ForbiddenAddress, match=r"port 22 is not read from; these are: 80, 443"):
        fetch_recording("http://recordings.example:22/")


def test_port_0_is_not_taken_for_the_default() -> None:
    with pytest.raises(ForbiddenAddress, match="port 0"):
        fetch_recording("http://recordings.example:0/")


@pytest.mark.parametrize(
    ("location", "error"),
    [
        pytest.param("http://169.254.169.254:{port}/latest/", ForbiddenAddress, id="metadata"),
        pytest.param("http://127.0.0.2:{port}/", ForbiddenAddress, id="loopback"),
        pytest.param("//[::1]:{port}/", ForbiddenAddress, id="loopback-v6"),
        pytest.param("http://127.0.0.1:22/", ForbiddenAddress, id="port"),
        pytest.param("file:///etc/passwd", InvalidUrl, id="file"),
        pytest.param("http://a:b@127.0.0.1:{port}/", InvalidUrl, id="password"),
        pytest.param("http://[", InvalidUrl, id="no-url"),
    ],
)
def test_a_redirect_is_checked_like_the_first_url(
    location: str, error: type[ProcessingError]
) -> None:
    def respond(connection: socket.socket) -> None:
        redirect(location.format(port=server.port))(connection)

    with serving(respond) as server, pytest.raises(error):
        fetched(server)


def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_used() -> None:
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])

    with serving(file(b"x"), host="127.0.0.2") as server:
        rules = server.rules(allowed=AllowedHosts.parse(["127.0.0.2"]))
        fetch_recording(
            server.url(host="rebinding.example"),
            rules=rules,
            resolver=lambda host, port: next(answers),
        ).close()

    assert f"Host: rebinding.example:{server.port}\r\n" in server.requests[0]
    assert list(answers) == [["127.0.0.1"]]


def test_a_name_that_changes_its_address_between_redirects_is_checked_again() -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    with serving(redirect("/again")) as server, pytest.raises(ForbiddenAddress):
        fetch_recording(
            server.url(host="rebinding.example"),
            rules=server.rules(),
            resolver=lambda host, port: next(answers),
        )


def test_a_name_with_a_public_and_a_private_address_is_refused() -> None:
    with pytest.raises(ForbiddenAddress):
        fetch_recording(
            "http://two-faced.example/", resolver=lambda host, port: ["1.1.1.1", "10.0.0.1"]
        )


def test_an_address_that_does_not_answer_is_followed_by_the_next() -> None:
    allowed = AllowedHosts.parse(["127.0.0.0/8"])

    with serving(file(b"x")) as server:
        fetch_recording(
            server.url(host="twice.example"),
            rules=server.rules(allowed=allowed),
            resolver=lambda host, port: ["127.0.0.3", "127.0.0.1"],
        ).close()

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param("127.0.0.1", id="address"),
        pytest.param("127.0.0.0/8", id="network"),
        pytest.param("Intranet.Example.", id="name"),
    ],
)
def test_an_operator_can_allow_a_host_of_the_intranet(entry: str) -> None:
    with serving(file(b"x")) as server:
        fetch_recording(
            server.url(host="intranet.example"),
            rules=server.rules(allowed=AllowedHosts.parse([entry])),
            resolver=lambda host, port: ["127.0.0.1"],
        ).close()

    assert len(server.requests) == 1


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "http://intranet", "", "127.0.0.1:80"])
def test_what_is_neither_a_name_nor_a_network_cannot_be_allowed(entry: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        AllowedHosts.parse([entry])


# Servers that do not answer well


def unknown_host(host: str, port: int) -> list[str]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_host_that_nobody_knows_is_unreachable() -> None:
    with pytest.raises(Unreachable, match=r"nowhere\.example is not known"):
        fetch_recording("http://nowhere.example/", resolver=unknown_host)


def test_a_host_name_that_is_too_long_for_one_is_unreachable() -> None:
    with pytest.raises(Unreachable, match="is not known"):
        fetch_recording(f"http://{'a' * 300}/")


def test_a_closed_port_is_unreachable() -> None:
    with serving() as server:
        pass

    with pytest.raises(Unreachable):
        fetched(server)


@pytest.mark.parametrize("status", [204, 206, 301, 401, 404, 500])
def test_any_status_but_200_is_no_recording(status: int) -> None:
    head = f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode()

    with (
        serving(saying(head)) as server,
        pytest.raises(BadDownload, match=f"answered with status {status}"),
    ):
        fetched(server)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(OK + b"Content-Length: 9\r\n\r\nabc", id="less-than-declared"),
        pytest.param(OK + b"Content-Length: -9\r\n\r\nabc", id="negative-length"),
        pytest.param(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", id="two-lengths"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc", id="broken-chunk"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", id="chunk-of-no-size"),
        pytest.param(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", id="gzip-transfer"),
        pytest.param(OK + b"X: " + b"y" * 300_000 + b"\r\n\r\n", id="huge-header"),
        pytest.param(OK + b"X: y\r\n" * 50_000 + b"\r\n", id="many-headers"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="not-http"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_broken_answer_is_no_recording(answer: bytes) -> None:
    with serving(saying(answer)) as server, pytest.raises(BadDownload, match="broke off"):
        fetched(server)


def test_more_than_declared_is_not_read() -> None:
    with serving(saying(OK, b"Content-Length: 3\r\n\r\nabcdefgh")) as server:
        assert fetched(server)[1] == b"abc"


def test_a_declared_length_over_the_limit_is_refused_at_once(settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1000

    with (
        serving(saying(OK, b"Content-Length: 1001\r\n\r\n")) as server,
        pytest.raises(AudioTooLarge, match="the limit is 1,000 bytes"),
    ):
        fetched(server)


def test_an_endless_body_is_refused_at_the_limit(settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1_000_000

    with (
        serving(endless(OK + b"\r\n", bytes(60_000))) as server,
        pytest.raises(AudioTooLarge, match="the limit is 1,000,000 bytes"),
    ):
        fetched(server)


def test_a_body_as_long_as_the_limit_is_taken(settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1000

    with serving(file(bytes(1000))) as server:
        assert fetched(server)[1] == bytes(1000)


def test_compressed_content_is_refused_and_not_expanded() -> None:
    bomb = gzip.compress(bytes(10_000_000))

    with (
        serving(file(bomb, b"Content-Encoding: gzip")) as server,
        pytest.raises(BadDownload, match="sent it compressed, unasked"),
    ):
        fetched(server)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="before-the-head"),
        pytest.param(OK + b"X: ", id="within-the-head"),
        pytest.param(OK + b"Content-Length: 9\r\n\r\nabc", id="within-the-body"),
    ],
)
def test_a_silent_server_is_given_up(head: bytes) -> None:
    over = threading.Event()

    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        over.wait(10)

    with serving(respond) as server:
        with pytest.raises(FetchTimeout, match=r"nothing from 127\.0\.0\.1 for 0\.2 s"):
            fetched(server, idle_seconds=0.2)
        over.set()


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        pytest.param(OK, b"X: y\r\n", id="headers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim-answers"),
    ],
)
def test_a_head_that_drips_is_given_up_after_the_idle_time(head: bytes, drop: bytes) -> None:
    with (
        serving(endless(head, drop, every=0.02)) as server,
        pytest.raises(FetchTimeout, match=r"nothing from 127\.0\.0\.1 for 0\.5 s"),
    ):
        fetched(server, idle_seconds=0.5)


def test_a_body_that_drips_is_given_up_after_the_total_time() -> None:
    with (
        serving(endless(OK + b"\r\n", b"x", every=0.02)) as server,
        pytest.raises(FetchTimeout, match=r"127\.0\.0\.1 took more than 0\.5 s"),
    ):
        fetched(server, total_seconds=0.5)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of recordings.example, signed by itself, and its key."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    openssl = shutil.which("openssl")
    assert openssl is not None
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=recordings.example"),
            *("-addext", "subjectAltName=DNS:recordings.example"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def fetch_by_tls(certificate: tuple[Path, Path], *, host: str) -> bytes:
    """Fetch from a server that has the certificate, by a name that means this machine."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*certificate)
    with serving(file(b"secret"), context=server_context) as server:
        url = server.url(host=host).replace("http:", "https:")
        with fetch_recording(
            url,
            rules=server.rules(),
            resolver=lambda host, port: ["127.0.0.1"],
            ssl_context=ssl.create_default_context(cafile=str(certificate[0])),
        ) as upload:
            return bytes(upload.read())


def test_tls_verifies_the_name_of_the_url_not_the_address(certificate: tuple[Path, Path]) -> None:
    assert fetch_by_tls(certificate, host="recordings.example") == b"secret"


def test_a_certificate_of_another_name_is_refused(certificate: tuple[Path, Path]) -> None:
    with pytest.raises(Unreachable, match="certificate verify failed"):
        fetch_by_tls(certificate, host="other.example")
