"""The queries that run all the time are served by their index, however large the table."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from jobs.choices import JobStatus
from jobs.models import Job

pytestmark = pytest.mark.django_db

ROW_COUNT = 5_000


@pytest.fixture
def many_jobs() -> None:
    """Mostly finished jobs, as a table is after a while."""
    now = timezone.now()
    Job.objects.bulk_create(
        [
            Job(
                queue_name="transcription",
                job_type="TRANSCRIPTION",
                status=JobStatus.COMPLETED,
                due_by=now + timedelta(seconds=number),
                completed_at=now,
            )
            for number in range(ROW_COUNT)
        ]
        + [
            Job(
                queue_name="transcription",
                job_type="TRANSCRIPTION",
                due_by=now + timedelta(seconds=number),
            )
            for number in range(ROW_COUNT // 10)
        ]
        + [
            Job(
                queue_name="transcription",
                job_type="TRANSCRIPTION",
                status=JobStatus.SCHEDULED,
                available_at=now + timedelta(seconds=number),
            )
            for number in range(ROW_COUNT // 10)
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE processing_jobs")


def plan_nodes(queryset: QuerySet[Job]) -> list[dict[str, Any]]:
    """Return the nodes of the executed plan, outermost first."""
    [document] = json.loads(queryset.explain(format="json", analyze=True))
    nodes, waiting = [], [document["Plan"]]
    while waiting:
        node = waiting.pop(0)
        nodes.append(node)
        waiting += node.get("Plans", [])
    return nodes


@pytest.mark.usefixtures("many_jobs")
def test_a_claim_reads_the_ready_index_in_order_and_no_more_than_it_takes() -> None:
    ready = Job.objects.ready().on_queue("transcription").in_dispatch_order()

    nodes = plan_nodes(ready[:5])

    assert nodes[-1]["Index Name"] == "job_ready_idx"
    assert nodes[-1]["Actual Rows"] == 5
    assert "Sort" not in [node["Node Type"] for node in nodes]


@pytest.mark.usefixtures("many_jobs")
def test_a_look_for_what_is_due_reads_the_index_of_scheduled_work() -> None:
    nodes = plan_nodes(Job.objects.due())

    assert nodes[-1]["Index Name"] == "job_scheduled_idx"


@pytest.mark.usefixtures("many_jobs")
def test_a_look_for_what_is_stalled_reads_the_index_of_leases() -> None:
    nodes = plan_nodes(Job.objects.stalled())

    assert nodes[-1]["Index Name"] == "job_leased_idx"
