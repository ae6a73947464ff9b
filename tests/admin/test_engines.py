"""The page of engines, leaving a provider alone, and what workspaces and chunks say of engines."""

from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from processing.engines.remote import breaker_of, guards_of
from processing.models import Engine, Membership, Workspace
from processing.providers.breaker import CircuitStatus
from processing.providers.rate_limit import RateLimiter
from tests.api.test_engines import KEY, PROVIDER, away, provider
from tests.factories.processing import ChunkTaskFactory, WorkspaceFactory

__all__ = ["away", "provider"]

pytestmark = pytest.mark.django_db

LIST = reverse("admin:processing_engine_changelist")
CHUNKS = reverse("admin:processing_chunktask_changelist")


def page(client: Client, name: str = "") -> str:
    """Return the page of an engine, or of all."""
    address = reverse("admin:processing_engine_change", args=[name]) if name else LIST
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def act(client: Client, action: str, *names: str, **fields: str) -> str:
    selection = {"action": action, "_selected_action": names, **fields}
    response = client.post(LIST, selection, follow=True)
    return response.content.decode()


def status(name: str) -> CircuitStatus:
    return breaker_of(name).state().status


def test_list_has_engines_with_and_without_a_record(admin_client: Client, provider: str) -> None:
    Engine.objects.record_failure("retired", code="bad_answer", message="it was cut off")

    response = admin_client.get(LIST)

    names = [engine.name for engine in response.context["cl"].result_list]
    assert names == ["broken", "remote", "retired", "scripted", "sphinx", "whisper"]
    assert Engine.objects.count() == 1


def test_search_finds_engines_with_and_without_a_record(admin_client: Client) -> None:
    Engine.objects.record_failure("script-reader", code="bad_answer", message="")

    response = admin_client.get(LIST, {"q": "SCRIPT"})

    names = [engine.name for engine in response.context["cl"].result_list]
    assert names == ["script-reader", "scripted"]


def test_engine_shows_its_speed_and_its_last_failure(admin_client: Client) -> None:
    Engine.objects.record_run("scripted", chunk_count=1_234, audio_seconds=120.0, busy_seconds=15.0)
    Engine.objects.record_failure("scripted", code="bad_answer", message="it was cut off")

    shown = page(admin_client)

    assert "8.0x real time" in shown
    assert "1,234, 1 failed" in shown
    assert "bad_answer: it was cut off (0\xa0minutes ago)" in shown


def test_provider_shows_what_is_used_and_left_of_its_limits(
    admin_client: Client, provider: str
) -> None:
    limiter = guards_of(provider).limiter
    assert isinstance(limiter, RateLimiter)

    with limiter.admitted():
        shown = page(admin_client)

    assert "concurrency: 1 used, 7 left</div>" in shown
    assert "left at once, 600 a minute</div>" in shown
    assert '<span class="badge badge-ready">READY</span>' in shown


def test_engine_that_cannot_be_made_is_listed_with_the_reason(
    admin_client: Client, settings: LazySettings
) -> None:
    settings.ENGINES = {**settings.ENGINES, "odd": "no_such_package.Engine"}

    assert "unavailable: No module named &#x27;no_such_package&#x27;" in page(admin_client)
    assert '<span class="badge badge-unavailable">' in page(admin_client, "odd")


def test_provider_is_unknown_while_redis_is_away(
    admin_client: Client, settings: LazySettings, away: None
) -> None:
    settings.PROVIDERS = {"away-list": PROVIDER}

    shown = page(admin_client)

    assert '<span class="badge badge-unknown">UNKNOWN</span>' in shown
    assert "unknown: Redis is away" in shown


@pytest.mark.parametrize("name", ["scripted", "remote"])
def test_engine_without_a_record_has_a_page(admin_client: Client, provider: str, name: str) -> None:
    assert f'<div class="readonly">{name}</div>' in page(admin_client, name)


def test_engine_nobody_knows_has_no_page(admin_client: Client) -> None:
    address = reverse("admin:processing_engine_change", args=["oracle"])

    assert admin_client.get(address)["Location"] == reverse("admin:index")


@pytest.mark.parametrize("name", ["", "remote"], ids=["list", "page"])
def test_no_key_is_ever_shown(admin_client: Client, provider: str, name: str) -> None:
    assert KEY not in page(admin_client, name)


def test_tripping_a_breaker_has_all_workers_leave_the_provider_alone(
    admin_client: Client, provider: str
) -> None:
    shown = act(admin_client, "trip", provider)

    assert "Nobody asks remote for 300 s." in shown
    assert '<span class="badge badge-open">OPEN</span>' in shown
    assert 290 < breaker_of(provider).state().seconds <= 300


