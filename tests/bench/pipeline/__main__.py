"""``python -m tests.bench.pipeline [PART ...]``: run parts of the benchmark of the pipeline."""

from tests.bench.launching import launch

if __name__ == "__main__":
    launch("tests.bench.pipeline.suite", settings="tests.bench.settings")
