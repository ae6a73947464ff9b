"""What staff see of jobs, and what they can do about them."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs import handlers
from jobs.admin import SHOWN_RELATED
from jobs.api import totals
from jobs.choices import JobPriority, JobStatus
from jobs.handlers import JobHandler
from jobs.models import Job, JobDependency
from jobs.services.priority import PATIENCE
from processing.choices import ProcessingStatus
from tests.factories.jobs import JobFactory
from tests.factories.processing import ProcessingTaskFactory
from tests.queries import queries_of

pytestmark = pytest.mark.django_db

LIST = reverse("admin:jobs_job_changelist")
ACTIONS = [
    "cancel",
    "retry",
    "reprioritise_urgent",
    "reprioritise_high",
    "reprioritise_normal",
    "reprioritise_low",
]


@pytest.fixture(autouse=True)
def _handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more type of job: PROBE, which can be done again."""
    monkeypatch.setattr(handlers, "_handlers", dict(handlers._handlers))
    monkeypatch.setattr(handlers, "_sources", dict(handlers._sources))
    handlers.register_job(JobHandler("PROBE", "maintenance", lambda job: None))


@pytest.fixture
def staff(client: Client) -> User:
    """Staff without any permission, logged in."""
    staff = User.objects.create_user("staff", is_staff=True)
    client.force_login(staff)
    return staff


def probe(**fields: Any) -> Job:
    return JobFactory.create(job_type="PROBE", queue_name="maintenance", **fields)


def may(user: User, *codenames: str) -> None:
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))


def page_of(client: Client, job: Job) -> str:
    return client.get(reverse("admin:jobs_job_change", args=[job.pk])).content.decode()


def act(client: Client, action: str, *jobs: Job, **options: str) -> list[str]:
    """Do an action to jobs, confirmed where that is asked for, and return what it says."""
    selected = [str(job.pk) for job in jobs]
    selection = {"action": action, "_selected_action": selected, "confirmed": "yes", **options}
    response = client.post(LIST, selection, follow=True)
    return [str(message) for message in response.context["messages"]]


def statuses_of(*jobs: Job) -> list[str]:
    for job in jobs:
        job.refresh_from_db()
    return [job.status for job in jobs]


def shown(client: Client, **query: str) -> list[Job]:
    return list(client.get(LIST, query).context["cl"].result_list)


def test_cancel_counts_what_it_did_and_says_why_not_to_the_others(admin_client: Client) -> None:
    jobs = [
        JobFactory.create(),
        JobFactory.create(processing=True),
        JobFactory.create(completed=True),
        JobFactory.create(failed=True),
        JobFactory.create(failed=True),
    ]

    said = act(admin_client, "cancel", *jobs)

    assert said == [
        "Cancelled 2 of 5.",
        "Refused 2: the job is FAILED.",
        "Refused 1: the job is COMPLETED.",
    ]
    assert statuses_of(*jobs) == ["CANCELLED", "CANCELLED", "COMPLETED", "FAILED", "FAILED"]


def test_cancel_of_a_planner_cancels_its_run(admin_client: Client) -> None:
    run = ProcessingTaskFactory.create(splitting=True)
    job = JobFactory.create(processing=True, payload={"processing_id": str(run.pk)})

    act(admin_client, "cancel", job)

    run.refresh_from_db()
    assert run.status == ProcessingStatus.CANCELLED


def test_retry_counts_what_it_did_and_says_why_not_to_the_others(admin_client: Client) -> None:
    jobs = [
        probe(failed=True),
        probe(cancelled=True),
        probe(completed=True),
        JobFactory.create(failed=True),
        JobFactory.create(failed=True, job_type="RETIRED"),
    ]

    said = act(admin_client, "retry", *jobs)

    reasons = "\n".join(said)
    assert said[0] == "Requeued 2 of 5."
    assert "Refused 1: the job is COMPLETED." in said
    assert "ask for the transcript again" in reasons
    assert "no handler for job type 'RETIRED'" in reasons
    assert statuses_of(*jobs) == ["QUEUED", "QUEUED", "COMPLETED", "FAILED", "FAILED"]


@pytest.mark.parametrize("priority", JobPriority, ids=lambda priority: priority.name)
def test_reprioritise_moves_the_deadline_of_what_has_not_begun(
    admin_client: Client, priority: JobPriority
) -> None:
    waiting, later = JobFactory.create(), JobFactory.create(scheduled=True)
    running = JobFactory.create(processing=True, priority=JobPriority.NORMAL)

    said = act(admin_client, f"reprioritise_{priority.name.lower()}", waiting, later, running)

    moved = Job.objects.filter(priority=priority, pk__in=[waiting.pk, later.pk])
    assert said == [f"Gave {priority.name} to 2 of 3.", "Refused 1: the job is PROCESSING."]
    assert {job.due_by - job.available_at for job in moved} == {PATIENCE[priority]}
    running.refresh_from_db()
    assert running.priority == JobPriority.NORMAL


def test_action_on_all_that_the_list_shows_takes_on_those_alone(admin_client: Client) -> None:
    wanted, other = JobFactory.create_batch(3), probe()
    selection = {"action": "cancel", "_selected_action": [str(wanted[0].pk)], "select_across": "1"}

    admin_client.post(f"{LIST}?ready_on=transcription", selection | {"confirmed": "yes"})

    assert statuses_of(*wanted, other) == [*3 * ["CANCELLED"], "QUEUED"]


