"""Every change that somebody asks for is written down: by whom, of what, from where."""

import re

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, get_resolver, resolve
from django.urls.resolvers import ResolverMatch
from rest_framework.test import APIClient

from config.api import router
from config.auditing import PIECES, SAFE_METHODS, AuditEvents, name_of
from jobs.models import Job
from processing.choices import Scope
from processing.models import AuditEvent, Topic, Workspace
from processing.origin import Origin, enter, leave
from processing.workspaces.audit import record_event
from processing.workspaces.keys import issue_key
from tests.factories.jobs import JobFactory
from tests.factories.knowledge import DocumentFactory, TopicFactory
from tests.factories.processing import TranscriptFactory, WorkspaceFactory

pytestmark = pytest.mark.django_db

API = "/api/v1"
TOPICS = f"{API}/topics/"


def told(event: AuditEvent) -> tuple[str, str, str]:
    return event.action, event.object_type, event.object_id


def unsafe_routes() -> dict[str, str]:
    """Return the actions that change something, with the patterns of their addresses."""
    return {
        ".".join(name_of(ResolverMatch(route.callback, (), {}, route.name), method)): str(
            route.pattern
        )
        for route in router.urls
        if isinstance(route, URLPattern)
        for method in getattr(route.callback, "actions", None) or ()
        if method.upper() not in SAFE_METHODS
    }


def test_what_is_made_is_written_down(api: APIClient, admin_user: User) -> None:
    answer = api.post(TOPICS, {"name": "Weather"}, format="json", headers={"X-Request-Id": "mine"})

    event = AuditEvent.objects.get()
    assert told(event) == ("topic.create", "topic", answer.json()["slug"])
    assert (event.actor, event.actor_name) == (admin_user, admin_user.username)
    assert (event.request_id, event.address) == ("mine", "127.0.0.1")
    assert event.workspace == Workspace.objects.default()
    assert event.details == {"fields": ["name"]}


def test_what_is_changed_is_named_and_its_values_are_not(api: APIClient) -> None:
    document = DocumentFactory.create()

    api.patch(f"{API}/documents/{document.pk}/", {"title": "secret"}, format="json")

    event = AuditEvent.objects.get()
    assert told(event) == ("document.partial_update", "document", str(document.pk))
    assert event.details == {"fields": ["title"]}


def test_verbs_are_written_down(api: APIClient) -> None:
    transcript = TranscriptFactory.create(processing=True)

    api.post(f"{API}/transcripts/{transcript.pk}/cancel/")

    [event] = AuditEvent.objects.all()
    assert told(event) == ("transcript.cancel", "transcript", str(transcript.pk))


def test_what_is_deleted_is_written_down(api: APIClient) -> None:
    topic = TopicFactory.create()

    api.delete(f"{TOPICS}{topic.slug}/")

    [event] = AuditEvent.objects.all()
    assert event.action == "topic.destroy"
    assert not Topic.objects.exists()


def test_jobs_and_the_cache_know_nothing_of_it_and_are_written_down(api: APIClient) -> None:
    job = JobFactory.create()

    api.post(f"{API}/jobs/{job.pk}/cancel/")
    api.post(f"{API}/cache/invalidate/", {"key": "a"}, format="json")

    events = [told(event) for event in AuditEvent.objects.order_by("id")]
    assert events == [
        ("job.cancel", "job", str(job.pk)),
        ("cache.invalidate", "cache", ""),
    ]
    assert Job.objects.get().status == "CANCELLED"


def test_a_key_is_written_down_with_its_user(client: Client, admin_user: User) -> None:
    workspace = WorkspaceFactory.create()
    key, token = issue_key(
        workspace=workspace, user=admin_user, name="key", scopes=[Scope.WRITE.value]
    )

    client.post(
        TOPICS, {"name": "a"}, "application/json", headers={"Authorization": f"Bearer {token}"}
    )

    [event] = AuditEvent.objects.all()
    assert (event.actor, event.api_key_id, event.workspace) == (admin_user, key.pk, workspace)


def test_what_was_refused_is_not(api: APIClient, client: Client) -> None:
    answers = [
        api.post(TOPICS, {"title": "a"}, format="json"),
        api.delete(f"{TOPICS}nothing/"),
        client.post(TOPICS, {"name": "a"}),
        api.get(TOPICS),
    ]

    assert [answer.status_code for answer in answers] == [400, 404, 401, 200]
    assert not AuditEvent.objects.exists()