def test_resetting_a_breaker_has_the_provider_asked_again(
    admin_client: Client, provider: str
) -> None:
    breaker_of(provider).trip(60)

    shown = act(admin_client, "reset", provider)

    assert "All workers ask remote again." in shown
    assert status(provider) == CircuitStatus.CLOSED


def test_engine_of_our_own_has_no_breaker_to_trip(admin_client: Client, provider: str) -> None:
    shown = act(admin_client, "trip", "scripted", provider)

    assert "No breaker is before scripted: only before providers." in shown
    assert status(provider) == CircuitStatus.OPEN


def test_tripping_without_redis_says_who_does_not_hear_of_it(
    admin_client: Client, settings: LazySettings, away: None
) -> None:
    settings.PROVIDERS = {"away-trip": PROVIDER}

    shown = act(admin_client, "trip", "away-trip")

    assert "Redis is away: only this process knows of away-trip." in shown


def test_who_may_only_look_trips_nothing(
    client: Client, django_user_model: type[User], provider: str
) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_engine"))
    client.force_login(viewer)

    act(client, "trip", provider)

    assert "remote" in page(client)
    assert status(provider) == CircuitStatus.CLOSED


# Workspaces


def save(client: Client, workspace: Workspace, **fields: str) -> Any:
    address = reverse("admin:processing_workspace_change", args=[workspace.pk])
    members = {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    return client.post(address, {"name": workspace.name, **members, **fields})


def test_workspace_has_engines_in_an_order(admin_client: Client) -> None:
    workspace = WorkspaceFactory.create()

    save(admin_client, workspace, engines="sphinx, scripted", max_concurrent_chunks="4")

    workspace.refresh_from_db()
    assert (workspace.engines, workspace.max_concurrent_chunks) == (["sphinx", "scripted"], 4)


def test_workspace_without_engines_and_limit_has_none(admin_client: Client) -> None:
    workspace = WorkspaceFactory.create(engines=["sphinx"], max_concurrent_chunks=4)

    save(admin_client, workspace, engines="", max_concurrent_chunks="")

    workspace.refresh_from_db()
    assert (workspace.engines, workspace.max_concurrent_chunks) == ([], None)


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        pytest.param(
            {"engines": "sphinx,oracle"}, "engines", "There is no engine oracle", id="unknown"
        ),
        pytest.param({"engines": "sphinx,sphinx"}, "engines", "named twice", id="twice"),
        pytest.param(
            {"max_concurrent_chunks": "0"}, "max_concurrent_chunks", "greater than", id="none"
        ),
    ],
)
def test_workspace_refuses_what_nobody_can_do(
    admin_client: Client, fields: dict[str, str], field: str, reason: str
) -> None:
    workspace = WorkspaceFactory.create()

    response = save(admin_client, workspace, **fields)

    assert reason in response.context["adminform"].form.errors[field][0]
    workspace.refresh_from_db()
    assert (workspace.engines, workspace.max_concurrent_chunks) == ([], None)


def test_workspace_is_shown_to_who_may_only_look(
    client: Client, django_user_model: type[User]
) -> None:
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_workspace"))
    client.force_login(viewer)
    workspace = WorkspaceFactory.create(engines=["sphinx"])
    Membership.objects.create(workspace=workspace, user=viewer)

    response = client.get(reverse("admin:processing_workspace_change", args=[workspace.pk]))

    assert "sphinx" in response.content.decode()


# Chunks


def test_chunk_shows_its_engine_its_channel_and_its_speed(admin_client: Client) -> None:
    ChunkTaskFactory.create(completed=True, engine="whisper", channel=1, busy_seconds=0.08)

    shown = admin_client.get(CHUNKS).content.decode()

    assert "0: 0:00 to 0:01, channel 2" in shown
    assert '<td class="field-engine">whisper</td>' in shown
    assert '<td class="field-speed">12.5x</td>' in shown


@pytest.mark.parametrize("busy_seconds", [None, 0.0], ids=["not asked", "no time"])
def test_chunk_whose_engine_took_no_time_has_no_speed(
    admin_client: Client, busy_seconds: float | None
) -> None:
    ChunkTaskFactory.create(completed=True, busy_seconds=busy_seconds)

    assert '<td class="field-speed">–</td>' in admin_client.get(CHUNKS).content.decode()  # noqa: RUF001
