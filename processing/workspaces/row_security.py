"""PostgreSQL itself keeps a request in its workspace (``ROW_LEVEL_SECURITY``): a second wall.

From when its workspace is known to its end, each of a request's transactions begins by taking
on the role that the policies are for (``policies``), and naming the workspace. Both hold for
the transaction only, so nothing of it is left on a connection, neither in our pool nor in one of
PgBouncer in its transaction mode.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection, transaction
from psycopg import ClientCursor
from psycopg.pq import TransactionStatus

from processing.workspaces.policies import ROLE, SETTING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from processing.models import Workspace

_ENTER = f"SELECT set_config('role', {ROLE}, true), set_config('{SETTING}', '{{}}', true)"
_LEAVE = f"SELECT set_config('role', 'none', true), set_config('{SETTING}', '', true)"


class _Tenant:
    """Wraps the execution of statements: the first of each transaction enters the workspace."""

    def __init__(self, workspace_id: UUID) -> None:
        self._enter = _ENTER.format(workspace_id)
        self.is_away = False

    def __call__(
        self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any
    ) -> Any:
        cursor = context["cursor"].cursor
        has_begun = cursor.connection.info.transaction_status != TransactionStatus.IDLE
        if has_begun or self.is_away:
            return execute(sql, params, many, context)
        if isinstance(cursor, ClientCursor) and isinstance(sql, str) and not many:
            # One message to the server, which is one transaction unless one has begun.
            result = execute(f"{self._enter};\n{sql}", params, many, context)
            cursor.nextset()
            return result
        with transaction.atomic():
            self.enter()
            return execute(sql, params, many, context)

    def enter(self) -> None:
        connection.connection.execute(self._enter)


@contextmanager
def as_tenant(workspace_id: UUID) -> Iterator[None]:
    """Have this thread see and change rows of a workspace alone; the policies must be in place.

    What COPY writes is refused: PostgreSQL has no COPY under policies.
    """
    tenant = _Tenant(workspace_id)
    with connection.execute_wrapper(tenant):
        if connection.in_atomic_block:
            tenant.enter()
        try:
            yield
        finally:
            _leave()


@contextmanager
def as_owner() -> Iterator[None]:
    """Have statements in this block see all rows: they say themselves whose they mean.

    Under policies PostgreSQL answers by an index only what cannot tell of rows that it must not
    show, and thinks that full text search might.
    """
    tenants = [each for each in connection.execute_wrappers if isinstance(each, _Tenant)]
    if not tenants or tenants[-1].is_away:
        yield
        return
    _leave()
    tenants[-1].is_away = True
    try:
        yield
    finally:
        tenants[-1].is_away = False
        if _is_in_transaction():
            tenants[-1].enter()


def _leave() -> None:
    """Be the owner again in what is left of a transaction."""
    if _is_in_transaction():
        connection.connection.execute(_LEAVE)


def _is_in_transaction() -> bool:
    """Say whether one has begun that can go on; one that failed takes everything back."""
    database = connection.connection
    return database is not None and (database.info.transaction_status == TransactionStatus.INTRANS)


def confine(request: HttpRequest, workspace: Workspace) -> None:
    """Have the database keep the rest of a request in a workspace, where that is switched on."""
    confinement: Confinement | None = getattr(request, "confinement", None)
    if confinement is not None:
        confinement.enter(workspace.pk)


class Confinement:
    """Where a request is kept, and the way out at its end."""

    def __init__(self) -> None:
        self.workspace_id: UUID | None = None
        self.exits = ExitStack()

    def enter(self, workspace_id: UUID) -> None:
        self.workspace_id = workspace_id
        self.exits.enter_context(as_tenant(workspace_id))


class RowSecurityMiddleware:
    """Lets a request out of its workspace; the innermost, so that others are in none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.ROW_LEVEL_SECURITY:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        confinement = request.confinement = Confinement()  # type: ignore[attr-defined]
        with confinement.exits:
            response = self.get_response(request)
        if response.streaming and confinement.workspace_id is not None:
            parts = iter(response.streaming_content)  # type: ignore[attr-defined]
            response.streaming_content = _kept(parts, confinement.workspace_id)  # type: ignore[attr-defined]
        return response


def _kept(parts: Iterator[bytes], workspace_id: UUID) -> Iterator[bytes]:
    """Yield what is told while it comes, each part made in the workspace."""
    end = object()
    while True:
        with as_tenant(workspace_id):
            part: Any = next(parts, end)
        if part is end:
            return
        yield part
