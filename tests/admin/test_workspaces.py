"""Workspaces, their members, keys and audit events in the admin."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from processing.choices import Role
from processing.models import ApiKey, AuditEvent, Membership, Workspace
from processing.workspaces.audit import record_event
from processing.workspaces.keys import issue_key, key_of_token, revoke_key
from processing.workspaces.quotas import charge_rest
from tests.api.test_workspaces import user
from tests.factories.processing import RecordingFactory, TranscriptFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

WORKSPACES = reverse("admin:processing_workspace_changelist")
KEYS = reverse("admin:processing_apikey_changelist")
ADD_KEY = reverse("admin:processing_apikey_add")
EVENTS = reverse("admin:processing_auditevent_changelist")

TOKEN = re.compile(r"lh_[0-9a-f]{16}_[0-9a-f]{64}")


def page_of(workspace: Workspace) -> str:
    return reverse("admin:processing_workspace_change", args=[workspace.pk])


def change(client: Client, workspace: Workspace, *members: Any, **changes: Any) -> Any:
    """Save a workspace's page with these (membership, role, is removed) in it."""
    form = {
        "name": workspace.name,
        "engines": "",
        "memberships-TOTAL_FORMS": len(members),
        "memberships-INITIAL_FORMS": sum(membership is not None for membership, *_ in members),
    }
    for i, (membership, role, *is_removed) in enumerate(members):
        form |= {
            f"memberships-{i}-id": membership.pk,
            f"memberships-{i}-workspace": workspace.pk,
            f"memberships-{i}-user": membership.user_id,
            f"memberships-{i}-role": role,
        }
        if is_removed:
            form[f"memberships-{i}-DELETE"] = "on"
    return client.post(page_of(workspace), form | changes)


def staff(*permissions: str, **roles: Any) -> Client:
    """Somebody who may enter the admin and do no more there than is said."""
    somebody = user("staff", **roles)
    User.objects.update(is_staff=True)
    somebody.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(somebody)
    return client


# Workspaces


def test_page_shows_what_is_used_of_what(admin_client: Client) -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=10**9, max_audio_minutes_per_month=600)
    recording = RecordingFactory.create(workspace=workspace)
    run = TranscriptFactory.create(recording=recording)
    charge_rest(run.pk, heard_seconds=90.0)

    shown = admin_client.get(page_of(workspace)).content.decode()

    assert "62.5\xa0KB of 953.7\xa0MB" in shown
    assert "1.5 of 600 min" in shown
    assert "0 transcribed now, 1 waiting" in shown


def test_list_costs_the_same_however_long_it_is(admin_client: Client) -> None:
    WorkspaceFactory.create()
    few = queries_of(lambda: admin_client.get(WORKSPACES))
    for workspace in WorkspaceFactory.create_batch(3):
        RecordingFactory.create(workspace=workspace)

    assert len(queries_of(lambda: admin_client.get(WORKSPACES))) == len(few)


def test_superuser_sets_the_limits(admin_client: Client) -> None:
    workspace = WorkspaceFactory.create()

    change(
        admin_client,
        workspace,
        language="de",
        retention_days=90,
        max_storage_bytes=0,
        max_concurrent_recordings=2,
    )

    workspace.refresh_from_db()
    assert (workspace.language, workspace.retention_days) == ("de", 90)
    assert (workspace.max_storage_bytes, workspace.max_concurrent_recordings) == (0, 2)
    assert workspace.max_audio_minutes_per_month is None


def test_other_staff_leave_the_limits_as_they_are() -> None:
    workspace = WorkspaceFactory.create(max_storage_bytes=5)
    client = staff("change_workspace", "view_workspace")
    Membership.objects.create(workspace=workspace, user=User.objects.get(username="staff"))

    change(client, workspace, name="Other", max_storage_bytes=10**9)

    workspace.refresh_from_db()
    assert (workspace.name, workspace.max_storage_bytes) == ("Other", 5)


@pytest.mark.parametrize(
    ("field", "value"),
    [("retention_days", 0), ("max_concurrent_recordings", 0), ("language", "xx")],
)
def test_what_cannot_be_is_refused_at_its_field(
    admin_client: Client, field: str, value: Any
) -> None:
    response = change(admin_client, WorkspaceFactory.create(), **{field: value})

    assert field in response.context["adminform"].form.errors


# Members


def test_member_is_given_another_role_and_another_one_shown_out(admin_client: Client) -> None:
    bob, ann = user("bob", one=Role.VIEWER), user("ann", one=Role.MANAGER)
    workspace = Workspace.objects.get()
    _, token = issue_key(workspace=workspace, user=ann, name="x", scopes=["read"])

    change(
        admin_client,
        workspace,
        (bob.memberships.get(), Role.MANAGER),
        (ann.memberships.get(), Role.MANAGER, True),
    )

    assert [(row.user, row.role) for row in workspace.memberships.all()] == [(bob, Role.MANAGER)]
    assert key_of_token(token) is None


@pytest.mark.parametrize("changed", [(Role.EDITOR,), (Role.MANAGER, True)], ids=["role", "out"])
def test_last_manager_stays(admin_client: Client, changed: tuple[Any, ...]) -> None:
    ann = user("ann", one=Role.MANAGER)
    workspace = Workspace.objects.get()

    response = change(admin_client, workspace, (ann.memberships.get(), *changed))

    assert "Nobody would manage the workspace any more." in response.content.decode()
    assert ann.memberships.get().role == Role.MANAGER


def test_workspace_that_never_had_a_manager_can_be_saved(admin_client: Client) -> None:
    bob = user("bob", one=Role.VIEWER)

    response = change(admin_client, Workspace.objects.get(), (bob.memberships.get(), Role.EDITOR))

    assert response.status_code == 302


