"""Everything that a provider can do wrong, and which of our errors it is."""

import gzip
import socket
import threading
import time
from typing import Any

import pytest

from jobs.exceptions import PermanentError, TransientError
from processing.engines.base import AudioClip
from processing.exceptions import (
    BadAnswer,
    ProviderBusy,
    ProviderError,
    ProviderQuotaExhausted,
    ProviderRefused,
    ProviderTooLarge,
    ProviderUnauthorized,
    ProviderUnavailable,
)
from processing.providers.base import Timeouts
from tests.providers.conftest import MakeEngine
from tests.providers.server import Exchange, Provider, Reply, answering, refusing

HASTY = Timeouts(connect=5.0, read=0.4, write=5.0, pool=5.0, total=0.8)
LIMIT = 16 * 2**20

QUOTA: dict[str, Any] = {"type": "insufficient_quota", "code": "insufficient_quota"}
HTML = "<!DOCTYPE html><html><body>Please sign in to the network</body></html>"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


def raw(content: bytes, *, then_reset: bool = False) -> Reply:
    """Send exactly these bytes and end the connection."""

    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.wfile.write(content)
        exchange.close_connection = True
        if then_reset:
            exchange.reset()

    return reply


def dripping(content: bytes) -> Reply:
    """Send a byte each 50 ms, far more often than a read would time out."""

    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        for byte in content:
            exchange.wfile.write(bytes([byte]))
            threading.Event().wait(0.05)

    return reply


def silent_after(content: bytes) -> Reply:
    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.wfile.write(content)
        exchange.connection.recv(1)

    return reply


def reset_within_the_upload(exchange: Exchange) -> None:
    exchange.rfile.read(1000)
    exchange.reset()


def too_large_before_the_upload_is_read(exchange: Exchange) -> None:
    exchange.send(413, b'{"error": {"message": "Maximum content size limit exceeded"}}', {})
    exchange.read_body()


STATUSES = [
    pytest.param(refusing(400), ProviderRefused, id="400"),
    pytest.param(refusing(404), ProviderRefused, id="404"),
    pytest.param(refusing(415), ProviderRefused, id="415"),
    pytest.param(refusing(422), ProviderRefused, id="422"),
    pytest.param(refusing(401), ProviderUnauthorized, id="401"),
    pytest.param(refusing(403), ProviderUnauthorized, id="403"),
    pytest.param(refusing(402), ProviderQuotaExhausted, id="402"),
    pytest.param(refusing(429, **QUOTA), ProviderQuotaExhausted, id="429 without money"),
    pytest.param(refusing(408), ProviderBusy, id="408"),
    pytest.param(refusing(409), ProviderBusy, id="409"),
    pytest.param(refusing(429), ProviderBusy, id="429"),
    pytest.param(refusing(413), ProviderTooLarge, id="413"),
    pytest.param(too_large_before_the_upload_is_read, ProviderTooLarge, id="413 at once"),
    pytest.param(refusing(500), ProviderUnavailable, id="500"),
    pytest.param(refusing(503), ProviderUnavailable, id="503"),
    pytest.param(answering(HTML, status=502), ProviderUnavailable, id="502 of a proxy"),
    pytest.param(answering("", status=302), ProviderRefused, id="redirect"),
    pytest.param(answering("", status=400), ProviderRefused, id="400 without a body"),
    pytest.param(answering(b"\xff" * (LIMIT + 1), status=500), ProviderUnavailable, id="500 huge"),
]

BODIES = [
    pytest.param(answering('{"text": "hel'), BadAnswer, id="truncated JSON"),
    pytest.param(answering(["text"]), BadAnswer, id="a list"),
    pytest.param(answering('"text"'), BadAnswer, id="a string"),
    pytest.param(answering("null"), BadAnswer, id="null"),
    pytest.param(answering("[" * 100_000), BadAnswer, id="too deep"),
    pytest.param(answering({}), BadAnswer, id="an empty object"),
    pytest.param(answering({"error": {"message": "no"}}), BadAnswer, id="an error with 200"),
    pytest.param(answering({"text": 5}), BadAnswer, id="text is a number"),
    pytest.param(answering({"words": {"word": "a"}}), BadAnswer, id="words are an object"),
    pytest.param(answering({"text": "a", "words": ["a"]}), BadAnswer, id="words are strings"),
    pytest.param(answering({"words": [{"start": 1}]}), BadAnswer, id="a word without a word"),
    pytest.param(answering({"segments": [{"text": 5}]}), BadAnswer, id="a text is a number"),
    pytest.param(answering(HTML), BadAnswer, id="HTML"),
    pytest.param(answering("Hi", headers={"Content-Type": "text/html"}), BadAnswer, id="HTML type"),
    pytest.param(answering(""), BadAnswer, id="nothing"),
    pytest.param(answering(b"\xff\xfe\x00"), BadAnswer, id="no text"),
    pytest.param(answering(b'"' + b"a" * LIMIT), BadAnswer, id="too large"),
    pytest.param(
        answering(gzip.compress(b"a" * 2 * LIMIT), headers={"Content-Encoding": "gzip"}),
        BadAnswer,
        id="a bomb",
    ),
    pytest.param(
        answering(b"no gzip", headers={"Content-Encoding": "gzip"}), BadAnswer, id="not packed"
    ),
]

