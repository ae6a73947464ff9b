"""What their role in a workspace lets staff do in the admin, on every page of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from jobs.models import BulkAction
from processing.admin.scoping import OfWorkspaces
from processing.choices import Role
from processing.models import (
    ApiKey,
    AuditEvent,
    ChunkTask,
    Document,
    Membership,
    ProcessingTask,
    Question,
    Recording,
    Topic,
    Transcript,
    Translation,
    Webhook,
    WebhookDelivery,
    Workspace,
)
from processing.workspaces.role_permissions import ROLE_OF, is_allowed
from tests.admin.test_history import BUTTONS
from tests.admin.test_tenancy import key_of
from tests.api.test_tenancy import WORD, World
from tests.factories.processing import WorkspaceFactory

pytestmark = pytest.mark.django_db

VERBS = ["view", "add", "change", "delete"]
VERBS_OF_ROWS = ["view", "change", "delete"]

#: model -> what a viewer does with it, an editor too, a manager too; whatever is not here, nobody
#: does without a permission by hand. The machine's rows are only looked at, and buttons on their
#: pages need what changing them would.
#: Bulk actions have no role: each shows who began it, and operators, how far it is.
CONTENT = ("view", "", "")
EXPECTED: dict[type[Model], tuple[str, str, str]] = {
    Recording: ("view", "add change", "delete"),
    Document: ("view", "add change", "delete"),
    Question: ("view", "add", ""),
    Topic: ("view", "change", "delete"),
    Transcript: CONTENT,
    ProcessingTask: CONTENT,
    ChunkTask: CONTENT,
    Translation: CONTENT,
    ApiKey: ("", "", "view add"),
    Webhook: ("", "", "view"),
    WebhookDelivery: ("", "", "view"),
    AuditEvent: ("", "", "view"),
    Workspace: ("view", "", "change"),
}
MODELS = list(admin.site._registry)

#: role -> who has it in the workspace of ``World``; nobody has none
ROLES: list[Role | None] = [None, *Role]


def named(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else str(value or "nobody").lower()


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Made once; staff of each role in ``theirs``, who may only look at another workspace."""
    with django_db_blocker.unblock(), transaction.atomic():
        world = World()
        User.objects.create_user("staff-nobody", is_staff=True)
        for role in Role:
            member = User.objects.create_user(f"staff-{role.lower()}", is_staff=True)
            Membership.objects.create(user=member, workspace=world.theirs, role=role)
        yield world
        transaction.set_rollback(True)


def member(role: Role | None) -> User:
    return User.objects.get(username=f"staff-{named(role)}")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def request_of(user: User) -> Any:
    request = RequestFactory().get("/")
    request.user = user
    return request


def expected(model: type[Model], role: Role | None) -> set[str]:
    if model is BulkAction:
        return {"view"}
    if role is None or model not in EXPECTED:
        return set()
    return set(" ".join(EXPECTED[model][: role.rank + 1]).split())


def allowed(model: type[Model], user: User, row: Any = None) -> set[str]:
    """Return which verbs Django's pages let somebody do, to a row if there is one."""
    model_admin: Any = admin.site._registry[model]
    arguments = [request_of(user)] if row is None else [request_of(user), row]
    verbs = VERBS if row is None else VERBS_OF_ROWS
    return {verb for verb in verbs if getattr(model_admin, f"has_{verb}_permission")(*arguments)}


