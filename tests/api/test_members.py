"""Members of a workspace through the API."""

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from processing.choices import Role
from processing.exceptions import LastManager
from processing.models import Membership, Workspace
from processing.workspaces.keys import issue_key, key_of_token
from processing.workspaces.members import add_member, change_role, remove_member
from tests.api.test_recordings import assert_problem
from tests.api.test_workspaces import client_of, client_with_key, user
from tests.concurrency.threads import at_once
from tests.factories.processing import WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

MEMBERS = "/api/v1/members/"


@pytest.fixture
def ann() -> User:
    """The manager of workspace ``one``."""
    return user("ann", one=Role.MANAGER)


@pytest.fixture
def manager(ann: User) -> APIClient:
    return client_of(ann)


def add(client: APIClient, **body: Any) -> Any:
    return client.post(MEMBERS, body, format="json")


def one(somebody: User) -> str:
    """Return the address of somebody's membership."""
    return f"{MEMBERS}{Membership.objects.get(user=somebody).pk}/"


@pytest.mark.parametrize("role", list(Role))
def test_every_member_sees_all(ann: User, role: Role) -> None:
    user("eve", two=Role.MANAGER)

    items = client_of(user("bob", one=role)).get(MEMBERS).json()["items"]

    assert [(item["username"], item["role"]) for item in items] == [
        ("bob", role),
        ("ann", "MANAGER"),
    ]


def test_list_is_narrowed_by_role_and_name(manager: APIClient) -> None:
    user("bob", one=Role.VIEWER)

    [found] = manager.get(MEMBERS, {"role": "VIEWER"}).json()["items"]
    [named] = manager.get(MEMBERS, {"username": "ann"}).json()["items"]

    assert (found["username"], named["username"]) == ("bob", "ann")


def test_list_costs_the_same_however_long_it_is(manager: APIClient) -> None:
    few = queries_of(lambda: manager.get(MEMBERS))
    for name in ("bob", "cid", "dee"):
        user(name, one=Role.EDITOR)

    assert len(queries_of(lambda: manager.get(MEMBERS))) == len(few)


def test_member_is_added_by_name(manager: APIClient) -> None:
    user("bob")

    response = add(manager, username="bob", role="EDITOR")

    body = response.json()
    assert (response.status_code, body["username"], body["role"]) == (201, "bob", "EDITOR")
    assert manager.get(response["Location"]).json() == body


def test_who_is_added_without_a_role_reads(manager: APIClient) -> None:
    user("bob")

    assert add(manager, username="bob").json()["role"] == "VIEWER"


def test_member_is_not_added_twice(manager: APIClient) -> None:
    user("bob", one=Role.EDITOR)

    problem = assert_problem(add(manager, username="bob"), 409, "already_member")

    assert problem["detail"] == "bob is a member already: EDITOR"


@pytest.mark.parametrize("name", ["nobody", "gone"])
def test_who_cannot_log_in_is_not_added(manager: APIClient, name: str) -> None:
    User.objects.create_user("gone", is_active=False)

    assert_problem(add(manager, username=name), 400, "unknown_user")


def test_unknown_role_is_refused(manager: APIClient) -> None:
    user("bob")

    assert_problem(add(manager, username="bob", role="KING"), 400, "invalid")


def test_change_that_names_no_role_changes_nothing(manager: APIClient, ann: User) -> None:
    answer = manager.patch(one(ann), {}, format="json")

    assert (answer.status_code, answer.json()["role"]) == (200, "MANAGER")


def test_role_is_changed(manager: APIClient) -> None:
    bob = user("bob", one=Role.VIEWER)

    response = manager.patch(one(bob), {"role": "MANAGER"}, format="json")

    assert response.json()["role"] == "MANAGER"
    assert bob.memberships.get().role == Role.MANAGER


def test_member_is_removed_and_their_keys_with_them(manager: APIClient) -> None:
    bob = user("bob", one=Role.EDITOR, two=Role.EDITOR)
    tokens = [
        issue_key(workspace=workspace, user=bob, name="x", scopes=["read"])[1]
        for workspace in Workspace.objects.order_by("slug")
    ]
    membership = bob.memberships.get(workspace__slug="one")

    assert manager.delete(f"{MEMBERS}{membership.pk}/").status_code == 204
    add(manager, username="bob")

    assert [key_of_token(token) is not None for token in tokens] == [False, True]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_others_change_nothing(ann: User, role: Role) -> None:
    bob = user("bob", one=role)
    client = client_of(bob)

    responses = [
        add(client, username="ann"),
        client.patch(one(bob), {"role": "MANAGER"}, format="json"),
        client.delete(one(ann)),
    ]

    assert [response.status_code for response in responses] == [403, 403, 403]
    assert bob.memberships.get().role == role


def test_key_that_may_not_manage_adds_nobody(ann: User) -> None:
    user("bob")

    response = add(client_with_key(ann, "one", "write"), username="bob")

    assert_problem(response, 403, "permission_denied")


def test_member_of_another_workspace_is_not_there(manager: APIClient) -> None:
    eve = user("eve", two=Role.VIEWER)

    responses = [
        manager.get(one(eve)),
        manager.patch(one(eve), {"role": "MANAGER"}, format="json"),
        manager.delete(one(eve)),
        manager.get(f"{MEMBERS}no-number/"),
    ]

    assert [response.status_code for response in responses] == [404, 404, 404, 404]
    assert eve.memberships.get().role == Role.VIEWER


# The last manager


def test_last_manager_stays(manager: APIClient, ann: User) -> None:
    user("bob", one=Role.EDITOR)

    demoted = manager.patch(one(ann), {"role": "EDITOR"}, format="json")
    removed = manager.delete(one(ann))

    assert_problem(demoted, 409, "last_manager")
    assert_problem(removed, 409, "last_manager")
    assert ann.memberships.get().role == Role.MANAGER


def test_manager_who_cannot_log_in_is_no_other_manager(manager: APIClient, ann: User) -> None:
    user("bob", one=Role.MANAGER)
    User.objects.filter(username="bob").update(is_active=False)

    assert_problem(manager.delete(one(ann)), 409, "last_manager")


def test_one_of_two_managers_goes(manager: APIClient, ann: User) -> None:
    user("bob", one=Role.MANAGER)

    assert manager.delete(one(ann)).status_code == 204


def test_last_manager_may_be_made_manager_again(manager: APIClient, ann: User) -> None:
    assert manager.patch(one(ann), {"role": "MANAGER"}, format="json").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_managers_who_remove_each_other_at_once_leave_one() -> None:
    workspace = WorkspaceFactory.create()
    members = [
        add_member(workspace=workspace, user=User.objects.create_user(name), role=Role.MANAGER)
        for name in ("ann", "bob", "cid")
    ]

    def goes(leave: Any) -> bool:
        try:
            leave()
        except LastManager:
            return False
        return True

    leaving = [
        partial(remove_member, members[0]),
        partial(change_role, members[1], Role.VIEWER),
        partial(remove_member, members[2]),
    ]
    gone = at_once([partial(goes, leave) for leave in leaving])

    assert gone.count(True) == 2
    assert workspace.memberships.managers().count() == 1
