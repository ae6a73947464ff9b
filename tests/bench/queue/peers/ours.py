"""Longhand's own queue."""

import sys
import time
from collections.abc import Callable, Iterable
from typing import ClassVar

import django

django.setup()

from django.conf import settings  # noqa: E402  after the set-up they need
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from redis import Redis  # noqa: E402

from jobs.choices import ACTIVE  # noqa: E402
from jobs.models import Job  # noqa: E402
from jobs.services.bulk import BulkReport, bulk_enqueue  # noqa: E402
from jobs.services.enqueueing import enqueue_job  # noqa: E402
from jobs.services.requests import JobRequest, row_of  # noqa: E402
from tests.bench.queue.apps import CPU, HOLDS, LIGHT, NAPS, end_type, job_type  # noqa: E402
from tests.bench.queue.peers.peer import Peer, timed  # noqa: E402
from tests.bench.queue.scoreboard import board  # noqa: E402

_WORK = [sys.executable, "manage.py", "work", "--concurrency"]

#: So many jobs are enqueued one by one before Redis is emptied again, off the clock: with no
#: worker there a queue soon has enough rings waiting, and stops ringing, which is cheaper.
_BURST = 8


class Ours(Peer):
    """As it comes: the defaults of every setting."""

    modes: ClassVar[dict[str, list[list[str]]]] = {
        "light": [[*_WORK, "2", "--queues", LIGHT]],
        "cpu": [[*_WORK, "2", "--queues", CPU]],
        "naps": [[*_WORK, "2", "--queues", NAPS]],
        "pair": [[*_WORK, "2", "--queues", HOLDS]],
        "one": [[*_WORK, "1", "--queues", HOLDS]],
        "survivor": [[*_WORK, "4", "--queues", HOLDS]],
    }

    def __init__(self) -> None:
        self._redis = Redis.from_url(settings.REDIS_URL)

    def prepare(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE processing_jobs, workers CASCADE")
        self._redis.flushdb()

    def enqueue(self, task: str, numbers: Iterable[int]) -> None:
        _bulk(task, numbers)

    def enqueue_one(self, task: str, number: int) -> None:
        enqueue_job(job_type=job_type(task), payload={"number": number})

    def left(self) -> int:
        return Job.objects.filter(status__in=ACTIVE, job_type__startswith="bench_").count()

    def gather(self, task: str, numbers: Iterable[int]) -> None:
        """Fan in by a job that follows all others: it begins when the last is recorded as done."""
        numbers = list(numbers)
        jobs = [Job(pk=pk) for pk in _bulk(task, numbers).ids]
        end = numbers[-1] + 1
        enqueue_job(job_type=end_type(task), payload={"number": end}, after=jobs)
        while not board().started(end):
            time.sleep(0.002)

    def enqueue_bursts(self, count: int) -> float:
        """Return the seconds that ``count`` calls of ``enqueue_job`` take; each of them rings."""
        return self._bursts(count, lambda: self.enqueue_one("noop", 0))

    def save_bursts(self, count: int) -> float:
        """Return the seconds that ``count`` bare saves take, with a push to Redis each."""
        request = JobRequest(job_type("noop"), {"number": 0})
        row = row_of(request, timezone.now())._asdict() | {"payload": {"number": 0}}
        del row["id"]

        def save() -> None:
            Job(**row).save()
            self._redis.rpush("bench", "ring")

        return self._bursts(count, save)

    def _bursts(self, count: int, call: Callable[[], None]) -> float:
        seconds = 0.0
        for _ in range(count // _BURST):
            self._redis.flushdb()
            seconds += timed(lambda: _repeat(call))
        return seconds


def _repeat(call: Callable[[], None]) -> None:
    for _ in range(_BURST):
        call()


def _bulk(task: str, numbers: Iterable[int]) -> BulkReport:
    name = job_type(task)
    return bulk_enqueue(JobRequest(name, {"number": number}) for number in numbers)


PEER = Ours