def address_of(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize("role", ROLES, ids=named)
@pytest.mark.parametrize("model", MODELS, ids=named)
def test_role_gives_what_it_says(world: World, model: type[Model], role: Role | None) -> None:
    assert allowed(model, member(role)) == expected(model, role)


@pytest.mark.parametrize("role", Role, ids=named)
@pytest.mark.parametrize("model", EXPECTED, ids=named)
def test_role_is_that_of_the_rows_own_workspace(
    world: World, model: type[Model], role: Role
) -> None:
    """Somebody who manages another workspace has there no more than their role is."""
    row = model._default_manager.get(pk=key_of(world, model))
    user = member(role)
    Membership.objects.create(user=user, workspace=WorkspaceFactory.create(), role=Role.MANAGER)
    bound = {"delete"} if model is Document else set()  # what was said goes with its recording

    assert allowed(model, user, row) == expected(model, role) - {"add"} - bound


@pytest.mark.parametrize("role", ROLES, ids=named)
@pytest.mark.parametrize("model", EXPECTED, ids=named)
def test_pages_are_shown_to_who_may_see_them(
    world: World, model: type[Model], role: Role | None
) -> None:
    client = client_of(member(role))

    answers = [
        client.get(address_of(model, "changelist")),
        client.get(address_of(model, "change", key_of(world, model))),
    ]

    is_seen = "view" in expected(model, role)
    assert [answer.status_code for answer in answers] == ([200, 200] if is_seen else [403, 403])


@pytest.mark.parametrize("role", ROLES, ids=named)
@pytest.mark.parametrize("model", [Recording, Document, Question, ApiKey], ids=named)
def test_forms_are_shown_to_who_may_add(
    world: World, model: type[Model], role: Role | None
) -> None:
    answer = client_of(member(role)).get(address_of(model, "add"))

    assert answer.status_code == (200 if "add" in expected(model, role) else 403)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR], ids=named)
@pytest.mark.parametrize("name", BUTTONS)
def test_buttons_need_an_editor(world: World, name: str, role: Role) -> None:
    address = reverse(f"admin:processing_{name}", args=[world.ids[name.split("_")[0]]])

    answer = client_of(member(role)).post(address, BUTTONS[name])

    assert answer.status_code == (302 if role == Role.EDITOR else 403)


def actions() -> list[Any]:
    request = request_of(User(is_superuser=True, is_active=True))
    registry: Any = admin.site._registry
    return [
        pytest.param(model, name, id=f"{model.__name__}-{name}")
        for model in EXPECTED
        for name, (act, *_) in registry[model].get_actions(request).items()
        if "view" not in getattr(act, "allowed_permissions", ())
    ]


@pytest.mark.parametrize(("model", "action"), actions())
def test_actions_leave_rows_out_where_one_may_only_look(
    world: World, model: type[Model], action: str
) -> None:
    user = member(Role.VIEWER)
    Membership.objects.create(user=user, workspace=world.ours, role=Role.MANAGER)
    user.user_permissions.clear()
    before = world.rows_of_theirs()
    form = {"action": action, "_selected_action": [key_of(world, model)]}
    answers = {"post": "yes", "confirmed": "yes"}

    client_of(user).post(address_of(model, "changelist"), form | answers)

    assert world.rows_of_theirs() | {"processing.AuditEvent": []} == (
        before | {"processing.AuditEvent": []}
    )


def test_who_only_looks_is_told_what_was_left_out(world: World) -> None:
    user = member(Role.VIEWER)
    Membership.objects.create(user=user, workspace=world.ours, role=Role.MANAGER)
    form = {"action": "retry", "_selected_action": [world.ids["transcript"]]}

    answer = client_of(user).post(address_of(Transcript, "changelist"), form, follow=True)

    assert "Left out 1: your role in their workspace" in answer.content.decode()


def test_an_upload_goes_where_somebody_may_add(world: World) -> None:
    user = member(Role.EDITOR)
    third = WorkspaceFactory.create()
    Membership.objects.create(user=user, workspace=world.ours, role=Role.VIEWER)
    Membership.objects.create(user=user, workspace=third, role=Role.EDITOR)

    page = client_of(user).get(address_of(Recording, "add"))

    offered = page.context["adminform"].form.fields["workspace"].queryset
    assert {*offered} == {world.theirs, third}


