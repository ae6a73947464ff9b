"""``python -m tests.bench.search [PART ...] [--documents N]``: measure search and the index."""

from tests.bench.launching import launch

if __name__ == "__main__":
    launch("tests.bench.search.suite", settings="tests.bench.settings")
