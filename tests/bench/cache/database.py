"""What PostgreSQL as a level takes beside the leanest table, when nothing is nearer."""

# mypy: disable-error-code="import-not-found"

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar, Self

import orjson
import psutil
import psycopg
from django.core.cache.backends.db import DatabaseCache
from django.core.management import call_command
from django.db import models
from django.utils import timezone

from config import embedded
from tests.bench.cache.caches import TIMEOUT, ours
from tests.bench.cache.timing import calls, microseconds
from tests.bench.cache.values import SIZES, transcript
from tests.bench.table import Row, Table

#: Client and server share it: on two, the kernel wakes one client late and another at once.
CORE = 0

#: So many of each, one by one in turn: all commit while the disk is equally busy.
UPSERTS = 500

CREATE = """
CREATE TABLE bench_lean (key text PRIMARY KEY, value bytea NOT NULL, expires_at timestamptz)
"""
GET = "SELECT value FROM bench_lean WHERE key = %s AND expires_at > now()"
UPSERT = """
INSERT INTO bench_lean (key, value, expires_at) VALUES (%s, %s, %s)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""


class Lean(models.Model):
    """The lean table, for Django's ORM."""

    key = models.TextField(primary_key=True)
    value = models.BinaryField()
    expires_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Self]] = models.Manager()

    class Meta:
        managed = False
        db_table = "bench_lean"
        app_label = "caching"

    def __str__(self) -> str:
        return self.key


class BareTable:
    """The lean table, by statements that are prepared."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def get(self, key: str) -> Any:
        found = self._connection.execute(GET, (key,), prepare=True, binary=True).fetchone()
        return None if found is None else orjson.loads(found[0])

    def set(self, key: str, value: Any) -> None:
        row = (key, orjson.dumps(value), _end())
        self._connection.execute(UPSERT, row, prepare=True, binary=True)


class OrmTable:
    """The lean table, by Django's ORM."""

    def get(self, key: str) -> Any:
        row = Lean.objects.filter(expires_at__gt=timezone.now()).get(key=key)
        return orjson.loads(row.value)

    def set(self, key: str, value: Any) -> None:
        row = {"value": orjson.dumps(value), "expires_at": _end()}
        Lean.objects.update_or_create(key=key, defaults=row)


def bench_database(table: Table) -> None:
    value = transcript(SIZES["1 KB"])
    call_command("createcachetable", "bench_django", verbosity=0)
    with (
        psycopg.connect(embedded.database_url(), autocommit=True) as connection,
        ours("L3") as cache,
    ):
        connection.execute(CREATE)
        theirs: dict[str, Any] = {
            "psycopg, lean table": BareTable(connection),
            "Django's ORM, lean table": OrmTable(),
            "DatabaseCache": DatabaseCache("bench_django", {"TIMEOUT": TIMEOUT}),
        }
        keepers = (cache, *theirs.values())
        upserts = [calls(partial(one.set, "key", value)) for one in keepers]
        gets = [calls(partial(one.get, "key")) for one in keepers]
        for upsert in upserts:
            upsert(1)
        with one_core(connection.info.backend_pid):
            for verb, (mine, *others) in {
                "upsert": microseconds(*upserts, rounds=UPSERTS, round_seconds=0),
                "get": microseconds(*gets),
            }.items():
                for limit, name, their in zip((2.0, None, None), theirs, others, strict=True):
                    table.add(Row(f"L3 {verb}, 1 KB, / {name}", mine, their, "us", limit))
        connection.execute("DROP TABLE bench_lean")


@contextmanager
def one_core(backend_pid: int) -> Iterator[None]:
    """Have this process and all that PostgreSQL has forked share a core meanwhile."""
    server = psutil.Process(psutil.Process(backend_pid).ppid())
    processes = [psutil.Process(), *server.children()]
    for process in processes:
        process.cpu_affinity([CORE])
    try:
        yield
    finally:
        for process in processes:
            process.cpu_affinity([])


def _end() -> Any:
    return timezone.now() + timedelta(seconds=TIMEOUT)
