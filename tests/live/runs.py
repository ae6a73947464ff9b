"""Runs that land chunk by chunk, as a test says, and what is heard of them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from processing.choices import ProcessingStatus
from processing.engines.base import SAMPLE_RATE, Segment, Speech, Word
from processing.live.events import DONE, RESTART, SEGMENTS, Event
from processing.models import ChunkTask, ProcessingTask, Transcript
from processing.services.hearing import stored
from processing.services.joining import merge
from tests.factories.jobs import JobFactory
from tests.factories.processing import ChunkTaskFactory, ProcessingTaskFactory

#: The core of each chunk, and by how much two overlap where there was no pause to cut at.
CORE_SECONDS, OVERLAP_SECONDS = 10.0, 2.0
#: A word of 0.3 s each half second, five of them a segment.
WORD_SECONDS = 0.5
SEGMENT_WORDS = 5

SEPARATE = {"channels": "separate"}


def words_between(start: float, end: float, *, channel: int = 0) -> Iterator[tuple[str, float]]:
    """Yield the words that are said in a stretch of any recording, and when."""
    first, last = int(start / WORD_SECONDS), int(end / WORD_SECONDS)
    for number in range(first, last):
        yield f"{'ab'[channel]}{number}", number * WORD_SECONDS + 0.1 + 0.2 * channel


def speech_between(start: float, end: float, *, channel: int = 0) -> Speech:
    words = [
        Word(word, round(at - start, 3), round(at - start + 0.3, 3), 0.9)
        for word, at in words_between(start, end, channel=channel)
    ]
    lines = [words[i : i + SEGMENT_WORDS] for i in range(0, len(words), SEGMENT_WORDS)]
    return Speech(tuple(Segment(tuple(line)) for line in lines), "en")


def run_of(
    chunk_count: int, *, open_cuts: bool = False, channel_count: int = 1, **fields: Any
) -> ProcessingTask:
    """Return a run that is cut into chunks of which none is heard."""
    run = ProcessingTaskFactory.create(
        processing=True,
        total_chunks=chunk_count * channel_count,
        total_samples=int(chunk_count * channel_count * CORE_SECONDS * SAMPLE_RATE),
        transcript__recording__channels=channel_count,
        transcript__recording__duration_seconds=chunk_count * CORE_SECONDS,
        transcript__parameters=SEPARATE if channel_count > 1 else {},
        **fields,
    )
    cuts = [number * CORE_SECONDS for number in range(chunk_count + 1)]
    margin = OVERLAP_SECONDS if open_cuts else 0.0
    for channel in range(channel_count):
        for start, end in pairwise(cuts):
            ChunkTaskFactory.create(
                processing=run,
                channel=channel if channel_count > 1 else None,
                start_sample=int(max(start - margin, 0.0) * SAMPLE_RATE),
                core_start_sample=int(start * SAMPLE_RATE),
                core_end_sample=int(end * SAMPLE_RATE),
                end_sample=int(min(end + margin, cuts[-1]) * SAMPLE_RATE),
                audio="",
            )
    return run


def land(run: ProcessingTask, *indices: int, failed: bool = False) -> None:
    """Have chunks heard, or failed, as workers do."""
    for chunk in ChunkTask.objects.of(run.pk).filter(index__in=indices):
        status: dict[str, Any] = {"status": "FAILED", "error_code": "error", "error_message": "no"}
        if not failed:
            start, end = chunk.start_sample / SAMPLE_RATE, chunk.end_sample / SAMPLE_RATE
            said = speech_between(start, end, channel=chunk.channel or 0)
            status = {"status": "COMPLETED", "result": stored(said)}
        ChunkTask.objects.filter(pk=chunk.pk).update(completed_at=chunk.available_at, **status)
        ProcessingTask.objects.count_settled(
            run.pk, samples=chunk.core_end_sample - chunk.core_start_sample, failed=failed
        )


def finish(run: ProcessingTask) -> Transcript:
    """Have a run merged of which all chunks have landed."""
    assert ProcessingTask.objects.elect_merger(run.pk)
    merge(JobFactory.create(payload={"processing_id": str(run.pk)}))
    return Transcript.objects.get(pk=run.transcript_id)


def cancel(run: ProcessingTask) -> None:
    assert ProcessingTask.objects.cancel(run.pk)
    assert ProcessingTask.objects.get(pk=run.pk).status == ProcessingStatus.CANCELLED


def names(events: list[Event]) -> list[str]:
    return [event.name for event in events]


def texts(events: list[Event]) -> list[str]:
    """Return the texts of all segments that whoever heard these events has in the end."""
    heard: list[str] = []
    for event in events:
        if event.name == RESTART:
            heard.clear()
        elif event.name == SEGMENTS:
            heard += [segment["text"] for segment in event.data["segments"]]
    return heard


def is_whole(events: list[Event]) -> bool:
    """Whether as much was heard as the end says there is."""
    return events[-1].name == DONE and events[-1].data["segment_count"] == len(texts(events))
