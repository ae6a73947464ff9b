"""Workspaces through the API: whose they are, what they may have, and what is changed of them."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from processing.choices import Role
from processing.models import AuditEvent, Recording, Workspace
from processing.workspaces.keys import issue_key
from processing.workspaces.quotas import charge_rest
from tests.api.conftest import RECORDINGS
from tests.api.test_recordings import assert_problem
from tests.factories.audio import wav_bytes
from tests.factories.processing import (
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

WORKSPACES = "/api/v1/workspaces/"


def user(name: str, **roles: Any) -> User:
    """Somebody, with a role in each workspace that is named by its slug."""
    made = User.objects.create_user(name)
    for slug, role in roles.items():
        workspace, _ = Workspace.objects.get_or_create(slug=slug, defaults={"name": slug})
        made.memberships.create(workspace=workspace, role=role)
    return made


def client_of(somebody: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(somebody)
    return client


def client_with_key(owner: User, slug: str, *scopes: str) -> APIClient:
    """A program that says who it is by a key."""
    workspace = Workspace.objects.get(slug=slug)
    _, token = issue_key(workspace=workspace, user=owner, name="program", scopes=scopes)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def patch(client: APIClient, slug: str, **changes: Any) -> Any:
    return client.patch(f"{WORKSPACES}{slug}/", changes, format="json")


def slugs(client: APIClient) -> set[str]:
    return {item["slug"] for item in client.get(WORKSPACES).json()["items"]}


# Whose they are


def test_list_has_the_callers_own_with_their_roles() -> None:
    WorkspaceFactory.create(slug="foreign")
    client = client_of(user("ann", one=Role.MANAGER, two=Role.VIEWER))

    items = client.get(WORKSPACES).json()["items"]

    assert {item["slug"]: item["role"] for item in items} == {"one": "MANAGER", "two": "VIEWER"}


def test_superuser_manages_all(api: APIClient) -> None:
    user("ann", one=Role.VIEWER)

    items = api.get(WORKSPACES).json()["items"]

    assert ("one", "MANAGER") in {(item["slug"], item["role"]) for item in items}


def test_key_sees_its_one_workspace_and_what_it_may_do_there() -> None:
    ann = user("ann", one=Role.MANAGER, two=Role.MANAGER)
    client = client_with_key(ann, "one", "write")

    [item] = client.get(WORKSPACES).json()["items"]

    assert (item["slug"], item["role"]) == ("one", "EDITOR")
    assert_problem(client.get(f"{WORKSPACES}two/"), 404, "not_found")


def test_who_is_in_no_workspace_sees_none() -> None:
    assert slugs(client_of(user("ann"))) == set()


@pytest.mark.parametrize("path", ["foreign/", "foreign/usage/", "nowhere/"])
def test_workspace_of_others_is_not_there(path: str) -> None:
    WorkspaceFactory.create(slug="foreign")

    response = client_of(user("ann", one=Role.MANAGER)).get(f"{WORKSPACES}{path}")

    assert_problem(response, 404, "not_found")


def test_workspace_of_others_is_not_changed() -> None:
    WorkspaceFactory.create(slug="foreign", name="Theirs")
    client = client_of(user("ann", one=Role.MANAGER))

    assert_problem(patch(client, "foreign", name="Mine"), 404, "not_found")
    assert Workspace.objects.get(slug="foreign").name == "Theirs"


def test_who_is_nobody_is_asked_who_they_are() -> None:
    assert_problem(APIClient().get(WORKSPACES), 401, "not_authenticated")


def test_list_costs_the_same_however_long_it_is() -> None:
    ann = user("ann", one=Role.MANAGER)
    client = client_of(ann)
    few = queries_of(lambda: client.get(WORKSPACES))
    for slug in ("two", "three", "four"):
        workspace = WorkspaceFactory.create(slug=slug)
        ann.memberships.create(workspace=workspace, role=Role.VIEWER)
        RecordingFactory.create(workspace=workspace)

    assert len(queries_of(lambda: client.get(WORKSPACES))) == len(few)


# What is used


def test_usage_is_told_with_the_limits() -> None:
    client = client_of(user("ann", one=Role.VIEWER))
    workspace = Workspace.objects.get()
    Workspace.objects.update(max_storage_bytes=10**9, max_audio_minutes_per_month=600)
    recording = RecordingFactory.create(workspace=workspace)
    charge_rest(TranscriptFactory.create(recording=recording).pk, heard_seconds=90.0)
    ProcessingTaskFactory.create(transcript__recording=recording, processing=True)

    detail = client.get(f"{WORKSPACES}one/").json()
    usage = client.get(f"{WORKSPACES}one/usage/").json()

    assert (detail["max_storage_bytes"], detail["max_concurrent_recordings"]) == (10**9, None)
    assert detail["usage"]["storage_bytes"] == recording.size_bytes
    assert detail["usage"]["audio_minutes"] == 1.5
    assert usage["limits"]["max_audio_minutes_per_month"] == 600
    assert (usage["recordings"], usage["transcribing"], usage["waiting"]) == (1, 1, 1)
    assert usage["months"] == [{"month": usage["month"], "audio_minutes": 1.5}]


# What is changed


def test_manager_changes_what_managers_decide() -> None:
    client = client_of(user("ann", one=Role.MANAGER))

    response = patch(
        client, "one", name="First", language="de", engines=["scripted"], retention_days=90
    )

    workspace = Workspace.objects.get()
    assert response.status_code == 200
    assert (workspace.name, workspace.language) == ("First", "de")
    assert (workspace.engines, workspace.retention_days) == (["scripted"], 90)
    assert response.json()["retention_days"] == 90


def test_slug_stays() -> None:
    client = client_of(user("ann", one=Role.MANAGER))

    response = client.patch(f"{WORKSPACES}one/", {"slug": "other"}, format="json")

    assert (response.status_code, response.json()["slug"]) == (200, "one")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.EDITOR])
def test_others_change_nothing(role: Role) -> None:
    assert_problem(
        patch(client_of(user("ann", one=role)), "one", name="Mine"), 403, "permission_denied"
    )


def test_key_that_may_not_manage_changes_nothing() -> None:
    client = client_with_key(user("ann", one=Role.MANAGER), "one", "read", "write")

    assert_problem(patch(client, "one", name="Mine"), 403, "permission_denied")


def test_limits_are_for_superusers(api: APIClient) -> None:
    manager = client_of(user("ann", one=Role.MANAGER))

    refusal = assert_problem(
        patch(manager, "one", max_storage_bytes=None), 403, "permission_denied"
    )
    response = patch(api, "one", max_storage_bytes=5, max_concurrent_recordings=2)

    assert refusal["detail"] == "Only superusers set max_storage_bytes."
    assert response.json()["max_storage_bytes"] == 5
    assert Workspace.objects.get(slug="one").max_concurrent_recordings == 2


@pytest.mark.parametrize(
    "change",
    [
        {"engines": ["oracle"]},
        {"engines": ["sphinx", "sphinx"]},
        {"language": "xx"},
        {"retention_days": 0},
        {"retention_days": -1},
        {"name": ""},
        {"max_concurrent_recordings": 0},
        {"max_storage_bytes": 2**70},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(api: APIClient, change: dict[str, Any]) -> None:
    WorkspaceFactory.create(slug="one")

    problem = assert_problem(patch(api, "one", **change), 400, "invalid")

    assert set(problem["errors"]) == set(change)


def test_change_leaves_an_event_in_its_workspace() -> None:
    patch(client_of(user("ann", one=Role.MANAGER)), "one", name="First")

    event = AuditEvent.objects.get()
    assert (event.actor_name, event.workspace) == ("ann", Workspace.objects.get())
    assert event.action == "workspace.partial_update"


def test_superuser_makes_a_workspace(api: APIClient) -> None:
    response = api.post(WORKSPACES, {"slug": "new", "name": "New"}, format="json")

    assert response.status_code == 201
    assert response["Location"].endswith(f"{WORKSPACES}new/")
    assert (response.json()["role"], response.json()["usage"]["storage_bytes"]) == ("MANAGER", 0)


def test_workspace_is_made_once_for_an_idempotency_key(api: APIClient) -> None:
    headers = {"Idempotency-Key": "k"}

    answers = [
        api.post(WORKSPACES, {"slug": "new", "name": "New"}, format="json", headers=headers)
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_slug_that_is_taken_is_refused(api: APIClient) -> None:
    WorkspaceFactory.create(slug="one")

    response = api.post(WORKSPACES, {"slug": "one", "name": "New"}, format="json")

    assert "slug" in assert_problem(response, 400, "invalid")["errors"]


def test_managers_and_keys_make_no_workspace(admin_user: User) -> None:
    WorkspaceFactory.create(slug="one")
    body = {"slug": "new", "name": "New"}
    manager = client_of(user("ann", one=Role.MANAGER))
    key = client_with_key(admin_user, "one", "manage")

    responses = [client.post(WORKSPACES, body, format="json") for client in (manager, key)]

    assert [response.status_code for response in responses] == [403, 403]
    assert not Workspace.objects.filter(slug="new").exists()


def test_workspace_is_not_deleted(api: APIClient) -> None:
    WorkspaceFactory.create(slug="one")

    assert_problem(api.delete(f"{WORKSPACES}one/"), 405, "method_not_allowed")


# What does not fit is not taken


class UnreadBody:
    """A body of which nobody may read anything."""

    def read(self, *args: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = read


@pytest.mark.parametrize("path", ["recordings/", "documents/"])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["", "idempotency key"])
def test_file_that_does_not_fit_is_refused_before_it_is_read(
    path: str, headers: dict[str, str]
) -> None:
    client = client_with_key(user("ann", one=Role.EDITOR), "one", "write")
    Workspace.objects.update(max_storage_bytes=1_000_000)

    body: dict[str, Any] = {
        "wsgi.input": UnreadBody(),
        "CONTENT_TYPE": "multipart/form-data; boundary=x",
        "CONTENT_LENGTH": "2000000",
    }
    response = client.post(f"/api/v1/{path}", headers=headers, **body)

    problem = assert_problem(response, 402, "quota_reached")
    assert "may store 1,000,000 bytes (max_storage_bytes); 0 are used" in problem["detail"]


@pytest.mark.parametrize("limit", ["max_storage_bytes", "max_audio_minutes_per_month"])
def test_upload_that_is_over_a_quota_is_refused_and_kept_nowhere(limit: str) -> None:
    client = client_of(user("ann", one=Role.EDITOR))
    Workspace.objects.update(**{limit: 0})

    response = client.post(RECORDINGS, {"file": SimpleUploadedFile("a.wav", wav_bytes())})

    assert limit in assert_problem(response, 402, "quota_reached")["detail"]
    assert not Recording.objects.exists()


def test_upload_that_is_repeated_is_answered_also_when_there_is_no_room() -> None:
    client = client_of(user("ann", one=Role.EDITOR))
    content = wav_bytes(4.0)
    Workspace.objects.update(max_storage_bytes=len(content))

    def post(**headers: str) -> Any:
        return client.post(
            RECORDINGS, {"file": SimpleUploadedFile("a.wav", content)}, headers=headers
        )

    answers = [post(**{"Idempotency-Key": "k"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert_problem(post(), 402, "quota_reached")


def test_document_that_is_over_the_quota_is_refused() -> None:
    client = client_of(user("ann", one=Role.EDITOR))
    Workspace.objects.update(max_storage_bytes=5)

    response = client.post("/api/v1/documents/", {"file": SimpleUploadedFile("a.txt", b"Words.")})

    assert_problem(response, 402, "quota_reached")


def test_small_requests_are_taken_in_a_full_workspace() -> None:
    client = client_of(user("ann", one=Role.EDITOR))
    recording = RecordingFactory.create(workspace=Workspace.objects.get())
    Workspace.objects.update(max_storage_bytes=0)

    response = client.patch(f"{RECORDINGS}{recording.pk}/", {"name": "b"}, format="json")

    assert response.status_code == 200