def test_nothing_done_is_a_warning(admin_client: Client) -> None:
    job = JobFactory.create(completed=True)
    selection = {"action": "retry", "_selected_action": [str(job.pk)]}

    response = admin_client.post(LIST, selection, follow=True)

    assert {message.level_tag for message in response.context["messages"]} == {"warning"}


def test_who_may_only_look_has_no_actions(client: Client, staff: User) -> None:
    may(staff, "view_job")
    job = JobFactory.create()

    page = client.get(LIST).content.decode()
    act(client, "cancel", job)

    assert not [action for action in ACTIONS if f'value="{action}"' in page]
    assert statuses_of(job) == ["QUEUED"]


def test_who_may_change_jobs_has_all_actions_and_edits_nothing(client: Client, staff: User) -> None:
    may(staff, "view_job", "change_job")
    job = JobFactory.create()

    page = client.get(LIST).content.decode()
    edited = client.post(reverse("admin:jobs_job_change", args=[job.pk]), {"priority": 4})

    assert [action for action in ACTIONS if f'value="{action}"' in page] == ACTIONS
    assert edited.status_code == 403
    assert act(client, "cancel", job) == ["Cancelled 1 of 1."]


def test_job_shows_what_it_follows_and_what_follows_it(admin_client: Client) -> None:
    before, job, after = JobFactory.create(), probe(blocked=True), JobFactory.create(blocked=True)
    JobDependency.objects.create(job=job, depends_on=before)
    JobDependency.objects.create(job=after, depends_on=job)

    page = page_of(admin_client, job)

    for status, other in (("queued", before), ("blocked", after)):
        address = reverse("admin:jobs_job_change", args=[other.pk])
        assert f'badge badge-{status}">{status.upper()}</span> <a href="{address}">' in page


def test_job_with_very_many_dependents_shows_some(admin_client: Client) -> None:
    job = JobFactory.create()
    JobDependency.objects.bulk_create(
        JobDependency(job=dependent, depends_on=job)
        for dependent in JobFactory.create_batch(SHOWN_RELATED + 1, blocked=True)
    )

    page = page_of(admin_client, job)

    assert page.count("badge-blocked") == SHOWN_RELATED
    assert "and more" in page


def test_job_without_dependencies_says_so(admin_client: Client) -> None:
    assert "–" in page_of(admin_client, JobFactory.create())  # noqa: RUF001  what is shown


def test_list_names_the_queue_and_leaves_payloads_out(admin_client: Client) -> None:
    probe()

    pages: list[str] = []
    queries = queries_of(lambda: pages.append(admin_client.get(LIST).content.decode()))

    assert '<td class="field-queue_name">maintenance</td>' in pages[0]
    assert not [sql for sql in queries if '"payload"' in sql]


def test_list_is_narrowed_by_status_type_queue_and_time(admin_client: Client) -> None:
    failed = JobFactory.create(failed=True)
    waiting = probe()
    old = probe(completed=True, created_at=timezone.now() - timedelta(days=30))
    week_ago = (timezone.now() - timedelta(days=7)).isoformat()

    assert shown(admin_client, status__exact="FAILED") == [failed]
    assert shown(admin_client, job_type="PROBE") == [waiting, old]
    assert shown(admin_client, ready_on="maintenance") == [waiting]
    assert shown(admin_client, created_at__gte=week_ago) == [waiting, failed]


def test_job_is_found_by_its_id_and_by_its_subject(admin_client: Client) -> None:
    job, other = JobFactory.create(subject_id=uuid4()), JobFactory.create()

    assert shown(admin_client, q=str(job.subject_id)) == [job]
    assert shown(admin_client, q=str(other.pk)) == [other]
    assert shown(admin_client, q=str(job.pk)[:8]) == []


def test_list_is_sorted_by_nothing_but_age(admin_client: Client) -> None:
    JobFactory.create()

    page = admin_client.get(LIST).content.decode()

    assert re.findall(r'class="sortable column-(\w+)', page) == ["age"]


def test_list_looks_for_no_distinct_values_among_all_rows(admin_client: Client) -> None:
    JobFactory.create()

    queries = queries_of(lambda: admin_client.get(LIST, {"_facets": "True"}))

    assert not [
        sql for sql in queries if "DISTINCT" in sql or ("COUNT(" in sql and "LIMIT" not in sql)
    ]


def test_count_of_a_large_table_is_about_right_and_says_so(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "EXACT_LIMIT", 5)
    JobFactory.create_batch(30)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_jobs")

    assert "about 30 jobs" in " ".join(admin_client.get(LIST).content.decode().split())


def test_count_of_a_small_table_is_exact(admin_client: Client) -> None:
    JobFactory.create_batch(2)

    page = " ".join(admin_client.get(LIST).content.decode().split())

    assert "2 jobs" in page
    assert "about 2 jobs" not in page


def test_pages_end_where_skipping_would_cost_too_much(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(totals, "OFFSET_LIMIT", 200)
    JobFactory.create_batch(205)

    last, beyond = admin_client.get(LIST, {"p": 2}), admin_client.get(LIST, {"p": 3})

    assert len(last.context["cl"].result_list) == 100
    assert beyond.status_code == 302


@pytest.mark.parametrize("status", JobStatus, ids=str)
def test_job_in_any_status_has_a_page(admin_client: Client, status: JobStatus) -> None:
    trait = {} if status == JobStatus.QUEUED else {status.lower(): True}

    assert f">{status}</span>" in page_of(admin_client, JobFactory.create(**trait))
