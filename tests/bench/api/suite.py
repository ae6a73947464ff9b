"""The parts of the benchmark, run one after the other on servers of their own."""

import argparse
import sys
import time
from functools import partial

import django

from config import embedded

embedded.hold()
django.setup()

from django.core.management import call_command  # noqa: E402  after the set-up it needs

from tests.bench.api.lists import FEW, FEW_DATABASE, bench_lists  # noqa: E402
from tests.bench.api.rates import bench_rates, bench_row_security  # noqa: E402
from tests.bench.api.rows import copy_database, new_corpus, write_rows  # noqa: E402
from tests.bench.api.streams import bench_streams  # noqa: E402
from tests.bench.api.uploads import bench_uploads  # noqa: E402
from tests.bench.table import Row, Table  # noqa: E402

#: Of recordings, and of transcripts, runs and jobs.
ROWS = 2_000_000

PARTS = ("lists", "rates", "row_security", "uploads", "streams")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.api")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help="of the long lists")
    options = parser.parse_args()
    wanted = options.parts or list(PARTS)
    if unknown := set(wanted) - {*PARTS}:
        sys.exit(f"unknown part {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    call_command("migrate", verbosity=0)
    table = Table()
    corpus = new_corpus()
    write_rows(corpus, 1, FEW)
    if "lists" in wanted:
        copy_database(FEW_DATABASE)
        started = time.perf_counter()
        write_rows(corpus, FEW + 1, options.rows)
        table.add(Row(f"{options.rows:,} rows of each", time.perf_counter() - started, 240.0, "s"))
    parts = {
        "lists": partial(bench_lists, table, corpus, options.rows),
        "rates": partial(bench_rates, table, corpus),
        "row_security": partial(bench_row_security, table, corpus),
        "uploads": partial(bench_uploads, table, corpus),
        "streams": partial(bench_streams, table, corpus),
    }
    for name in wanted:
        sys.stderr.write(f"-- {name}\n")
        parts[name]()
    table.finish()


if __name__ == "__main__":
    main()
