"""``python -m tests.fuzz [--max-time SECONDS]``: requests of all kinds to a server that is real."""

from tests.bench.launching import launch

if __name__ == "__main__":
    launch("tests.fuzz.suite", settings="tests.fuzz.settings", install=lambda: None)
