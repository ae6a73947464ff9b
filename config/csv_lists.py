"""Any list of the admin as CSV: the columns it shows, of all rows that its filters leave.

A page of a model says in ``plain_values`` what a column that is made for the eye stands for:
column -> the path of a field, or what makes the value of a row. Where it says nothing, a column
that is sorted by a field stands for that field, and another for its text.
"""

from __future__ import annotations

import csv
import html
import io
from dataclasses import dataclass
from datetime import date
from itertools import islice
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import BadRequest, FieldDoesNotExist, PermissionDenied
from django.db import connections, transaction
from django.db.models import Field, Model
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.text import slugify

from jobs.presentation import NOTHING
from processing.admin.scoping import workspaces_of
from processing.workspaces.audit import record_event

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator

    from django.contrib.admin import AdminSite
    from django.contrib.admin.views.main import ChangeList
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from processing.models import Workspace

CONTENT_TYPE = "text/csv; charset=utf-8"

#: Without it spreadsheets take UTF-8 for something else.
BYTE_ORDER_MARK = "\ufeff"

#: A text that begins so is run by spreadsheets. Source: OWASP, CSV Injection.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

#: Rows that are fetched at once, and those that are sent at once.
FETCHED_ROWS = 2_000
SENT_ROWS = 500

#: A process exports so many at once, for each has a thread and a connection of PostgreSQL; whoever
#: asks for more is told to come again.
SLOT_COUNT = 2
RETRY_SECONDS = 30
SLOTS = BoundedSemaphore(SLOT_COUNT)

#: A client that takes nothing for so long is given up, and PostgreSQL waits a little longer.
SEND_SECONDS = 30.0
IDLE_TIMEOUT = "SET LOCAL idle_in_transaction_session_timeout = '60s'"


@dataclass(frozen=True)
class Column:
    """The name of a column, and what it has of a row."""

    name: str
    value: Callable[[Any], Any]


def export_list(
    site: AdminSite, request: HttpRequest, app_label: str, model_name: str
) -> HttpResponseBase:
    """Answer a list as a file, row by row while PostgreSQL finds them; there is no limit.

    The query is stopped when the client leaves; 503 while ``SLOT_COUNT`` others are exported. Who
    exported what, and how they had narrowed the list, is written down before the first row is
    sent.
    """
    try:
        model_admin = site._registry[apps.get_model(app_label, model_name)]
    except LookupError:
        raise Http404 from None
    if not model_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    try:
        listed = model_admin.get_changelist_instance(request)
    except IncorrectLookupParameters as error:
        raise BadRequest(str(error)) from error
    columns = columns_of(listed)
    name = slugify(str(listed.opts.verbose_name_plural))
    headers = {
        "Content-Disposition": f'attachment; filename="{name}-{timezone.localdate()}.csv"',
        "X-Accel-Buffering": "no",
    }
    if request.method == "HEAD":
        return HttpResponse(content_type=CONTENT_TYPE, headers=headers)
    if not SLOTS.acquire(blocking=False):
        said = "Other lists are being exported just now: try again in a minute."
        refused = {"Retry-After": str(RETRY_SECONDS)}
        return HttpResponse(said, content_type="text/plain", status=503, headers=refused)
    content = _in_slot(_written(columns, _rows(listed)))
    next(content)  # from here on the slot is given back with it, however it ends
    record_event(
        action=f"admin.{model_name}.export",
        object_type=model_name,
        workspace=_workspace_of(request),
        actor=request.user if request.user.is_authenticated else None,
        details={"filters": request.GET.urlencode()[:500], "columns": [c.name for c in columns]},
    )
    connection: socket.socket | None = request.META.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(SEND_SECONDS)
    return StreamingHttpResponse(content, content_type=CONTENT_TYPE, headers=headers)


def _in_slot(lines: Iterator[str]) -> Iterator[str]:
    """Yield that it has begun, which holds a slot, and then ``lines``."""
    try:
        yield ""
        yield from lines
    finally:
        SLOTS.release()


def columns_of(listed: ChangeList) -> list[Column]:
    """Return the columns of a list as they are exported: first what identifies a row."""
    shown = [name for name in listed.list_display if name != "action_checkbox"]
    columns = [_column(listed, str(name)) for name in shown]
    pk = listed.opts.pk
    if pk.name not in [column.name for column in columns]:
        columns.insert(0, Column(pk.name, _at_path(pk.attname)))
    return columns


def _column(listed: ChangeList, name: str) -> Column:
    model_admin: Any = listed.model_admin
    label, shown = label_for_field(name, listed.model, model_admin, return_attr=True)
    plain = getattr(model_admin, "plain_values", {}).get(name)
    if callable(plain):
        return Column(str(label), plain)
    ordering = getattr(shown, "admin_order_field", None)
    path = plain or (ordering.lstrip("-") if isinstance(ordering, str) else None)
    if path is None and _field(listed, name) is not None:
        path = name
    if path is None:
        return Column(str(label), lambda row: lookup_field(name, row, model_admin)[2])
    field = _field(listed, path)
    if field is None:
        return Column(str(label), _at_path(path))
    return Column(field.name, _at_path(field.attname))


def _field(listed: ChangeList, name: str) -> Field[Any, Any] | None:
    try:
        field = listed.opts.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, Field) else None


def _at_path(path: str) -> Callable[[Any], Any]:
    names = path.split("__")

    def value(row: Any) -> Any:
        for name in names:
            if row is None:
                return None
            row = getattr(row, name)
        return row

    return value


def _rows(listed: ChangeList) -> Iterator[Any]:
    """Yield all rows of a list, of many only a few at a time.

    By a cursor of the server, which ends with its transaction: so it is safe behind PgBouncer,
    and a client that leaves takes it along.
    """
    if not listed.multi_page:
        yield from listed.result_list
        return
    rows = listed.queryset
    with transaction.atomic(using=rows.db):
        with connections[rows.db].cursor() as cursor:
            cursor.execute(IDLE_TIMEOUT)
        yield from rows.iterator(chunk_size=FETCHED_ROWS)


def _written(columns: list[Column], rows: Iterator[Any]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    text.write(BYTE_ORDER_MARK)
    writer.writerow(column.name for column in columns)
    values = [column.value for column in columns]
    while batch := list(islice(rows, SENT_ROWS)):
        writer.writerows([cell(value(row)) for value in values] for row in batch)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    if text.tell():
        yield text.getvalue()


def cell(value: Any) -> str | int | float:
    """Return a value as a cell: numbers as they are, times in ISO 8601, no text a formula."""
    if value is None:
        return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    text = _text(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _text(value: Any) -> str:
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    if isinstance(value, Model):
        return str(value.pk)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    if hasattr(value, "__html__"):  # lines and marks are apart
        value = html.unescape(strip_tags(value.__html__().replace("<", " <")))
        value = " ".join(value.split())
    text = str(value)
    return "" if text == NOTHING else text


def _workspace_of(request: HttpRequest) -> Workspace | None:
    """Return the workspace that a list is of, when it is of one."""
    workspaces: Iterable[Workspace] = workspaces_of(request)
    if slug := request.GET.get("workspace"):
        workspaces = workspaces_of(request).filter(slug=slug)
    first, *others = [*islice(workspaces, 2), None]
    return None if any(others) else first
