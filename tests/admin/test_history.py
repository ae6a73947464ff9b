"""Whatever staff do leaves an audit event, and the history of each object shows its own."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from caching.backend import get_cache
from caching.models import CacheEntry
from jobs.models import BulkAction, Job
from processing.choices import Role
from processing.models import AuditEvent, Engine, Membership, Topic, Transcript, Workspace
from processing.workspaces.audit import record_event
from tests.admin.test_tenancy import key_of
from tests.api.test_tenancy import World
from tests.factories.jobs import JobFactory
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import TranscriptFactory, WorkspaceFactory

#: What confirms an action that asks first, in each of the ways that ours and Django's have.
CONFIRMED = {"confirmed": "yes", "post": "yes"}


def actions() -> list[Any]:
    """Return each model with each of its actions, as a superuser has them."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True)
    return [
        pytest.param(model, name, id=f"{model.__name__}-{name}")
        for model, model_admin in admin.site._registry.items()
        for name in model_admin.get_actions(request)
    ]


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Made once; what a test changes is undone after it."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield World()
        transaction.set_rollback(True)


@pytest.fixture
def staff(world: World, db: None) -> Client:
    """A superuser, whom nobody asks for a role."""
    client = Client()
    client.force_login(User.objects.create_superuser("chief"))
    return client


def row_of(world: World, model: type[Model]) -> Any:
    """Return the key of a row that is there."""
    if model is CacheEntry:
        get_cache().set("history", "x")
        return get_cache().make_key("history")
    if model is Engine:
        return "sphinx"
    if model is Workspace:
        return WorkspaceFactory.create().pk
    if model is User:
        return User.objects.create_user("leaving").pk
    if model._meta.app_label == "processing" or model is Job:
        return key_of(world, model)
    row = model._default_manager.first()
    return model._default_manager.create(name="made").pk if row is None else row.pk


@pytest.mark.parametrize(("model", "action"), actions())
def test_every_action_leaves_an_event_of_each_row(
    staff: Client, world: World, model: type[Model], action: str
) -> None:
    pk = str(row_of(world, model))
    before = set(AuditEvent.objects.values_list("pk", flat=True))
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")

    response = staff.post(address, {"action": action, "_selected_action": [pk], **CONFIRMED})

    events = AuditEvent.objects.exclude(pk__in=before)
    assert response.status_code in (200, 302), response.content
    assert [event.actor_name for event in events] == ["chief"]
    assert [event.object_id for event in events] == [pk]


#: What is done by a button on the page of a row: the page's name -> what its form sends.
BUTTONS: dict[str, dict[str, str]] = {
    "transcript_retry": {},
    "transcript_cancel": {},
    "transcript_revert": {"number": "1", "version": "2"},
    "transcript_again": {"again-engine": "sphinx", "again-channels": "mixed"},
    "transcript_ask": {"text": "Where is it?"},
    "document_summarise": {},
    "document_translate": {"to": "de"},
    "document_index": {},
    "document_topic": {"give": "Sea"},
}

#: Pages that change nothing, and those whose events have a test of their own.
OTHERS = {
    "auth_user_password_change",
    "caching_cacheentry_invalidate",
    "caching_cacheentry_statistics",
    "processing_document_search",
    "processing_recording_audio",
    "processing_recording_original",
    "processing_transcript_correct",
    "processing_transcript_segment",
    "processing_transcript_results",
    "processing_transcript_text",
    "processing_transcript_waveform",
    "jobs_bulkaction_cancel",
}

#: What every model has, or only looks.
USUAL = ("changelist", "add", "history", "delete", "change")
LIVE = ("events", "timeline", "progress")


def test_every_page_is_known_to_change_something_or_not() -> None:
    names = {
        str(route.name)
        for model_admin in admin.site._registry.values()
        for route in model_admin.get_urls()
        if route.name and not route.name.endswith((*USUAL, *LIVE))
    }

    assert names - OTHERS == {f"processing_{name}" for name in BUTTONS}


