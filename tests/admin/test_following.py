"""Pages and lists that move by themselves: what they listen to, ask, and do without a script."""

from threading import BoundedSemaphore
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from processing.api import events
from processing.models import ProcessingTask, Transcript
from tests.factories.knowledge import QuestionFactory, TranslationFactory
from tests.factories.processing import ProcessingTaskFactory, WorkspaceFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


def page(model: str, name: str, *args: Any) -> str:
    return reverse(f"admin:processing_{model}_{name}", args=args)


def progress(client: Client, model: str, *ids: Any) -> Any:
    return client.get(page(model, "progress"), {"id": [str(pk) for pk in ids]}).json()


PAGES = [
    pytest.param("transcript", lambda run: run.transcript_id, id="transcript"),
    pytest.param("processingtask", lambda run: run.pk, id="run"),
]


@pytest.fixture
def stranger() -> Client:
    """Staff with every permission, and a member of no workspace that has anything."""
    user = User.objects.create_user("stranger", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="processing"))
    WorkspaceFactory.create().memberships.create(user=user, role="MANAGER")
    client = Client()
    client.force_login(user)
    return client


# Pages


@pytest.mark.parametrize(("model", "key"), PAGES)
def test_the_page_of_what_goes_on_says_where_to_listen(
    admin_client: Client, model: str, key: Any
) -> None:
    pk = key(ProcessingTaskFactory.create(processing=True))

    text = admin_client.get(page(model, "change", pk)).content.decode()

    assert f'data-events="{page(model, "events", pk)}"' in text
    assert f'data-timeline="{page(model, "timeline", pk)}"' in text
    assert '<script src="/static/processing/live.js" type="module"></script>' in text


@pytest.mark.parametrize(("model", "key"), PAGES)
def test_a_browser_without_scripts_loads_such_a_page_anew(
    admin_client: Client, model: str, key: Any
) -> None:
    pk = key(ProcessingTaskFactory.create(processing=True))

    response = admin_client.get(page(model, "change", pk))

    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in str(response.content)
    assert "Refresh" not in response


@pytest.mark.parametrize(("model", "key"), PAGES)
def test_the_page_of_what_is_over_follows_nothing(
    admin_client: Client, model: str, key: Any
) -> None:
    pk = key(ProcessingTaskFactory.create(completed=True))

    text = admin_client.get(page(model, "change", pk)).content.decode()

    assert "data-events" not in text
    assert "http-equiv" not in text
    assert "data-live-row" not in text


@pytest.mark.parametrize(
    ("model", "factory"),
    [
        pytest.param("question", QuestionFactory, id="question"),
        pytest.param("translation", TranslationFactory, id="translation"),
    ],
)
def test_the_page_of_a_result_that_is_made_asks_now_and_then(
    admin_client: Client, model: str, factory: Any
) -> None:
    row = factory.create()

    text = admin_client.get(page(model, "change", row.pk)).content.decode()

    assert f'data-progress="{page(model, "progress")}"' in text
    assert "data-events" not in text
    assert "http-equiv" in text


def test_the_text_of_a_run_that_goes_on_is_added_to(admin_client: Client) -> None:
    going = ProcessingTaskFactory.create(processing=True)
    over = ProcessingTaskFactory.create(failed=True)

    text = admin_client.get(page("processingtask", "change", going.pk)).content.decode()
    ended = admin_client.get(page("processingtask", "change", over.pk)).content.decode()

    assert '<div class="transcript" data-live>' in text
    assert "data-live" not in ended


# Events


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("model", "key"), PAGES)
def test_events_are_those_of_the_api(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, model: str, key: Any
) -> None:
    places = BoundedSemaphore(1)
    monkeypatch.setattr(events, "_places", places)
    run = ProcessingTaskFactory.create(completed=True)

    response = admin_client.get(page(model, "events", key(run)))

    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    response.close()
    assert places.acquire(blocking=False)
    assert response["Content-Type"] == "text/event-stream"
    assert "event: segments" in body
    assert f'"transcript": "{run.transcript_id}"' in body[body.index("event: done") :]


