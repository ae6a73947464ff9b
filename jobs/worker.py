"""Our rq worker: it hears doorbells, and does nothing else that Redis might ask of it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from rq import SimpleWorker
from rq.worker.base import WorkerStatus

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
        runner.is_stopping = lambda: self._stop_requested

    def subscribe(self) -> None:
        """Take no commands from Redis; the supervisor alone stops workers.

        Without rq's listening thread every signal also reaches the main thread, which a
        signal taken by that thread would leave waiting for the next ring.
        """

    def execute_job(self, job: RqJob, queue: Queue) -> None:
        """Forget the ring, then claim and run what is ready on its queue."""
        self.set_state(WorkerStatus.BUSY)
        with self.connection.pipeline() as pipeline:
            pipeline.delete(job.key)
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            pipeline.execute()
        self.runner.drain(queue.name)
        self.set_state(WorkerStatus.IDLE)


def work(*, worker_id: UUID, supervisor_id: UUID, queue_names: tuple[str, ...]) -> None:
    """Register this process as a worker of ``queue_names`` and work until told to stop."""
    worker = Worker.objects.create(
        id=worker_id,
        supervisor_id=supervisor_id,
        hostname=socket.gethostname(),
        pid=os.getpid(),
        queues=list(queue_names),
    )
    rq_queues = [queues.get_queue(name) for name in queue_names]
    rq_worker = DoorbellWorker(
        rq_queues,
        name=str(worker_id),
        connection=rq_queues[0].connection,
        serializer=rq_queues[0].serializer,
        log_job_description=False,
        runner=JobRunner(worker=worker),
    )
    for name in queue_names:
        queues.ring(name)  # what became ready while nobody was there
    rq_worker.work(logging_level="WARNING")
