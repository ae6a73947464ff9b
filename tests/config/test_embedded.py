"""The promises of ``config.embedded``, with real processes and signals in a ``var`` of our own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from config import env

DEADLINE_SECONDS = 60
#: Several times as long as a guardian needs to see that its users have ended.
PATIENCE_SECONDS = 1.5
URLS = ("DATABASE_URL", "REDIS_URL")

#: Holds the servers until its input ends; to each line it answers with who serves it.
USER = """
import sys
from config import embedded
from config.embedded.servers import SERVERS
embedded.hold()
for line in sys.stdin:
    print(*(server.answering_pid() for server in SERVERS.values()), flush=True)
"""

FORKING_USER = USER.replace("for line", "import os, signal; os.fork() or signal.pause()\nfor line")


class User:
    """A process that needs the servers."""

    started: ClassVar[list["User"]] = []

    def __init__(self, var: Path, script: str = USER, **urls: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=env.BASE_DIR,
            env=_environment(var, **urls),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.started.append(self)

    def servers(self) -> list[str]:
        """The numbers of the processes that answer to this user, PostgreSQL and Redis."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().split()

    def end(self) -> None:
        self.process.communicate(timeout=DEADLINE_SECONDS)

    def kill(self) -> None:
        self.process.kill()
        self.end()


def _environment(var: Path, **urls: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in URLS}
    return inherited | {"LONGHAND_VAR": str(var)} | urls


def _belongs_to(var: Path, process: psutil.Process) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = " ".join(process.cmdline())
        if "config.embedded.guardian" in command:
            return process.environ().get("LONGHAND_VAR") == str(var)
        return process.name() in {"postgres", "redis-server", "initdb"} and (
            str(var) in command or Path(process.cwd()).is_relative_to(var)
        )
    except psutil.Error:
        return False


def _processes(var: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _belongs_to(var, process)]


def _guardians(var: Path) -> list[psutil.Process]:
    guardians = []
    for process in _processes(var):
        with suppress(psutil.Error):  # it ended since it was listed
            if "config.embedded.guardian" in process.cmdline():
                guardians.append(process)
    return guardians


def _wait_until(fact: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not fact():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def _wait_until_nothing_runs(var: Path) -> None:
    _wait_until(lambda: not _processes(var))


def wait_for_the_end(var: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "config.embedded"],
        cwd=env.BASE_DIR,
        env=_environment(var),
        check=True,
        timeout=DEADLINE_SECONDS,
    )


@pytest.fixture
def var() -> Iterator[Path]:
    # Not in pytest's tmp_path: that is closed to the account which serves root.
    top = Path(tempfile.mkdtemp(prefix="longhand-test-"))
    yield top / "var"
    while User.started:
        User.started.pop().kill()
    _wait_until_nothing_runs(top / "var")
    shutil.rmtree(top)


def test_users_that_start_at_the_same_moment_share_the_servers(var: Path) -> None:
    users = [User(var) for _ in range(3)]

    first, second, third = (user.servers() for user in users)

    assert first == second == third
    assert len(first) == 2
    assert len(_guardians(var)) == 1


def test_the_servers_are_gone_when_the_last_user_has_ended(var: Path) -> None:
    users = [User(var), User(var)]
    assert all(user.servers() for user in users)

    for user in users:
        user.end()

    _wait_until_nothing_runs(var)


def test_who_waits_for_the_end_returns_when_the_servers_are_gone(var: Path) -> None:
    user = User(var)
    pids = user.servers()
    user.end()

    wait_for_the_end(var)

    assert not [pid for pid in pids if psutil.pid_exists(int(pid))]


def test_who_waits_for_the_end_of_servers_that_others_use_returns_soon(var: Path) -> None:
    user = User(var)
    pids = user.servers()

    wait_for_the_end(var)

    assert user.servers() == pids


def test_the_servers_are_gone_when_all_users_were_killed(var: Path) -> None:
    users = [User(var), User(var)]
    assert all(user.servers() for user in users)

    for user in users:
        user.kill()

    _wait_until_nothing_runs(var)


def test_the_servers_are_gone_when_their_starter_was_killed_half_way(var: Path) -> None:
    user = User(var)
    _wait_until(lambda: _guardians(var))

    user.kill()

    _wait_until_nothing_runs(var)


def test_the_servers_outlive_the_user_that_started_them_while_another_lives(var: Path) -> None:
    starter = User(var)
    before = starter.servers()
    other = User(var)
    assert other.servers() == before

    starter.kill()

    gone, _ = psutil.wait_procs(_processes(var), timeout=PATIENCE_SECONDS)
    assert gone == []
    assert other.servers() == before


def test_a_forked_child_holds_the_servers_of_its_parent(var: Path) -> None:
    parent = User(var, script=FORKING_USER)
    parent.servers()
    (child,) = psutil.Process(parent.process.pid).children()

    parent.process.kill()
    parent.process.wait(DEADLINE_SECONDS)

    gone, _ = psutil.wait_procs(_processes(var), timeout=PATIENCE_SECONDS)
    assert gone == []
    child.kill()
    _wait_until_nothing_runs(var)


def test_users_can_come_and_go_in_quick_succession(var: Path) -> None:
    for _ in range(5):
        user = User(var)
        assert len(user.servers()) == 2
        user.kill()

    _wait_until_nothing_runs(var)