def test_an_answer_that_is_given_again_is_not(api: APIClient) -> None:
    for _ in range(2):
        api.post(TOPICS, {"name": "Weather"}, format="json", headers={"Idempotency-Key": "a"})

    assert AuditEvent.objects.count() == 1


def test_names_that_are_no_names_are_left_out(api: APIClient) -> None:
    document = DocumentFactory.create()
    body = {"language": "en", "se\0cret": 1, "a b": 1, "x" * 65: 1}

    api.patch(f"{API}/documents/{document.pk}/", body, format="json")

    assert AuditEvent.objects.get().details == {"fields": ["language"]}


def test_a_request_that_wrote_its_own_event_needs_no_other(rf: RequestFactory) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        record_event(action="topic.greet", object_type="topic", object_id="1")
        return HttpResponse()

    request = rf.post(TOPICS)
    request.user, request.resolver_match = AnonymousUser(), resolve(TOPICS)
    origin = Origin("mine", "192.0.2.1")
    enter(origin)
    AuditEvents(view)(request)
    leave(origin)

    event = AuditEvent.objects.get()
    assert told(event) == ("topic.greet", "topic", "1")
    assert (event.request_id, event.address) == ("mine", "192.0.2.1")


@pytest.mark.parametrize("action", sorted(unsafe_routes()))
def test_every_unsafe_route_has_a_name_of_its_own(action: str) -> None:
    noun, _, verb = action.partition(".")

    assert re.fullmatch(r"[a-z-]+\.[a-z_]+", action)
    assert noun not in ("", "request")
    assert verb not in ("post", "put", "patch", "delete")
    assert len(action) <= (AuditEvent._meta.get_field("action").max_length or 0)


def test_no_route_escapes() -> None:
    middleware = list(settings.MIDDLEWARE)
    audit = middleware.index("config.auditing.AuditEvents")

    assert audit < middleware.index("django.contrib.auth.middleware.AuthenticationMiddleware")
    assert audit > middleware.index("config.middleware.RequestIds")
    assert unsafe_routes().keys() >= PIECES


def test_all_addresses_of_programs_are_below_the_roots_that_are_watched() -> None:
    patterns = {
        str(route.pattern)
        for route in get_resolver().url_patterns
        if "config.api" in str(getattr(route, "urlconf_name", ""))
        or "openai" in str(getattr(route, "urlconf_name", ""))
    }

    assert all(pattern.startswith(("api/", "v1/")) for pattern in patterns)
    assert patterns


def test_the_admin_names_what_was_changed(admin_client: Client, admin_user: User) -> None:
    other = User.objects.create_user("other")

    answer = admin_client.post(
        f"/admin/auth/user/{other.pk}/change/",
        {
            "username": "another",
            "is_active": "on",
            "date_joined_0": "2026-01-01",
            "date_joined_1": "10:00:00",
        },
    )

    assert answer.status_code == 302, answer.content
    [event] = AuditEvent.objects.all()
    assert told(event) == ("admin.user.change", "user", str(other.pk))
    assert "Username" in event.details["changed"]
    assert (event.actor, event.address) == (admin_user, "127.0.0.1")


def test_what_staff_do_to_many_is_written_down(admin_client: Client) -> None:
    jobs = [JobFactory.create() for _ in range(2)]
    selected = [str(job.pk) for job in jobs]

    answer = admin_client.post(
        "/admin/jobs/job/", {"action": "cancel", "_selected_action": selected, "confirmed": "yes"}
    )

    assert answer.status_code == 302
    events = AuditEvent.objects.filter(action="admin.job.cancel", object_type="job")
    assert sorted(event.object_id for event in events) == sorted(selected)


def test_logging_in_is_written_down(client: Client, admin_user: User) -> None:
    client.post("/admin/login/", {"username": "admin", "password": "wrong"})
    client.post("/admin/login/", {"username": "admin", "password": "password"})

    [event] = AuditEvent.objects.all()
    assert (event.action, event.actor) == ("admin.login", admin_user)


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_written_down_is_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    assert record_event(action="a.b", object_type="a", object_id="a\0b") is None

    assert "no audit event could be written" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_and_the_answer_stays(api: APIClient, caplog: pytest.LogCaptureFixture) -> None:
    Workspace.objects.default()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AuditEvent._meta, "db_table", "nowhere")
        answer = api.post(TOPICS, {"name": "a"}, format="json")

    assert answer.status_code == 201
    assert "no audit event could be written" in caplog.text
