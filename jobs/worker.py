"""Our rq worker: it hears doorbells, and does nothing else that Redis might ask of it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil
from django.utils import timezone
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.worker_registration import clean_worker_registry

from jobs import queues
from jobs.models import Worker
from jobs.services.runner import JobRunner

if TYPE_CHECKING:
    from uuid import UUID

    from rq import Queue
    from rq.job import Job as RqJob

#: How often a worker that answers many rings tells rq that it lives; rq forgets it after minutes.
RQ_HEARTBEAT_SECONDS = 15.0


@dataclass(frozen=True)
class WorkerLimits:
    """When a worker ends, to be replaced by a fresh one; None means never.

    ``max_jobs`` counts rows, ``max_memory_bytes`` is resident memory, shared pages included.
    """

    max_jobs: int | None = None
    max_memory_bytes: int | None = None

    def are_reached(self, runner: JobRunner) -> bool:
        """Whether a worker that has this ``runner`` has done, or holds, too much.

        Never before its first row: a limit that is too low slows work down, and does not
        stop it.
        """
        if not runner.count:
            return False
        if self.max_jobs is not None and runner.count >= self.max_jobs:
            return True
        return self.max_memory_bytes is not None and _resident_bytes() >= self.max_memory_bytes


class DoorbellWorker(SimpleWorker):
    """A long-lived worker that answers a ring by draining the queue it came from.

    Whatever a ring contains (function, arguments, callbacks, webhooks) is never looked at, so
    writing to Redis runs no code here.
    """

    queue_class = queues.DoorbellQueue
    #: Seconds between attempts to reach a Redis that is away, at most (rq's default: 60).
    max_connection_wait_time = 2.0
    log_result_lifespan = False

    def __init__(
        self, *args: Any, runner: JobRunner, limits: WorkerLimits | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.runner = runner
        self.limits = limits or WorkerLimits()
        self.has_crashed = False
        self._next_heartbeat = 0.0
        runner.is_stopping = self.is_stopping

    def is_stopping(self) -> bool:
        """Whether to begin no more work: told to end, or worn out."""
        if not self._stop_requested and self.limits.are_reached(self.runner):
            self._stop_requested = True
        return bool(self._stop_requested)

    def _shutdown(self) -> None:
        """End now, or once the rows at hand are done: rq, which knows of no drain, would raise
        ``StopRequested`` in the midst of one."""
        if not self.has_crashed:
            raise StopRequested
        self._stop_requested = True

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

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Tell rq that this worker lives, but not three times for every ring."""
        if time.monotonic() >= self._next_heartbeat:
            super().heartbeat(timeout, pipeline)
            self._next_heartbeat = time.monotonic() + RQ_HEARTBEAT_SECONDS

    def execute_job(self, job: RqJob, queue: Queue) -> None:
        """Claim and run what is ready on the queue that was rung."""
        self.has_crashed = True  # rq logs what is raised and ends as if all were well
        self.runner.drain(queue.name)
        self.has_crashed = False


def work(*, worker_id: UUID, queue_names: tuple[str, ...], limits: WorkerLimits) -> None:
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
        limits=limits,
    )
    # Only now: a connection opened before has the short timeout of a ring, and keeps it.
    queues.wait_for_redis(queue_names[0])
    for name in queue_names:
        queues.ring(name)  # what became ready while nobody was there
    rq_worker.work(logging_level="WARNING")
    if rq_worker.has_crashed:
        sys.exit(1)


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
