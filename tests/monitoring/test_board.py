"""The Board: what it says of queues, workers, runs and failures, to whom, and at what cost."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.choices import JobStatus
from jobs.models import Job
from monitoring import catalogue
from monitoring.board import notices
from monitoring.board.cache import CacheLevelFacts
from monitoring.board.notices import Severity
from monitoring.board.storage import StorageFacts
from monitoring.managers import Sample
from monitoring.models import Metric
from processing.choices import ProcessingStatus, Role
from processing.engines.remote import breaker_of
from processing.models import (
    Document,
    Engine,
    Membership,
    ProcessingTask,
    Workspace,
    WorkspaceUsage,
)
from processing.workspaces.quotas import current_month
from tests.api.test_engines import PROVIDER
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.knowledge import DocumentFactory
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

BOARD = reverse("admin:index")
FRAGMENT = reverse("admin:board")

#: All that is registered: a worker that serves it leaves no queue without one.
EVERY_QUEUE = [
    *("maintenance", "transcription", "chunks", "remote-chunks", "documents", "indexing"),
    *("summarization", "translation", "questions", "webhooks"),
]


def section(client: Client, name: str) -> str:
    """Return what a section of the Board says, without its tags."""
    page = client.get(FRAGMENT).content.decode()
    found = re.search(rf'<section id="board-{name}".*?</section>', page, re.DOTALL)
    assert found is not None, f"there is no section {name}"
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def sections(client: Client) -> list[str]:
    return re.findall(r'<section id="board-(\w+)"', client.get(FRAGMENT).content.decode())


def member(role: Role, workspace: Workspace | None = None) -> User:
    """Return somebody of staff who has a role in a workspace, and nothing else."""
    user = User.objects.create_user(f"member-{role}", is_staff=True)
    workspace = workspace or Workspace.objects.default()
    Membership.objects.create(user=user, workspace=workspace, role=role)
    return user


@pytest.fixture
def editor_client(client: Client) -> Client:
    client.force_login(member(Role.EDITOR))
    return client


def failed_job_of(document: Document) -> Job:
    return JobFactory.create(
        failed=True,
        job_type="INDEXING",
        queue_name="indexing",
        payload={"document_id": str(document.pk)},
        subject_id=document.pk,
        workspace_id=document.workspace_id,
    )


def retry(client: Client, kind: str, row: Any) -> Any:
    address = reverse("admin:board_retry", args=[kind, row.pk])
    return client.post(address, follow=True)


# The page


def test_page_shows_the_sections_that_its_fragment_has(admin_client: Client) -> None:
    page = admin_client.get(BOARD).content.decode()

    assert re.findall(r'<section id="board-(\w+)"', page) == sections(admin_client)


def test_fragment_is_no_whole_page(admin_client: Client) -> None:
    assert "<html" not in admin_client.get(FRAGMENT).content.decode()


def test_page_works_without_scripts_in_it(admin_client: Client) -> None:
    page = admin_client.get(BOARD).content.decode()

    assert '<noscript><meta http-equiv="refresh"' in page
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", page)


@pytest.mark.parametrize("address", [BOARD, FRAGMENT], ids=["page", "fragment"])
def test_board_is_for_staff_only(client: Client, address: str) -> None:
    client.force_login(User.objects.create_user("nobody"))

    assert client.get(address).status_code == 302


def test_empty_installation_says_how_to_begin(admin_client: Client) -> None:
    said = section(admin_client, "first_steps")

    assert "Start workers" in said
    assert "Upload a recording" in said


def test_whoever_has_recordings_is_not_told_how_to_begin(admin_client: Client) -> None:
    RecordingFactory.create()

    assert "first_steps" not in sections(admin_client)


# Queues and workers


def test_queue_says_what_is_ready_and_what_is_running(admin_client: Client) -> None:
    JobFactory.create_batch(2, available_at=timezone.now() - timedelta(minutes=4))
    JobFactory.create(processing=True)

    said = section(admin_client, "queues")

    assert re.search(r"transcription 2 \S+ 4[.\d]* min 1", said)


def test_queue_that_nobody_serves_says_so(admin_client: Client) -> None:
    WorkerFactory.create(queues=["chunks"])

    said = section(admin_client, "queues")

    assert re.search(r"chunks 0 \S+ \S+ 0 \S+ \S+ 1 ", said)
    assert re.search(r"documents 0 \S+ \S+ 0 \S+ \S+ none", said)


def test_queue_counts_up_to_a_limit(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.board.queues.COUNT_LIMIT", 3)
    JobFactory.create_batch(5)

    assert "transcription 3+" in section(admin_client, "queues")


def test_queue_says_what_its_samples_say(admin_client: Client) -> None:
    labels = {"queue": "transcription"}
    Metric.objects.record_minute(
        timezone.now(),
        [
            Sample(catalogue.QUEUE_READY, 5, labels),
            Sample(catalogue.QUEUE_COMPLETED, 7, labels),
            Sample(catalogue.QUEUE_WAIT_P95, 1.5, labels),
        ],
    )

    said = section(admin_client, "queues")

    assert "transcription, ready in the last hour: latest 5" in said
    assert "– 0 7 1.5 s" in said  # noqa: RUF001


def test_trends_are_of_the_last_sample(admin_client: Client) -> None:
    for count in (3, 4):
        Metric.objects.all().delete()
        Metric.objects.record_minute(timezone.now(), [Sample(catalogue.WORKERS_LIVE, count)])
        said = section(admin_client, "workers")

    assert "Alive 4" in said
    assert "Alive, last day: latest 4" in said


def test_worker_says_where_it_is_and_what_it_is_at(admin_client: Client) -> None:
    worker = WorkerFactory.create()
    recording = {"processing__transcript__recording__name": "talk"}
    ChunkTaskFactory.create(claimed=True, worker=worker, **recording)

    said = section(admin_client, "workers")

    where = rf"host-1:{worker.pid} LIVE chunk 0 of talk \d+ s 1 \d+ s ago"
    assert re.search(where, said)


@pytest.mark.parametrize(
    ("trait", "status"), [({}, "LIVE"), ({"gone": True}, "GONE")], ids=["live", "gone"]
)
def test_worker_is_live_or_gone(admin_client: Client, trait: Any, status: str) -> None:
    WorkerFactory.create(**trait)

    assert status in section(admin_client, "workers")


def test_worker_that_ended_is_not_shown(admin_client: Client) -> None:
    WorkerFactory.create(stopped=True)

    assert "No worker is running" in section(admin_client, "workers")


# Runs


def test_running_recording_says_how_far_it_is_and_what_is_left(admin_client: Client) -> None:
    ProcessingTaskFactory.create(
        processing=True,
        started_at=timezone.now() - timedelta(seconds=60),
        total_samples=14_400 * 16_000,
        done_samples=2_535 * 16_000,
        transcript__recording__name="council.wav",
    )

    said = section(admin_client, "recordings")

    assert "PROCESSING council.wav 42:15 of 4:00:00 about 4:4" in said


def test_runs_that_are_over_are_not_running(admin_client: Client) -> None:
    TranscriptFactory.create(completed=True)

    assert "Nothing is being transcribed" in section(admin_client, "recordings")


def test_runs_that_have_begun_come_before_those_that_wait(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.board.recordings.SHOWN", 1)
    TranscriptFactory.create(recording__name="waits.wav")
    TranscriptFactory.create(processing=True, recording__name="begun.wav")

    said = section(admin_client, "recordings")

    assert "begun.wav" in said
    assert "waits.wav" not in said
    assert "and 1 more" in said


# Failures


def test_failures_are_told_with_their_reasons(admin_client: Client) -> None:
    TranscriptFactory.create(failed=True, recording__name="noise.wav")
    JobFactory.create(failed=True, job_type="PURGE_RECORDINGS", queue_name="maintenance")

    said = section(admin_client, "failures")

    assert "noise.wav Recording, 0 minutes ago unreadable_audio: the file holds no sound" in said
    assert "Purge recordings Job, 0 minutes ago permanent: the engine gave up" in said


def test_transcript_with_gaps_says_how_many_and_why(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(partial=True)
    ChunkTaskFactory.create(failed=True, processing=transcript.latest_processing)

    said = section(admin_client, "failures")

    assert "PARTIAL" in said
    assert "1 of 2 chunks not heard: permanent: the engine gave up" in said


def test_a_run_that_failed_is_told_once_and_not_as_its_job_too(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(failed=True)
    JobFactory.create(failed=True, subject_id=transcript.pk)

    assert section(admin_client, "failures").count("FAILED") == 1


def test_what_failed_long_ago_is_told_no_more(admin_client: Client) -> None:
    JobFactory.create(failed=True, job_type="INDEXING")
    Job.objects.update(completed_at=timezone.now() - timedelta(days=8))

    assert "Nothing failed" in section(admin_client, "failures")


def test_retry_of_a_run_has_it_heard_again_and_leads_back(admin_client: Client) -> None:
    transcript = TranscriptFactory.create(failed=True, recording__name="noise.wav")

    response = retry(admin_client, "run", transcript)

    assert response.redirect_chain == [(BOARD, 302)]
    assert "It is being heard again: noise.wav." in response.content.decode()
    assert ProcessingTask.objects.active().of_recording(transcript.recording).exists()


def test_retry_of_a_job_puts_it_into_its_queue(admin_client: Client) -> None:
    document = DocumentFactory.create(failed=True)
    job = failed_job_of(document)

    response = retry(admin_client, "job", job)

    job.refresh_from_db()
    assert response.redirect_chain == [(BOARD, 302)]
    assert job.status == JobStatus.QUEUED
    assert f"It is in its queue again: INDEXING {job.pk}." in response.content.decode()


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        pytest.param("run", lambda: TranscriptFactory.create(completed=True), id="run"),
        pytest.param("job", lambda: JobFactory.create(completed=True), id="job"),
        pytest.param("job", lambda: JobFactory.create(failed=True), id="job of a run"),
    ],
)
def test_retry_of_what_cannot_be_says_why(
    admin_client: Client, kind: str, make: Callable[[], Any]
) -> None:
    row = make()

    response = retry(admin_client, kind, row)

    assert "Nothing was done: " in response.content.decode()
    assert not ProcessingTask.objects.active().exists()


def test_retry_needs_a_form(admin_client: Client) -> None:
    job = JobFactory.create(failed=True)

    assert admin_client.get(reverse("admin:board_retry", args=["job", job.pk])).status_code == 405


def test_retry_of_nothing_is_not_found(admin_client: Client) -> None:
    job = JobFactory.create(failed=True)

    assert retry(admin_client, "chunk", job).status_code == 404


def test_who_may_only_look_retries_nothing(client: Client) -> None:
    client.force_login(member(Role.VIEWER))
    transcript = TranscriptFactory.create(failed=True, recording__name="noise.wav")

    said = section(client, "failures")

    assert "noise.wav" in said
    assert "Retry" not in said
    assert retry(client, "run", transcript).status_code == 403


# Notices


def test_installation_that_needs_nobody_says_so(admin_client: Client) -> None:
    WorkerFactory.create(queues=EVERY_QUEUE)

    assert "All is well" in section(admin_client, "notices")


def test_nobody_at_work_is_an_error(admin_client: Client) -> None:
    said = section(admin_client, "notices")

    assert "Error No worker is alive." in said


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        (0, "Warning No live worker serves webhooks."),
        (1, "Error No live worker serves webhooks."),
    ],
    ids=["nothing waits", "work waits"],
)
def test_queue_without_workers_is_told_of(admin_client: Client, waiting: int, said: str) -> None:
    WorkerFactory.create(queues=EVERY_QUEUE[:-1])
    WebhookDeliveryFactory.create_batch(waiting)

    assert said in section(admin_client, "notices")


def test_worker_that_fell_silent_is_told_of(admin_client: Client) -> None:
    WorkerFactory.create(queues=EVERY_QUEUE)
    WorkerFactory.create(gone=True, stopped_at=timezone.now())
    WorkerFactory.create(stopped=True)

    assert "Warning 1 worker fell silent" in section(admin_client, "notices")


@pytest.mark.parametrize(
    ("minutes", "severity"), [(7, "Warning"), (30, "Error")], ids=["late", "very late"]
)
def test_queue_that_is_late_is_told_of(admin_client: Client, minutes: int, severity: str) -> None:
    WorkerFactory.create(queues=EVERY_QUEUE)
    JobFactory.create(available_at=timezone.now() - timedelta(minutes=minutes))

    late = f"{severity} The queue transcription is late by {minutes - 5}"
    assert late in section(admin_client, "notices")


def test_leases_that_nobody_takes_back_are_told_of(admin_client: Client) -> None:
    WorkerFactory.create(queues=EVERY_QUEUE)
    JobFactory.create(stalled=True, lease_expires_at=timezone.now() - timedelta(minutes=1))

    assert "Error There was no sweep." in section(admin_client, "notices")


def test_installation_that_was_not_sampled_lately_was_not_swept(admin_client: Client) -> None:
    WorkerFactory.create(queues=EVERY_QUEUE)
    ago = timezone.now() - timedelta(minutes=10)
    Metric.objects.record_minute(ago, [Sample(catalogue.WORKERS_LIVE, 1)])

    assert re.search(r"Error There was no sweep for \d+", section(admin_client, "notices"))


def test_paused_webhook_is_told_of(admin_client: Client) -> None:
    WebhookFactory.create(paused=True)

    said = section(admin_client, "notices")

    assert "The webhook https://hooks.example.org/longhand is paused. by people" in said


def test_provider_that_is_left_alone_is_told_of(
    admin_client: Client, settings: LazySettings
) -> None:
    settings.PROVIDERS = {"remote-board": PROVIDER}
    breaker_of("remote-board").trip(60)

    assert "The breaker of the engine remote-board is open." in section(admin_client, "notices")
    assert "remote-board OPEN" in section(admin_client, "engines")


def test_level_of_the_cache_that_is_away_is_told_of() -> None:
    level = CacheLevelFacts("L2", "Redis", False, "Redis is away since 4 s", "refused", "–", 0)  # type: ignore[arg-type]  # noqa: RUF001

    [notice] = notices.notices_of_cache([level])

    assert (notice.severity, notice.what) == (Severity.ERROR, "The level L2 of the cache is away")


@pytest.mark.parametrize(
    ("free", "severities"),
    [(50, []), (8, [Severity.WARNING]), (1, [Severity.ERROR])],
    ids=["room", "little room", "no room"],
)
def test_disk_that_is_nearly_full_is_told_of(free: int, severities: list[Severity]) -> None:
    found = notices.notices_of_room(StorageFacts(100, free), 1, 100)

    assert [notice.severity for notice in found] == severities


def test_connections_that_run_out_are_told_of() -> None:
    [notice] = notices.notices_of_room(None, 95, 97)

    assert notice.what == "95 of 97 connections to PostgreSQL are used"


# The installation


def test_database_says_how_many_connections_are_used(admin_client: Client) -> None:
    said = section(admin_client, "database")

    assert re.search(r"Connections \d+ of \d+ Answers in [\d.]+ ms", said)


def test_storage_says_what_room_is_left(admin_client: Client) -> None:
    assert " free of " in section(admin_client, "storage")


def test_cache_says_how_each_level_answers(admin_client: Client) -> None:
    said = section(admin_client, "cache")

    assert "L1 memory is of this process" in said
    assert "L2 Redis answers in" in said


def test_engine_says_how_fast_it_is_and_how_often_it_failed(admin_client: Client) -> None:
    Engine.objects.record_run("scripted", chunk_count=1_234, audio_seconds=120.0, busy_seconds=15.0)
    Engine.objects.record_failure("scripted", code="bad_answer", message="it was cut off")

    assert "scripted READY 8.0x real time 1,234 1" in section(admin_client, "engines")


# Who sees what


def test_member_sees_what_is_of_workspaces_and_nothing_of_the_installation(
    editor_client: Client,
) -> None:
    RecordingFactory.create()

    seen = sections(editor_client)

    assert seen == ["notices", "recordings", "failures", "documents", "usage"]


def test_operator_without_workspaces_sees_the_installation(client: Client) -> None:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(user)

    assert {"queues", "workers", "engines", "cache", "database"} <= set(sections(client))


def test_who_is_in_no_workspace_is_told_whom_to_ask(client: Client) -> None:
    client.force_login(User.objects.create_user("lost", is_staff=True))

    assert "member of no workspace" in section(client, "first_steps")


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(30, "All is well"), (95, "Warning Default has had 95 of 100 minutes")],
    ids=["some", "nearly all"],
)
def test_member_sees_the_minutes_of_the_month(
    editor_client: Client, minutes: int, said: str
) -> None:
    workspace = Workspace.objects.default()
    Workspace.objects.update(max_audio_minutes_per_month=100)
    WorkspaceUsage.objects.create(
        workspace=workspace, month=current_month(), audio_seconds=60.0 * minutes
    )

    assert f"{minutes}.0 of 100 min" in section(editor_client, "usage")
    assert said in section(editor_client, "notices")


def test_member_sees_the_latest_documents(editor_client: Client) -> None:
    DocumentFactory.create(title="A contract")

    assert "A contract" in section(editor_client, "documents")


def test_editor_retries_what_failed_in_the_workspace(editor_client: Client) -> None:
    document = DocumentFactory.create(failed=True, title="A contract")
    job = failed_job_of(document)

    said = section(editor_client, "failures")
    retry(editor_client, "job", job)

    job.refresh_from_db()
    assert "A contract Indexing" in said
    assert job.status == JobStatus.QUEUED


@pytest.fixture
def theirs() -> dict[str, Any]:
    """One of everything that the Board shows, in a workspace that is not the viewer's."""
    workspace = WorkspaceFactory.create(max_audio_minutes_per_month=0, name="zanzibar")
    recording = {"recording__workspace": workspace, "recording__name": "zanzibar.wav"}
    run = TranscriptFactory.create(processing=True, **recording).latest_processing
    ChunkTaskFactory.create(claimed=True, processing=run)
    WebhookFactory.create(workspace=workspace, paused=True, url="https://zanzibar.example/")
    document = DocumentFactory.create(workspace=workspace, title="zanzibar", failed=True)
    return {
        "run": TranscriptFactory.create(failed=True, **recording),
        "job": failed_job_of(document),
    }


