"""What an error tells: how long to wait, and what the provider said."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from jobs.exceptions import TransientError
from processing.engines.base import AudioClip
from processing.exceptions import ProviderBusy, ProviderRefused, ProviderUnavailable
from processing.providers.failures import MAX_EXCERPT_LENGTH, MAX_RETRY_AFTER_SECONDS
from tests.providers.conftest import KEY, MakeEngine, transcribe
from tests.providers.server import Provider, answering, refusing

DATE = format_datetime(datetime.now(UTC) + timedelta(days=400), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"Retry-After": "7"}, 7.0, id="seconds"),
        pytest.param({"Retry-After": " 1.5 "}, 1.5, id="a fraction"),
        pytest.param({"Retry-After": "9", "retry-after-ms": "250"}, 0.25, id="milliseconds"),
        pytest.param({"Retry-After": "9", "retry-after-ms": "soon"}, 9.0, id="bad milliseconds"),
        pytest.param({"Retry-After": "-5"}, None, id="negative"),
        pytest.param({"Retry-After": "0"}, None, id="zero"),
        pytest.param({"Retry-After": "inf"}, None, id="infinite"),
        pytest.param({"Retry-After": "nan"}, None, id="no number"),
        pytest.param({"Retry-After": "1e400"}, None, id="beyond floats"),
        pytest.param({"Retry-After": "soon"}, None, id="garbage"),
        pytest.param({"Retry-After": "99999999"}, MAX_RETRY_AFTER_SECONDS, id="absurd"),
        pytest.param({"Retry-After": DATE}, MAX_RETRY_AFTER_SECONDS, id="a date far ahead"),
        pytest.param({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, None, id="a date gone by"),
        pytest.param({"Retry-After": "Wed, 99 Oct 2015 07:28:00 GMT"}, None, id="no date"),
    ],
)
@pytest.mark.parametrize(("status", "error"), [(429, ProviderBusy), (503, ProviderUnavailable)])
def test_how_long_to_wait(
    provider: Provider,
    make_engine: MakeEngine,
    clip: AudioClip,
    headers: dict[str, str],
    seconds: float | None,
    status: int,
    error: type[TransientError],
) -> None:
    provider.will(refusing(status, headers))

    with pytest.raises(error) as raised:
        transcribe(make_engine(provider.url), clip)

    assert raised.value.retry_after_seconds == seconds


def test_a_date_is_counted_from_now(
    provider: Provider, make_engine: MakeEngine, clip: AudioClip
) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    provider.will(refusing(429, {"Retry-After": date}))

    with pytest.raises(ProviderBusy) as raised:
        transcribe(make_engine(provider.url), clip)

    assert raised.value.retry_after_seconds == pytest.approx(90, abs=10)


@pytest.mark.parametrize(
    ("body", "excerpt"),
    [
        ({"error": {"message": "No such model"}}, "No such model"),
        ({"error": "No such model"}, "No such model"),
        ({"detail": "Not found"}, "Not found"),
        ({"detail": [{"loc": ["body", "model"], "msg": "missing"}]}, '"msg": "missing"'),
        ("<html><style>p {}</style><h1>Bad\n Request</h1></html>", ": Bad Request"),
        ({"error": {"message": f"key {KEY} is odd"}}, "key *** is odd"),
        ({"error": {"message": f"{'a' * 195} {KEY}"}}, " ***"),
        ({"error": {"message": "a" * 1000}}, "a" * (MAX_EXCERPT_LENGTH - 1) + "…"),
        ({"error": {"message": "a\x1b[31m\x00b"}}, "a [31m b"),
        ({"error": {"message": None}}, "answered 400"),
        ([[]], "answered 400: [[]]"),
    ],
    ids=["OpenAI", "string", "DRF", "FastAPI", "HTML", "key", "cut", "long", "odd", "null", "list"],
)
def test_people_read_what_the_provider_said(
    provider: Provider, make_engine: MakeEngine, clip: AudioClip, body: object, excerpt: str
) -> None:
    provider.will(answering(body, status=400))

    with pytest.raises(ProviderRefused) as raised:
        transcribe(make_engine(provider.url), clip)

    assert excerpt in str(raised.value)
    assert KEY[:9] not in str(raised.value)
