"""The parts of the benchmark, run one after the other on servers of their own."""

import sys

import django

from config import embedded

embedded.hold()
django.setup()

from django.core.management import call_command  # noqa: E402  after the set-up it needs

from tests.bench.queue.drain import bench_drain  # noqa: E402
from tests.bench.queue.enqueueing import bench_enqueueing  # noqa: E402
from tests.bench.queue.fan_out import bench_fan_out  # noqa: E402
from tests.bench.queue.growth import bench_growth  # noqa: E402
from tests.bench.queue.latency import bench_latency  # noqa: E402
from tests.bench.queue.rescue import bench_rescue  # noqa: E402
from tests.bench.table import Table  # noqa: E402

PARTS = {
    "drain": bench_drain,
    "enqueue": bench_enqueueing,
    "latency": bench_latency,
    "fan_out": bench_fan_out,
    "rescue": bench_rescue,
    "growth": bench_growth,
}


def main() -> None:
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        sys.exit(f"unknown part {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    call_command("migrate", verbosity=0)
    table = Table()
    for name in wanted:
        sys.stderr.write(f"-- {name}\n")
        PARTS[name](table)
    table.finish()


if __name__ == "__main__":
    main()
