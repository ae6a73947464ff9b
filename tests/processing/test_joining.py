"""Joining what was heard: while a run goes on, and however long the recording is."""

from pathlib import Path
from typing import Any

import pytest

from processing.choices import ProcessingStatus
from processing.engines.base import SAMPLE_RATE, Segment, Speech, Word
from processing.models import ChunkTask, ProcessingTask
from processing.services.chunk_runner import run_chunk
from processing.services.hearing import stored
from processing.services.joining import heard_so_far, merge
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory
from tests.fakes.tones import tones, write_tones
from tests.processing.runs import CHUNKS, TRANSCRIPTION, ask, drain, made
from tests.queries import queries_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tone_engine")]

SECONDS = 40.0
SEPARATE = {"channels": "separate"}


def hear(count: int) -> None:
    """Have the next chunks heard, and leave the others."""
    worker = WorkerFactory.create()
    for chunk in ChunkTask.objects.claim(queue_name=CHUNKS, worker=worker, limit=count):
        assert ChunkTask.objects.complete(chunk, **run_chunk(chunk))


def current(processing: ProcessingTask) -> ProcessingTask:
    return ProcessingTask.objects.with_recordings().get(pk=processing.pk)


def text_of(segments: list[dict[str, Any]]) -> str:
    return " ".join(segment["text"] for segment in segments)


# While it goes on


def test_nothing_is_heard_of_a_run_that_has_not_begun(mono: Path) -> None:
    processing = ask(mono).processing

    so_far = heard_so_far(current(processing))

    assert so_far.segments == []
    assert so_far.gaps == [{"start": 0.0, "end": SECONDS, "reason": "not heard yet"}]


def test_what_is_done_is_there_and_the_rest_is_not_heard_yet(mono: Path) -> None:
    processing = ask(mono).processing
    drain(TRANSCRIPTION)
    hear(2)

    so_far = heard_so_far(current(processing))

    done = ChunkTask.objects.completed().order_by("-index")[0].end_seconds
    words = [f"t{word}" for word, start, _ in tones(SECONDS) if start < done]
    assert text_of(so_far.segments).split() == words
    assert [gap["reason"] for gap in so_far.gaps] == ["not heard yet"] * 2
    assert (so_far.gaps[0]["start"], so_far.gaps[-1]["end"]) == (done, SECONDS)


def test_what_is_not_cut_yet_is_not_heard_yet(mono: Path) -> None:
    processing = ask(mono).processing
    drain(TRANSCRIPTION)
    ChunkTask.objects.filter(index__gte=2).delete()
    ProcessingTask.objects.update(status=ProcessingStatus.SPLITTING, total_samples=None)
    hear(2)

    so_far = heard_so_far(current(processing))

    done = ChunkTask.objects.get(index=1).end_seconds
    assert so_far.gaps == [{"start": done, "end": SECONDS, "reason": "not heard yet"}]


def test_a_channel_that_is_not_cut_yet_is_not_heard_yet(tmp_path: Path) -> None:
    channels = [tones(SECONDS, channel=channel, of=2) for channel in (0, 1)]
    path = write_tones(tmp_path / "stereo.wav", channels, SECONDS)
    processing = ask(path, parameters=SEPARATE).processing
    drain(TRANSCRIPTION, CHUNKS)
    ChunkTask.objects.filter(channel=1).delete()
    ProcessingTask.objects.update(status=ProcessingStatus.SPLITTING, total_samples=None)

    so_far = heard_so_far(current(processing))

    gap = {"start": 0.0, "end": SECONDS, "reason": "channel 2: not heard yet"}
    assert so_far.gaps == [gap]
    assert text_of(so_far.segments).split() == [f"t{word}" for word, _, _ in channels[0]]


def test_what_a_cancelled_run_did_not_cut_was_cancelled(mono: Path) -> None:
    processing = ask(mono).processing
    ProcessingTask.objects.cancel(processing.pk)

    [gap] = heard_so_far(current(processing)).gaps

    assert gap["reason"] == "cancelled"


def test_in_the_end_all_that_was_heard_is_the_transcript(mono: Path) -> None:
    transcript, processing = made(ask(mono))

    so_far = heard_so_far(current(processing))

    assert (so_far.segments, so_far.gaps) == (transcript.segments, transcript.gaps)
    assert so_far.seams == transcript.seams


