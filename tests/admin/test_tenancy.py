"""Staff see and change nothing of a workspace that they are no member of: on every page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import transaction
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from processing.admin.scoping import OfWorkspaces
from processing.admin.transcript_verbs import TRANSCRIPT_VERBS
from processing.models import Engine
from tests.api.test_tenancy import WORD, World

#: Engines are the installation's.
SHARED = {Engine}

#: What the keys of ``World.ids`` are called where the name of the model is another.
NAMES = {
    "apikey": "api-key",
    "auditevent": "audit-event",
    "chunktask": "chunk",
    "processingtask": "processing",
    "webhookdelivery": "webhook-delivery",
}
PAGES: list[type[Model]] = [
    model for model in admin.site._registry if model._meta.app_label == "processing"
]


def named(model: type[Model]) -> str:
    return model.__name__


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Made once: no test may change anything of it."""
    with django_db_blocker.unblock(), transaction.atomic():
        world = World()
        world.manager.is_staff = True
        world.manager.save()
        own = Permission.objects.filter(content_type__app_label="processing")
        world.manager.user_permissions.set(own)
        yield world
        transaction.set_rollback(True)


@pytest.fixture
def client(world: World, db: None) -> Client:
    client = Client()
    client.force_login(world.manager)
    return client


def key_of(world: World, model: type[Model]) -> Any:
    name = str(model._meta.model_name)
    if name == "topic":
        return model._default_manager.get(slug=world.ids["topic"]).pk
    if name == "workspace":
        return world.theirs.pk
    return world.ids[NAMES.get(name, name)]


def test_every_page_is_of_workspaces_or_known_to_be_shared() -> None:
    unscoped = {
        model for model in PAGES if not isinstance(admin.site._registry[model], OfWorkspaces)
    }

    assert unscoped == SHARED


@pytest.mark.parametrize("model", [each for each in PAGES if each is not Engine], ids=named)
def test_lists_have_nothing_of_theirs(client: Client, world: World, model: type[Model]) -> None:
    response = client.get(reverse(f"admin:processing_{model._meta.model_name}_changelist"))

    text = response.content.decode()
    assert response.status_code == 200
    assert str(key_of(world, model)) not in text or len(str(key_of(world, model))) < 10
    assert WORD not in text


@pytest.mark.parametrize("model", [each for each in PAGES if each is not Engine], ids=named)
def test_a_row_of_theirs_has_no_page(client: Client, world: World, model: type[Model]) -> None:
    name = f"admin:processing_{model._meta.model_name}_change"

    response = client.get(reverse(name, args=[key_of(world, model)]))

    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")


@pytest.mark.parametrize(
    ("name", "of"),
    [
        *((f"transcript_{verb}", "transcript") for verb in (*TRANSCRIPT_VERBS, "again", "correct")),
        ("document_summarise", "document"),
        ("document_translate", "document"),
        ("document_index", "document"),
    ],
)
def test_verbs_do_nothing_to_theirs(client: Client, world: World, name: str, of: str) -> None:
    before = world.rows_of_theirs()

    response = client.post(reverse(f"admin:processing_{name}", args=[world.ids[of]]), {"to": "de"})

    assert response.status_code == 404
    assert world.rows_of_theirs() == before


def test_search_finds_nothing_of_theirs(client: Client, world: World) -> None:
    address = reverse("admin:processing_document_search")

    unnamed = client.get(address, {"q": WORD})
    named_theirs = client.get(address, {"q": WORD, "workspace": str(world.theirs.pk)})

    assert (unnamed.status_code, named_theirs.status_code) == (200, 200)
    assert "is far away" not in unnamed.content.decode() + named_theirs.content.decode()
