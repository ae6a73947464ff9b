"""Actions on many rows: asked about, done by a job, followed, cancelled; each in its workspace."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from jobs.bulk_actions import Asked, request_bulk_action
from jobs.choices import JobPriority, JobStatus
from jobs.job_verbs import CANCEL, REPRIORITISE
from jobs.models import BulkAction, BulkActionItem, Job
from processing.choices import Role
from processing.models import AuditEvent, Document, Membership, ProcessingTask, Recording, Workspace
from tests.factories.jobs import JobFactory
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import (
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
)

pytestmark = pytest.mark.django_db

JOBS = reverse("admin:jobs_job_changelist")
ACTIONS = reverse("admin:jobs_bulkaction_changelist")
RECORDINGS = reverse("admin:processing_recording_changelist")


@pytest.fixture(autouse=True)
def _two_at_once(settings: Any) -> None:
    settings.BULK_ACTION_AT_ONCE = 2


@pytest.fixture
def member(client: Client) -> User:
    """Staff who manage a workspace of their own, logged in."""
    member = User.objects.create_user("member", is_staff=True)
    own = Workspace.objects.create(name="Own", slug="own")
    Membership.objects.create(workspace=own, user=member, role=Role.MANAGER)
    member.user_permissions.set(Permission.objects.filter(content_type__app_label="processing"))
    client.force_login(member)
    return member


def select(name: str, rows: Any, **options: str) -> dict[str, Any]:
    return {"action": name, "_selected_action": [str(row.pk) for row in rows], **options}


def confirmed(response: Any) -> dict[str, Any]:
    """Return what a confirmation would send."""
    context = response.context
    return {
        "action": context["action"],
        "_selected_action": context["selected"],
        "select_across": context["select_across"],
        "bulk_action": str(context["bulk_action_id"]),
        "confirmed": "yes",
    }


def said(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def asked_by(user: Any, count: int = 3) -> BulkAction:
    for _ in range(count):
        JobFactory.create(job_type="PROBE")
    rows = Job.objects.filter(job_type="PROBE")
    return request_bulk_action(kind=CANCEL, rows=rows, asked=Asked(by=user))


def page_of(action: BulkAction) -> str:
    return reverse("admin:jobs_bulkaction_change", args=[action.pk])


# Asking


def test_what_is_harmless_and_small_is_done_at_once(admin_client: Client) -> None:
    jobs = [JobFactory.create(), JobFactory.create()]

    response = admin_client.post(JOBS, select("reprioritise_high", jobs), follow=True)

    assert said(response) == ["Gave HIGH to 2 of 2."]
    assert Job.objects.filter(priority=JobPriority.HIGH).count() == 2


def test_what_destroys_is_asked_about_however_small(admin_client: Client) -> None:
    job = JobFactory.create()

    page = admin_client.post(JOBS, select("cancel", [job]))
    job.refresh_from_db()
    before = job.status
    response = admin_client.post(JOBS, confirmed(page), follow=True)

    job.refresh_from_db()
    assert (before, job.status) == (JobStatus.QUEUED, JobStatus.CANCELLED)
    assert b"This cannot be undone" in page.content
    assert said(response) == ["Cancelled 1 of 1."]


def test_what_is_large_is_asked_about_and_done_by_a_job(admin_client: Client) -> None:
    jobs = JobFactory.create_batch(3)
    page = admin_client.post(JOBS, select("reprioritise_low", jobs))

    response = admin_client.post(JOBS, confirmed(page))

    action = BulkAction.objects.get()
    assert b"<strong>3 jobs</strong>" in page.content
    assert (response.status_code, response.headers["Location"]) == (302, page_of(action))
    assert (action.total_count, action.action) == (3, "jobs.reprioritise_low")
    assert Job.objects.about(action.pk).get().payload == {"bulk_action_id": str(action.pk)}


def test_all_that_the_filter_leaves_can_be_selected(admin_client: Client) -> None:
    failed = JobFactory.create_batch(4, failed=True)
    JobFactory.create_batch(3)
    filtered = f"{JOBS}?status__exact=FAILED"

    page = admin_client.post(filtered, select("retry", failed[:1], select_across="1"))
    admin_client.post(filtered, confirmed(page))

    chosen = BulkActionItem.objects.values_list("object_id", flat=True)
    assert set(chosen) == {str(job.pk) for job in failed}


def test_confirmed_twice_it_is_done_once(admin_client: Client) -> None:
    answer = confirmed(
        admin_client.post(JOBS, select("reprioritise_low", JobFactory.create_batch(3)))
    )

    first, second = (admin_client.post(JOBS, answer) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert BulkAction.objects.count() == 1


def test_a_large_action_that_nobody_was_asked_about_is_refused(admin_client: Client) -> None:
    selection = select("reprioritise_low", JobFactory.create_batch(3), confirmed="yes")

    response = admin_client.post(JOBS, selection)

    assert response.status_code == 400
    assert not BulkAction.objects.exists()


def test_a_bulk_action_leaves_an_audit_event(admin_client: Client) -> None:
    page = admin_client.post(JOBS, select("reprioritise_low", JobFactory.create_batch(3)))
    asked = AuditEvent.objects.count()

    admin_client.post(JOBS, confirmed(page))

    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert (asked, actions) == (0, {"admin.job.reprioritise_low"})


# What is asked of recordings, transcripts and documents


def test_deleting_recordings_tells_what_goes_with_them(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(completed=True)
    DocumentFactory.create(transcript=transcript)

    page = admin_client.post(RECORDINGS, select("delete_selected", [transcript.recording]))

    lines = page.context["consequences"]
    assert [line.split()[:2] for line in lines[:2]] == [["1", "transcripts"], ["1", "documents"]]
    assert lines[2].startswith("Files of ")


def test_recordings_are_deleted_with_their_files(admin_client: Client) -> None:
    recordings = RecordingFactory.create_batch(2)
    page = admin_client.post(RECORDINGS, select("delete_selected", recordings))

    response = admin_client.post(RECORDINGS, confirmed(page), follow=True)

    assert said(response) == ["Deleted 2 of 2."]
    assert not Recording.objects.exists()


def test_documents_of_transcripts_are_refused(admin_client: Client) -> None:
    documents = [DocumentFactory.create(), DocumentFactory.create(spoken=True)]
    address = reverse("admin:processing_document_changelist")
    page = admin_client.post(address, select("delete_selected", documents))

    response = admin_client.post(address, confirmed(page), follow=True)

    assert "1 are of transcripts and stay" in page.context["consequences"][1]
    assert said(response)[0] == "Deleted 1 of 2."
    assert Document.objects.get() == documents[1]


@pytest.mark.parametrize(
    ("model", "reason"),
    [("transcript", "nothing is being done for it"), ("processingtask", "the run is COMPLETED")],
)
def test_only_what_goes_on_is_cancelled(admin_client: Client, model: str, reason: str) -> None:
    runs = [
        ProcessingTaskFactory.create(splitting=True),
        ProcessingTaskFactory.create(completed=True),
    ]
    rows = [run.transcript for run in runs] if model == "transcript" else runs
    address = reverse(f"admin:processing_{model}_changelist")
    page = admin_client.post(address, select("cancel", rows))

    response = admin_client.post(address, confirmed(page), follow=True)

    assert said(response) == ["Cancelled 1 of 2.", f"Refused 1: {reason}."]
    assert not ProcessingTask.objects.active().exists()


# Whose rows


def test_rows_of_other_workspaces_are_not_selected(client: Client, member: User) -> None:
    theirs = RecordingFactory.create_batch(3)
    own = RecordingFactory.create_batch(3, workspace=Workspace.objects.get(slug="own"))
    selection = select("delete_selected", [*theirs, *own], select_across="1")

    page = client.post(RECORDINGS, selection)
    client.post(RECORDINGS, confirmed(page))

    chosen = set(BulkActionItem.objects.values_list("object_id", flat=True))
    assert page.context["count"] == 3
    assert chosen == {str(recording.pk) for recording in own}


def test_staff_follow_what_they_asked_for(client: Client, member: User) -> None:
    action = asked_by(member)

    response = client.get(page_of(action))

    assert response.status_code == 200
    assert b"Cancel jobs" in response.content


@pytest.mark.parametrize("name", ["progress", "cancel"])
def test_what_others_asked_for_is_not_there(client: Client, member: User, name: str) -> None:
    action = asked_by(User.objects.create_user("other"))
    address = reverse(f"admin:jobs_bulkaction_{name}", args=[action.pk])

    response = client.get(address) if name == "progress" else client.post(address)

    action.refresh_from_db()
    assert (response.status_code, action.status) == (404, JobStatus.QUEUED)
    assert str(action.pk) not in client.get(ACTIONS).content.decode()


# Following


def test_the_account_says_how_far_it_is_and_why_not_all(admin_client: Client) -> None:
    action = asked_by(None)
    BulkAction.objects.filter(pk=action.pk).update(
        total_count=2_000_000, done_count=1_234, refused_count=6, refusals={"<b>it is over</b>": 6}
    )

    page = admin_client.get(page_of(action)).content.decode()

    assert "1,240 of 2,000,000" in page
    assert '<progress value="1240" max="2000000">' in page
    assert "&lt;b&gt;it is over&lt;/b&gt;" in page
    assert '<noscript><meta http-equiv="refresh"' in page


def test_the_part_that_changes_is_answered_alone(admin_client: Client) -> None:
    action = asked_by(None)
    address = reverse("admin:jobs_bulkaction_progress", args=[action.pk])
    going_on = admin_client.get(address).content.decode()
    Job.objects.about(action.pk).cancel()

    over = admin_client.get(address).content.decode()

    assert ("data-over" in going_on, "<html" in going_on) == (False, False)
    assert 'data-status="CANCELLED" data-over' in over


def test_what_is_left_can_be_cancelled(admin_client: Client, admin_user: User) -> None:
    action = asked_by(admin_user)
    address = reverse("admin:jobs_bulkaction_cancel", args=[action.pk])

    first = said(admin_client.post(address, follow=True))
    second = said(admin_client.post(address, follow=True))

    action.refresh_from_db()
    assert action.status == JobStatus.CANCELLED
    assert (first, second) == (
        ["Cancelled: no further row is touched."],
        ["It was over before."],
    )
    assert Job.objects.filter(job_type="PROBE", status=JobStatus.QUEUED).count() == 3


def test_the_list_shows_who_asked_and_how_far_it_is(admin_client: Client, admin_user: User) -> None:
    asked_by(admin_user)

    page = admin_client.get(ACTIONS).content.decode()

    assert "0 of 3" in page
    assert f">{admin_user}<" in page


def test_an_action_whose_job_is_forgotten_has_a_page(admin_client: Client) -> None:
    action = asked_by(None)
    Job.objects.about(action.pk).delete()

    assert admin_client.get(page_of(action)).status_code == 200


def test_every_priority_has_its_action() -> None:
    assert list(REPRIORITISE) == list(JobPriority)
