"""What this app does for the queues."""

from dataclasses import replace

from django.conf import settings

from jobs.handlers import JobHandler, WorkSource, register_job, register_work
from processing.choices import (
    CHUNK_QUEUE,
    MERGE_JOB,
    REMOTE_CHUNK_QUEUE,
    TRANSCRIPTION_JOB,
    TRANSCRIPTION_QUEUE,
)
from processing.engines.registry import get_engine
from processing.models import ChunkTask
from processing.services import chunk_runner, joining, orchestrator, planner


def load_default_engine() -> None:
    """Load the default engine's model, so that forked workers share its memory."""
    get_engine(settings.ENGINE).load()


def register() -> None:
    """Tell ``jobs`` which code does this app's work."""
    for job_type, run in (
        (TRANSCRIPTION_JOB, planner.plan),
        (MERGE_JOB, joining.merge),
    ):
        register_job(
            JobHandler(
                job_type,
                TRANSCRIPTION_QUEUE,
                run,
                settled=orchestrator.settle_job,
                requeued=orchestrator.refuse_requeue,
            )
        )
    chunks = WorkSource(
        ChunkTask,
        chunk_runner.run_chunk,
        settled=orchestrator.settle_chunk,
        requeued=orchestrator.refuse_requeue,
        time_limit_seconds=settings.CHUNK_TIME_LIMIT_SECONDS,
    )
    register_work(CHUNK_QUEUE, replace(chunks, prepare=load_default_engine, is_heavy=True))
    register_work(REMOTE_CHUNK_QUEUE, replace(chunks, threads=settings.REMOTE_THREADS))
