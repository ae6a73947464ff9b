"""``create_workspace``, ``create_api_key`` and ``purge_recordings`` as their users call them."""

import io
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from processing.choices import Role
from processing.management.commands import purge_recordings as command
from processing.models import ApiKey, AuditEvent, Recording, Workspace
from processing.workspaces.keys import key_of_token
from processing.workspaces.retention import purge_recordings
from tests.api.test_workspaces import user
from tests.commands.test_job_commands import Terminal, run
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import RecordingFactory, TranscriptFactory, WorkspaceFactory

pytestmark = pytest.mark.django_db

#: How a key is asked for, but for whose it is.
KEY = ("create_api_key", "--name", "ci", "--workspace", "one")
PURGE = ("purge_recordings", "--older-than", "30d")


def old_recording(**recording: Any) -> Recording:
    return RecordingFactory.create(created_at=timezone.now() - timedelta(days=31), **recording)


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Say what somebody at a terminal answers."""
    return lambda text: monkeypatch.setattr("sys.stdin", Terminal(text))


# Workspaces


def test_workspace_is_made_with_its_manager() -> None:
    user("ann")

    status, out, _ = run("create_workspace", "team", "--name", "The Team", "--manager", "ann")

    workspace = Workspace.objects.get()
    assert (status, out) == (0, ["Made workspace team."])
    assert (workspace.slug, workspace.name) == ("team", "The Team")
    assert workspace.memberships.get().role == Role.MANAGER


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("taken",), "Workspace with this Slug already exists."),
        (("no slug",), "Enter a valid “slug”"),
        (("team", "--manager", "nobody"), "there is no user 'nobody'"),
    ],
    ids=["taken", "no slug", "no user"],
)
def test_workspace_that_cannot_be_is_not_made(arguments: tuple[str, ...], reason: str) -> None:
    WorkspaceFactory.create(slug="taken")

    status, _, err = run("create_workspace", *arguments)

    assert status == 2
    assert reason in err[0]
    assert Workspace.objects.count() == 1


# Keys


def test_token_alone_is_written_to_standard_output() -> None:
    user("ann", one=Role.EDITOR)

    status, out, err = run(*KEY, "--user", "ann", "--scopes", "read,write", "--expires-in", "90d")

    [token] = out
    key = key_of_token(token)
    assert status == 0
    assert key is not None
    assert (key.name, key.scopes, key.user.username) == ("ci", ["read", "write"], "ann")
    assert key.expires_at is not None
    assert timedelta(days=89) < key.expires_at - timezone.now() < timedelta(days=90)
    assert token not in "\n".join(err)
    assert AuditEvent.objects.get().object_id == key.pk


def test_key_reads_for_ever_when_nothing_else_is_said() -> None:
    user("ann", one=Role.EDITOR)

    run(*KEY, "--user", "ann")

    key = ApiKey.objects.get()
    assert (key.scopes, key.expires_at) == (["read"], None)


def test_superuser_needs_no_membership(admin_user: User) -> None:
    WorkspaceFactory.create(slug="one")

    status, _, _ = run(*KEY, "--user", "admin", "--scopes", "manage")

    assert status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("--user", "eve"), 1, "eve is no member of one"),
        (
            ("--user", "ann", "--scopes", "manage"),
            1,
            "manage: more than a member who is EDITOR may do",
        ),
        (("--user", "nobody"), 2, "there is no user 'nobody'"),
        (("--user", "ann", "--workspace", "two"), 2, "no workspace 'two'; known: one"),
        (("--user", "ann", "--scopes", "read,fly"), 1, "no scope fly; known: read, write, manage"),
        (("--user", "ann", "--expires-in", "soon"), 1, "'soon' is no length of time"),
    ],
    ids=["no member", "too wide", "no user", "no workspace", "no scope", "no time"],
)
def test_key_that_may_not_be_is_not_made(
    arguments: tuple[str, ...], status: int, reason: str
) -> None:
    user("ann", one=Role.EDITOR)
    user("eve")

    answered, out, err = run(*KEY, *arguments)

    assert (answered, out) == (status, [])
    assert reason in err[0]
    assert not ApiKey.objects.exists()


# Recordings


def test_dry_run_counts_and_deletes_nothing() -> None:
    old_recording()
    DocumentFactory.create(created_at=timezone.now() - timedelta(days=31))
    TranscriptFactory.create(recording=old_recording())

    status, out, _ = run(*PURGE, "--dry-run")

    assert (status, out) == (0, ["Would delete 1 recordings and 1 uploaded documents."])
    assert Recording.objects.count() == 2


def test_who_says_yes_means_it(answering: Callable[[str], None]) -> None:
    old_recording()
    answering("y\n")

    status, out, err = run(*PURGE)

    assert (status, out) == (0, ["Deleted 1 recordings and documents."])
    assert err == ["1 recordings and 0 uploaded documents are to go for good. Continue? [y/N] "]
    assert not Recording.objects.exists()


@pytest.mark.parametrize("answer", ["\n", "no\n", ""], ids=["nothing", "no", "end"])
def test_who_does_not_say_yes_keeps_all(answering: Callable[[str], None], answer: str) -> None:
    old_recording()
    answering(answer)

    status, out, err = run(*PURGE)

    assert (status, out, err[0].endswith("nothing was done")) == (1, [], True)
    assert Recording.objects.count() == 1


def test_without_a_terminal_nothing_is_deleted_but_with_yes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old_recording()
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    status, _, err = run(*PURGE)

    assert (status, err) == (2, ["1 recordings and 0 uploaded documents would go: say --yes"])
    assert Recording.objects.count() == 1


def test_one_workspace_is_purged_without_asking() -> None:
    old_recording()
    old_recording(workspace=WorkspaceFactory.create(slug="one"))

    status, out, _ = run(*PURGE, "--workspace", "one", "--yes")

    assert (status, out) == (0, ["Deleted 1 recordings and documents."])
    assert Recording.objects.get().workspace.slug == "default"


@pytest.mark.parametrize("slug", ["", "nowhere"])
def test_workspace_that_is_not_there_is_not_all_of_them(slug: str) -> None:
    old_recording()

    status, _, err = run(*PURGE, "--workspace", slug, "--yes")

    assert (status, err) == (2, [f"no workspace {slug!r}; known: default"])
    assert Recording.objects.count() == 1


def test_nothing_is_asked_where_there_is_nothing() -> None:
    RecordingFactory.create()

    assert run(*PURGE) == (0, ["Nothing to delete."], [])


def test_ctrl_c_stops_after_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        old_recording()

    def interrupted(*, after_batch: Callable[[int], None], **options: Any) -> int:
        def then(count: int) -> None:
            signal.raise_signal(signal.SIGINT)
            after_batch(count)

        return purge_recordings(after_batch=then, **options)

    monkeypatch.setattr(command, "purge_recordings", interrupted)

    status, _, err = run(*PURGE, "--yes", "--batch-size", "2")

    assert (status, err) == (130, ["Stopped: 2 are deleted; the same command goes on."])
    assert Recording.objects.count() == 1