def test_the_servers_of_a_killed_guardian_serve_on_under_the_next(var: Path) -> None:
    first = User(var)
    before = first.servers()
    _guardians(var)[0].kill()
    _wait_until(lambda: not _guardians(var))

    second = User(var)

    assert second.servers() == before == first.servers()
    assert len(_guardians(var)) == 1
    first.end()
    second.end()
    _wait_until_nothing_runs(var)


def test_what_was_orphaned_by_killing_guardian_and_users_ends_with_the_next_user(var: Path) -> None:
    user = User(var)
    before = user.servers()
    _guardians(var)[0].kill()
    user.kill()

    heir = User(var)

    assert heir.servers() == before
    heir.end()
    _wait_until_nothing_runs(var)


@pytest.mark.parametrize("position", [0, 1], ids=["postgres", "redis"])
def test_a_killed_server_is_started_again_under_its_users(var: Path, position: int) -> None:
    user = User(var)
    before = user.servers()

    os.kill(int(before[position]), signal.SIGKILL)

    newcomer = User(var)
    after = newcomer.servers()
    assert after[position] != before[position]
    assert after[1 - position] == before[1 - position]
    assert user.servers() == after


def test_the_data_survive_killing_everything_at_once(var: Path) -> None:
    user = User(var)
    user.servers()
    for process in _processes(var):
        process.kill()
    user.kill()
    _wait_until_nothing_runs(var)
    created_at = (var / "embedded/postgres/PG_VERSION").stat().st_mtime_ns

    again = User(var)

    assert len(again.servers()) == 2
    assert (var / "embedded/postgres/PG_VERSION").stat().st_mtime_ns == created_at


def test_a_stale_pid_file_that_names_an_innocent_process_does_no_harm(var: Path) -> None:
    user = User(var)
    user.servers()
    pid_file = (var / "embedded/postgres/postmaster.pid").read_text()
    user.end()
    _wait_until_nothing_runs(var)
    with subprocess.Popen(["sleep", "1000"]) as innocent:  # noqa: S607
        stale = pid_file.replace(pid_file.split()[0], str(innocent.pid), 1)
        (var / "embedded/postgres/postmaster.pid").write_text(stale)

        again = User(var)

        assert len(again.servers()) == 2
        again.end()
        _wait_until_nothing_runs(var)
        assert innocent.poll() is None
        innocent.kill()


def test_a_data_directory_left_half_made_is_made_anew(var: Path) -> None:
    half_made = var / "embedded/postgres.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")

    user = User(var)

    assert len(user.servers()) == 2


def test_nothing_starts_when_both_servers_are_somewhere_else(var: Path) -> None:
    user = User(var, DATABASE_URL="postgresql://elsewhere/longhand", REDIS_URL="redis://elsewhere")

    user.end()

    assert user.process.returncode == 0
    assert not (var / "embedded").exists()


def test_only_the_missing_server_starts_when_the_other_is_somewhere_else(var: Path) -> None:
    user = User(var, DATABASE_URL="postgresql://elsewhere/longhand")

    answering = user.servers()

    assert answering[0] == "None"
    assert not (var / "embedded/postgres").exists()


def test_the_servers_listen_on_no_network(var: Path) -> None:
    user = User(var)
    user.servers()

    listening = [
        connection for each in _processes(var) for connection in each.net_connections("inet")
    ]

    assert listening == []


def test_the_sockets_are_closed_to_other_accounts(var: Path) -> None:
    user = User(var)
    user.servers()

    assert (var / "embedded/run").stat().st_mode & 0o777 == 0o700


def test_a_path_too_long_for_a_socket_is_no_obstacle(var: Path) -> None:
    deep = var / ("a" * 50) / ("b" * 50) / ("c" * 50)
    user = User(deep)
    neighbour = User(deep)

    assert len(user.servers()) == 2
    assert user.servers() == neighbour.servers()
    user.end()
    neighbour.end()
    _wait_until_nothing_runs(deep)


def test_interrupting_a_terminal_does_not_reach_the_servers(var: Path) -> None:
    user = User(var)
    user.servers()

    sessions = {os.getsid(process.pid) for process in _processes(var)}

    assert os.getsid(user.process.pid) not in sessions


def test_a_server_that_cannot_start_is_reported_in_its_own_words(var: Path) -> None:
    (var / "embedded/postgres").mkdir(parents=True, mode=0o700)
    (var / "embedded/postgres/PG_VERSION").write_text("9.1\n")

    answer = subprocess.run(
        [sys.executable, "manage.py", "migrate"],
        check=False,
        capture_output=True,
        cwd=env.BASE_DIR,
        env=_environment(var),
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    assert answer.returncode == 1
    assert "The embedded servers do not start." in answer.stderr
    assert "could not access the server configuration file" in answer.stderr
    assert "Traceback" not in answer.stderr
    _wait_until_nothing_runs(var)


@pytest.mark.parametrize("arguments", [["help"], ["--version"], ["migrate", "--help"], ["check"]])
def test_a_command_that_needs_no_server_starts_none(var: Path, arguments: list[str]) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *arguments],
        check=False,
        capture_output=True,
        cwd=env.BASE_DIR,
        env=_environment(var),
        timeout=DEADLINE_SECONDS,
    )

    assert not (var / "embedded").exists()
