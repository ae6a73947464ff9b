"""One visit of a worker to a queue: claiming, running and recording rows until none is left."""

from __future__ import annotations

import logging
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
    transaction,
)

from jobs import handlers, queues
from jobs.services.batch import BATCH_SECONDS, MAX_BATCH, Batch
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

#: After this long without work a worker asks whether its connection still stands.
REST_SECONDS = 1.0

#: How soon a worker whose threads are busy looks for more and records what is done; and how
#: late, when it has found nothing for a while.
LOOK_SECONDS = 0.02
LATEST_LOOK_SECONDS = 0.2


class Drain:
    """One visit of a worker to a queue."""

    def __init__(self, runner: JobRunner, queue_name: str) -> None:
        self.runner = runner
        self.queue_name = queue_name
        self.source = handlers.source_of(queue_name)
        self.objects = self.source.model.objects
        self.pace = runner.pace_of(queue_name)
        self.batch = Batch()
        if time.monotonic() - runner.drained_at > REST_SECONDS:
            close_old_connections()  # those whose server was restarted meanwhile
        self.is_hungry, self.is_over = threading.Event(), threading.Event()
        self.relief = threading.Thread(target=self._relieve, daemon=True)
        self.deadline = time.monotonic() + SLICE_SECONDS
        self.has_begun = self.has_rung = False
        self.is_full = self.is_suspect = self.is_alone = False

    def one_by_one(self) -> None:
        """Run rows in this thread, batch by batch."""
        with self._relief():
            while self._goes_on() and (count := self._record_and_claim(self._limit())):
                is_long = self.is_suspect or count * self.pace.seconds_per_row >= UNEVEN_SECONDS
                if is_long:
                    self._wake_another()
                started = time.monotonic()
                while not self.runner.is_stopping() and (work := self.batch.take()):
                    self._work(work)
                self.pace.observe(count, time.monotonic() - started)
                if not is_long:
                    self._wake_another()
            self._record()
            self._give_back()

    def with_threads(self) -> None:
        """Run rows in ``source.threads`` threads; claim and record in this one."""
        threads = self.source.threads
        crew: set[Future[None]] = set()
        pause = LOOK_SECONDS
        with (
            self._relief(),
            ThreadPoolExecutor(threads, initializer=_leave_signals_to_the_main_thread) as pool,
        ):
            while True:
                self.is_hungry.clear()
                ended = {future for future in crew if future.done()}
                crew -= ended
                for future in ended:
                    future.result()
                is_idle = not crew and self.batch.is_empty
                self.is_alone &= not is_idle
                if not self._goes_on():
                    self._give_back()
                elif not self.is_alone:
                    held = len(crew) + self.batch.waiting_count
                    limit = threads + self._spare() - held
                    if limit > 0 and self._take_together(limit, is_idle=is_idle):
                        pause = LOOK_SECONDS
                for _ in range(min(self.batch.waiting_count, threads - len(crew))):
                    future = pool.submit(self._work_in_thread)
                    future.add_done_callback(lambda _: self.is_hungry.set())
                    crew.add(future)
                if not crew and not self.is_alone:
                    break
                self._wake_another()
                if not self.is_hungry.is_set() or self.batch.finished_count >= MAX_BATCH:
                    self._record()
                is_hungry = self.is_hungry.wait(pause)
                pause = LOOK_SECONDS if is_hungry else min(2 * pause, LATEST_LOOK_SECONDS)
        self._record()

    def _goes_on(self) -> bool:
        """Whether to claim more: until the time is over, or with threads until another queue wants
        this worker, for they would wait for the slowest of them. Rings for what is left."""
        if self.runner.is_stopping():
            return False
        is_over = self.has_begun and time.monotonic() >= self.deadline
        if is_over and self.source.threads > 1 and not self.runner.has_others(self.queue_name):
            self.deadline = time.monotonic() + SLICE_SECONDS
            is_over = False
        if not is_over:
            return True
        self._ring_if_ready()
        return False

    def _limit(self) -> int:
        limit = 1 if self.source.is_heavy else self.pace.limit
        return limit if limit == 1 else max(1, self._fair(limit))

    def _spare(self) -> int:
        """Return how many rows may wait for a thread, so that no thread waits for a claim.

        As many as are done until the next look, or one for each thread; none towards the end,
        when another worker's threads would have to do without them.
        """
        threads = self.source.threads
        each = self.pace.rows_in(LOOK_SECONDS) or min(1, self.pace.rows_in(BATCH_SECONDS))
        spare = self._fair(each * threads, left_to_others=2)
        return spare if spare >= min(each, 1) * threads else 0

    def _fair(self, limit: int, left_to_others: int = LEFT_TO_OTHERS) -> int:
        """Return how many rows to claim: fewer towards the end, so that workers end together.

        A share of what is left each time: guided self-scheduling (Polychronopoulos and Kuck,
        1987). Where a batch is over in a moment, the count would cost more than it saves.
        """
        if not limit or limit * self.pace.seconds_per_row < UNEVEN_SECONDS * self.source.threads:
            return limit
        ready = self.objects.ready().on_queue(self.queue_name)
        return min(limit, ready[: limit * left_to_others].count() // left_to_others)

    def _record_and_claim(self, limit: int) -> int:
        """Record what is done and claim the next rows, with one commit; return how many."""
        done = self.batch.take_finished()
        try:
            with transaction.atomic():
                if not done:
                    _leave_the_disk_for_later()
                accepted, claimed = self._completed(done), self._claimed(limit)
        except (OperationalError, InterfaceError) as error:
            logger.warning("the database is away: %s", error)
            connection.close()
            accepted, claimed = recorded(lambda: self._completed(done)), []
            recorded(self._let_go)
        self._refuse(done, accepted)
        return self._take(claimed, limit)

    def _claimed(self, limit: int) -> list[Work]:
        worker = self.runner.worker
        return self.objects.claim(queue_name=self.queue_name, worker=worker, limit=limit)

    def _take(self, claimed: list[Work], limit: int) -> int:
        """Put rows whose claim is committed into the batch; return how many."""
        self.batch.add(claimed)
        self.has_begun = True
        self.is_suspect = any(work.crash_count for work in claimed)
        self.is_full = len(claimed) == limit or self.is_suspect
        if len(claimed) > 1 and self.relief.ident is None:
            self.relief.start()
        return len(claimed)

    def _take_together(self, limit: int, *, is_idle: bool) -> int:
        """Claim rows that run beside others, but one that crashed a worker only when idle.

        Until then it is given back, and nothing else is claimed. Returns how many are taken.
        """
        claimed = self._claimed(limit)
        self.is_alone = any(work.crash_count for work in claimed)
        if self.is_alone and not is_idle:
            self._release(claimed)
            return 0
        return self._take(claimed, limit)

    def _let_go(self) -> None:
        """Give back all that this worker holds: what it may have claimed and never heard of."""
        self.objects.held_by([self.runner.worker.pk]).rescue(crashed=False)
        queues.ring(self.queue_name)

    def _wake_another(self) -> None:
        """Ring when there was more to claim than this worker took: once in a drain, and for each
        row that crashed a worker, whose claim kept the others from whoever was woken before."""
        if self.is_full and (self.is_suspect or not self.has_rung):
            self.has_rung, self.is_suspect = self._ring_if_ready(), False

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

    def _record(self) -> None:
        """Record what is done and not recorded yet."""
        done = self.batch.take_finished()
        self._refuse(done, recorded(lambda: self._completed(done)))

    def _completed(self, done: list[Work]) -> list[Work]:
        return self.objects.complete_all(done) if done else []

    def _refuse(self, done: list[Work], accepted: list[Work]) -> None:
        if len(accepted) < len(done):
            for work in set(done) - set(accepted):
                self.runner.refuse(work)

    def _give_back(self) -> None:
        """Let others have the rows that wait here."""
        if waiting := self.batch.take_all():
            self._release(waiting)

    def _release(self, works: list[Work]) -> None:
        held = self.objects.held_by([self.runner.worker.pk])
        held.filter(pk__in=[work.pk for work in works]).rescue(crashed=False)
        queues.ring(self.queue_name)

    def _ring_if_ready(self) -> bool:
        ready = self.objects.ready().on_queue(self.queue_name)
        return bool(ready.exists() and queues.ring(self.queue_name))

    @contextmanager
    def _relief(self) -> Iterator[None]:
        """Meanwhile, once rows wait here, see to it that none is stuck behind another for long."""
        try:
            yield
        finally:
            self.is_over.set()

    def _relieve(self) -> None:
        _leave_signals_to_the_main_thread()
        while not self.is_over.wait(OVERDUE_SECONDS / 2):
            if self.batch.is_empty or time.monotonic() - self.batch.touched < OVERDUE_SECONDS:
                continue
            try:
                self._record()
                self._give_back()
            except (DatabaseError, DatabaseIsAway) as error:
                logger.warning("could not relieve %s: %s", self.runner.worker, error)
            finally:
                connections.close_all()


def _leave_the_disk_for_later() -> None:
    """Do not wait until this transaction is on disk: it only claims.

    A claim that is lost when the database's host fails has not happened, and its rows are ready.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")


def _leave_signals_to_the_main_thread() -> None:
    """Have the kernel give signals to the one thread that may be waiting for a ring."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
