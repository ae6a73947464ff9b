"""Connections to PostgreSQL for statements that are nobody's transaction."""

import hashlib
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
from django.db import connections
from psycopg import errors
from psycopg._preparing import Prepare, PrepareManager
from psycopg._queries import PostgresQuery
from psycopg.pq import TransactionStatus

from caching.exceptions import DatabaseIsAway, LevelIsBusy

#: How long to wait for a connection when as many as allowed are busy.
WAIT_SECONDS = 0.2

#: For libpq, unless the alias has its own: how long to try, and to go on without an answer.
LIMITS = {"connect_timeout": 1, "tcp_user_timeout": 2000}

#: What says that the server cannot do it now, or not yet: before the first migration.
AWAY = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.UndefinedTable,
)

#: What says of a prepared statement that the session is not ours alone, or that a table changed.
UNPREPARED = (
    errors.InvalidSqlStatementName,
    errors.DuplicatePreparedStatement,
    errors.FeatureNotSupported,
)

Row = tuple[Any, ...]


class PreparedByContent(PrepareManager):
    """Names each prepared statement for what it is, as psycopg, which counts them, does not.

    A pooler may give a session to many clients in turn: a statement that another has prepared
    there under the same name is the same.
    """

    prepare_threshold = 1

    def get(self, query: PostgresQuery, prepare: bool | None = None) -> tuple[Prepare, bytes]:
        """Say whether a query is prepared or should be, and its name."""
        found, name = super().get(query, prepare)
        if found is Prepare.SHOULD:
            content = repr(self.key(query)).encode()
            name = b"cache_" + hashlib.sha256(content).hexdigest()[:40].encode()
        return found, name


class Connections:
    """Up to ``limit`` connections of this process, in autocommit, to the database of an alias.

    Not a ``psycopg_pool``: its threads do not survive a fork, and what it does for each use
    takes as long as half a statement. Those that are idle are a stack, so that few are kept busy.

    Statements are prepared: that halves their time. Behind a pooler that hands sessions around
    one may be missing, or there already: it is run without, and so are all from then on.
    """

    def __init__(self, alias: str, limit: int) -> None:
        self.process_id = os.getpid()
        self._alias = alias
        self._idle: deque[psycopg.Cursor[Row]] = deque()
        self._closings = 0
        self._permits = threading.BoundedSemaphore(limit)
        self._prepares = True

    def execute(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows; ``LevelIsAway`` when that cannot be done now.

        What fails because an idle connection was broken is tried once more on a new one.
        """
        if not self._permits.acquire(timeout=WAIT_SECONDS):
            raise LevelIsBusy("all connections to the database are busy")
        try:
            cursor = self._pop()
            if cursor is not None:
                try:
                    return self._run(cursor, statement, parameters)
                except AWAY:
                    if not cursor.connection.closed:
                        raise
                    self.close()  # the others are from before whatever broke this one
            return self._run(self._connect(), statement, parameters)
        except errors.ProgramLimitExceeded:  # an operational error to psycopg; ours, by a long key
            raise
        except AWAY as error:
            raise DatabaseIsAway(str(error).strip()) from error
        finally:
            self._permits.release()

    def close(self) -> None:
        """Close those that are idle now, and those in use when they are given back."""
        self._closings += 1
        while (cursor := self._pop()) is not None:
            cursor.connection.close()

    def _pop(self) -> psycopg.Cursor[Row] | None:
        with suppress(IndexError):
            return self._idle.pop()
        return None

    def _run(
        self, cursor: psycopg.Cursor[Row], statement: LiteralString, parameters: Sequence[Any]
    ) -> list[Row]:
        closings = self._closings
        try:
            try:
                return _rows(cursor, statement, parameters, is_prepared=self._prepares)
            except UNPREPARED:
                self._prepares = False
                return _rows(cursor, statement, parameters, is_prepared=False)
        finally:
            connection = cursor.connection
            is_idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
            if is_idle and closings == self._closings:
                self._idle.append(cursor)
            else:  # broken, or left in the midst of a statement by a signal's exception
                connection.close()

    def _connect(self) -> psycopg.Cursor[Row]:
        """Connect as Django does, but for what it adds to psycopg for its ORM; return the one
        cursor that the connection is used by.

        Its parameters are asked for each time: who runs tests changes them.
        """
        parameters = LIMITS | connections[self._alias].get_connection_params()
        del parameters["cursor_factory"], parameters["context"]
        connection = psycopg.connect(**parameters | {"autocommit": True})
        connection._prepared = PreparedByContent()
        return connection.cursor(binary=True)


def _rows(
    cursor: psycopg.Cursor[Row],
    statement: LiteralString,
    parameters: Sequence[Any],
    *,
    is_prepared: bool,
) -> list[Row]:
    prepare = None if is_prepared else False  # None is when it pays
    result = cursor.execute(statement, parameters, prepare=prepare).pgresult
    rows = cursor.fetchall() if result is not None and result.nfields > 0 else []
    if result is not None:
        result.clear()  # the cursor would keep it until it is used again
    return rows
