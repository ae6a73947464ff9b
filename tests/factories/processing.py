"""Rows of ``processing`` in each status; a trait sets everything that the status implies.

All of one recording agree with each other: 2 seconds of audio, in 2 chunks of 1 second.
"""

import hashlib
from typing import Any
from uuid import uuid4

import factory
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from factory.django import DjangoModelFactory

from jobs.choices import JobStatus
from processing.choices import CHUNK_QUEUE, ProcessingStatus
from processing.engines.base import SAMPLE_RATE, Segment, Speech, Word
from processing.models import ChunkTask, ProcessingTask, Recording, Transcript, Workspace
from processing.services.hearing import stored
from tests.factories.audio import wav_bytes
from tests.factories.jobs import CLAIMED, PROCESSING, STALLED, TRAITS, from_now

RECORDING_SECONDS = 2.0
CHUNK_SAMPLES = SAMPLE_RATE
HEARD = ["so", "it", "was", "said"]
HEARD_IN_A_CHUNK = Speech((Segment((Word("word", 0.1, 0.4, 0.9),)),), "en")


def heard_segment(start: float, *words: str) -> dict[str, Any]:
    """Return one segment as transcripts store it: a word every 0.2 s."""
    timed = [
        {
            "word": word,
            "start": round(start + 0.2 * i, 3),
            "end": round(start + 0.2 * i + 0.15, 3),
            "confidence": 0.9,
        }
        for i, word in enumerate(words)
    ]
    return {
        "start": timed[0]["start"],
        "end": timed[-1]["end"],
        "text": " ".join(words),
        "words": timed,
    }


class WorkspaceFactory(DjangoModelFactory[Workspace]):
    class Meta:
        model = Workspace

    name = factory.Sequence(lambda n: f"Workspace {n}")
    slug = factory.Sequence(lambda n: f"workspace-{n}")


class RecordingFactory(DjangoModelFactory[Recording]):
    """A stored WAV file in the default workspace; each row has its own ``content``."""

    class Meta:
        model = Recording

    class Params:
        content = factory.Sequence(
            lambda n: wav_bytes(RECORDING_SECONDS, frequency=200.0 + n % 6_000)
        )

    workspace = factory.LazyFunction(lambda: Workspace.objects.default())
    name = factory.Sequence(lambda n: f"meeting-{n}.wav")
    file = factory.LazyAttribute(
        lambda row: default_storage.save(f"recordings/{uuid4()}", ContentFile(row.content))
    )
    sha256 = factory.LazyAttribute(lambda row: hashlib.sha256(row.content).hexdigest())
    size_bytes = factory.LazyAttribute(lambda row: len(row.content))
    container = "wav"
    codec = "pcm_s16le"
    sample_rate = SAMPLE_RATE
    channels = 1
    duration_seconds = RECORDING_SECONDS


class TranscriptFactory(DjangoModelFactory[Transcript]):
    """A transcript with its one processing (``run``), which has the same traits as
    ``ProcessingTaskFactory``: none is PENDING, ``completed`` has text, ``partial`` also a gap.

    ``run=None`` leaves the processing to the caller.
    """

    class Meta:
        model = Transcript
        skip_postgeneration_save = True

    class Params:
        splitting = factory.Trait(run__splitting=True)
        processing = factory.Trait(run__processing=True)
        merging = factory.Trait(run__merging=True)
        heard = factory.Trait(
            text=" ".join(HEARD),
            segments=factory.LazyFunction(
                lambda: [heard_segment(0.1, *HEARD[:2]), heard_segment(1.1, *HEARD[2:])]
            ),
            duration_seconds=RECORDING_SECONDS,
        )
        half_heard = factory.Trait(
            text=" ".join(HEARD[:2]),
            segments=factory.LazyFunction(lambda: [heard_segment(0.1, *HEARD[:2])]),
            gaps=factory.LazyFunction(
                lambda: [{"start": 1.0, "end": 2.0, "reason": "error: the engine gave up"}]
            ),
            duration_seconds=RECORDING_SECONDS,
        )
        completed = factory.Trait(heard=True, run__completed=True)
        partial = factory.Trait(half_heard=True, run__partial=True)
        failed = factory.Trait(run__failed=True)
        cancelled = factory.Trait(run__cancelled=True)

    recording = factory.SubFactory(RecordingFactory)
    workspace = factory.LazyAttribute(lambda row: row.recording.workspace)
    engine = "scripted"
    language = "en"
    cache_key = factory.LazyFunction(lambda: f"transcript:{uuid4().hex}")
    run = factory.RelatedFactory(
        "tests.factories.processing.ProcessingTaskFactory", factory_related_name="transcript"
    )


