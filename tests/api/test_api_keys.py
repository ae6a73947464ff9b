"""API keys through the API: nobody gives more than they have."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from processing.choices import Role, Scope
from processing.models import ApiKey, AuditEvent, IdempotencyKey, Workspace
from processing.workspaces.audit import record_event
from processing.workspaces.keys import issue_key, key_of_token, revoke_key
from tests.api.test_recordings import assert_problem
from tests.api.test_workspaces import client_of, client_with_key, user
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

KEYS = "/api/v1/api-keys/"
EVENTS = "/api/v1/audit-events/"


@pytest.fixture
def ann() -> User:
    """The manager of workspace ``one``."""
    return user("ann", one=Role.MANAGER)


def create(client: APIClient, *scopes: str, **body: Any) -> Any:
    return client.post(KEYS, {"name": "program", "scopes": scopes, **body}, format="json")


def key_of(owner: User, *scopes: str, slug: str = "one", **key: Any) -> ApiKey:
    workspace = Workspace.objects.get(slug=slug)
    return issue_key(workspace=workspace, user=owner, name="x", scopes=scopes or ["read"], **key)[0]


# Made


def test_key_comes_with_its_token_once(ann: User) -> None:
    client = client_of(ann)

    response = create(client, "read", "write", expires_in_days=30)

    body = response.json()
    again = client.get(response["Location"]).json()
    key = key_of_token(body["token"])
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    assert key is not None
    assert key.expires_at is not None
    assert timedelta(days=29) < key.expires_at - timezone.now() < timedelta(days=30)
    assert (body["scopes"], body["username"], body["is_usable"]) == (["read", "write"], "ann", True)
    assert body["token"].startswith(body["prefix"])
    assert "token" not in again
    assert again == {name: value for name, value in body.items() if name != "token"}


def test_key_that_was_made_says_who_calls(ann: User) -> None:
    token = create(client_of(ann), "read").json()["token"]
    program = APIClient()
    program.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    [item] = program.get(KEYS).json()["items"]

    assert (item["username"], item["last_used_at"] is not None) == ("ann", True)


def test_token_is_in_no_row(ann: User) -> None:
    client = client_of(ann)
    body = {"name": "program", "scopes": ["read"]}

    first = client.post(KEYS, body, format="json", headers={"Idempotency-Key": "k"})
    again = client.post(KEYS, body, format="json", headers={"Idempotency-Key": "k"})

    secret = first.json()["token"].rpartition("_")[2]
    rows = [*ApiKey.objects.values(), *AuditEvent.objects.values()]
    assert (first.status_code, again.status_code) == (201, 409)
    assert secret not in f"{rows}{list(IdempotencyKey.objects.values())}"
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"name": ""},
        {"expires_in_days": 0},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00Z", "expires_in_days": 1},
    ],
    ids=str,
)
def test_what_is_no_key_is_refused(ann: User, body: dict[str, Any]) -> None:
    response = create(client_of(ann), **({"scopes": ["read"]} | body))

    assert_problem(response, 400, "invalid")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("role", "scope", "is_made"),
    [
        (Role.VIEWER, "read", True),
        (Role.VIEWER, "write", False),
        (Role.EDITOR, "write", True),
        (Role.EDITOR, "manage", False),
        (Role.MANAGER, "manage", True),
    ],
)
def test_nobody_issues_more_than_their_role_may(role: Role, scope: str, is_made: bool) -> None:
    response = create(client_of(user("bob", one=role)), "read", scope)

    assert (response.status_code, ApiKey.objects.count()) == ((201, 1) if is_made else (403, 0))


def test_refusal_says_what_was_too_much() -> None:
    response = create(client_of(user("bob", one=Role.VIEWER)), "read", "write", "manage")

    problem = assert_problem(response, 403, "scope_too_wide")
    assert problem["detail"] == "write, manage: more than a member who is VIEWER may do"


@pytest.mark.parametrize("scope", ["read", "write"])
def test_key_that_may_not_manage_changes_no_keys(ann: User, scope: str) -> None:
    program = client_with_key(ann, "one", scope)
    key = key_of(ann)

    responses = [
        create(program, "read"),
        program.post(f"{KEYS}{key.pk}/rotate/"),
        program.post(f"{KEYS}{key.pk}/revoke/"),
        program.delete(f"{KEYS}{key.pk}/"),
    ]

    assert [response.status_code for response in responses] == [403] * 4
    assert ApiKey.objects.usable().count() == 2


def test_key_that_manages_issues_what_its_owner_may_still(ann: User) -> None:
    program = client_with_key(ann, "one", "manage")
    made = create(program, "manage")
    ann.memberships.update(role=Role.EDITOR)

    refused = create(program, "manage")

    assert (made.status_code, refused.status_code) == (201, 403)


# Seen


def test_members_see_their_own_and_managers_all(ann: User) -> None:
    bob = user("bob", one=Role.EDITOR)
    eve = user("eve", two=Role.MANAGER)
    keys = {key_of(owner).pk: owner.username for owner in (ann, bob)}
    key_of(eve, slug="two")

    seen = [
        {item["id"] for item in client_of(caller).get(KEYS).json()["items"]}
        for caller in (ann, bob)
    ]

    assert seen == [set(keys), {pk for pk, name in keys.items() if name == "bob"}]


def test_manager_by_a_lesser_key_sees_their_own_only(ann: User) -> None:
    key_of(user("bob", one=Role.EDITOR))

    items = client_with_key(ann, "one", "read").get(KEYS).json()["items"]

    assert {item["username"] for item in items} == {"ann"}


def test_list_is_narrowed_to_what_can_be_used(ann: User) -> None:
    usable, expired, revoked = key_of(ann), key_of(ann, expires_at=timezone.now()), key_of(ann)
    revoke_key(revoked)
    client = client_of(ann)

    found = [
        {item["id"] for item in client.get(KEYS, {"is_usable": value}).json()["items"]}
        for value in ("true", "false")
    ]

    assert found == [{usable.pk}, {expired.pk, revoked.pk}]


def test_list_costs_the_same_however_long_it_is(ann: User) -> None:
    client = client_of(ann)
    key_of(ann)
    few = queries_of(lambda: client.get(KEYS))
    for name in ("bob", "cid", "dee"):
        key_of(user(name, one=Role.EDITOR))

    assert len(queries_of(lambda: client.get(KEYS))) == len(few)


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("delete", ""), ("post", "rotate/"), ("post", "revoke/")],
)
@pytest.mark.parametrize("role", [Role.EDITOR, Role.MANAGER])
def test_key_of_another_workspace_is_not_there(role: Role, method: str, path: str) -> None:
    key = key_of(user("eve", two=Role.MANAGER), slug="two")
    client = client_of(user("bob", one=role))

    response = getattr(client, method)(f"{KEYS}{key.pk}/{path}")

    assert_problem(response, 404, "not_found")
    assert ApiKey.objects.usable().count() == 1


# Exchanged and revoked


def test_key_is_exchanged_and_good_for_a_while(ann: User) -> None:
    key = key_of(ann, "read", "write")

    response = client_of(ann).post(
        f"{KEYS}{key.pk}/rotate/", {"grace_seconds": 3600}, format="json"
    )

    key.refresh_from_db()
    assert key.expires_at is not None
    assert timedelta(minutes=59) < key.expires_at - timezone.now() < timedelta(hours=1)
    assert response.status_code == 201
    successor = key_of_token(response.json()["token"])
    assert successor is not None
    assert (successor.scopes, successor.expires_at) == (["read", "write"], None)


def test_nobody_else_exchanges_a_key(ann: User) -> None:
    key = key_of(user("bob", one=Role.EDITOR))

    response = client_of(ann).post(f"{KEYS}{key.pk}/rotate/")

    assert_problem(response, 403, "permission_denied")
    assert ApiKey.objects.count() == 1


def test_key_that_is_good_for_nothing_is_not_exchanged(ann: User) -> None:
    key = key_of(ann)
    revoke_key(key)

    assert_problem(client_of(ann).post(f"{KEYS}{key.pk}/rotate/"), 409, "key_unusable")


def test_key_from_when_its_owner_might_do_more_is_not_exchanged(ann: User) -> None:
    key = key_of(ann, "manage")
    ann.memberships.update(role=Role.VIEWER)

    assert_problem(client_of(ann).post(f"{KEYS}{key.pk}/rotate/"), 403, "scope_too_wide")


@pytest.mark.parametrize("owner", ["ann", "bob"], ids=["own", "member's"])
def test_manager_revokes_any_key_and_twice_is_no_error(ann: User, owner: str) -> None:
    user("bob", one=Role.EDITOR)
    key = key_of(User.objects.get(username=owner))
    client = client_of(ann)

    first, again = (client.post(f"{KEYS}{key.pk}/revoke/").json() for _ in range(2))

    assert (first["is_usable"], first) == (False, again)
    assert client.delete(f"{KEYS}{key.pk}/").status_code == 204


def test_deleted_key_stays_in_the_list(ann: User) -> None:
    key = key_of(ann)
    client = client_of(ann)

    client.delete(f"{KEYS}{key.pk}/")

    assert client.get(f"{KEYS}{key.pk}/").json()["revoked_at"] is not None


@pytest.mark.parametrize("scope", list(Scope))
def test_every_scope_has_a_role(scope: Scope) -> None:
    assert scope.role in Role


# Who changed what


def test_managers_read_who_changed_what_the_latest_first(ann: User) -> None:
    client = client_of(ann)
    key = create(client, "read").json()
    client.delete(f"{KEYS}{key['id']}/")

    items = client.get(EVENTS).json()["items"]

    assert [item["action"] for item in items] == ["api-key.destroy", "api-key.create"]
    assert (items[0]["actor"], items[0]["object_id"]) == ("ann", key["id"])


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_nobody_else_reads_who_changed_what(role: Role) -> None:
    client = client_of(user("bob", one=role))

    assert_problem(client.get(EVENTS), 403, "permission_denied")


def test_events_of_another_workspace_are_not_there(ann: User) -> None:
    user("eve", two=Role.MANAGER)
    event = record_event(
        action="x.create", object_type="x", workspace=Workspace.objects.get(slug="two")
    )
    client = client_of(ann)

    assert event is not None
    assert client.get(EVENTS).json()["items"] == []
    assert_problem(client.get(f"{EVENTS}{event.pk}/"), 404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"action": "key.revoke"},
        {"object_id": "7"},
        {"object_type": "key", "actor": "bob"},
        {"created_after": "2026-01-01T00:00:00Z", "action": "key.revoke"},
    ],
    ids=str,
)
def test_events_are_narrowed(ann: User, query: dict[str, str]) -> None:
    workspace, bob = Workspace.objects.get(), user("bob")
    for action, object_id, actor in (("key.create", "6", ann), ("key.revoke", "7", bob)):
        record_event(
            action=action,
            object_type="key",
            object_id=object_id,
            workspace=workspace,
            actor=actor,
        )

    [found] = client_of(ann).get(EVENTS, query).json()["items"]

    assert found["action"] == "key.revoke"


def test_events_come_in_pages_by_cursor(ann: User) -> None:
    workspace, client = Workspace.objects.get(), client_of(ann)
    for number in range(3):
        record_event(action="x.create", object_type="x", object_id=str(number), workspace=workspace)

    first = client.get(EVENTS, {"cursor": "", "size": "2"}).json()
    second = client.get(first["next"]).json()

    pages = [[item["object_id"] for item in page["items"]] for page in (first, second)]
    assert pages == [["2", "1"], ["0"]]


def test_events_are_not_changed(ann: User) -> None:
    event = record_event(action="x.create", object_type="x", workspace=Workspace.objects.get())
    client = client_of(ann)

    assert event is not None
    assert client.delete(f"{EVENTS}{event.pk}/").status_code == 405
    assert client.post(EVENTS, {}, format="json").status_code == 405
