"""One visit of a worker to a queue: claiming, running and recording rows until none is left."""

from __future__ import annotations

import logging
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
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
        self.results: frozenset[str] = frozenset()  # names of what rows are completed with
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
        crew: list[Future[None]] = []
        pause = LOOK_SECONDS
        with (
            self._relief(),
            ThreadPoolExecutor(threads, initializer=_leave_signals_to_the_main_thread) as pool,
            closing(self.batch),
        ):
            while True:
                self.is_hungry.clear()
                for ended in filter(Future.done, crew):
                    ended.result()
                held_count, taken_count = self.batch.held_count, 0
                self._record()  # what is recorded makes room under a limit
                self.is_alone &= held_count > 0
                if not self._goes_on():
                    self._give_back()
                elif not self.is_alone and (limit := self._room(held_count)) > 0:
                    taken_count = self._take_together(limit, is_idle=not held_count)
                if not (held_count or taken_count or self.is_alone):
                    break
                while len(crew) < min(self.batch.held_count, threads):
                    crew.append(pool.submit(self._work_in_thread))
                    crew[-1].add_done_callback(lambda _: self.is_hungry.set())
                self._wake_another()
                is_hungry = self.is_hungry.wait(pause)
                is_quiet = not (is_hungry or taken_count)
                pause = min(2 * pause, LATEST_LOOK_SECONDS) if is_quiet else LOOK_SECONDS
        self._record()

    def _goes_on(self) -> bool:
        """Whether to claim more: until the time is over, or with threads until another queue wants
        this worker, for they would wait for the slowest of them. Rings for what is left."""
        if self.runner.is_stopping():
            return False
        if not self.has_begun or time.monotonic() < self.deadline:
            return True
        if self.source.threads > 1 and not self.runner.has_others(self.queue_name):
            self.deadline = time.monotonic() + SLICE_SECONDS
            return True
        self._ring_if_ready()
        return False

    def _limit(self) -> int:
        limit = 1 if self.source.is_heavy else self.pace.limit
        return limit if limit == 1 else max(1, self._fair(limit))

    def _room(self, held_count: int) -> int:
        """Return how many rows to claim: one for each thread, and some that wait for one.

        As many wait as are done until the next look, or one for each thread; none towards the
        end, when another worker's threads would have to do without them.
        """
        threads = self.source.threads
        each = self.pace.rows_in(LOOK_SECONDS) or min(1, self.pace.rows_in(BATCH_SECONDS))
        spare = self._fair(each * threads, left_to_others=2, beside=max(threads - held_count, 0))
        return threads - held_count + (spare if spare >= min(each, 1) * threads else 0)

    def _fair(self, limit: int, *, left_to_others: int = LEFT_TO_OTHERS, beside: int = 0) -> int:
        """Return how many rows to claim, ``beside`` so many: fewer towards the end.

        A share of what is left each time: guided self-scheduling (Polychronopoulos and Kuck,
        1987). Where a batch is over in a moment, the count would cost more than it saves.
        """
        if not limit or limit * self.pace.seconds_per_row < UNEVEN_SECONDS * self.source.threads:
            return limit
        ready = self.objects.ready().on_queue(self.queue_name)
        left_count = max(ready[: beside + limit * left_to_others].count() - beside, 0)
        return min(limit, left_count // left_to_others)

    def _record_and_claim(self, limit: int) -> int:
        """Record what is done and claim the next rows, with one commit; return how many."""
        done = self.batch.take_finished()
        try:
            with transaction.atomic():
                if not done:
                    _leave_the_disk_for_later()
                accepted = self.objects.complete_all(done) if done else []
                claimed = self._claimed(limit)
        except (OperationalError, InterfaceError) as error:
            logger.warning("the database is away: %s", error)
            connection.close()
            accepted, claimed = recorded(lambda: self.objects.complete_all(done)), []
            recorded(self._let_go)
        self.runner.refuse(done, accepted)
        return self._take(claimed, limit)

    def _claimed(self, limit: int) -> list[Work]:
        name, worker = self.queue_name, self.runner.worker
        return self.objects.claim(queue_name=name, worker=worker, limit=limit)

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
        with transaction.atomic():
            _leave_the_disk_for_later()
            claimed = self._claimed(limit)
        self.is_alone = any(work.crash_count for work in claimed)
        if self.is_alone and not is_idle:
            self._release(claimed)
            return 0
        return self._take(claimed, limit)

    def _let_go(self) -> None:
        """Give back all that this worker holds, with what it may have claimed unawares."""
        self.objects.held_by([self.runner.worker.pk]).rescue(crashed=False)
        queues.ring(self.queue_name)

    def _wake_another(self) -> None:
        """Ring when there was more to claim than this worker took: once in a drain, and for each
        row that crashed a worker, whose claim kept the others from whoever was woken before."""
        if self.is_full and (self.is_suspect or not self.has_rung):
            self.has_rung, self.is_suspect = self._ring_if_ready(), False
            self.is_full = False

    def _work(self, work: Work) -> None:
        """Run one row; have it recorded, at once when something may follow and nobody waits."""
        results = self.runner.run(self.source, work)
        if results is None:
            self.batch.drop()
            return
        vars(work).update(results)
        self.results |= results.keys()
        if self.source.threads == 1 and (results or handlers.is_followed(work)):
            self.batch.drop()
            self.runner.complete(self.source, [work], self.results)
        else:
            self.batch.finish(work)

    def _work_in_thread(self) -> None:
        """Run rows until there are no more."""
        try:
            while not self.runner.is_stopping() and (work := self.batch.wait()):
                close_old_connections()
                started = time.monotonic()
                self._work(work)
                self.pace.observe(1, time.monotonic() - started)
                if not self.batch.waiting_count:
                    self.is_hungry.set()
        finally:
            connections.close_all()

    def _record(self) -> None:
        """Record what is done and not recorded yet."""
        if done := self.batch.take_finished():
            self.runner.complete(self.source, done, self.results)

    def _give_back(self) -> None:
        """Let others have the rows that wait here."""
        if waiting := self.batch.take_all():
            self._release(waiting)

    def _release(self, works: list[Work]) -> None:
        held = self.objects.held_by([self.runner.worker.pk])
        held.filter(pk__in=[work.pk for work in works]).rescue(crashed=False)
        queues.ring(self.queue_name)

    def _ring_if_ready(self) -> bool:
        if is_ready := self.objects.ready().on_queue(self.queue_name).exists():
            queues.ring(self.queue_name)
        return is_ready

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
