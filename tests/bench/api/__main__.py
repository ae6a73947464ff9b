"""``python -m tests.bench.api [PART ...] [--rows N]``: measure the API through a web server."""

from tests.bench.launching import launch

if __name__ == "__main__":
    launch("tests.bench.api.suite", settings="tests.bench.api.settings")
