"""A pool of worker processes that cannot take work with them when they die.

Not rq's ``WorkerPool``: that one sleeps a second between looks, gives every worker the same
queues and has no place to renew leases or to release what a dead worker held.
"""

import logging
import os
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import connection as mp_connection
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from types import FrameType
from uuid import UUID, uuid4

from django.conf import settings
from django.db import DatabaseError, connections

from jobs import handlers, worker
from jobs.models import Worker
from jobs.services import sweeper
from jobs.services.parenthood import end_with_parent

logger = logging.getLogger(__name__)

#: How long workers may finish their current work after the supervisor was told to stop.
GRACE_SECONDS = 10.0

#: A worker is not replaced sooner than this after its start, ...
MIN_LIFE_SECONDS = 1.0

#: ... and twice as late each time in a row it lived for less than this, up to this.
MAX_LIFE_SECONDS = 30.0


@dataclass
class _Slot:
    """A place for one worker process, refilled whenever the process in it dies."""

    queue_names: tuple[str, ...]
    worker_id: UUID = field(default_factory=uuid4)
    process: ForkProcess | None = None
    started: float = -MAX_LIFE_SECONDS
    min_life: float = MIN_LIFE_SECONDS

    @property
    def may_start_at(self) -> float:
        """When a process may be started here, by the monotonic clock."""
        return self.started + self.min_life

    def empty(self) -> None:
        """Forget the process that ended; one that failed early is replaced later."""
        has_failed = self.process is not None and self.process.exitcode != 0
        if not has_failed:  # it was worn out, or told to end
            self.started = -MAX_LIFE_SECONDS
        if has_failed and time.monotonic() - self.started < 2 * self.min_life:
            self.min_life = min(2 * self.min_life, MAX_LIFE_SECONDS)
        else:
            self.min_life = MIN_LIFE_SECONDS
        self.process = None


