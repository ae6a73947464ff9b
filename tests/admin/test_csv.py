"""Any list as a file: what it shows, in full, for who may see it, and harmless to open."""

import csv
import io
import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from config import csv_lists
from config.csv_lists import cell
from jobs.models import Job, Worker
from processing.choices import Role
from processing.models import AuditEvent, Membership, Recording, Workspace
from tests.admin.rows import LISTED, maker_of
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import RecordingFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


def named(model: type[Model]) -> str:
    return model.__name__


def address(model: type[Model]) -> str:
    return reverse("admin:export", args=[model._meta.app_label, model._meta.model_name])


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def rows_of(response: Any) -> list[dict[str, str]]:
    text = text_of(response)
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


@pytest.fixture
def staff(client: Client) -> User:
    """Staff without any permission, logged in."""
    staff = User.objects.create_user("staff", is_staff=True)
    client.force_login(staff)
    return staff


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_every_list_is_exported_in_plain_values(admin_client: Client, model: type[Model]) -> None:
    row = maker_of(model)()

    response = admin_client.get(address(model))
    rows = rows_of(response)

    found = [each for each in rows if str(row.pk) in each.values()]
    assert len(found) == 1
    assert None not in found[0]  # no row is longer than the header
    assert not [value for value in found[0].values() if re.search(r"[<>]|&\w+;|–", value)]  # noqa: RUF001
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.search(
        r'^attachment; filename="[a-z-]+-\d{4}-\d\d-\d\d\.csv"$',
        response.headers["Content-Disposition"],
    )


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_every_list_leads_to_its_export(admin_client: Client, model: type[Model]) -> None:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"

    text = admin_client.get(reverse(name)).content.decode()

    assert f'href="{address(model)}?" download' in text


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_export_asks_as_often_for_many_rows_as_for_few(
    admin_client: Client, model: type[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.site._registry[model], "list_per_page", 1)
    make = maker_of(model)
    make(), make()
    text_of(admin_client.get(address(model)))
    few = queries_of(lambda: text_of(admin_client.get(address(model))))

    for _ in range(4):
        make()
    many = queries_of(lambda: text_of(admin_client.get(address(model))))

    assert len(many) == len(few)


def test_export_has_all_rows_that_the_filters_and_the_search_leave(admin_client: Client) -> None:
    failed = [JobFactory.create(failed=True) for _ in range(3)]
    JobFactory.create()

    by_filter = admin_client.get(address(Job), {"status__exact": "FAILED"})
    by_search = admin_client.get(address(Job), {"q": str(failed[0].pk)})

    assert {row["id"] for row in rows_of(by_filter)} == {str(job.pk) for job in failed}
    assert [row["id"] for row in rows_of(by_search)] == [str(failed[0].pk)]


def test_export_goes_on_after_the_first_page(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_lists, "SENT_ROWS", 2)
    monkeypatch.setattr(admin.site._registry[Job], "list_per_page", 2)
    ids = {str(JobFactory.create().pk) for _ in range(5)}

    assert {row["id"] for row in rows_of(admin_client.get(address(Job), {"p": "2"}))} == ids


def test_values_are_those_of_the_row(admin_client: Client) -> None:
    job = JobFactory.create(completed=True)
    job.refresh_from_db()
    assert job.started_at is not None
    assert job.completed_at is not None

    [row] = rows_of(admin_client.get(address(Job)))

    assert row["id"] == str(job.pk)
    assert row["status"] == "COMPLETED"
    assert row["created_at"] == job.created_at.isoformat()
    assert row["attempt"] == str(job.attempt)
    assert float(row["duration"]) == (job.completed_at - job.started_at).total_seconds()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a=1", "a=1"),
        (-1, -1),
        (-1.5, -1.5),
        (None, ""),
        (True, "True"),
        (["=a", "b"], "'=a, b"),
    ],
    ids=repr,
)
def test_no_text_is_a_formula_and_numbers_stay_numbers(value: Any, written: Any) -> None:
    assert cell(value) == written


