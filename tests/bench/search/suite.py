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

from tests.bench.search.corpus import generate  # noqa: E402
from tests.bench.search.indexing import bench_indexing  # noqa: E402
from tests.bench.search.relations import bench_relations  # noqa: E402
from tests.bench.search.searching import bench_searching  # noqa: E402
from tests.bench.table import Row, Table  # noqa: E402

PARTS = {
    "search": bench_searching,
    "related": bench_relations,
    "indexing": bench_indexing,
}

#: With so many, of so many passages each, some 2 GB of text.
DOCUMENTS = 100_000
PASSAGES = 26


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.search")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--documents", type=int, default=DOCUMENTS, metavar="N")
    parser.add_argument("--passages", type=int, default=PASSAGES, metavar="N", help="of each")
    options = parser.parse_args()
    wanted = options.parts or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        sys.exit(f"unknown part {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    call_command("migrate", verbosity=0)
    sys.stderr.write(f"-- {options.documents:,} documents\n")
    table = Table()
    started = time.perf_counter()
    corpus = generate(options.documents, passages=options.passages)
    took = time.perf_counter() - started
    table.add(Row("text that is looked through", corpus.size_bytes / 1e9, 2.0, "GB"))
    table.add(Row("made and indexed, two processes", took, 600.0, "s"))
    parts = {name: partial(bench, table, corpus) for name, bench in PARTS.items()}
    for name in wanted:
        sys.stderr.write(f"-- {name}\n")
        parts[name]()
    table.finish()


if __name__ == "__main__":
    main()
