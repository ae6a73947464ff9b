"""The settings of the benchmarks, plus queues whose jobs are the benchmark's own."""

from tests.bench.queue.apps import QUEUES
from tests.bench.settings import *  # noqa: F403
from tests.bench.settings import INSTALLED_APPS, RQ_QUEUES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.bench.queue.apps.QueueBenchConfig"]
RQ_QUEUES |= dict.fromkeys(QUEUES, RQ_QUEUES["maintenance"])
