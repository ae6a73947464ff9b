"""What providers say of their limits is understood, and what cannot be is not believed."""

import time

import pytest

from processing.providers.headers import Allowance, read_allowances, read_number, read_span

DATE = "Sun, 06 Nov 2022 08:49:37 GMT"
NOW = 1_700_000_000.0

SPANS = [
    pytest.param("20ms", 0.02, id="milliseconds"),
    pytest.param("1.2s", 1.2, id="fraction-of-seconds"),
    pytest.param("7.66s", 7.66, id="groq-tokens"),
    pytest.param("6m0s", 360, id="minutes-and-seconds"),
    pytest.param("2m59.56s", 179.56, id="groq-requests"),
    pytest.param("1h2m", 3720, id="hours-and-minutes"),
    pytest.param("1h0m3.5s", 3603.5, id="hours-minutes-seconds"),
    pytest.param("1d", 86400, id="day"),
    pytest.param("250us", 0.00025, id="microseconds"),
    pytest.param("250µs", 0.00025, id="microseconds-in-greek"),
    pytest.param("1000ns", 1e-6, id="nanoseconds"),
    pytest.param("6M0S", 360, id="upper-case"),
    pytest.param("0s", 0, id="no-time"),
    pytest.param("12", 12, id="integer-of-seconds"),
    pytest.param("0.5", 0.5, id="number-of-seconds"),
    pytest.param(" 12 ", 12, id="spaces-around"),
    pytest.param("0", 0, id="zero"),
    pytest.param("1700000060", 60, id="epoch"),
    pytest.param("1700000060000", 60, id="epoch-in-milliseconds"),
    pytest.param("1600000000", 0, id="epoch-gone-by"),
    pytest.param("-1", None, id="minus-one"),
    pytest.param("-5s", None, id="negative-span"),
    pytest.param("", None, id="empty"),
    pytest.param("soon", None, id="a-word"),
    pytest.param("1.2.3", None, id="two-points"),
    pytest.param("1..2s", None, id="two-points-in-a-span"),
    pytest.param("5 s", None, id="a-space-inside"),
    pytest.param("6m0", None, id="no-last-unit"),
    pytest.param("1e3", None, id="exponent"),
    pytest.param("inf", None, id="infinity"),
    pytest.param("nan", None, id="not-a-number"),
    pytest.param("9" * 400, None, id="too-large-a-number"),
    pytest.param("9" * 400 + "s", None, id="too-large-a-span"),
    pytest.param("٣s", None, id="other-digits"),
    pytest.param("12, 12", None, id="a-header-twice"),
]


@pytest.mark.parametrize(("text", "seconds"), SPANS)
def test_a_span_is_read_in_seconds(text: str, seconds: float | None) -> None:
    assert read_span(text, now=NOW) == (seconds if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("5000", 5000, id="integer"),
        pytest.param("59.5", 59.5, id="fraction"),
        pytest.param("0", 0, id="zero"),
        pytest.param("-1", None, id="minus-one"),
        pytest.param("", None, id="empty"),
        pytest.param("60;w=60", None, id="a-policy"),
        pytest.param("unlimited", None, id="a-word"),
        pytest.param("9" * 400, None, id="too-large"),
    ],
)
def test_a_number_is_read_when_it_is_not_negative(text: str, number: float | None) -> None:
    assert read_number(text) == number


def said(**texts: str) -> dict[str, str]:
    return {f"x-ratelimit-{name.replace('_', '-')}": text for name, text in texts.items()}


ANSWERS = [
    pytest.param(
        said(limit_requests="60", remaining_requests="59", reset_requests="1s")
        | said(limit_tokens="150000", remaining_tokens="149984", reset_tokens="6m0s"),
        {"requests": Allowance(60, 59, 1), "tokens": Allowance(150000, 149984, 360)},
        id="openai",
    ),
    pytest.param(
        said(limit_audio_seconds="7200", remaining_audio_seconds="0", reset_audio_seconds="1m30s"),
        {"audio_seconds": Allowance(7200, 0, 90)},
        id="groq-audio",
    ),
    pytest.param(
        said(remaining_requests="7", remaining_tokens="900"),
        {"requests": Allowance(None, 7, None), "tokens": Allowance(None, 900, None)},
        id="remaining-alone",
    ),
    pytest.param(
        {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "5"},
        {"requests": Allowance(20, 0, 5)},
        id="no-dimension-and-upper-case",
    ),
    pytest.param(
        said(limit_requests="60", remaining_requests="0", reset_requests="1667724587")
        | {"Date": DATE},
        {"requests": Allowance(60, 0, 10)},
        id="epoch-by-the-clock-of-the-provider",
    ),
    pytest.param(
        said(limit_requests="-1", remaining_requests="0", reset_requests="60"),
        {},
        id="limit-of-minus-one",
    ),
    pytest.param(
        said(limit_requests="0", remaining_requests="0", reset_requests="60"),
        {},
        id="limit-of-zero",
    ),
    pytest.param(
        said(limit_requests="60", remaining_requests="-1", reset_requests="-1"),
        {"requests": Allowance(60, None, None)},
        id="remaining-of-minus-one",
    ),
    pytest.param(
        said(limit_requests="60", remaining_requests="0", reset_requests="soon"),
        {"requests": Allowance(60, 0, None)},
        id="reset-that-is-a-word",
    ),
    pytest.param({"content-type": "application/json", "retry-after": "3"}, {}, id="nothing"),
]


@pytest.mark.parametrize(("headers", "allowances"), ANSWERS)
def test_an_answer_says_what_is_left(
    headers: dict[str, str], allowances: dict[str, Allowance]
) -> None:
    assert read_allowances(headers) == allowances


@pytest.mark.parametrize(
    "headers",
    [pytest.param({}, id="no-date"), pytest.param({"date": "yesterday"}, id="no-such-date")],
)
def test_a_moment_is_by_our_clock_when_the_provider_does_not_tell_its_own(
    headers: dict[str, str],
) -> None:
    moment = str(int(time.time()) + 100)

    (allowance,) = read_allowances(headers | said(reset_requests=moment)).values()

    assert allowance.reset_seconds == pytest.approx(100, abs=5)
