"""The parts of the benchmark, run one after the other on servers of their own."""

import sys

import django

from config import embedded
from tests.bench import environment

embedded.hold()
environment.add_peers()
django.setup()

from django.core.management import call_command  # noqa: E402  after the set-up it needs

from tests.bench.cache.backplane import bench_backplane  # noqa: E402
from tests.bench.cache.database import bench_database  # noqa: E402
from tests.bench.cache.freshness import bench_freshness  # noqa: E402
from tests.bench.cache.growth import bench_growth  # noqa: E402
from tests.bench.cache.invalidation import bench_invalidation  # noqa: E402
from tests.bench.cache.memory import bench_memory  # noqa: E402
from tests.bench.cache.outage import bench_outage  # noqa: E402
from tests.bench.cache.redis import bench_redis  # noqa: E402
from tests.bench.cache.stampede import bench_stampede  # noqa: E402
from tests.bench.table import Table  # noqa: E402

PARTS = {
    "memory": bench_memory,
    "redis": bench_redis,
    "database": bench_database,
    "stampede": bench_stampede,
    "freshness": bench_freshness,
    "backplane": bench_backplane,
    "invalidation": bench_invalidation,
    "outage": bench_outage,
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
