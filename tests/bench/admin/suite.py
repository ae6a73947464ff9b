"""The parts of the benchmark, run one after the other on servers of their own."""

import argparse
import sys
from functools import partial

import django

from config import embedded

embedded.hold()
django.setup()

from django.core.management import call_command  # noqa: E402  after the set-up it needs

from tests.bench.admin.board import bench_board  # noqa: E402
from tests.bench.admin.lists import bench_lists, list_times  # noqa: E402
from tests.bench.api.lists import FEW  # noqa: E402
from tests.bench.api.rows import new_corpus, write_rows  # noqa: E402
from tests.bench.table import Table  # noqa: E402

#: Of recordings, and of transcripts, runs and jobs.
ROWS = 1_000_000

PARTS = ("board", "lists")


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.admin")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rows", type=int, default=ROWS, metavar="N", help="of each table")
    options = parser.parse_args()
    wanted = options.parts or list(PARTS)
    if unknown := set(wanted) - {*PARTS}:
        sys.exit(f"unknown part {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    call_command("migrate", verbosity=0)
    table = Table()
    corpus = new_corpus()
    write_rows(corpus, 1, FEW)
    of_few = list_times() if "lists" in wanted else {}
    write_rows(corpus, FEW + 1, options.rows)
    parts = {
        "lists": partial(bench_lists, table, of_few, options.rows),
        "board": partial(bench_board, table, corpus, options.rows),
    }
    for name in wanted:
        sys.stderr.write(f"-- {name}\n")
        parts[name]()
    table.finish()


if __name__ == "__main__":
    main()
