"""Runs from the request to the transcript, with the real machinery and no worker processes."""

from pathlib import Path
from typing import Any, ClassVar

from django.core.files.storage import FileSystemStorage

from jobs import handlers
from jobs.services.retry import RetryHandler
from jobs.services.runner import JobRunner
from processing.choices import CHUNK_QUEUE, TRANSCRIPTION_QUEUE
from processing.models import ProcessingTask, Recording, Transcript, Workspace
from processing.services.inputs.ingestion import store_recording
from processing.services.requesting import TranscriptRequest, request_transcript
from tests.factories.jobs import WorkerFactory

TRANSCRIPTION, CHUNKS = TRANSCRIPTION_QUEUE, CHUNK_QUEUE


class HookedStorage(FileSystemStorage):
    """Calls a hook before it stores a chunk."""

    hook: ClassVar[Any]

    def _save(self, name: str, content: Any) -> str:
        if name.startswith("chunks/"):
            type(self).hook(name)
        saved: str = super()._save(name, content)  # type: ignore[misc]
        return saved


def stored_recording(path: Path, *, workspace: Workspace | None = None) -> Recording:
    with path.open("rb") as file:
        recording, _ = store_recording(
            source=file, name=path.name, workspace=workspace or Workspace.objects.default()
        )
    return recording


def drain(*queue_names: str) -> int:
    """Do what is ready on the queues, as one worker does; return how much."""
    runner = JobRunner(
        worker=WorkerFactory.create(stopped=True), retry_handler=RetryHandler(base_seconds=0.0)
    )
    return sum(runner.drain(name) for name in queue_names)


def work_off() -> None:
    """Do all that is queued, and all that follows from it, without waiting for retries."""
    while drain(*handlers.queue_names()):
        for model in handlers.work_models():
            model.objects.promote()


def ask(path: Path, *, workspace: Workspace | None = None, **kw: Any) -> TranscriptRequest:
    """Ask for the transcript of a file of tones."""
    return request_transcript(
        recording=stored_recording(path, workspace=workspace), **({"engine": "tones"} | kw)
    )


def made(requested: TranscriptRequest) -> tuple[Transcript, ProcessingTask]:
    """Have a transcript made, and return it with its run as they are stored."""
    work_off()
    requested.transcript.refresh_from_db()
    requested.processing.refresh_from_db()
    return requested.transcript, requested.processing


def heard(path: Path, **kw: Any) -> tuple[Transcript, ProcessingTask]:
    """Ask for the transcript of a file of tones and have it made."""
    return made(ask(path, **kw))


def word_times(transcript: Transcript) -> list[tuple[str, float, float]]:
    return [
        (word["word"], word["start"], word["end"])
        for segment in transcript.segments
        for word in segment["words"]
    ]
