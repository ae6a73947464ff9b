"""Our rq worker: it hears doorbells, and does nothing else that Redis might ask of it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from rq import SimpleWorker
from rq.worker.base import WorkerStatus
from rq.worker_registration import clean_worker_registry

from jobs import queues
from jobs.models import Worker
from jobs.services.runner import JobRunner

if TYPE_CHECKING:
    from uuid import UUID

    from rq import Queue
    from rq.job import Job as RqJob


class DoorbellWorker(SimpleWorker):
    """A long-lived worker that answers a ring by draining the queue it came from.

    Whatever a ring contains besides (function, arguments, callbacks, webhooks) is never
    looked at, so writing to Redis runs no code here.
    """

    #: Seconds between attempts to reach a Redis that is away, at most (rq's default: 60).
    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(self, *args: Any, runner: JobRunner, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runner = runner
        self.has_crashed = False
        runner.is_stopping = lambda: self._stop_requested

    def subscribe(self) -> None:
        """Take no commands from Redis; the supervisor alone stops workers.

        Without rq's listening thread every signal also reaches the main thread, which a
        signal taken by that thread would leave waiting for the next ring.
        """

    def run_maintenance_tasks(self) -> None:
        """Drop workers that are gone from rq's list, and do nothing else of rq's maintenance.

        That calls whatever Redis names as the failure callback of a job that seems abandoned.
        """
        for queue in self.queues:
            clean_worker_registry(queue)
        self.last_cleaned_at = timezone.now()  # type: ignore[assignment]

    def execute_job(self, job: RqJob, queue: Queue) -> None:
        """Forget the ring, then claim and run what is ready on its queue."""
        self.set_state(WorkerStatus.BUSY)
        with self.connection.pipeline() as pipeline:
            pipeline.delete(job.key)
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            pipeline.execute()
        self.has_crashed = True  # rq logs what is raised and ends as if all were well
        self.runner.drain(queue.name)
        self.has_crashed = False
        self.set_state(WorkerStatus.IDLE)


def work(*, worker_id: UUID, queue_names: tuple[str, ...]) -> None:
    """Be the registered worker ``worker_id`` of ``queue_names`` until told to stop."""
    worker = Worker.objects.get(pk=worker_id)
    worker.pid = os.getpid()
    worker.save(update_fields=["pid"])
    rq_queues = [queues.get_queue(name) for name in queue_names]
    rq_worker = DoorbellWorker(
        rq_queues,
        name=str(worker_id),
        connection=rq_queues[0].connection,
        serializer=rq_queues[0].serializer,
        log_job_description=False,
        runner=JobRunner(worker=worker),
    )
    # Only now: a connection opened before has the short timeout of a ring, and keeps it.
    queues.wait_for_redis(queue_names[0])
    for name in queue_names:
        queues.ring(name)  # what became ready while nobody was there
    rq_worker.work(logging_level="WARNING")
    if rq_worker.has_crashed:
        sys.exit(1)