CONNECTIONS = [
    pytest.param(raw(b""), ProviderUnavailable, id="closed without an answer"),
    pytest.param(raw(b"", then_reset=True), ProviderUnavailable, id="reset without an answer"),
    pytest.param(raw(b"garbage\r\n\r\n"), ProviderUnavailable, id="no HTTP"),
    pytest.param(raw(OK + b'{"text":'), BadAnswer, id="closed within the answer"),
    pytest.param(raw(OK + b"{", then_reset=True), ProviderUnavailable, id="reset within it"),
    pytest.param(reset_within_the_upload, ProviderUnavailable, id="reset within the upload"),
    pytest.param(silent_after(b""), ProviderUnavailable, id="silent"),
    pytest.param(silent_after(OK + b'{"text":'), ProviderUnavailable, id="silent within it"),
    pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 50), ProviderUnavailable, id="slow"),
]


@pytest.mark.parametrize(("reply", "error"), STATUSES + BODIES + CONNECTIONS)
def test_what_goes_wrong_has_its_class(
    provider: Provider,
    make_engine: MakeEngine,
    clip: AudioClip,
    reply: Reply,
    error: type[ProviderError],
) -> None:
    provider.always(reply)
    engine = make_engine(provider.url, timeouts=HASTY)

    with pytest.raises(ProviderError) as raised:
        engine.transcribe(clip, language="en", parameters={})

    assert isinstance(raised.value, error)
    assert isinstance(raised.value, TransientError) != isinstance(raised.value, PermanentError)
    assert provider.url.split("/")[2] in str(raised.value)
    assert len(provider.requests) == 1


def test_a_body_that_never_ends_is_given_up_at_the_deadline(
    provider: Provider, make_engine: MakeEngine, clip: AudioClip
) -> None:
    provider.will(dripping(OK + b" " * 1000))
    engine = make_engine(provider.url, timeouts=HASTY)
    began = time.monotonic()

    with pytest.raises(ProviderError):
        engine.transcribe(clip, language="en", parameters={})

    assert time.monotonic() - began < HASTY.total + 1


def test_a_slow_body_is_a_bad_answer(
    provider: Provider, make_engine: MakeEngine, clip: AudioClip
) -> None:
    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.wfile.write(OK)
        dripping(b" " * 1000)(exchange)

    provider.will(reply)

    with pytest.raises(BadAnswer, match="deadline"):
        make_engine(provider.url, timeouts=HASTY).transcribe(clip, language="en", parameters={})


def test_a_certificate_nobody_vouches_for_is_not_trusted(
    secure_provider: Provider, make_engine: MakeEngine, clip: AudioClip
) -> None:
    with pytest.raises(ProviderUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        make_engine(secure_provider.url).transcribe(clip, language="en", parameters={})

    assert secure_provider.requests == []


def test_a_certificate_is_only_good_for_its_host(
    secure_provider: Provider, make_engine: MakeEngine, clip: AudioClip, certificate: str
) -> None:
    elsewhere = secure_provider.url.replace("localhost", "127.1")

    with pytest.raises(ProviderUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        make_engine(elsewhere, ca_file=certificate).transcribe(clip, language="en", parameters={})


def test_nobody_listens(make_engine: MakeEngine, clip: AudioClip) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"

        with pytest.raises(ProviderUnavailable, match="refused"):
            make_engine(url).transcribe(clip, language="en", parameters={})


def test_nobody_has_that_name(make_engine: MakeEngine, clip: AudioClip) -> None:
    with pytest.raises(ProviderUnavailable, match=r"nowhere\.invalid"):
        make_engine("http://nowhere.invalid/v1").transcribe(clip, language="en", parameters={})
