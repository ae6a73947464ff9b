"""Every list of the admin: it shows, finds, asks a constant number of queries, changes nothing."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from jobs.models import Job, Worker
from processing.models import (
    ChunkTask,
    Engine,
    ProcessingTask,
    Recording,
    Transcript,
    Webhook,
    WebhookDelivery,
    Workspace,
)
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


def engine() -> Engine:
    name = f"engine-{uuid4().hex}"
    Engine.objects.record_failure(name, code="bad_answer", message="it was cut off")
    return Engine.objects.get(name=name)


MACHINE_OWNED: list[tuple[Any, Callable[[], Any]]] = [
    (Job, lambda: JobFactory.create(processing=True)),
    (Worker, WorkerFactory.create),
    (Transcript, lambda: TranscriptFactory.create(partial=True)),
    (ProcessingTask, lambda: ProcessingTaskFactory.create(processing=True)),
    (ChunkTask, lambda: ChunkTaskFactory.create(failed=True)),
    (Engine, engine),
    (Webhook, WebhookFactory.create),
    (WebhookDelivery, WebhookDeliveryFactory.create),
]
ALL: list[tuple[Any, Callable[[], Any]]] = [
    *MACHINE_OWNED,
    (Recording, lambda: TranscriptFactory.create(completed=True).recording),
    (Workspace, WorkspaceFactory.create),
]


def named(model: Any) -> str:
    return str(getattr(model, "__name__", ""))


def page(model: Any, name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


@pytest.mark.parametrize(("model", "make"), ALL, ids=named)
def test_list_asks_the_database_as_often_for_many_as_for_one(
    admin_client: Client, model: Any, make: Callable[[], Any]
) -> None:
    address = page(model, "changelist")
    make()
    admin_client.get(address)  # fills the caches of content types and the like
    few = queries_of(lambda: admin_client.get(address))

    for _ in range(4):
        make()
    many = queries_of(lambda: admin_client.get(address))

    assert len(many) == len(few)
    assert not [sql for sql in many if '"segments"' in sql or '"text"' in sql or '"result"' in sql]


@pytest.mark.parametrize(("model", "make"), ALL, ids=named)
@pytest.mark.parametrize("words", ["nothing like it", "%", "a'b"])
def test_search_for_anything_is_answered(
    admin_client: Client, model: Any, make: Callable[[], Any], words: str
) -> None:
    make()

    response = admin_client.get(page(model, "changelist"), {"q": words})

    assert response.status_code == 200
    assert response.context["cl"].result_count == 0


@pytest.mark.parametrize(("model", "make"), MACHINE_OWNED, ids=named)
def test_row_of_the_machine_is_found_by_its_id(
    admin_client: Client, model: Any, make: Callable[[], Any]
) -> None:
    make()
    row = make()

    response = admin_client.get(page(model, "changelist"), {"q": str(row.pk)})

    assert list(response.context["cl"].result_list) == [row]


@pytest.mark.parametrize(("model", "make"), ALL, ids=named)
def test_row_has_a_page(admin_client: Client, model: Any, make: Callable[[], Any]) -> None:
    assert admin_client.get(page(model, "change", make().pk)).status_code == 200


@pytest.mark.parametrize(("model", "make"), MACHINE_OWNED, ids=named)
def test_row_of_the_machine_is_only_looked_at(
    admin_client: Client, model: Any, make: Callable[[], Any]
) -> None:
    row = make()

    assert admin_client.get(page(model, "add")).status_code == 403
    assert admin_client.post(page(model, "change", row.pk), {}).status_code == 403
    assert admin_client.post(page(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize(("model", "make"), ALL, ids=named)
def test_list_is_for_staff_only(client: Client, model: Any, make: Callable[[], Any]) -> None:
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