@pytest.mark.parametrize("name", BUTTONS)
def test_every_button_leaves_an_event(staff: Client, world: World, name: str) -> None:
    noun, verb = name.split("_")
    pk = world.ids[noun]

    response = staff.post(reverse(f"admin:processing_{name}", args=[pk]), BUTTONS[name])

    event = AuditEvent.objects.get(actor_name="chief")
    assert response.status_code == 302, response.content
    assert (event.action, event.object_id) == (f"admin.{noun}.{verb}", str(pk))
    assert event.workspace == world.theirs


def test_a_bulk_action_that_is_cancelled_leaves_an_event(staff: Client) -> None:
    begun = BulkAction.objects.create(action="job.cancel", total_count=1)

    staff.post(reverse("admin:jobs_bulkaction_cancel", args=[begun.pk]))

    event = AuditEvent.objects.get(actor_name="chief")
    assert (event.action, event.object_id) == ("admin.bulkaction.cancel", str(begun.pk))


def test_a_correction_leaves_an_event(staff: Client, world: World) -> None:
    transcript = TranscriptFactory.create(completed=True)
    DocumentFactory.create(transcript=transcript)
    address = reverse("admin:processing_transcript_correct", args=[transcript.pk])

    staff.post(address, {"segment-0": "Said otherwise", "version": "1"})

    event = AuditEvent.objects.get(actor_name="chief")
    assert (event.action, event.object_id) == ("admin.transcript.correct", str(transcript.pk))


def test_an_invalidation_by_pattern_leaves_an_event(staff: Client) -> None:
    address = reverse("admin:caching_cacheentry_invalidate")

    staff.post(address, {"pattern": "history*", "confirmed": "yes"})

    assert AuditEvent.objects.get(actor_name="chief").action == "admin.cacheentry.invalidate"


def test_made_up_ids_leave_no_error(staff: Client) -> None:
    address = reverse("admin:processing_transcript_changelist")

    response = staff.post(address, {"action": "nonsense", "_selected_action": ["nonsense"]})

    assert response.status_code == 302


# What a history shows


def history_of(client: Client, model: type[Model], pk: Any) -> str:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_history"
    return client.get(reverse(name, args=[pk])).content.decode()


def test_history_says_who_did_what_and_by_which_request(staff: Client) -> None:
    job = JobFactory.create()
    record_event(
        action="job.cancel",
        object_type="job",
        object_id=str(job.pk),
        api_key_id="abc",
        request_id="request-1",
        details={"fields": ["status", "priority"], "empty": []},
    )

    shown = history_of(staff, Job, job.pk)

    assert "job.cancel" in shown
    assert "by key abc" in shown
    assert "fields: status, priority" in shown
    assert "request-1" in shown
    assert "empty" not in shown


def test_history_has_only_what_is_about_the_object(staff: Client, world: World) -> None:
    job, topic = JobFactory.create(), Topic.objects.get()
    record_event(action="job.retry", object_type="job", object_id=str(JobFactory.create().pk))
    record_event(action="group.change", object_type="group", object_id=str(topic.pk))

    assert "Nothing was written down of it" in history_of(staff, Job, job.pk)
    assert "Nothing was written down of it" in history_of(staff, Topic, topic.pk)


def test_history_knows_what_the_api_did_by_a_name(staff: Client, world: World) -> None:
    topic = Topic.objects.get()
    record_event(
        action="topic.rename", object_type="topic", object_id=topic.slug, workspace=world.theirs
    )

    assert "topic.rename" in history_of(staff, Topic, topic.pk)


def test_a_member_sees_the_history_of_what_is_theirs_alone(world: World, db: None) -> None:
    member = User.objects.create_user("viewer", is_staff=True)
    Membership.objects.create(user=member, workspace=world.theirs, role=Role.VIEWER)
    stranger = User.objects.create_user("stranger", is_staff=True)
    Membership.objects.create(user=stranger, workspace=world.ours, role=Role.MANAGER)
    pk = world.ids["transcript"]
    record_event(action="transcript.retry", object_type="transcript", object_id=str(pk))
    own, foreign = Client(), Client()
    own.force_login(member)
    foreign.force_login(stranger)

    assert "transcript.retry" in history_of(own, Transcript, pk)
    assert "transcript.retry" not in history_of(foreign, Transcript, pk)