def test_name_of_a_recording_is_no_formula_and_keeps_its_letters(admin_client: Client) -> None:
    name = '=HYPERLINK("http://evil.example";"größe, 大")'
    RecordingFactory.create(name=name)

    [row] = rows_of(admin_client.get(address(Recording)))

    assert row["name"] == f"'{name}"


def test_export_leaves_an_audit_event(admin_client: Client, admin_user: User) -> None:
    JobFactory.create(workspace_id=Workspace.objects.default().pk)

    text_of(admin_client.get(address(Job), {"status__exact": "QUEUED"}))

    event = AuditEvent.objects.get()
    assert (event.action, event.object_type, event.actor) == ("admin.job.export", "job", admin_user)
    assert event.details["filters"] == "status__exact=QUEUED"
    assert "status" in event.details["columns"]


def test_export_is_refused_to_who_may_not_see_the_list(client: Client, staff: User) -> None:
    refused = client.get(address(Worker))
    staff.user_permissions.add(Permission.objects.get(codename="view_worker"))
    WorkerFactory.create()

    assert refused.status_code == 403
    assert len(rows_of(client.get(address(Worker)))) == 1
    assert AuditEvent.objects.count() == 1


def test_export_is_for_staff_only(client: Client) -> None:
    assert client.get(address(Job)).status_code == 302


def test_members_export_what_is_of_their_workspaces(client: Client, staff: User) -> None:
    staff.user_permissions.add(*Permission.objects.filter(codename="view_recording"))
    own = RecordingFactory.create()
    other = RecordingFactory.create(workspace=WorkspaceFactory.create())
    Membership.objects.create(workspace=own.workspace, user=staff, role=Role.VIEWER)

    rows = rows_of(client.get(address(Recording)))
    rows_of_other = rows_of(client.get(address(Recording), {"workspace": other.workspace.slug}))

    assert [row["id"] for row in rows] == [str(own.pk)]
    assert rows_of_other == []
    assert AuditEvent.objects.filter(workspace=own.workspace).count() == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/jobs/nothing/export/", 404),
        ("/admin/processing/passage/export/", 404),
        (f"{address(Job)}?nothing=1", 400),
        (f"{address(Job)}?worker__hostname=x", 400),
    ],
)
def test_what_is_no_list_or_no_filter_of_it_is_refused(
    admin_client: Client, path: str, status: int
) -> None:
    assert admin_client.get(path).status_code == status


def test_head_says_what_there_would_be_and_exports_nothing(admin_client: Client) -> None:
    response = admin_client.head(address(Job))

    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert not AuditEvent.objects.exists()


def test_client_that_leaves_stops_the_query(
    rf: RequestFactory, admin_user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_lists, "SENT_ROWS", 1)
    monkeypatch.setattr(csv_lists, "FETCHED_ROWS", 1)
    monkeypatch.setattr(admin.site._registry[Job], "list_per_page", 1)
    for _ in range(3):
        JobFactory.create()
    request = rf.get(address(Job))
    request.user = admin_user
    response: Any = csv_lists.export_list(admin.site, request, "jobs", "job")
    next(iter(response.streaming_content))
    assert open_cursors() == 1

    for close in response._resource_closers:
        close()

    assert open_cursors() == 0


def test_more_exports_than_a_process_has_slots_are_to_come_again(admin_client: Client) -> None:
    begun: list[Any] = [admin_client.get(address(Job)) for _ in range(csv_lists.SLOT_COUNT)]

    refused = admin_client.get(address(Job))
    texts = [text_of(response) for response in begun]
    later = admin_client.get(address(Job))

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    assert [text_of(later)] * len(begun) == texts


def open_cursors() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '\\_django\\_curs%'")
        return int(cursor.fetchone()[0])
