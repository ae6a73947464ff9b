"""Nobody reads or changes what belongs to another workspace: every route, with every verb.

The routes are those of the router: one that is new is tried here too, and fails until ``World``
knows a foreign object for it.
"""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from config.api import router
from jobs.models import Job
from processing.choices import Role, Scope, WebhookEvent
from processing.models import (
    AuditEvent,
    DocumentVersion,
    Membership,
    ResumableUpload,
    Webhook,
    WebhookDelivery,
    Workspace,
)
from processing.workspaces.keys import issue_key
from tests.factories.jobs import JobFactory
from tests.factories.knowledge import (
    DocumentFactory,
    DocumentTopicFactory,
    PassageFactory,
    QuestionFactory,
    SummaryFactory,
    TopicFactory,
    TranslationFactory,
)
from tests.factories.processing import ChunkTaskFactory, TranscriptFactory, WorkspaceFactory

#: A word that only the other workspace knows.
WORD = "zanzibar"

#: Routes of the installation, whose permissions are tried elsewhere.
OF_INSTALLATION = {"engine", "worker", "cache", "cache-entry"}


#: What the pieces of an upload are sent as.
OF_PIECES = "application/offset+octet-stream"


class World:
    """Two workspaces: ``theirs`` has one of everything, ``ours`` a manager and a few rows."""

    def __init__(self) -> None:
        self.ours = Workspace.objects.default()
        self.theirs = WorkspaceFactory.create(slug="theirs")
        self.manager = _member("manager", self.ours)
        self.other = _member("other", self.theirs)
        transcript = TranscriptFactory.create(recording__workspace=self.theirs, completed=True)
        document = DocumentFactory.create(transcript=transcript, title=WORD)
        PassageFactory.create(document=document, text=f"{WORD} is far away")
        DocumentVersion.objects.create(document=document, number=1, text=WORD)
        topic = TopicFactory.create(workspace=self.theirs, name=WORD, slug=WORD)
        DocumentTopicFactory.create(document=document, topic=topic)
        webhook = Webhook.objects.create(
            workspace=self.theirs,
            url=f"https://{WORD}.example/",
            events=[WebhookEvent.TRANSCRIPT_COMPLETED],
        )
        delivery = WebhookDelivery.objects.create(
            webhook=webhook, queue_name="webhooks", event=WebhookEvent.PING, payload={WORD: 1}
        )
        upload = ResumableUpload.objects.create(
            workspace=self.theirs, length_bytes=10, file=WORD, expires_at=timezone.now()
        )
        key, _ = issue_key(workspace=self.theirs, user=self.other, name=WORD, scopes=[Scope.MANAGE])
        run = transcript.latest_processing
        chunk = ChunkTaskFactory.create(processing=run, workspace=self.theirs)
        event = AuditEvent.objects.create(
            workspace=self.theirs, action="recording.create", object_type=WORD
        )
        self.ids: dict[str, Any] = {
            "recording": transcript.recording_id,
            "transcript": transcript.pk,
            "processing": run.pk,
            "chunk": chunk.pk,
            "document": document.pk,
            "topic": topic.slug,
            "summary": SummaryFactory.create(document=document, completed=True, text=WORD).pk,
            "translation": TranslationFactory.create(document=document, completed=True).pk,
            "question": QuestionFactory.create(workspace=self.theirs, text=WORD, completed=True).pk,
            "job": JobFactory.create(workspace_id=self.theirs.pk, failed=True).pk,
            "webhook": webhook.pk,
            "webhook-delivery": delivery.pk,
            "api-key": key.pk,
            "member": Membership.objects.get(user=self.other).pk,
            "workspace": self.theirs.slug,
            "audit-event": event.pk,
            "upload": upload.pk,
            "transcript-version": 1,
        }
        self.document = DocumentFactory.create(text="ours")

    def address(self, route: Any) -> str:
        """Return the address of a route, all of whose parts are theirs."""
        names = route.pattern.regex.groupindex
        return reverse(str(route.name), kwargs={name: self._part(route, name) for name in names})

    def _part(self, route: Any, name: str) -> Any:
        if name.endswith("_pk"):
            return self.ids[name.removesuffix("_pk")]
        if name == "other":
            return self.document.pk
        basename = route.callback.initkwargs["basename"]
        return self.ids["topic" if (basename, name) == ("document", "slug") else basename]

    def rows_of_theirs(self) -> dict[str, Any]:
        """Return all that there is of the other workspace."""
        models: list[Any] = [*apps.get_app_config("processing").get_models(), Job]
        return {model._meta.label: list(rows_of(model, self.theirs)) for model in models}


