"""Every list of the admin: it shows, finds, asks a constant number of queries, changes nothing."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from jobs import lists
from jobs.admin import MachineOwnedAdmin
from jobs.models import Job, Worker
from processing.admin.scoping import OfWorkspaces, WorkspaceFilter
from processing.models import (
    ApiKey,
    AuditEvent,
    ChunkTask,
    Document,
    ProcessingTask,
    Question,
    Recording,
    Transcript,
    WebhookDelivery,
    Workspace,
)
from tests.admin.rows import LISTED, maker_of
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import ChunkTaskFactory, RecordingFactory, WorkspaceFactory
from tests.plans.listed_tables import FILLED
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

#: Each choice and order of the others' lists is asked for where it is seen what that reads.
NOT_FILLED = [model for model in LISTED if model not in FILLED]
MACHINE_OWNED = [
    model
    for model in LISTED
    if isinstance(admin.site._registry[model], MachineOwnedAdmin) and model is not Question
]
IN_WORKSPACES = [
    model
    for model in LISTED
    if isinstance(admin.site._registry[model], OfWorkspaces) and model is not Workspace
]


def named(model: Any) -> str:
    return str(getattr(model, "__name__", ""))


def page(model: Any, name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def narrowings(client: Client, model: type[Model]) -> list[dict[str, str]]:
    """Return what each choice of each filter of a list asks for."""
    listed = client.get(page(model, "changelist")).context["cl"]
    queries = [
        choice["query_string"]
        for spec in listed.filter_specs
        for choice in spec.choices(listed)
        if not choice["selected"]
    ]
    return [dict(parse_qsl(query.removeprefix("?"))) for query in queries]


def sortings(model: type[Model]) -> list[dict[str, str]]:
    """Return what a click on the head of each column that can be sorted by asks for."""
    model_admin: Any = admin.site._registry[model]
    columns = list(model_admin.list_display)
    sortable = columns if model_admin.sortable_by is None else model_admin.sortable_by
    return [{"o": f"{sign}{columns.index(name) + 1}"} for name in sortable for sign in ("", "-")]


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_list_asks_the_database_as_often_for_many_as_for_few(
    admin_client: Client, model: type[Model]
) -> None:
    address, make = page(model, "changelist"), maker_of(model)
    make(), make()
    admin_client.get(address)  # fills the caches of content types and the like
    few = queries_of(lambda: admin_client.get(address))

    for _ in range(4):
        make()
    many = queries_of(lambda: admin_client.get(address))

    assert len(many) == len(few)
    assert not [sql for sql in many if '"segments"' in sql or '"result"' in sql]


@pytest.mark.parametrize("model", NOT_FILLED, ids=named)
def test_every_choice_of_every_filter_is_answered(admin_client: Client, model: type[Model]) -> None:
    maker_of(model)(), maker_of(model)()
    asked = narrowings(admin_client, model)
    together: dict[str, str] = {}
    for each in asked:
        together |= each

    answers = [admin_client.get(page(model, "changelist"), each) for each in [*asked, together]]

    assert {response.status_code for response in answers} == {200}


@pytest.mark.parametrize("model", NOT_FILLED, ids=named)
def test_every_order_of_a_list_is_answered(admin_client: Client, model: type[Model]) -> None:
    maker_of(model)()

    answers = [admin_client.get(page(model, "changelist"), each) for each in sortings(model)]

    assert {response.status_code for response in answers} <= {200}


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_no_list_counts_or_looks_through_a_whole_table(model: type[Model]) -> None:
    model_admin: Any = admin.site._registry[model]

    assert not model_admin.show_full_result_count
    assert model_admin.show_facets is admin.ShowFacets.NEVER
    assert model_admin.paginator is not admin.ModelAdmin.paginator
    assert model_admin.date_hierarchy is None
    assert model_admin.sortable_by is not None
    assert not model_admin.search_fields or model_admin.search_help_text


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_no_filter_asks_a_whole_table_for_its_choices(
    admin_client: Client, model: type[Model]
) -> None:
    maker_of(model)()

    specs = admin_client.get(page(model, "changelist")).context["cl"].filter_specs

    banned = (admin.AllValuesFieldListFilter, admin.RelatedFieldListFilter)
    assert not [spec for spec in specs if isinstance(spec, banned)]


@pytest.mark.parametrize("model", IN_WORKSPACES, ids=named)
def test_what_is_of_workspaces_says_of_which_and_is_narrowed_by_them(model: type[Model]) -> None:
    model_admin: Any = admin.site._registry[model]

    assert model_admin.list_filter[0] is WorkspaceFilter
    assert "workspace_link" in model_admin.list_display


@pytest.mark.parametrize("model", IN_WORKSPACES, ids=named)
def test_filter_by_workspace_leaves_its_rows(admin_client: Client, model: type[Model]) -> None:
    row, other = maker_of(model)(), WorkspaceFactory.create()
    model_admin: Any = admin.site._registry[model]
    slug = Workspace.objects.get(pk=model_admin.workspace_id_of(row)).slug

    own = admin_client.get(page(model, "changelist"), {"workspace": slug})
    theirs = admin_client.get(page(model, "changelist"), {"workspace": other.slug})
    nobodys = admin_client.get(page(model, "changelist"), {"workspace": "nothing"})

    assert row in own.context["cl"].result_list
    assert list(theirs.context["cl"].result_list) == []
    assert list(nobodys.context["cl"].result_list) == []


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_first_column_leads_to_the_page_of_a_row(admin_client: Client, model: type[Model]) -> None:
    row = maker_of(model)()

    text = admin_client.get(page(model, "changelist")).content.decode()

    assert f'<a href="{page(model, "change", quote(row.pk))}' in text.partition("<tbody>")[2]


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_list_without_rows_says_what_to_do(admin_client: Client, model: type[Model]) -> None:
    address = page(model, "changelist")

    text = admin_client.get(address, {"q": "nothing like it"}).content.decode()

    assert 'class="empty-list"' in text


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_search_for_anything_is_answered(admin_client: Client, model: type[Model]) -> None:
    maker_of(model)()

    answers = [admin_client.get(page(model, "changelist"), {"q": words}) for words in ("%", "a'b")]

    assert [response.status_code for response in answers] == [200, 200]
    assert [response.context["cl"].result_count for response in answers] == [0, 0]


@pytest.mark.parametrize("model", MACHINE_OWNED, ids=named)
def test_row_of_the_machine_is_found_by_its_id(admin_client: Client, model: type[Model]) -> None:
    maker_of(model)()
    row = maker_of(model)()

    response = admin_client.get(page(model, "changelist"), {"q": str(row.pk)})

    assert list(response.context["cl"].result_list) == [row]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (Job, "subject_id"),
        (ProcessingTask, "transcript_id"),
        (ChunkTask, "processing_id"),
        (WebhookDelivery, "webhook_id"),
        (AuditEvent, "object_id"),
        (Recording, "sha256"),
        (Recording, "name"),
        (ApiKey, "id"),
        (WebhookDelivery, "message_id"),
        (AuditEvent, "actor_name"),
    ],
    ids=str,
)
def test_row_is_found_by_what_it_refers_to(
    admin_client: Client, model: type[Model], name: str
) -> None:
    row = maker_of(model)()

    response = admin_client.get(page(model, "changelist"), {"q": str(getattr(row, name))})

    assert row in response.context["cl"].result_list


def test_words_are_looked_for_among_the_newest_rows(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "NEWEST_ROWS", 2)
    names = ["rare oldest", "rare middle", "rare newest"]
    for name in names:
        WorkerFactory.create(hostname=name)

    response = admin_client.get(page(Worker, "changelist"), {"q": "rare"})

    found = {worker.hostname for worker in response.context["cl"].result_list}
    assert found == {"rare middle", "rare newest"}


@pytest.mark.parametrize(
    ("few", "found"),
    [(3, ["board oldest", "board newest"]), (1, ["board newest"])],
    ids=["few have them", "many have them"],
)
def test_words_of_names_are_looked_for_among_all_where_few_have_them(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, few: int, found: list[str]
) -> None:
    monkeypatch.setattr(lists, "NEWEST_ROWS", 1)
    monkeypatch.setattr(lists, "FEW_ROWS", few)
    for name in ("board oldest", "board newest"):
        RecordingFactory.create(name=name)

    response = admin_client.get(page(Recording, "changelist"), {"q": "boa*"})

    names = [recording.name for recording in response.context["cl"].result_list]
    assert names == found[::-1]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (Transcript, "transcripts"),
        (ProcessingTask, "transcripts__processings"),
        (ChunkTask, "transcripts__processings__chunks"),
    ],
    ids=["transcripts", "runs", "chunks"],
)
def test_what_is_of_a_recording_is_found_by_words_of_its_name(
    admin_client: Client, model: type[Model], path: str
) -> None:
    maker_of(model)()
    row = maker_of(model)()
    Recording.objects.update(name="something else")
    Recording.objects.filter(**{path: row.pk}).update(name="board_2026.wav")

    response = admin_client.get(page(model, "changelist"), {"q": "board 20*"})

    assert list(response.context["cl"].result_list) == [row]


def test_filter_that_no_index_serves_says_that_it_looks_at_the_newest(
    admin_client: Client,
) -> None:
    maker_of(Document)()

    text = admin_client.get(page(Document, "changelist")).content.decode()

    assert "By status, among the newest 10,000" in text


def test_page_of_a_worker_leads_to_what_it_holds(admin_client: Client) -> None:
    worker = WorkerFactory.create()
    job = JobFactory.create(processing=True, worker=worker)
    chunk = ChunkTaskFactory.create(claimed=True, worker=worker)

    text = admin_client.get(page(Worker, "change", worker.pk)).content.decode()

    assert page(Job, "change", job.pk) in text
    assert page(ChunkTask, "change", chunk.pk) in text


def test_work_of_a_worker_that_is_forgotten_has_a_page(admin_client: Client) -> None:
    job = JobFactory.create(completed=True)
    Worker.objects.all().delete()

    response = admin_client.get(page(Job, "change", job.pk))

    assert response.status_code == 200
    assert str(job.worker_id)[:8] in response.content.decode()


@pytest.mark.parametrize(
    ("noun", "made"), [("job", Job), ("chunk", ChunkTask), ("webhook-delivery", WebhookDelivery)]
)
def test_audit_event_leads_to_what_was_changed(
    admin_client: Client, noun: str, made: type[Model]
) -> None:
    row = maker_of(made)()
    AuditEvent.objects.create(action=f"{noun}.x", object_type=noun, object_id=str(row.pk))

    text = admin_client.get(page(AuditEvent, "changelist")).content.decode()

    assert page(made, "change", row.pk) in text


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_row_has_a_page(admin_client: Client, model: type[Model]) -> None:
    row = maker_of(model)()

    assert admin_client.get(page(model, "change", quote(row.pk))).status_code == 200


@pytest.mark.parametrize("model", MACHINE_OWNED, ids=named)
def test_row_of_the_machine_is_only_looked_at(admin_client: Client, model: type[Model]) -> None:
    row = maker_of(model)()

    assert admin_client.get(page(model, "add")).status_code == 403
    assert admin_client.post(page(model, "change", row.pk), {}).status_code == 403
    assert admin_client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", LISTED, ids=named)
def test_list_is_for_staff_only(client: Client, model: type[Model]) -> None:
    assert client.get(page(model, "changelist")).status_code == 302


def test_worker_is_live_gone_or_stopped(admin_client: Client) -> None:
    WorkerFactory.create()
    WorkerFactory.create(gone=True)
    WorkerFactory.create(stopped=True)

    response = admin_client.get(page(Worker, "changelist"))

    for state in ("live", "gone", "stopped"):
        assert response.content.decode().count(f'<span class="badge badge-{state}">') == 1


def test_a_workspace_that_is_not_there_yet_shows_no_time_of_creation(
    admin_client: Client,
) -> None:
    text = admin_client.get(page(Workspace, "add")).content.decode()

    assert "Max concurrent chunks" in text
    assert "Created at" not in text


def test_workspace_keeps_the_slug_it_was_given(admin_client: Client) -> None:
    workspace = WorkspaceFactory.create()

    form = {"name": "New", "slug": "new"}
    form |= {f"memberships-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    admin_client.post(page(Workspace, "change", workspace.pk), form)

    slug = workspace.slug
    workspace.refresh_from_db()
    assert (workspace.name, workspace.slug) == ("New", slug)


def test_workspace_with_recordings_is_not_deleted(admin_client: Client) -> None:
    workspace = RecordingFactory.create().workspace

    admin_client.post(page(Workspace, "delete", workspace.pk), {"post": "yes"})

    assert Workspace.objects.filter(pk=workspace.pk).exists()
