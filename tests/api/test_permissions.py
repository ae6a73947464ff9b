"""What members of a workspace may do in it, and their keys."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from processing.choices import Role, Scope
from processing.models import ApiKey, Membership, Recording, Transcript, Workspace
from processing.workspaces.access import access_of_user
from processing.workspaces.keys import issue_key, revoke_key, rotate_key
from tests.factories.processing import RecordingFactory, TranscriptFactory

pytestmark = pytest.mark.django_db

RECORDINGS = "/api/v1/recordings/"
TRANSCRIPTS = "/api/v1/transcripts/"
JOBS = "/api/v1/jobs/"
CACHE = "/api/v1/cache/stats/"


@pytest.fixture
def workspace() -> Workspace:
    return Workspace.objects.default()


@pytest.fixture
def member(workspace: Workspace) -> User:
    """A viewer of the default workspace, without any permission of Django's."""
    user = User.objects.create_user("member")
    Membership.objects.create(workspace=workspace, user=user, role=Role.VIEWER)
    return user


@pytest.fixture
def client(member: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(member)
    return client


@pytest.fixture
def transcript() -> Transcript:
    return TranscriptFactory.create()


def promote(user: User, role: Role) -> None:
    Membership.objects.filter(user=user).update(role=role)


def client_of(token: str, **headers: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", **headers)
    return client


def statuses_of(client: APIClient, transcript: Transcript) -> tuple[int, int, int]:
    """Return the answers to reading, to changing and to deleting."""
    return (
        client.get(TRANSCRIPTS).status_code,
        client.post(f"{TRANSCRIPTS}{transcript.pk}/cancel/").status_code,
        client.delete(f"{RECORDINGS}{transcript.recording_id}/").status_code,
    )


@pytest.mark.parametrize(
    ("role", "statuses"),
    [
        (Role.VIEWER, (200, 403, 403)),
        (Role.EDITOR, (200, 200, 403)),
        (Role.MANAGER, (200, 200, 204)),
    ],
    ids=["viewer", "editor", "manager"],
)
def test_each_role_may_what_it_may(
    client: APIClient,
    member: User,
    transcript: Transcript,
    role: Role,
    statuses: tuple[int, int, int],
) -> None:
    promote(member, role)

    assert statuses_of(client, transcript) == statuses


@pytest.mark.parametrize(
    ("scopes", "statuses"),
    [
        ([Scope.READ], (200, 403, 403)),
        ([Scope.WRITE], (200, 200, 403)),
        ([Scope.READ, Scope.MANAGE], (200, 200, 204)),
    ],
    ids=["read", "write", "manage"],
)
def test_a_key_may_what_its_scopes_say(
    member: User,
    workspace: Workspace,
    transcript: Transcript,
    scopes: list[str],
    statuses: tuple[int, int, int],
) -> None:
    promote(member, Role.MANAGER)
    _, token = issue_key(workspace=workspace, user=member, name="ci", scopes=scopes)

    assert statuses_of(client_of(token), transcript) == statuses


def test_a_key_may_no_more_than_its_owner(
    member: User, workspace: Workspace, transcript: Transcript
) -> None:
    _, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.MANAGE])

    assert statuses_of(client_of(token), transcript) == (200, 403, 403)


def test_the_secret_of_a_key_is_stored_nowhere(member: User, workspace: Workspace) -> None:
    key, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.READ])

    secret = token.rpartition("_")[2]
    assert secret not in repr(ApiKey.objects.filter(pk=key.pk).values_list())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1] + ("0" if token[-1] != "0" else "1"),
        lambda token: token.upper(),
        lambda token: token[:-1],
        lambda token: f"{token} x",
        lambda token: "lh_0000000000000000_" + "0" * 64,
        lambda token: "",
    ],
    ids=["another secret", "capitals", "too short", "two words", "unknown", "empty"],
)
def test_what_is_no_key_is_refused(member: User, workspace: Workspace, spoil: "type[str]") -> None:
    _, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.READ])

    response = client_of(spoil(token)).get(TRANSCRIPTS)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_that_was_revoked_is_good_for_nothing(member: User, workspace: Workspace) -> None:
    key, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.READ])
    before = client_of(token).get(TRANSCRIPTS).status_code

    revoke_key(key)

    assert (before, client_of(token).get(TRANSCRIPTS).status_code) == (200, 401)


def test_a_key_ends_when_it_was_said_to(member: User, workspace: Workspace) -> None:
    _, token = issue_key(
        workspace=workspace,
        user=member,
        name="ci",
        scopes=[Scope.READ],
        expires_at=timezone.now() - timedelta(seconds=1),
    )

    assert client_of(token).get(TRANSCRIPTS).status_code == 401


def test_the_key_of_who_may_not_log_in_any_more_is_refused(
    member: User, workspace: Workspace
) -> None:
    _, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.READ])
    User.objects.filter(pk=member.pk).update(is_active=False)

    assert client_of(token).get(TRANSCRIPTS).status_code == 401