class ProcessingTaskFactory(DjangoModelFactory[ProcessingTask]):
    """A PENDING run, or ``splitting``, ``processing`` (cut, nothing settled), ``merging``,
    ``completed``, ``partial``, ``failed``, ``cancelled``; its transcript has what follows.
    """

    class Meta:
        model = ProcessingTask

    class Params:
        splitting = factory.Trait(
            status=ProcessingStatus.SPLITTING, chunk_seconds=1.0, started_at=from_now()
        )
        cut = factory.Trait(
            chunk_seconds=1.0,
            started_at=from_now(),
            total_chunks=2,
            total_samples=2 * CHUNK_SAMPLES,
        )
        settled = factory.Trait(cut=True, completed_chunks=2, done_samples=2 * CHUNK_SAMPLES)
        processing = factory.Trait(cut=True, status=ProcessingStatus.PROCESSING)
        merging = factory.Trait(settled=True, status=ProcessingStatus.MERGING)
        completed = factory.Trait(
            settled=True,
            status=ProcessingStatus.COMPLETED,
            completed_at=from_now(),
            transcript__heard=True,
        )
        partial = factory.Trait(
            settled=True,
            status=ProcessingStatus.PARTIAL,
            completed_chunks=1,
            failed_chunks=1,
            completed_at=from_now(),
            transcript__half_heard=True,
        )
        failed = factory.Trait(
            status=ProcessingStatus.FAILED,
            started_at=from_now(),
            completed_at=from_now(),
            error_code="unreadable_audio",
            error_message="the file holds no sound that can be decoded",
        )
        cancelled = factory.Trait(status=ProcessingStatus.CANCELLED, completed_at=from_now())

    transcript = factory.SubFactory(TranscriptFactory, run=None)


class ChunkTaskFactory(DjangoModelFactory[ChunkTask]):
    """The next chunk of a run: QUEUED, or ``scheduled``, ``due``, ``claimed`` (PROCESSING),
    ``stalled``, ``completed``, ``failed``, ``cancelled``; an active run counts a settled one.
    """

    class Meta:
        model = ChunkTask

    class Params:
        scheduled = TRAITS["scheduled"]
        due = TRAITS["due"]
        claimed = factory.Trait(**PROCESSING)
        stalled = factory.Trait(**STALLED)
        completed = factory.Trait(
            status=JobStatus.COMPLETED,
            completed_at=from_now(),
            result=factory.LazyFunction(lambda: stored(HEARD_IN_A_CHUNK)),
            **CLAIMED,
        )
        failed = TRAITS["failed"]
        cancelled = TRAITS["cancelled"]

    processing = factory.SubFactory(ProcessingTaskFactory, processing=True)
    workspace = factory.LazyAttribute(lambda row: row.processing.transcript.recording.workspace)
    queue_name = CHUNK_QUEUE
    engine = factory.LazyAttribute(lambda row: row.processing.transcript.engine)
    audio_sha256 = factory.LazyFunction(lambda: hashlib.sha256(uuid4().bytes).hexdigest())
    index = factory.LazyAttribute(lambda row: ChunkTask.objects.of(row.processing.pk).count())
    start_sample = factory.LazyAttribute(lambda row: row.index * CHUNK_SAMPLES)
    core_start_sample = factory.SelfAttribute("start_sample")
    core_end_sample = factory.LazyAttribute(lambda row: row.core_start_sample + CHUNK_SAMPLES)
    end_sample = factory.SelfAttribute("core_end_sample")
    audio = factory.LazyAttribute(
        lambda row: default_storage.save(
            f"chunks/{row.processing.pk}/{row.index:06}-{uuid4().hex}.wav",
            ContentFile(wav_bytes(1.0)),
        )
    )
    cache_key = factory.LazyFunction(lambda: f"chunk:{uuid4().hex}")

    @classmethod
    def _create(cls, model_class: type[ChunkTask], *args: Any, **kwargs: Any) -> ChunkTask:
        chunk = ChunkTask.objects.create(**kwargs)
        if chunk.status in (JobStatus.COMPLETED, JobStatus.FAILED):
            ProcessingTask.objects.count_settled(
                chunk.processing_id,
                samples=chunk.core_end_sample - chunk.core_start_sample,
                failed=chunk.status == JobStatus.FAILED,
            )
            chunk.processing.refresh_from_db()
        return chunk
