"""Order as a deadline."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.choices import JobPriority
from jobs.services.priority import PriorityManager

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("priority", "patience"),
    [
        (JobPriority.URGENT, timedelta(0)),
        (JobPriority.HIGH, timedelta(seconds=30)),
        (JobPriority.NORMAL, timedelta(minutes=5)),
        (JobPriority.LOW, timedelta(hours=1)),
    ],
)
def test_a_deadline_is_the_start_and_the_patience_of_the_priority(
    priority: JobPriority, patience: timedelta
) -> None:
    assert PriorityManager().due_by(NOON, priority) == NOON + patience


def test_a_priority_read_from_the_database_as_a_number_is_understood() -> None:
    assert PriorityManager().due_by(NOON, 3) == NOON + timedelta(seconds=30)


def test_an_unknown_priority_is_refused() -> None:
    with pytest.raises(ValueError, match="9 is not a valid JobPriority"):
        PriorityManager().due_by(NOON, 9)


def test_a_low_job_overtakes_urgent_ones_once_its_patience_is_over() -> None:
    low = PriorityManager().due_by(NOON, JobPriority.LOW)

    later_urgent = PriorityManager().due_by(NOON + timedelta(minutes=61), JobPriority.URGENT)

    assert low < later_urgent


def test_a_short_recording_is_due_before_the_rest_of_a_long_one_that_came_first() -> None:
    chunk_70_of_long = PriorityManager().due_by(NOON, JobPriority.NORMAL, index=70)

    first_of_short = PriorityManager().due_by(NOON + timedelta(minutes=5), JobPriority.NORMAL)

    assert chunk_70_of_long - first_of_short == timedelta(seconds=50)


def test_urgent_work_of_any_length_is_due_in_its_own_order() -> None:
    deadlines = [PriorityManager().due_by(NOON, JobPriority.URGENT, index=i) for i in range(4)]

    assert deadlines == sorted(set(deadlines))