def test_many_chunks_are_asked_for_as_often_as_one(mono: Path) -> None:
    processing = ask(mono).processing
    drain(TRANSCRIPTION)
    hear(4)
    run = current(processing)

    assert len(queries_of(lambda: heard_so_far(run))) == 1


# Who speaks


def test_speakers_of_two_channels_are_two_people(tmp_path: Path) -> None:
    run = ProcessingTaskFactory.create(
        processing=True, transcript__recording__channels=2, transcript__parameters=SEPARATE
    )
    said = Speech((Segment((Word("yes", 0.1, 0.4),), "A"), Segment((Word("no", 0.6, 0.8),))), "en")
    for channel in (0, 1):
        ChunkTaskFactory.create(
            processing=run, completed=True, channel=channel, start_sample=0, result=stored(said)
        )

    speakers = [segment["speaker"] for segment in heard_so_far(run).segments]

    assert speakers == ["channel 1: A", "channel 2: A", "channel 1", "channel 2"]


# In which language


def test_the_language_is_that_of_most_of_the_audio_and_not_of_its_beginning() -> None:
    run = ProcessingTaskFactory.create(
        processing=True, total_chunks=4, total_samples=4 * SAMPLE_RATE, transcript__language="auto"
    )
    for language in ("en", "auto", "de", "de"):
        heard = Speech((Segment((Word("so", 0.1, 0.4),)),), language)
        ChunkTaskFactory.create(processing=run, completed=True, result=stored(heard))
    ProcessingTask.objects.elect_merger(run.pk)

    merge(JobFactory.create(payload={"processing_id": str(run.pk)}))

    run.transcript.refresh_from_db()
    assert run.transcript.heard_language == "de"


# What is written without spaces


def test_segments_of_all_chunks_are_one_text_without_spaces_where_there_are_none() -> None:
    run = ProcessingTaskFactory.create(processing=True)
    for words in (["今天", "好。"], ["我们", "去"]):
        line = Segment(tuple(Word(word, i * 0.3, i * 0.3 + 0.2) for i, word in enumerate(words)))
        ChunkTaskFactory.create(
            processing=run, completed=True, result=stored(Speech((line,), "zh"))
        )
    ProcessingTask.objects.elect_merger(run.pk)

    merge(JobFactory.create(payload={"processing_id": str(run.pk)}))

    run.transcript.refresh_from_db()
    assert run.transcript.text == "今天好。我们去"


# However long


@pytest.mark.parametrize(
    "hours", [23 / 60, 3.5, 37.5], ids=["23 minutes", "3.5 hours", "37.5 hours"]
)
def test_times_are_exact_to_the_millisecond_however_late(hours: float) -> None:
    start = round(hours * 3600) * SAMPLE_RATE + 7  # samples, which are no milliseconds
    run = ProcessingTaskFactory.create(processing=True, total_samples=start + 60 * SAMPLE_RATE)
    ChunkTaskFactory.create(
        processing=run, failed=True, start_sample=0, core_end_sample=start, audio=""
    )
    said = Speech((Segment((Word("late", 12.345, 12.678, 0.9),)),), "en")
    ChunkTaskFactory.create(
        processing=run,
        completed=True,
        start_sample=start,
        core_end_sample=start + 60 * SAMPLE_RATE,
        result=stored(said),
        audio="",
    )

    ProcessingTask.objects.elect_merger(run.pk)

    merge(JobFactory.create(payload={"processing_id": str(run.pk)}))

    run.transcript.refresh_from_db()
    [segment] = run.transcript.segments
    at = start / SAMPLE_RATE
    assert (segment["start"], segment["end"]) == (round(at + 12.345, 3), round(at + 12.678, 3))
    assert run.transcript.gaps[0]["end"] == round(at, 3)
    assert run.transcript.duration_seconds == at + 60


def test_a_run_that_is_not_merging_is_not_merged() -> None:
    run = ProcessingTaskFactory.create(processing=True)
    job = JobFactory.create(payload={"processing_id": str(run.pk)})

    merge(job)

    run.refresh_from_db()
    assert run.status == ProcessingStatus.PROCESSING