def test_no_more_listen_than_may_here_and_by_the_api(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_places", BoundedSemaphore(0))
    run = ProcessingTaskFactory.create(processing=True)

    refused = admin_client.get(page("processingtask", "events", run.pk))

    assert (refused.status_code, refused["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("name", ["events", "timeline"])
@pytest.mark.parametrize(("model", "key"), PAGES)
def test_what_is_of_others_is_not_found(stranger: Client, model: str, key: Any, name: str) -> None:
    pk = key(ProcessingTaskFactory.create(processing=True))

    assert stranger.get(page(model, name, pk)).status_code == 404


@pytest.mark.parametrize("name", ["events", "timeline"])
def test_nobody_listens_who_is_not_logged_in(client: Client, name: str) -> None:
    run = ProcessingTaskFactory.create(processing=True)

    assert client.get(page("processingtask", name, run.pk)).status_code == 302


@pytest.mark.parametrize("name", ["events", "timeline"])
def test_listening_is_no_post(admin_client: Client, name: str) -> None:
    run = ProcessingTaskFactory.create(processing=True)

    assert admin_client.post(page("processingtask", name, run.pk)).status_code == 405


def test_the_timeline_comes_by_itself(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(processing=True)

    text = admin_client.get(page("processingtask", "timeline", run.pk)).content.decode()

    assert text.lstrip().startswith('<section class="run-timeline" id="timeline"')
    assert "<html" not in text


# Rows of lists


def test_progress_is_told_of_the_rows_that_are_asked_for(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(
        processing=True, total_samples=240 * 16_000, done_samples=60 * 16_000
    )
    ProcessingTaskFactory.create(processing=True)

    told = progress(admin_client, "transcript", run.transcript_id)

    assert list(told) == [str(run.transcript_id)]
    state = told[str(run.transcript_id)]
    assert (state["status"], state["share"], state["is_over"]) == ("PROCESSING", 0.25, False)
    assert state["text"].startswith("1:00 of 4:00")


@pytest.mark.parametrize(
    ("trait", "is_over"), [("splitting", False), ("completed", True), ("cancelled", True)]
)
def test_progress_says_what_is_over(admin_client: Client, trait: str, is_over: bool) -> None:
    run = ProcessingTaskFactory.create(**{trait: True})

    assert progress(admin_client, "processingtask", run.pk)[str(run.pk)]["is_over"] is is_over


def test_progress_of_results_is_their_status(admin_client: Client) -> None:
    row = TranslationFactory.create()

    state = progress(admin_client, "translation", row.pk)[str(row.pk)]

    assert state == {"status": row.status, "share": row.progress, "text": "", "is_over": False}


def test_progress_of_others_is_not_told(stranger: Client) -> None:
    run = ProcessingTaskFactory.create(processing=True)

    assert progress(stranger, "transcript", run.transcript_id) == {}
    assert progress(stranger, "processingtask", run.pk) == {}


def test_who_may_not_look_is_told_nothing(client: Client) -> None:
    client.force_login(User.objects.create_user("nobody", is_staff=True))

    assert client.get(page("transcript", "progress")).status_code == 403


def test_progress_of_what_is_no_id_or_not_there_is_nothing(admin_client: Client) -> None:
    assert progress(admin_client, "transcript", "nonsense", uuid4()) == {}


def test_progress_is_asked_of_all_rows_at_once(admin_client: Client) -> None:
    runs = [ProcessingTaskFactory.create(completed=True) for _ in range(4)]
    progress(admin_client, "processingtask", runs[0].pk)

    few = queries_of(lambda: progress(admin_client, "processingtask", runs[0].pk))
    many = queries_of(lambda: progress(admin_client, "processingtask", *(r.pk for r in runs)))

    assert len(many) == len(few)


@pytest.mark.parametrize("model", [ProcessingTask, Transcript], ids=["runs", "transcripts"])
def test_a_row_that_goes_on_moves_in_its_list_and_others_do_not(
    admin_client: Client, model: Any
) -> None:
    run = ProcessingTaskFactory.create(processing=True)
    ProcessingTaskFactory.create(completed=True)

    text = admin_client.get(page(model._meta.model_name, "changelist")).content.decode()

    asks = page("processingtask", "progress")
    assert text.count("data-live-row=") == 1
    assert f'data-live-row="{asks}" data-id="{run.pk}"' in text


def test_a_recording_in_its_list_moves_with_its_transcripts(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(processing=True)
    ProcessingTaskFactory.create(completed=True)

    text = admin_client.get(page("recording", "changelist")).content.decode()

    assert text.count("data-live-row=") == 1
    assert f'data-id="{run.pk}"' in text
    assert "processing/live.js" in text
