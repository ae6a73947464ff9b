"""A provider that hears: it knows what is said in a recording, and is sent clips of it."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processing.audio.decode import decode_all
from processing.engines.base import SAMPLE_RATE, AudioClip, Segment, Speech
from tests.fakes.speech import ScriptedEngine
from tests.providers.server import Exchange, answering, refusing, serving


@dataclass(frozen=True)
class Asked:
    """A request: when it came (``time.time()``), which seconds of the recording it was about,
    and the status it was answered with."""

    at: float
    start: float
    end: float
    status: int


@dataclass
class _Rule:
    status: int
    times_left: int
    about: float | None
    headers: dict[str, str]


class SpeechServer:
    """Answers in ``verbose_json`` what a script (see ``ScriptedEngine``) says of a recording.

    A clip is found in the recording by its samples: FLAC loses nothing, and no two stretches of
    noise are the same. Made in a process of its own by ``Remote``.
    """

    def __init__(self, recording: str, script: str, seconds_per_clip: float = 0.0) -> None:
        self._recording = decode_all(Path(recording).read_bytes()).tobytes()
        self._parameters = {"script": script, "seconds_per_clip": seconds_per_clip}
        self._rules: list[_Rule] = []
        self._asked: list[Asked] = []
        self._in_flight = self._most = 0
        self._turns: threading.Semaphore | None = None
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._provider = self._stack.enter_context(serving())
        self._provider.always(self._reply)

    def url(self) -> str:
        return self._provider.url

    def refuse(
        self,
        status: int,
        times: int = 1_000_000,
        about: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer so many requests with an error: any, or those about a second of the recording."""
        self._rules.append(_Rule(status, times, about, headers or {}))

    def accept(self) -> None:
        """Refuse nothing any more."""
        self._rules = []

    def hold(self) -> None:
        """Keep all answers back until they are allowed."""
        self._turns = threading.Semaphore(0)
        self._most = self._in_flight

    def allow(self, count: int) -> None:
        """Give so many of the answers that are held back, or will be."""
        assert self._turns is not None
        self._turns.release(count)

    def release(self) -> None:
        """Hold no answer back any more."""
        turns, self._turns = self._turns, None
        if turns is not None:
            turns.release(1_000)

    def asked(self) -> list[Asked]:
        """Return the requests that were answered, in that order."""
        return list(self._asked)

    def in_flight(self) -> int:
        """Return how many requests are here and not answered."""
        return self._in_flight

    def most_in_flight(self) -> int:
        """Return how many there were at most at once, since the answers were held."""
        return self._most

    def _reply(self, exchange: Exchange) -> None:
        at = time.time()
        exchange.read_body()
        with self._lock:
            self._in_flight += 1
            self._most = max(self._most, self._in_flight)
        clip = self._clip(exchange.received.file)
        begin = clip.start_sample / SAMPLE_RATE
        end = begin + clip.duration_seconds
        rule = self._rule(begin, end)
        speech = None
        if rule is None:
            speech = ScriptedEngine().transcribe(clip, language="en", parameters=self._parameters)
            if self._turns is not None:
                self._turns.acquire()
        with self._lock:
            self._in_flight -= 1
            self._asked.append(Asked(at, begin, end, rule.status if rule else 200))
        if rule is not None:
            refusing(rule.status, rule.headers)(exchange)
        elif speech is not None:
            answering(verbose_json(speech, clip.duration_seconds))(exchange)

    def _clip(self, audio: bytes) -> AudioClip:
        samples = decode_all(audio)
        offset = self._recording.find(samples.tobytes())
        assert offset >= 0, "this is no part of the recording"
        return AudioClip(samples, offset // samples.itemsize)

    def _rule(self, begin: float, end: float) -> _Rule | None:
        with self._lock:
            for rule in self._rules:
                if rule.times_left and (rule.about is None or begin <= rule.about < end):
                    rule.times_left -= 1
                    return rule
        return None


def verbose_json(speech: Speech, duration_seconds: float) -> dict[str, Any]:
    """Return what OpenAI answers for ``speech``, with times of words and segments."""
    words = [word for segment in speech.segments for word in segment.words]
    return {
        "task": "transcribe",
        "language": "english",
        "duration": duration_seconds,
        "text": " ".join(word.word for word in words),
        "words": [{"word": word.word, "start": word.start, "end": word.end} for word in words],
        "segments": [_segment(number, one) for number, one in enumerate(speech.segments)],
    }


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "start": segment.words[0].start,
        "end": segment.words[-1].end,
        "text": " ".join(word.word for word in segment.words),
        "avg_logprob": -0.2,
        "no_speech_prob": 0.01,
        "compression_ratio": 1.2,
        "temperature": 0.0,
        "tokens": [],
    }
