"""What a program's key is, and whose, is known by one query."""

import pytest
from django.contrib.auth.models import User

from processing.choices import Role, Scope
from processing.models import ApiKey, Membership, Workspace
from processing.workspaces.access import access_of_key
from processing.workspaces.keys import issue_key, key_of_token
from tests.factories.processing import WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def membership() -> Membership:
    return Membership.objects.create(
        workspace=WorkspaceFactory.create(engines=["sphinx"], language="de"),
        user=User.objects.create(username="anna"),
        role=Role.EDITOR,
    )


def issued(membership: Membership) -> str:
    _, token = issue_key(
        workspace=membership.workspace, user=membership.user, name="k", scopes=Scope.values
    )
    return token


def test_everything_of_a_key_is_what_its_rows_say(membership: Membership) -> None:
    key = key_of_token(issued(membership))

    assert key is not None
    stored = ApiKey.objects.get(pk=key.pk)
    assert values(key) | {"last_used_at": None} == values(stored) | {"last_used_at": None}
    assert values(key.user) == values(User.objects.get(pk=key.user_id))
    assert values(key.workspace) == values(Workspace.objects.get(pk=key.workspace_id))
    assert key.owner_role == stored.owner_role == Role.EDITOR


def test_key_and_access_take_one_query(membership: Membership) -> None:
    token = issued(membership)
    key_of_token(token)  # which notes that it was used

    def recognise() -> None:
        key = key_of_token(token)
        assert key is not None
        assert access_of_key(key) is not None

    assert len(queries_of(recognise)) == 1


def test_key_of_who_is_no_member_any_more_gives_no_access(membership: Membership) -> None:
    token = issued(membership)
    membership.delete()

    key = key_of_token(token)

    assert key is not None
    assert key.owner_role is None
    assert access_of_key(key) is None


def values(row: ApiKey | User | Workspace) -> dict[str, object]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