def test_a_question_without_a_workspace_goes_where_somebody_may_ask(world: World) -> None:
    user = member(Role.EDITOR)
    Membership.objects.create(user=user, workspace=world.ours, role=Role.VIEWER)

    client_of(user).post(address_of(Question, "add"), {"text": f"Where is {WORD}?"})

    assert Question.objects.get(created_by=user).workspace == world.theirs


def test_permission_by_hand_is_good_in_each_of_ones_workspaces(world: World) -> None:
    user = member(Role.VIEWER)
    user.user_permissions.add(Permission.objects.get(codename="change_document"))
    row = Document.objects.get(pk=world.ids["document"])

    assert "change" in allowed(Document, User.objects.get(pk=user.pk), row)


def test_permission_by_hand_is_good_in_no_other_workspace(world: World) -> None:
    user = member(None)
    user.user_permissions.add(Permission.objects.get(codename="change_document"))
    row = Document.objects.get(pk=world.ids["document"])

    assert allowed(Document, User.objects.get(pk=user.pk), row) == set()


@pytest.mark.parametrize("lacking", ["is_staff", "is_active"])
def test_role_gives_nothing_to_who_may_not_enter(world: World, lacking: str) -> None:
    User.objects.filter(username="staff-manager").update(**{lacking: False})
    user = member(Role.MANAGER)

    assert not user.has_perm("processing.view_transcript")
    assert not is_allowed(user, "processing.view_transcript", world.theirs.pk)


def test_role_gives_only_permissions_that_there_are() -> None:
    codenames = Permission.objects.filter(content_type__app_label="processing")

    assert {*ROLE_OF} <= {
        f"processing.{name}" for name in codenames.values_list("codename", flat=True)
    }


def test_each_page_of_workspaces_has_its_roles() -> None:
    of_workspaces = {
        model
        for model, model_admin in admin.site._registry.items()
        if isinstance(model_admin, OfWorkspaces)
    }

    assert of_workspaces == {*EXPECTED}


# Members


def change_members(client: Client, workspace: Workspace, **form: Any) -> Any:
    page = {"name": workspace.name, "engines": "", "memberships-INITIAL_FORMS": 0}
    return client.post(address_of(Workspace, "change", workspace.pk), page | form)


@pytest.mark.parametrize("role", [Role.EDITOR, Role.MANAGER], ids=named)
def test_managers_let_people_in_by_name(world: World, role: Role) -> None:
    newcomer = User.objects.create_user("newcomer")
    members = {
        "memberships-TOTAL_FORMS": 1,
        "memberships-0-workspace": world.theirs.pk,
        "memberships-0-user": "newcomer",
        "memberships-0-role": Role.EDITOR,
    }

    change_members(client_of(member(role)), world.theirs, **members)

    assert newcomer.memberships.exists() is (role == Role.MANAGER)


def test_a_name_that_nobody_has_is_refused_at_its_field(world: World) -> None:
    members = {
        "memberships-TOTAL_FORMS": 1,
        "memberships-0-workspace": world.theirs.pk,
        "memberships-0-user": "no such",
        "memberships-0-role": Role.EDITOR,
    }

    answer = change_members(client_of(member(Role.MANAGER)), world.theirs, **members)

    assert "There is no such user" in answer.content.decode()


def test_a_manager_sees_members_by_name_and_leaves_them_as_they_are(world: World) -> None:
    client = client_of(member(Role.MANAGER))
    page = client.get(address_of(Workspace, "change", world.theirs.pk))
    [formset] = page.context["inline_admin_formsets"]
    kept = {
        form.add_prefix(name): form[name].value() or ""
        for form in formset.formset.initial_forms
        for name in form.fields
    }
    before = list(world.theirs.memberships.values())
    count = len(before)

    answer = change_members(
        client,
        world.theirs,
        **kept | {"memberships-TOTAL_FORMS": count, "memberships-INITIAL_FORMS": count},
    )

    assert answer.status_code == 302, answer.content
    assert 'value="staff-viewer"' in page.content.decode()
    assert list(world.theirs.memberships.values()) == before