@pytest.mark.parametrize("is_operator", [False, True], ids=["member", "operator"])
def test_nothing_of_other_workspaces_is_shown(
    client: Client, theirs: dict[str, Any], is_operator: bool
) -> None:
    user = member(Role.MANAGER)
    if is_operator:
        user.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(user)

    page = client.get(FRAGMENT).content.decode()

    assert "zanzibar" not in page
    assert str(theirs["run"].pk) not in page


@pytest.mark.parametrize("kind", ["run", "job"])
def test_what_failed_elsewhere_is_not_found(
    editor_client: Client, theirs: dict[str, Any], kind: str
) -> None:
    assert retry(editor_client, kind, theirs[kind]).status_code == 404


# What it costs


def one_of_everything() -> None:
    """One row more in every section."""
    worker = WorkerFactory.create(queues=EVERY_QUEUE)
    run = ProcessingTaskFactory.create(processing=True, total_samples=64_000, total_chunks=4)
    ChunkTaskFactory.create(claimed=True, processing=run, worker=worker)
    ChunkTaskFactory.create(completed=True, processing=run)
    JobFactory.create(processing=True, worker=worker)
    JobFactory.create()
    partial = TranscriptFactory.create(partial=True)
    ChunkTaskFactory.create(failed=True, processing=partial.latest_processing)
    document = DocumentFactory.create(failed=True)
    failed_job_of(document)
    Engine.objects.record_failure(f"engine-{run.pk}", code="bad_answer", message="")
    WebhookFactory.create(paused=True)


@pytest.mark.parametrize("kind", ["operator", "member"])
def test_board_asks_the_database_as_often_for_many_as_for_one(client: Client, kind: str) -> None:
    if kind == "operator":
        client.force_login(User.objects.create_superuser("root"))
    else:
        client.force_login(member(Role.MANAGER))
    one_of_everything()
    client.get(FRAGMENT)
    few = queries_of(lambda: client.get(FRAGMENT))

    for _ in range(3):
        one_of_everything()
    many = queries_of(lambda: client.get(FRAGMENT))

    assert len(many) == len(few)
    assert not [sql for sql in many if '"segments"' in sql or '"result"' in sql]


def test_status_of_a_run_is_told_while_it_waits(admin_client: Client) -> None:
    TranscriptFactory.create()

    assert f"{ProcessingStatus.PENDING} meeting" in section(admin_client, "recordings")
