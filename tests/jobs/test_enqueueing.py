"""Recording work, and ringing for it only once it is there."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from jobs.choices import JobPriority, JobStatus
from jobs.exceptions import UnknownJobType
from jobs.models import Job
from jobs.services.enqueueing import enqueue_job
from tests.jobs.conftest import QUEUE, Register

pytestmark = pytest.mark.django_db

Count = Callable[[str], int]


@pytest.fixture(autouse=True)
def _probe(register: Register) -> None:
    register(lambda job: None)


def test_a_job_is_queued_where_its_type_is_done() -> None:
    job = enqueue_job(job_type="PROBE", payload={"what": [1, "two"]}, priority=JobPriority.HIGH)

    stored = Job.objects.get()
    assert stored == job
    assert (stored.queue_name, stored.status, stored.attempt) == (QUEUE, JobStatus.QUEUED, 0)
    assert stored.payload == {"what": [1, "two"]}
    assert stored.due_by - stored.available_at == timedelta(seconds=30)


def test_a_job_says_what_it_is_about_and_whose_it_is() -> None:
    subject_id, workspace_id = uuid4(), uuid4()
    user = get_user_model().objects.create_user("ada")

    enqueue_job(job_type="PROBE", subject_id=subject_id, workspace_id=workspace_id, created_by=user)

    job = Job.objects.about(subject_id).get()
    assert (job.workspace_id, job.created_by, job.payload) == (workspace_id, user, {})


def test_the_queue_is_rung_after_the_commit(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, waiting_rings: Count
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        enqueue_job(job_type="PROBE")
        rings_before_commit = waiting_rings(QUEUE)

    assert rings_before_commit == 0
    assert waiting_rings(QUEUE) == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_rung_and_nothing_is_left_after_a_rollback(waiting_rings: Count) -> None:
    with transaction.atomic():
        enqueue_job(job_type="PROBE")
        transaction.set_rollback(True)

    assert waiting_rings(QUEUE) == 0
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_job_is_there_when_its_ring_is_heard(waiting_rings: Count) -> None:
    enqueue_job(job_type="PROBE")

    assert waiting_rings(QUEUE) == 1
    assert Job.objects.ready().on_queue(QUEUE).count() == 1


def test_a_type_that_nobody_can_do_is_refused_and_leaves_no_row() -> None:
    with pytest.raises(UnknownJobType, match=r"'os\.system'"):
        enqueue_job(job_type="os.system")

    assert not Job.objects.exists()


def test_a_priority_that_does_not_exist_is_refused_and_leaves_no_row() -> None:
    with pytest.raises(ValueError, match="not a valid JobPriority"):
        enqueue_job(job_type="PROBE", priority=7)

    assert not Job.objects.exists()
