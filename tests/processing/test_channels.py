"""Each channel heard by itself: one clock, two speakers."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from jobs.choices import JobStatus
from jobs.exceptions import PermanentError
from jobs.models import Job
from processing.choices import TRANSCRIPTION_JOB, ProcessingStatus
from processing.engines.base import SAMPLE_RATE, AudioClip
from processing.models import ChunkTask, Transcript
from processing.services.orchestrator import cancel_processing
from tests.factories.processing import WorkspaceFactory
from tests.fakes.tones import Tone, ToneEngine, tones, words_in, write_tones
from tests.processing.runs import CHUNKS, TRANSCRIPTION, ask, drain, heard, made, work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("tone_engine")]

OnStore = Callable[[Callable[[str], object]], None]

SECONDS = 40.0
LEFT, RIGHT = (tones(SECONDS, channel=channel, of=2) for channel in (0, 1))
SEPARATE = {"channels": "separate"}


@pytest.fixture
def stereo(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "stereo.wav", [LEFT, RIGHT], SECONDS)


def words(*channels: list[Tone]) -> list[str]:
    in_order = sorted((tone for channel in channels for tone in channel), key=lambda tone: tone[1])
    return [f"t{frequency}" for frequency, _, _ in in_order]


def said_by(transcript: Transcript, speaker: str) -> list[str]:
    segments = [segment for segment in transcript.segments if segment["speaker"] == speaker]
    return " ".join(segment["text"] for segment in segments).split()


def cuts() -> list[tuple[int, int | None, int, int]]:
    rows = ChunkTask.objects.in_order()
    return list(rows.values_list("index", "channel", "core_start_sample", "core_end_sample"))


def test_each_channel_is_a_speaker(stereo: Path) -> None:
    transcript, processing = heard(stereo, parameters=SEPARATE)

    assert processing.status == ProcessingStatus.COMPLETED
    assert said_by(transcript, "channel 1") == words(LEFT)
    assert said_by(transcript, "channel 2") == words(RIGHT)
    assert transcript.gaps == []


def test_segments_of_all_channels_are_in_the_order_of_time(stereo: Path) -> None:
    transcript, _ = heard(stereo, parameters=SEPARATE)

    starts = [segment["start"] for segment in transcript.segments]
    speakers = [segment["speaker"] for segment in transcript.segments]
    assert starts == sorted(starts)
    assert speakers[:4] == ["channel 1", "channel 2"] * 2
    assert transcript.text.split() == words(LEFT, RIGHT)


def test_all_channels_mixed_are_nobody_in_particular(stereo: Path) -> None:
    transcript, _ = heard(stereo)

    assert transcript.text.split() == words(LEFT, RIGHT)
    assert not any("speaker" in segment for segment in transcript.segments)


def test_a_run_counts_the_audio_of_all_channels(stereo: Path) -> None:
    transcript, processing = heard(stereo, parameters=SEPARATE)

    assert processing.total_samples == processing.done_samples == 2 * SECONDS * SAMPLE_RATE
    assert (processing.completed_chunks, processing.failed_chunks) == (processing.total_chunks, 0)
    assert transcript.duration_seconds == SECONDS


def test_half_of_the_work_is_done_when_one_of_two_channels_is(stereo: Path) -> None:
    processing = ask(stereo, parameters=SEPARATE).processing
    drain(TRANSCRIPTION)
    ChunkTask.objects.filter(channel=1).update(status=JobStatus.BLOCKED)

    drain(CHUNKS)

    processing.refresh_from_db()
    assert (processing.progress, processing.total_seconds) == (0.5, 2 * SECONDS)


def test_channels_take_turns_in_the_queue(stereo: Path) -> None:
    ask(stereo, parameters=SEPARATE)

    drain(TRANSCRIPTION)

    assert [chunk.channel for chunk in ChunkTask.objects.in_dispatch_order()][:4] == [0, 1, 0, 1]


def test_a_gap_says_in_which_channel_it_is(stereo: Path, tone_engine: type[ToneEngine]) -> None:
    def refuse_the_right(clip: AudioClip) -> None:
        if any(word.word == "t250" for word in words_in(clip.samples)):
            raise PermanentError("no right")

    tone_engine.troubles["tones"] = refuse_the_right

    transcript, processing = heard(stereo, parameters=SEPARATE)

    failed = ChunkTask.objects.failed().get()
    assert processing.status == ProcessingStatus.PARTIAL
    assert failed.channel == 1
    assert transcript.gaps == [
        {"start": 0.0, "end": failed.end_seconds, "reason": "channel 2: permanent: no right"}
    ]
    assert said_by(transcript, "channel 1") == words(LEFT)


def test_a_mono_recording_has_one_channel_with_its_name(mono: Path) -> None:
    transcript, processing = heard(mono, parameters=SEPARATE)

    assert {segment["speaker"] for segment in transcript.segments} == {"channel 1"}
    assert processing.total_samples == SECONDS * SAMPLE_RATE


def test_what_was_heard_of_all_channels_is_not_taken_for_one(stereo: Path) -> None:
    mixed, _ = heard(stereo)

    separate, processing = heard(stereo, parameters=SEPARATE)

    chunks = ChunkTask.objects.of(processing.pk)
    assert separate != mixed
    assert not chunks.filter(is_reused=True).exists()
    assert len(set(chunks.values_list("cache_key", flat=True))) == processing.total_chunks


def test_the_one_channel_of_a_mono_recording_is_not_heard_twice(mono: Path) -> None:
    heard(mono)

    _, processing = heard(mono, parameters=SEPARATE)

    assert not ChunkTask.objects.of(processing.pk).filter(is_reused=False).exists()


def test_a_run_that_is_cancelled_in_its_second_channel_stops_there(
    stereo: Path, on_store: OnStore
) -> None:
    requested = ask(stereo, parameters=SEPARATE)
    on_store(lambda name: "/000005-" in name and cancel_processing(requested.processing))

    work_off()

    requested.processing.refresh_from_db()
    assert requested.processing.status == ProcessingStatus.CANCELLED
    assert set(ChunkTask.objects.values_list("status", flat=True)) == {JobStatus.CANCELLED}
    assert ChunkTask.objects.count() == 5
    assert not default_storage.exists(f"chunks/{requested.processing.pk}")


def test_a_planner_that_broke_off_in_the_second_channel_cuts_where_it_would_have(
    stereo: Path, on_store: OnStore
) -> None:
    heard(stereo, parameters=SEPARATE, workspace=WorkspaceFactory.create())
    expected = cuts()
    ChunkTask.objects.all().delete()
    kept: list[object] = []

    def break_once(name: str) -> None:
        if "/000006-" in name and not kept:
            kept.extend(ChunkTask.objects.in_order().values_list("pk", flat=True))
            raise ConnectionError("the storage is away")

    on_store(break_once)

    transcript, _ = made(ask(stereo, parameters=SEPARATE))

    assert cuts() == expected
    assert list(ChunkTask.objects.in_order().values_list("pk", flat=True))[:6] == kept
    assert Job.objects.filter(job_type=TRANSCRIPTION_JOB, attempt=2).count() == 1
    assert transcript.text.split() == words(LEFT, RIGHT)
