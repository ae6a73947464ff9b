"""``python -m tests.bench.admin [PART ...] [--rows N]``: measure the back office."""

from tests.bench.launching import launch

if __name__ == "__main__":
    launch("tests.bench.admin.suite", settings="tests.bench.settings")