def test_the_key_of_who_is_no_member_any_more_opens_nothing(
    member: User, workspace: Workspace
) -> None:
    _, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.READ])
    Membership.objects.all().delete()

    response = client_of(token).get(TRANSCRIPTS)

    assert (response.status_code, response.json()["code"]) == (403, "no_workspace")


def test_a_key_that_was_exchanged_is_good_for_a_while(member: User, workspace: Workspace) -> None:
    key, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.WRITE])

    successor, new_token = rotate_key(key, grace=timedelta(minutes=5))

    assert client_of(token).get(TRANSCRIPTS).status_code == 200
    assert client_of(new_token).get(TRANSCRIPTS).status_code == 200
    assert (successor.scopes, successor.name) == (key.scopes, key.name)
    assert key.expires_at is not None
    assert key.expires_at < timezone.now() + timedelta(minutes=6)


def test_that_a_key_was_used_is_written_once_a_minute(member: User, workspace: Workspace) -> None:
    key, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.READ])

    with CaptureQueriesContext(connection) as first:
        client_of(token).get(TRANSCRIPTS)
    with CaptureQueriesContext(connection) as second:
        client_of(token).get(TRANSCRIPTS)

    key.refresh_from_db()
    assert key.last_used_at is not None
    assert [writes_to_keys(first), writes_to_keys(second)] == [1, 0]


def writes_to_keys(queries: CaptureQueriesContext) -> int:
    return sum('UPDATE "api_keys"' in query["sql"] for query in queries.captured_queries)


def test_who_is_in_no_workspace_sees_nothing() -> None:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("stranger", is_staff=True))

    response = client.get(RECORDINGS)

    assert (response.status_code, response.json()["code"]) == (403, "no_workspace")


def test_who_is_in_several_workspaces_names_the_one_they_mean(
    client: APIClient, member: User
) -> None:
    other = Workspace.objects.create(name="Other", slug="other")
    Membership.objects.create(workspace=other, user=member, role=Role.VIEWER)
    recording = RecordingFactory.create(workspace=other)

    unnamed = client.get(RECORDINGS).json()["items"]
    named = client.get(RECORDINGS, headers={"Longhand-Workspace": "other"}).json()["items"]

    assert unnamed == []
    assert [item["id"] for item in named] == [str(recording.pk)]


def test_the_default_workspace_is_there_when_it_is_named(admin_user: User) -> None:
    Workspace.objects.all().delete()

    access = access_of_user(admin_user, "default")

    assert access is not None
    assert access.workspace.slug == "default"


@pytest.mark.parametrize("slug", ["other", "nowhere"], ids=["not theirs", "not there"])
def test_a_workspace_that_is_not_theirs_is_not_there(client: APIClient, slug: str) -> None:
    Workspace.objects.create(name="Other", slug="other")

    assert client.get(RECORDINGS, headers={"Longhand-Workspace": slug}).status_code == 404


def test_a_key_is_of_one_workspace(member: User, workspace: Workspace) -> None:
    other = Workspace.objects.create(name="Other", slug="other")
    Membership.objects.create(workspace=other, user=member, role=Role.MANAGER)
    _, token = issue_key(workspace=workspace, user=member, name="ci", scopes=[Scope.READ])
    client = client_of(token)

    assert client.get(RECORDINGS, headers={"Longhand-Workspace": workspace.slug}).status_code == 200
    assert client.get(RECORDINGS, headers={"Longhand-Workspace": "other"}).status_code == 404


def test_a_recording_is_renamed_by_editors(client: APIClient, member: User) -> None:
    promote(member, Role.EDITOR)
    recording = RecordingFactory.create()

    response = client.patch(
        f"{RECORDINGS}{recording.pk}/", {"name": "Monday", "sha256": "0" * 64}, format="json"
    )

    after = Recording.objects.get()
    assert (response.status_code, response.json()["name"]) == (200, "Monday")
    assert (after.name, after.sha256) == ("Monday", recording.sha256)


@pytest.mark.parametrize("path", [CACHE, f"{JOBS}stats/", "/api/v1/workers/"])
def test_what_is_of_the_installation_is_for_operators(client: APIClient, path: str) -> None:
    assert client.get(path).status_code == 403


@pytest.mark.parametrize(
    ("scope", "status"), [(Scope.WRITE, 403), (Scope.MANAGE, 200)], ids=["write", "manage"]
)
@pytest.mark.parametrize("path", [CACHE, f"{JOBS}stats/", "/api/v1/workers/"])
def test_the_key_of_an_operator_is_an_operators_when_it_may_manage(
    admin_user: User, workspace: Workspace, path: str, scope: Scope, status: int
) -> None:
    _, token = issue_key(workspace=workspace, user=admin_user, name="ci", scopes=[scope])

    assert client_of(token).get(path).status_code == status


def test_an_operator_who_is_no_member_sees_jobs_and_no_recordings() -> None:
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_job"))
    client = APIClient()
    client.force_authenticate(staff)

    assert client.get(JOBS).status_code == 200
    assert client.get(RECORDINGS).status_code == 403
