"""Which worker a job would go to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from jobs import handlers
from jobs.exceptions import NoCapableWorker
from jobs.models import Job, Worker


@dataclass(frozen=True)
class Dispatch:
    """The jobs that have a worker, each with it, and those that have none for now."""

    placed: Sequence[tuple[Job, Worker]]
    unplaced: Sequence[Job]


class JobDispatcher:
    """Finds for each job the live, capable worker that has the least to do.

    It foretells and does not decide: workers claim for themselves, so nothing is reserved. The
    workers and their loads are read once, when the dispatcher is made.
    """

    def __init__(self) -> None:
        workers: list[Any] = list(Worker.objects.live().with_load())
        self._workers: dict[UUID, Worker] = {worker.pk: worker for worker in workers}
        self._loads = {worker.pk: int(worker.load) for worker in workers}

    def dispatch(self, job: Job) -> Worker:
        """Return the least loaded live worker that serves the job's queue.

        Raises ``UnknownJobType`` for a type without a handler, and ``NoCapableWorker`` while
        no live worker serves its queue.
        """
        handlers.handler_of(job.job_type)
        capable = self._capable_of(job)
        if not capable:
            raise NoCapableWorker(f"no live worker serves the queue {job.queue_name!r}")
        return self._workers[min(capable, key=lambda pk: (self._loads[pk], pk))]

    def dispatch_batch(self, jobs: Iterable[Job], *, max_per_worker: int) -> Dispatch:
        """Spread jobs over the workers, in order, at most ``max_per_worker`` of them to each.

        The least loaded comes first, by what it runs and what it was given here before. Jobs
        that nobody can do, or nobody may be given, come back unplaced.
        """
        given: Counter[UUID] = Counter()
        placed: list[tuple[Job, Worker]] = []
        unplaced: list[Job] = []
        for job in jobs:
            free = [pk for pk in self._capable_of(job) if given[pk] < max_per_worker]
            if free:
                chosen = min(free, key=lambda pk: (self._loads[pk] + given[pk], pk))
                given[chosen] += 1
                placed.append((job, self._workers[chosen]))
            else:
                unplaced.append(job)
        return Dispatch(placed, unplaced)

    def _capable_of(self, job: Job) -> list[UUID]:
        if job.job_type not in handlers.job_types():
            return []
        return [pk for pk, worker in self._workers.items() if job.queue_name in worker.queues]
