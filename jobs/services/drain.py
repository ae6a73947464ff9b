"""One visit of a worker to a queue: claiming, running and recording rows until none is left."""

from __future__ import annotations

import logging
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import DatabaseError, close_old_connections, connections

from jobs import handlers, queues
from jobs.services.batch import BATCH_SECONDS, Batch
from jobs.services.outage import DatabaseIsAway, recorded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.models import Work
    from jobs.services.runner import JobRunner

logger = logging.getLogger(__name__)

#: After this long on one queue a worker looks at its other queues again.
SLICE_SECONDS = 5.0

#: Rows that wait this long behind another in one worker are given back to all.
OVERDUE_SECONDS = 1.0

#: A batch that lasts less than this may be claimed whole, whatever is left for others.
UNEVEN_SECONDS = 0.02

#: Of what is left, a worker claims one part in so many.
LEFT_TO_OTHERS = 4

#: How often a worker whose threads are busy claims and records.
LOOK_SECONDS = 0.02


class Drain:
    """One visit of a worker to a queue."""

    def __init__(self, runner: JobRunner, queue_name: str) -> None:
        self.runner = runner
        self.queue_name = queue_name
        self.source = handlers.source_of(queue_name)
        self.objects = self.source.model.objects
        self.pace = runner.pace_of(queue_name)
        self.batch = Batch()
        self.is_hungry = threading.Event()
        self.deadline = time.monotonic() + SLICE_SECONDS
        self.has_begun = False
        self.has_rung = False

    def one_by_one(self) -> None:
        """Run rows in this thread, batch by batch."""
        with self._relief():
            while self._goes_on():
                count = self._claim(self._fair_limit())
                if not count:
                    break
                started = time.monotonic()
                while not self.runner.is_stopping() and (work := self.batch.take()):
                    self._work(work)
                self.pace.observe(count, time.monotonic() - started)
                self._record()
            self._give_back()

    def with_threads(self) -> None:
        """Run rows in ``source.threads`` threads; claim and record in this one."""
        threads = self.source.threads
        crew: set[Future[None]] = set()
        with (
            self._relief(),
            ThreadPoolExecutor(threads, initializer=_leave_signals_to_the_main_thread) as pool,
        ):
            while True:
                self.is_hungry.clear()
                if self._goes_on():
                    held = len(crew) + self.batch.waiting_count
                    self._claim(threads + self.pace.rows_in(threads * BATCH_SECONDS) - held)
                else:
                    self._give_back()
                for _ in range(min(self.batch.waiting_count, threads - len(crew))):
                    crew.add(pool.submit(self._work_in_thread))
                self._record()
                if not crew:
                    break
                self.is_hungry.wait(LOOK_SECONDS)
                ended = {future for future in crew if future.done()}
                crew -= ended
                for future in ended:
                    future.result()
        self._record()

    def _goes_on(self) -> bool:
        """Whether to claim more; rings for what is left when the time is over."""
        if self.runner.is_stopping():
            return False
        close_old_connections()
        if time.monotonic() < self.deadline or not self.has_begun:
            return True
        self._ring_if_ready()
        return False

    def _fair_limit(self) -> int:
        """How many rows to claim: fewer towards the end, so that workers end together.

        A share of what is left each time: guided self-scheduling (Polychronopoulos and Kuck,
        1987). Where a batch is over in a moment, the count would cost more than it saves.
        """
        limit = 1 if self.source.is_heavy else self.pace.limit
        if limit * self.pace.seconds_per_row < UNEVEN_SECONDS:
            return limit
        left = self.objects.ready().on_queue(self.queue_name)[: limit * LEFT_TO_OTHERS].count()
        return min(limit, max(1, left // LEFT_TO_OTHERS))

    def _claim(self, limit: int) -> int:
        """Claim up to ``limit`` rows into the batch; return how many."""
        if limit < 1:
            return 0
        claimed = self.objects.claim(
            queue_name=self.queue_name, worker=self.runner.worker, limit=limit
        )
        self.batch.add(claimed)
        self.has_begun = True
        if len(claimed) == limit and not self.has_rung:
            self.has_rung = self._ring_if_ready()
        return len(claimed)

    def _work(self, work: Work) -> None:
        """Run one row; record it now when something may follow from its end, else later."""
        results = self.runner.run(self.source, work)
        if results is None:
            return
        if results or handlers.is_followed(work):
            self.runner.complete(self.source, work, results)
        else:
            self.batch.finish(work)

    def _work_in_thread(self) -> None:
        """Run rows until none waits."""
        try:
            while not self.runner.is_stopping() and (work := self.batch.take()):
                started = time.monotonic()
                self._work(work)
                self.pace.observe(1, time.monotonic() - started)
        finally:
            connections.close_all()
            self.is_hungry.set()

    def _record(self) -> None:
        """Record what is done and not recorded yet."""
        done = self.batch.take_finished()
        if done:
            accepted = recorded(lambda: self.objects.complete_all(done))
            for work in set(done) - set(accepted):
                self.runner.refuse(work)

    def _give_back(self) -> None:
        """Let others have the rows that wait here."""
        waiting = self.batch.take_all()
        if waiting:
            held = self.objects.held_by([self.runner.worker.pk])
            held.filter(pk__in=[work.pk for work in waiting]).rescue(crashed=False)
            queues.ring(self.queue_name)

    def _ring_if_ready(self) -> bool:
        is_ready = self.objects.ready().on_queue(self.queue_name).exists()
        return bool(is_ready and queues.ring(self.queue_name))

    @contextmanager
    def _relief(self) -> Iterator[None]:
        """Meanwhile, see to it that nothing is stuck behind a row that takes long."""
        is_over = threading.Event()
        thread = threading.Thread(target=self._relieve, args=(is_over,), daemon=True)
        if not self.source.is_heavy:
            thread.start()
        try:
            yield
        finally:
            is_over.set()

    def _relieve(self, is_over: threading.Event) -> None:
        _leave_signals_to_the_main_thread()
        while not is_over.wait(OVERDUE_SECONDS / 2):
            if self.batch.is_empty or time.monotonic() - self.batch.touched < OVERDUE_SECONDS:
                continue
            try:
                self._record()
                self._give_back()
            except (DatabaseError, DatabaseIsAway) as error:
                logger.warning("could not relieve %s: %s", self.runner.worker, error)
            finally:
                connections.close_all()


def _leave_signals_to_the_main_thread() -> None:
    """Have the kernel give signals to the one thread that may be waiting for a ring."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
