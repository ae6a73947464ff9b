"""A supervisor notices the end of a worker, whenever it comes."""

import time
from multiprocessing import get_context

from jobs.services.supervisor import Supervisor

LONG_SECONDS = 60.0


def test_a_worker_that_ended_before_its_supervisor_waits_is_noticed_at_once() -> None:
    supervisor = Supervisor(queue_names=("maintenance",), concurrency=1)
    process = get_context("fork").Process(target=int)
    process.start()
    process.join()
    began = time.monotonic()

    supervisor._wait(LONG_SECONDS, [process])

    assert time.monotonic() - began < LONG_SECONDS / 2
