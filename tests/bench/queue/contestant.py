"""One queue in the benchmark: the process that enqueues for it and the processes that work."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from config import embedded, env
from tests.bench import environment
from tests.bench.queue.scoreboard import board
from tests.waiting import wait_for

#: What processes print goes here, to be shown should they fail.
LOGS = env.VAR / "logs"

#: Which database of the one Redis is whose; ours is 0.
_REDIS_DATABASES = {"rq": 1, "celery": 2, "dramatiq": 3, "huey": 4}

_logs = count(1)


class Crew:
    """The running workers of a queue."""

    def __init__(self, roots: list["subprocess.Popen[bytes]"]) -> None:
        self.roots = roots

    @property
    def processes(self) -> list[psutil.Process]:
        """Every process of it, parents before children."""
        found = []
        for root in self.roots:
            with suppress(psutil.NoSuchProcess):
                parent = psutil.Process(root.pid)
                found += [parent, *parent.children(recursive=True)]
        return found

    @property
    def has_failed(self) -> bool:
        """Whether any of its commands has ended, which none should."""
        return any(root.poll() is not None for root in self.roots)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; nothing of it starts anything meanwhile, for it is stopped."""
        self.pause()
        for process in self.processes:
            kill(process.pid)
        for root in self.roots:
            root.wait()

    def _signal(self, number: signal.Signals) -> None:
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


class Contestant:
    """A queue as the benchmark sees it, by its module in ``peers``; a context of its driver."""

    def __init__(self, module: str) -> None:
        self.module = module
        is_ours = module == "ours"
        self._python = sys.executable if is_ours else str(environment.PYTHON)
        self._environment = dict(os.environ)
        if not is_ours:
            del self._environment["DJANGO_SETTINGS_MODULE"]  # Celery would take them for its own
            self._environment |= {
                "LONGHAND_BENCH_POSTGRES": _database(f"bench_{module}"),
                "LONGHAND_BENCH_REDIS": env.with_query(
                    embedded.redis_url(), db=_REDIS_DATABASES.get(module, 0)
                ),
            }

    def __enter__(self) -> Self:
        self._log = self._new_log()
        with self._log.open("wb") as log:
            self._driver = subprocess.Popen(
                [self._python, "-m", "tests.bench.queue.peers.driver", self.module],
                cwd=environment.PROJECT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._modes: dict[str, list[list[str]]] = self.ask("modes")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._driver.kill()
        self._driver.communicate()

    def ask(self, operation: str, *arguments: Any) -> Any:
        """Have the driver do something and return its answer."""
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps([operation, *arguments]) + "\n")
        self._driver.stdin.flush()
        answer = self._driver.stdout.readline()
        if not answer:
            words = self._log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{self.module} cannot {operation}:\n{words}")
        return json.loads(answer)

    @contextmanager
    def started(self, mode: str, *, copies: int = 1) -> Iterator[Crew]:
        """Start the workers of a mode, ``copies`` times; yield at once, kill them at the end."""
        crew = Crew([self._start(command) for command in self._modes[mode] * copies])
        try:
            yield crew
        finally:
            crew.kill()

    @contextmanager
    def working(self, mode: str, *, greeting: str, forks: bool = False) -> Iterator[Crew]:
        """Start both workers of a mode and yield when each of them has done a job.

        The jobs are of the task ``greeting``, which keeps a worker for a moment. ``forks``
        says that a worker has a child do each of them.
        """
        with self.started(mode) as crew:
            seen: set[int] = set()
            try:
                while len(seen) < 2:
                    first = board().reserve(2)
                    for number in (first, first + 1):
                        self.ask("enqueue", greeting, number, 1)
                    self._meet(crew, first)
                    who = board().parent if forks else board().pid
                    seen |= {who(first), who(first + 1)}
                wait_for(lambda: not self.ask("left"))
            except AssertionError:
                sys.stderr.write(f"{self.module} does not work:\n{self.last_words()}\n")
                raise
            yield crew

    def _meet(self, crew: Crew, first: int) -> None:
        """Return when two jobs have begun; AssertionError when they will not."""
        wait_for(lambda: board().have_started(first, 2) or crew.has_failed)
        assert not crew.has_failed

    def last_words(self) -> str:
        """Return the end of what each of the processes printed."""
        return "\n".join(
            f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}"
            for path in sorted(LOGS.glob(f"{self.module}-*"))
        )

    def _start(self, command: list[str]) -> "subprocess.Popen[bytes]":
        number = next(_logs)
        with self._new_log().open("wb") as log:
            return subprocess.Popen(
                [argument.replace("{n}", str(number)) for argument in command],
                cwd=environment.PROJECT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _new_log(self) -> Path:
        LOGS.mkdir(exist_ok=True)
        return LOGS / f"{self.module}-{next(_logs)}"


def kill(pid: int) -> None:
    """Kill -9."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@cache
def _database(name: str) -> str:
    """Return the address of a new database on the embedded server."""
    with psycopg.connect(embedded.database_url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return embedded.database_url().replace("/longhand?", f"/{name}?")
