"""Other real processes that use a cache: each runs a function of a test and says what it said."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.caching.conftest import ProcessCache
from tests.processes import environment
from tests.waiting import wait_for

#: What uses models is imported when Django is set up.
PROGRAM = "import django; django.setup(); from tests.caching import processes; processes.main()"


class Other:
    """A process that runs ``function(cache, directory, *arguments)``."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def result(self) -> Any:
        """Wait for its end; return what the function returned."""
        out, _ = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return json.loads(out.splitlines()[-1])


@contextmanager
def other_process(
    function: str, cache: ProcessCache, directory: Path, *arguments: Any
) -> Iterator[Other]:
    """Run a function, named with its module, on the same cache in another process."""
    o = cache.hierarchy.options
    params = {"NAMESPACE": o.namespace, "LEVELS": sorted(o.levels), "REDIS_TIMEOUT_SECONDS": 2.0}
    what = json.dumps([function, o.url, params, str(directory), arguments])
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, what],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Other(process)
        finally:
            process.kill()


def meet(directory: Path, count: int) -> None:
    """Return when ``count`` processes have come here."""
    (directory / f"here-{os.getpid()}").touch()
    wait_for(lambda: len(list(directory.glob("here-*"))) >= count, seconds=30, every=0.002)


def note(directory: Path, name: str) -> None:
    """Add a line to a file; lines of several processes do not mix."""
    with (directory / name).open("a") as file:
        file.write(f"{os.getpid()}\n")


def lines(directory: Path, name: str) -> list[str]:
    path = directory / name
    return path.read_text().split() if path.exists() else []


def main() -> None:
    name, url, options, directory, arguments = json.loads(sys.argv[1])
    module, _, function = name.rpartition(".")
    cache = ProcessCache(url, {"OPTIONS": options})
    result = getattr(importlib.import_module(module), function)(cache, Path(directory), *arguments)
    cache.hierarchy.stop()
    sys.stdout.write(json.dumps(result) + "\n")
