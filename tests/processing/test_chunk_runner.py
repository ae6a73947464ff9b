"""One chunk: what its engine slept over is asked for again, and nothing is asked for twice."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jobs.choices import JobStatus
from jobs.exceptions import PermanentError, Postponed, TransientError
from processing.choices import ProcessingStatus
from processing.engines.base import SAMPLE_RATE, AudioClip, Timing
from processing.exceptions import ProcessingError, RateLimited
from processing.models import ChunkTask, ProcessingTask
from processing.services.chunk_runner import run_chunk
from processing.services.hearing import text_of
from tests.audio import write_wav
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory
from tests.fakes.tones import Tone, ToneEngine, tones, write_tones
from tests.processing.runs import ask, drain, heard, made, word_times, work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tone_engine")]

SECONDS = 9.0

#: One segment of 12 words; in the middle 2.4 s of it.
TONES: list[Tone] = [(200 + 100 * beat, 0.5 + 0.6 * beat, 0.8 + 0.6 * beat) for beat in range(12)]
SLEEP = (2.2, 4.6)
TEXT = " ".join(f"t{frequency}" for frequency, _, _ in TONES)


@pytest.fixture
def one_chunk(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "one.wav", [TONES], SECONDS)


@pytest.fixture
def sleepy(tone_engine: type[ToneEngine]) -> type[ToneEngine]:
    """An engine that sleeps in the middle, but not when it is asked for that alone."""
    tone_engine.sleeps.append(SLEEP)
    return tone_engine


def failing_in_parts(error: Exception, *, times: int = 1) -> Callable[[AudioClip], None]:
    """Return what fails so often for parts of a chunk."""
    left = [error] * times

    def fail(clip: AudioClip) -> None:
        if clip.start_sample and left:
            raise left.pop()

    return fail


def starts_asked(engine: type[ToneEngine]) -> list[int]:
    return [asked.clip.start_sample for asked in engine.asked]


def test_what_an_engine_slept_over_is_there_once_and_in_order(
    one_chunk: Path, sleepy: type[ToneEngine]
) -> None:
    transcript, _ = heard(one_chunk)

    assert transcript.text == TEXT
    assert len(sleepy.asked) == 2


def test_what_was_asked_for_again_has_the_times_of_the_recording(
    one_chunk: Path, sleepy: type[ToneEngine]
) -> None:
    transcript, _ = heard(one_chunk)

    expected = [(f"t{word}", round(start, 3), round(end, 3)) for word, start, end in TONES]
    assert word_times(transcript) == expected
    [_, part] = starts_asked(sleepy)
    assert 2.0 * SAMPLE_RATE < part < 2.3 * SAMPLE_RATE


def test_a_segment_that_was_slept_in_is_in_two_pieces(
    one_chunk: Path, sleepy: type[ToneEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sleepy, "segment_pause_seconds", SECONDS)

    transcript, _ = heard(one_chunk)

    lengths = [len(segment["words"]) for segment in transcript.segments]
    assert lengths == [3, 4, 5]
    assert transcript.text == TEXT


def test_silence_is_not_asked_for_again(tmp_path: Path, tone_engine: type[ToneEngine]) -> None:
    path = write_tones(tmp_path / "quiet.wav", [TONES[:3] + TONES[9:]], SECONDS)

    heard(path)

    assert len(tone_engine.asked) == 1


def test_nobody_is_asked_what_was_said_in_digital_silence(
    tmp_path: Path, tone_engine: type[ToneEngine]
) -> None:
    heard(write_wav(tmp_path / "silent.wav", np.zeros(9 * SAMPLE_RATE, np.int16)))

    assert tone_engine.asked == []


def test_parts_of_several_chunks_are_in_the_transcript(
    mono: Path, tone_engine: type[ToneEngine]
) -> None:
    tone_engine.sleeps += [(3.6, 6.2), (16.4, 19.0), (26.0, 29.0)]

    transcript, _ = heard(mono)

    assert transcript.text == " ".join(f"t{word}" for word, _, _ in tones(40.0))


@pytest.mark.parametrize(
    "error",
    [TransientError("not now"), RateLimited("not now", seconds=0.0, dimension="requests")],
    ids=["transient", "rate limited"],
)
def test_an_answer_is_kept_while_the_rest_has_to_wait(
    one_chunk: Path, sleepy: type[ToneEngine], error: Exception
) -> None:
    sleepy.troubles["tones"] = failing_in_parts(error)

    transcript, processing = heard(one_chunk)

    [whole, part, again] = starts_asked(sleepy)
    assert (whole, part) == (0, again)
    assert (processing.status, transcript.text) == (ProcessingStatus.COMPLETED, TEXT)


def test_every_part_is_asked_for_once_when_each_has_to_wait(
    one_chunk: Path, sleepy: type[ToneEngine]
) -> None:
    sleepy.sleeps.append((5.8, 8.0))
    asked: list[int] = []

    def admit_every_other(clip: AudioClip) -> None:
        asked.append(clip.start_sample)
        if len(asked) % 2 == 0:
            raise Postponed("not now", seconds=0.0)

    sleepy.troubles["tones"] = admit_every_other

    transcript, _ = heard(one_chunk)

    whole, first, _, second, _ = asked
    assert asked == [whole, first, first, second, second]
    assert transcript.text == TEXT


def test_a_part_that_fails_for_good_leaves_the_rest_of_its_chunk(
    one_chunk: Path, sleepy: type[ToneEngine]
) -> None:
    sleepy.troubles["tones"] = failing_in_parts(PermanentError("never"), times=9)

    transcript, processing = heard(one_chunk)

    asleep = {f"t{word}" for word, start, _ in TONES if SLEEP[0] <= start < SLEEP[1]}
    assert processing.status == ProcessingStatus.COMPLETED
    assert transcript.text.split() == [word for word in TEXT.split() if word not in asleep]


def test_a_part_that_never_comes_makes_its_chunk_a_gap(
    one_chunk: Path, sleepy: type[ToneEngine]
) -> None:
    sleepy.troubles["tones"] = failing_in_parts(TransientError("not now"), times=3)

    _, processing = heard(one_chunk)

    chunk = ChunkTask.objects.get()
    assert (processing.status, chunk.attempt) == (ProcessingStatus.FAILED, 3)
    assert starts_asked(sleepy).count(0) == 1


def test_a_run_after_that_asks_for_the_whole_chunk_again(
    one_chunk: Path, sleepy: type[ToneEngine]
) -> None:
    sleepy.troubles["tones"] = failing_in_parts(TransientError("not now"), times=3)
    heard(one_chunk)

    transcript, _ = made(ask(one_chunk))

    assert starts_asked(sleepy).count(0) == 2
    assert transcript.text == TEXT


def test_words_without_times_of_their_own_make_the_whole_answer_estimated(
    one_chunk: Path, sleepy: type[ToneEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToneEngine, "timing", Timing.SEGMENT)

    transcript, _ = heard(one_chunk)

    assert [segment.get("is_estimated") for segment in transcript.segments] == [True] * 3


def test_a_chunk_of_a_run_that_is_over_is_not_heard(tone_engine: type[ToneEngine]) -> None:
    run = ProcessingTaskFactory.create(cancelled=True, transcript__engine="tones")
    chunk = ChunkTaskFactory.create(processing=run, claimed=True)

    with pytest.raises(ProcessingError, match="its processing is CANCELLED"):
        run_chunk(chunk)

    assert tone_engine.asked == []


def test_a_result_says_how_long_the_engine_took(mono: Path) -> None:
    heard(mono)

    chunks = ChunkTask.objects.completed()
    assert all(0 < (chunk.busy_seconds or 0) < 5 for chunk in chunks)
    assert [text_of(chunk.result or {})[:1] for chunk in chunks] == ["t"] * len(chunks)


def test_a_worker_that_is_refused_leaves_its_chunk_to_the_next(mono: Path) -> None:
    requested = ask(mono)
    drain("transcription")
    chunk = ChunkTask.objects.in_order()[0]
    ChunkTask.objects.filter(pk=chunk.pk).update(status=JobStatus.QUEUED, attempt=0)

    accepted = ChunkTask.objects.complete(chunk, **run_chunk(chunk))
    work_off()

    assert accepted is False
    assert ProcessingTask.objects.get(pk=requested.processing.pk).failed_chunks == 0