class Supervisor:
    """Forks workers after loading what they share, renews their leases, replaces the dead.

    ``concurrency`` workers serve all of ``queue_names``; when some of these are heavy, one
    more worker serves the others only. What a dead worker held is requeued at once. A worker
    that reaches one of ``limits`` ends between two rows and is replaced.
    """

    def __init__(
        self,
        *,
        queue_names: tuple[str, ...],
        concurrency: int,
        limits: worker.WorkerLimits | None = None,
    ) -> None:
        self.id = uuid4()
        self.queue_names = queue_names
        self.limits = limits or worker.WorkerLimits()
        quick = tuple(name for name in queue_names if not handlers.source_of(name).is_heavy)
        self.slots = [_Slot(queue_names) for _ in range(concurrency)]
        if quick and quick != queue_names:
            self.slots.append(_Slot(quick))
        self._stop_signals = 0
        self._wakeup, self._wakeup_writer = socket.socketpair()
        self._wakeup.setblocking(False)
        self._wakeup_writer.setblocking(False)

    def run(self) -> None:
        """Supervise until SIGTERM or SIGINT; a second signal does not wait for the workers."""
        for source in dict.fromkeys(handlers.source_of(name) for name in self.queue_names):
            source.prepare()
        signal.set_wakeup_fd(self._wakeup_writer.fileno())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request_stop)
        logger.info("%d workers serve %s", len(self.slots), ", ".join(self.queue_names))
        next_beat = next_sweep = 0.0
        while not self._stop_signals:
            self._refill()
            if time.monotonic() >= next_beat:
                self._beat()
                next_beat = time.monotonic() + settings.HEARTBEAT_SECONDS
            if time.monotonic() >= next_sweep:
                next_sweep = time.monotonic() + self._sweep()
            processes = [slot.process for slot in self.slots if slot.process is not None]
            self._wait(min(next_beat, next_sweep, self._next_start()) - time.monotonic(), processes)
        self._shut_down()

    def _refill(self) -> None:
        """Release what dead workers held, then start a process in every empty slot."""
        for slot in self.slots:
            if slot.process is not None and not slot.process.is_alive():
                exit_code = slot.process.exitcode
                level = logging.WARNING if exit_code else logging.INFO
                logger.log(level, "worker %s ended with %s", slot.worker_id, exit_code)
                self._beat()  # the others are alive, whatever a sweep elsewhere thought
                if not self._release(slot, crashed=exit_code != 0):
                    return  # the database is away: try again at the next look
                slot.empty()
        empty = [slot for slot in self.slots if slot.process is None]
        self._start([s for s in empty if time.monotonic() >= s.may_start_at])

    def _start(self, slots: list[_Slot]) -> None:
        """Register workers for ``slots``, all before the first of them looks who is there."""
        if not slots:
            return
        for slot in slots:
            slot.worker_id, slot.started = uuid4(), time.monotonic()
        try:
            Worker.objects.bulk_create(
                Worker(
                    id=slot.worker_id,
                    supervisor_id=self.id,
                    hostname=socket.gethostname(),
                    queues=list(slot.queue_names),
                )
                for slot in slots
            )
        except DatabaseError as error:
            logger.warning("could not register workers: %s", error)
            connections.close_all()
            return
        connections.close_all()  # no socket may cross the fork
        for slot in slots:
            slot.process = get_context("fork").Process(
                target=self._run_worker, args=(slot.worker_id, slot.queue_names, os.getpid())
            )
            slot.process.start()

    def _run_worker(
        self, worker_id: UUID, queue_names: tuple[str, ...], supervisor_pid: int
    ) -> None:
        end_with_parent(signal.SIGKILL, supervisor_pid)
        signal.set_wakeup_fd(-1)
        worker.work(worker_id=worker_id, queue_names=queue_names, limits=self.limits)

    def _next_start(self) -> float:
        empty = [slot.may_start_at for slot in self.slots if slot.process is None]
        return min(empty, default=float("inf"))

    def _wait(self, seconds: float, processes: Sequence[ForkProcess]) -> None:
        """Sleep until one of the processes ends, or has ended, a signal comes or ``seconds`` are
        over."""
        waited_for: list[int | socket.socket] = [process.sentinel for process in processes]
        waited_for.append(self._wakeup)
        if self._wakeup in mp_connection.wait(waited_for, timeout=max(seconds, 0.05)):
            self._wakeup.recv(64)

    def _beat(self) -> None:
        """Renew the workers that are alive and what they hold; kill those that hang."""
        alive = [slot for slot in self.slots if slot.process and slot.process.is_alive()]
        ids = [slot.worker_id for slot in alive]
        try:
            Worker.objects.filter(pk__in=ids).renew()
            for model in handlers.work_models():
                model.objects.held_by(ids).renew()
            hanging = self._hanging(ids)
        except DatabaseError as error:
            logger.warning("could not renew leases: %s", error)
            connections.close_all()
            return
        for slot in alive:
            if slot.worker_id in hanging:
                logger.warning("worker %s hangs and is killed", slot.worker_id)
                self._signal(slot, signal.SIGKILL)

    def _hanging(self, ids: list[UUID]) -> set[UUID | None]:
        """Return the workers among ``ids`` that are over the time limit of what they do."""
        return {
            worker_id
            for queue_name in self.queue_names
            for source in [handlers.source_of(queue_name)]
            for worker_id in source.model.objects.held_by(ids)
            .on_queue(queue_name)
            .running_longer_than(timedelta(seconds=source.time_limit_seconds))
            .values_list("worker_id", flat=True)
        }

    def _sweep(self) -> float:
        """Sweep and return the seconds until the next one.

        Beats first: after an outage of the database the sweep would else take our own
        workers for gone.
        """
        self._beat()
        try:
            sweeper.sweep()
            return sweeper.seconds_until_next_sweep()
        except DatabaseError as error:
            logger.warning("could not sweep: %s", error)
            connections.close_all()
            return float(settings.SWEEP_SECONDS)

    def _release(self, slot: _Slot, *, crashed: bool) -> bool:
        """Requeue what the worker in ``slot`` held; False when the database is away."""
        try:
            for report in sweeper.release(slot.worker_id, crashed=crashed):
                if report.requeued or report.poisoned or report.stuck:
                    logger.warning("released from %s: %s", slot.worker_id, report)
            Worker.objects.filter(pk=slot.worker_id).stop()
        except DatabaseError as error:
            logger.warning("could not release the work of %s: %s", slot.worker_id, error)
            connections.close_all()
            return False
        self._sweep()  # rings for what was released
        return True

    def _request_stop(self, signum: int, frame: FrameType | None) -> None:
        self._stop_signals += 1

    def _shut_down(self) -> None:
        """Let workers finish for ``GRACE_SECONDS``, end the others, give back what they held."""
        running = [slot for slot in self.slots if slot.process is not None]
        logger.info("stopping: what is not done in %d s is given back", GRACE_SECONDS)
        for slot in running:
            self._signal(slot, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._stop_signals < 2 and time.monotonic() < deadline:
            alive = [slot.process for slot in running if slot.process and slot.process.is_alive()]
            if not alive:
                break
            self._beat()
            self._wait(min(deadline - time.monotonic(), settings.HEARTBEAT_SECONDS), alive)
        for slot in running:
            self._signal(slot, signal.SIGKILL)
            if slot.process is not None:
                slot.process.join()
            self._release(slot, crashed=False)

    def _signal(self, slot: _Slot, number: signal.Signals) -> None:
        if slot.process is not None and slot.process.is_alive() and slot.process.pid:
            os.kill(slot.process.pid, number)
