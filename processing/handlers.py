"""What this app does for the queues."""

from dataclasses import replace

from django.conf import settings

from jobs.handlers import JobHandler, WorkSource, job_source, register_job, register_work
from processing.choices import (
    CHUNK_QUEUE,
    DOCUMENT_QUEUE,
    DOCUMENT_UPLOAD_JOB,
    INDEXING_JOB,
    INDEXING_QUEUE,
    MERGE_JOB,
    QUESTION_JOB,
    QUESTION_QUEUE,
    REMOTE_CHUNK_QUEUE,
    SUMMARIZATION_JOB,
    SUMMARIZATION_QUEUE,
    TRANSCRIPTION_JOB,
    TRANSCRIPTION_QUEUE,
    TRANSLATION_JOB,
    TRANSLATION_QUEUE,
    WEBHOOK_QUEUE,
)
from processing.engines.registry import get_engine
from processing.knowledge import documents, uploading
from processing.knowledge.asking import answers
from processing.knowledge.results import restarting, settling
from processing.knowledge.searching import indexing
from processing.knowledge.summarizing import summaries
from processing.knowledge.translating import translations
from processing.models import ChunkTask, Question, Summary, Translation, WebhookDelivery
from processing.services import chunk_runner, joining, orchestrator, planner
from processing.webhooks import delivering
from processing.webhooks import retention as webhook_retention


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
    _register_what_follows()
    deliveries = WorkSource(WebhookDelivery, delivering.deliver, settled=delivering.settle)
    register_work(WEBHOOK_QUEUE, replace(deliveries, threads=settings.REMOTE_THREADS))
    webhook_retention.register()


def _register_what_follows() -> None:
    """Documents, and what is made of them: by a language model, where one is configured."""
    for job_type, queue_name, run in (
        (DOCUMENT_UPLOAD_JOB, DOCUMENT_QUEUE, uploading.extract),
        (INDEXING_JOB, INDEXING_QUEUE, indexing.index),
    ):
        register_job(
            JobHandler(
                job_type,
                queue_name,
                run,
                settled=documents.settle_job,
                requeued=documents.reopen,
            )
        )
    threads = settings.REMOTE_THREADS if settings.CHAT else 1
    for job_type, queue_name, run, model in (
        (SUMMARIZATION_JOB, SUMMARIZATION_QUEUE, summaries.summarize, Summary),
        (TRANSLATION_JOB, TRANSLATION_QUEUE, translations.translate, Translation),
        (QUESTION_JOB, QUESTION_QUEUE, answers.answer, Question),
    ):
        register_work(queue_name, job_source(threads=threads))
        register_job(
            JobHandler(
                job_type,
                queue_name,
                run,
                settled=settling(model),
                requeued=restarting(model),
            )
        )
