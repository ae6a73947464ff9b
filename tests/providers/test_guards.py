"""What stands before a call: it admits, learns, pauses and counts."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from jobs.exceptions import Postponed
from processing.engines.base import AudioClip
from processing.exceptions import BadAnswer, BreakerIsOpen, ProviderBusy, ProviderError, RateLimited
from processing.providers.base import Guards
from tests.providers.conftest import MakeEngine, transcribe
from tests.providers.server import Provider, answering, refusing


class RecordingGuard:
    """A limiter and a breaker that note what happens, and refuse with ``refusal``."""

    def __init__(self, refusal: Postponed | None = None) -> None:
        self.events: list[Any] = []
        self._refusal = refusal

    @contextmanager
    def admitted(self, **cost: float) -> Iterator[None]:
        if self._refusal is not None:
            raise self._refusal
        self.events.append(cost)
        yield

    def learn(self, headers: Mapping[str, str]) -> None:
        self.events.append(headers["x-ratelimit-remaining-requests"])

    def pause(self, seconds: float) -> None:
        self.events.append(("pause", seconds))

    @contextmanager
    def guarding(self) -> Iterator[None]:
        try:
            yield
        except (ProviderError, RateLimited) as error:
            self.events.append(type(error))
            raise


class TestGuards:
    COST: Mapping[str, float] = {"requests": 1, "audio_seconds": 10.0, "tokens": 0}

    def test_a_call_is_admitted_and_its_answer_learned_from(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip
    ) -> None:
        provider.will(answering({"text": ""}, headers={"X-RateLimit-Remaining-Requests": "5"}))
        limiter, breaker = RecordingGuard(), RecordingGuard()

        transcribe(make_engine(provider.url, guards=Guards(limiter, breaker)), clip)

        assert limiter.events == [self.COST, "5"]
        assert breaker.events == []

    def test_a_provider_that_is_busy_makes_everybody_pause(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip
    ) -> None:
        headers = {"Retry-After": "12", "X-RateLimit-Remaining-Requests": "0"}
        provider.will(refusing(429, headers))
        limiter, breaker = RecordingGuard(), RecordingGuard()

        with pytest.raises(ProviderBusy):
            transcribe(make_engine(provider.url, guards=Guards(limiter, breaker)), clip)

        assert limiter.events == [self.COST, "0", ("pause", 12.0)]
        assert breaker.events == [ProviderBusy]

    def test_the_breaker_counts_answers_that_cannot_be_read(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip
    ) -> None:
        provider.will(answering("<html>"))
        breaker = RecordingGuard()

        with pytest.raises(BadAnswer):
            transcribe(make_engine(provider.url, guards=Guards(None, breaker)), clip)

        assert breaker.events == [BadAnswer]

    @pytest.mark.parametrize(
        "refusal",
        [
            RateLimited("full", seconds=3, dimension="requests"),
            BreakerIsOpen("away", seconds=3),
        ],
        ids=["limiter", "breaker"],
    )
    def test_who_is_not_admitted_sends_nothing(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip, refusal: Postponed
    ) -> None:
        engine = make_engine(provider.url, guards=Guards(RecordingGuard(refusal)))

        with pytest.raises(type(refusal)):
            transcribe(engine, clip)

        assert provider.requests == []

    def test_asking_again_without_verbose_json_is_admitted_too(
        self, provider: Provider, make_engine: MakeEngine, clip: AudioClip
    ) -> None:
        headers = {"X-RateLimit-Remaining-Requests": "5"}
        provider.will(refusing(400, headers, param="response_format"))
        provider.always(answering({"text": ""}, headers=headers))
        limiter = RecordingGuard()

        transcribe(make_engine(provider.url, guards=Guards(limiter)), clip)

        assert limiter.events == [self.COST, "5", self.COST, "5"]
