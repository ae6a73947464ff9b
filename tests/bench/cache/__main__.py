"""``python -m tests.bench.cache [PART ...]``: run parts of the benchmark of the cache."""

from tests.bench.launching import launch

if __name__ == "__main__":
    launch("tests.bench.cache.suite", settings="tests.bench.settings")
