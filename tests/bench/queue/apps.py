"""The benchmark's jobs, registered in every process of the installation it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

from jobs.handlers import JobHandler, job_source, register_job, register_work
from tests.bench.queue.tasks import TASKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jobs.models import Job

LIGHT, CPU, NAPS, HOLDS = QUEUES = ("bench_light", "bench_cpu", "bench_naps", "bench_holds")

_QUEUE_OF = {"noop": LIGHT, "greet": LIGHT, "spin": CPU, "nap": NAPS, "hold": HOLDS}


class QueueBenchConfig(AppConfig):
    name = "tests.bench.queue"
    label = "bench_queue"

    def ready(self) -> None:
        register_work(LIGHT, job_source())
        register_work(CPU, job_source())
        register_work(NAPS, job_source(threads=10))
        register_work(HOLDS, job_source(is_heavy=True))
        for name, task in TASKS.items():
            register_job(JobHandler(job_type(name), _QUEUE_OF[name], run=_run(task)))
            register_job(JobHandler(end_type(name), _QUEUE_OF[name], run=_run(TASKS["noop"])))


def job_type(task: str) -> str:
    """Return the type of jobs that do ``task``."""
    return f"bench_{task}"


def end_type(task: str) -> str:
    """Return the type of a job that follows jobs that do ``task``, on the same queue."""
    return f"bench_{task}_end"


def _run(task: Callable[[int], None]) -> Callable[[Job], None]:
    return lambda job: task(job.payload["number"])