# Keys


def test_token_of_a_new_key_is_shown_once(admin_client: Client) -> None:
    ann = user("ann", one=Role.EDITOR)
    workspace = Workspace.objects.get()
    form = {"name": "ci", "workspace": workspace.pk, "user": ann.pk, "scopes": ["read", "write"]}

    response = admin_client.post(ADD_KEY, form | {"expires_in_days": 30})

    [token] = TOKEN.findall(response.content.decode())
    key = key_of_token(token)
    assert "no-store" in response["Cache-Control"]
    assert key is not None
    assert (key.name, key.user, key.workspace, key.scopes) == (
        "ci",
        ann,
        workspace,
        ["read", "write"],
    )
    shown = admin_client.get(reverse("admin:processing_apikey_change", args=[key.pk]))
    assert not TOKEN.search(shown.content.decode())
    assert key.secret_hash not in shown.content.decode()
    assert AuditEvent.objects.get().action == "admin.apikey.create"


@pytest.mark.parametrize(
    ("scopes", "field"),
    [(["manage"], "scopes"), ([], "scopes")],
    ids=["too wide", "none"],
)
def test_key_that_may_not_be_is_refused_at_its_field(
    admin_client: Client, scopes: list[str], field: str
) -> None:
    ann = user("ann", one=Role.EDITOR)
    form = {"name": "ci", "workspace": Workspace.objects.get().pk, "user": ann.pk}

    response = admin_client.post(ADD_KEY, form | {"scopes": scopes})

    assert field in response.context["errors"]
    assert not ApiKey.objects.exists()


def test_key_is_not_made_where_its_owner_is_no_member(admin_client: Client) -> None:
    form = {"name": "ci", "workspace": WorkspaceFactory.create().pk, "user": user("ann").pk}

    response = admin_client.post(ADD_KEY, form | {"scopes": ["read"]})

    assert response.context["errors"]["workspace"] == ["ann is no member of it."]


def test_other_staff_make_keys_for_themselves_alone() -> None:
    client = staff("add_apikey", "view_apikey", one=Role.EDITOR)
    ann = user("ann", one=Role.MANAGER)
    theirs = WorkspaceFactory.create()
    form = {"name": "ci", "scopes": ["read"], "user": ann.pk}

    client.post(ADD_KEY, form | {"workspace": theirs.pk})
    client.post(ADD_KEY, form | {"workspace": Workspace.objects.get(slug="one").pk})

    assert [key.user.username for key in ApiKey.objects.all()] == ["staff"]


def test_staff_who_may_not_add_keys_see_no_form() -> None:
    assert staff("view_apikey").get(ADD_KEY).status_code == 403


def act(client: Client, action: str, *keys: ApiKey) -> str:
    selection = {"action": action, "_selected_action": [key.pk for key in keys]}
    return client.post(KEYS, selection, follow=True).content.decode()


def key_of(owner: User) -> ApiKey:
    return issue_key(workspace=Workspace.objects.get(), user=owner, name="x", scopes=["read"])[0]


def test_selected_keys_are_revoked(admin_client: Client) -> None:
    ann = user("ann", one=Role.EDITOR)
    keys = [key_of(ann) for _ in range(2)]
    revoke_key(keys[0])

    shown = act(admin_client, "revoke", *keys)

    assert "Revoked 1 of 2." in shown
    assert not ApiKey.objects.usable().exists()
    assert '<span class="badge badge-revoked">' in shown


def test_selected_keys_are_exchanged_but_for_those_that_are_good_for_nothing(
    admin_client: Client,
) -> None:
    ann = user("ann", one=Role.EDITOR)
    good, bad = key_of(ann), key_of(ann)
    revoke_key(bad)

    shown = act(admin_client, "rotate", good, bad)

    [token] = TOKEN.findall(shown)
    successor = key_of_token(token)
    assert successor is not None
    assert successor.user == ann
    assert "the key was revoked, or has expired" in shown


def test_other_staff_exchange_their_own_keys_only() -> None:
    client = staff("change_apikey", "view_apikey", one=Role.EDITOR)
    own, other = key_of(User.objects.get()), key_of(user("ann", one=Role.EDITOR))

    shown = act(client, "rotate", own, other)

    assert len(TOKEN.findall(shown)) == 1
    assert "only its owner or a superuser exchanges a key" in shown


def test_list_of_keys_costs_the_same_however_long_it_is(admin_client: Client) -> None:
    ann = user("ann", one=Role.EDITOR)
    key_of(ann)
    few = queries_of(lambda: admin_client.get(KEYS))
    for name in ("bob", "cid"):
        key_of(user(name, one=Role.EDITOR))

    assert len(queries_of(lambda: admin_client.get(KEYS))) == len(few)


# Audit events


def test_events_are_looked_at_and_nothing_else(admin_client: Client) -> None:
    event = record_event(action="recording.create", object_type="recording", object_id="7")
    assert event is not None
    address = reverse("admin:processing_auditevent_change", args=[event.pk])

    assert "recording.create" in admin_client.get(EVENTS, {"q": "7"}).content.decode()
    assert admin_client.get(address).status_code == 200
    assert admin_client.post(address, {"action": "x"}).status_code == 403
    assert admin_client.get(reverse("admin:processing_auditevent_add")).status_code == 403


def test_latest_event_comes_first(admin_client: Client) -> None:
    for number in range(3):
        record_event(action="x.create", object_type="x", object_id=str(number))

    response = admin_client.get(EVENTS)

    assert [row.object_id for row in response.context["cl"].result_list] == ["2", "1", "0"]
