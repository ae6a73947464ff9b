"""The parts of the benchmark, run one after the other on servers of their own."""

import sys

import django

from config import embedded

embedded.hold()
django.setup()

from django.core.management import call_command  # noqa: E402  after the set-up it needs

from tests.bench.pipeline.cpu import bench_cpu  # noqa: E402
from tests.bench.pipeline.limits import bench_limits  # noqa: E402
from tests.bench.pipeline.providers import bench_providers  # noqa: E402
from tests.bench.pipeline.seams import bench_seams  # noqa: E402
from tests.bench.pipeline.speech import bench_speech  # noqa: E402
from tests.bench.pipeline.splitting import bench_splitting  # noqa: E402
from tests.bench.table import Table  # noqa: E402

PARTS = {
    "seams": bench_seams,
    "splitting": bench_splitting,
    "limits": bench_limits,
    "providers": bench_providers,
    "cpu": bench_cpu,
    "speech": bench_speech,
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