def rows_of(model: Any, workspace: Workspace) -> Any:
    paths = ["workspace", "workspace_id", "document__workspace", "source__workspace"]
    paths += ["transcript__workspace", "webhook__workspace"]
    names = {field.name for field in model._meta.get_fields()}
    path = next((path for path in paths if path.split("__")[0] in names), None)
    rows = model._default_manager.order_by("pk")
    if path is None:
        return rows.values()
    return rows.filter(**{path: workspace.pk}).values()


def _member(name: str, workspace: Workspace) -> User:
    user = User.objects.create_user(name)
    Membership.objects.create(workspace=workspace, user=user, role=Role.MANAGER)
    return user


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Made once: no test may change anything of it."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield World()
        transaction.set_rollback(True)


@pytest.fixture
def client(world: World, db: None) -> APIClient:
    client = APIClient()
    client.force_authenticate(world.manager)
    client.credentials(HTTP_TUS_RESUMABLE="1.0.0", HTTP_UPLOAD_OFFSET="0")
    return client


def routes() -> list[tuple[Any, str, str]]:
    """Return each route, verb and action of what belongs to a workspace."""
    return [
        (route, verb, action)
        for route in cast("list[Any]", router.urls)
        if hasattr(route.callback, "actions")
        and route.callback.initkwargs["basename"] not in OF_INSTALLATION
        for verb, action in route.callback.actions.items()
    ]


def named(route: Any, verb: str) -> str:
    return f"{verb} {route.name}"


OF_THEIRS = [
    pytest.param(route, verb, id=named(route, verb))
    for route, verb, action in routes()
    if route.pattern.regex.groupindex
]
LISTS = [
    pytest.param(route, id=str(route.name))
    for route, verb, action in routes()
    if not route.pattern.regex.groupindex and verb == "get"
]


@pytest.mark.parametrize(("route", "verb"), OF_THEIRS)
def test_what_is_of_another_workspace_is_not_there(
    client: APIClient, world: World, route: Any, verb: str
) -> None:
    before = world.rows_of_theirs()

    content_type = OF_PIECES if named(route, verb) == "patch upload-detail" else "application/json"
    response = client.generic(verb.upper(), world.address(route), "{}", content_type)

    assert response.status_code == 404, response.content
    assert world.rows_of_theirs() == before


@pytest.mark.parametrize("route", LISTS)
def test_lists_say_nothing_of_another_workspace(
    client: APIClient, world: World, route: Any
) -> None:
    response = client.get(reverse(str(route.name)))

    text = response.content.decode()
    assert [name for name, pk in world.ids.items() if len(str(pk)) > 10 and str(pk) in text] == []
    assert WORD not in text


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("search", {"q": WORD}),
        ("search", {"q": "far", "document": "document"}),
        ("search", {"q": "far", "recording": "recording"}),
        ("search", {"q": "far", "topic": "topic"}),
        ("transcripts", {"recording": "recording"}),
        ("documents", {"topic": "topic"}),
        ("documents", {"title": WORD}),
        ("summaries", {"document": "document"}),
        ("translations", {"document": "document"}),
        ("jobs", {"subject_id": "transcript"}),
    ],
)
def test_filters_find_nothing_of_another_workspace(
    client: APIClient, world: World, path: str, asked: dict[str, str]
) -> None:
    query = {name: world.ids.get(value, value) for name, value in asked.items()}

    response = client.get(f"/api/v1/{path}/", query)

    assert (response.status_code, response.json()["items"]) == (200, [])


def test_nothing_of_ours_is_tied_to_theirs(client: APIClient, world: World) -> None:
    ours = f"/api/v1/documents/{world.document.pk}"

    relation = client.put(f"{ours}/related/{world.ids['document']}/")
    topic = client.put(f"{ours}/topics/{world.ids['topic']}/")
    transcript = client.post(
        "/api/v1/transcripts/", {"recording": str(world.ids["recording"])}, format="json"
    )

    assert [relation.status_code, topic.status_code, transcript.status_code] == [404] * 3


def test_a_key_of_ours_opens_nothing_of_theirs(client: APIClient, world: World) -> None:
    _, token = issue_key(
        workspace=world.ours, user=world.manager, name="ours", scopes=[Scope.MANAGE]
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", HTTP_LONGHAND_WORKSPACE="theirs")

    assert client.get(f"/api/v1/transcripts/{world.ids['transcript']}/").status_code == 404
    assert client.get("/api/v1/transcripts/").status_code == 404
