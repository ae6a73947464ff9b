"""What can be a job, and the row it becomes: what is accepted here, the database takes."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.choices import JobPriority, JobStatus
from jobs.exceptions import InvalidJob, UnknownJobType
from jobs.models import Job
from jobs.services.enqueueing import enqueue_job
from jobs.services.requests import (
    END_OF_TIME,
    MAX_DEPTH,
    MAX_KEY_LENGTH,
    MOST_ATTEMPTS,
    JobRequest,
    row_of,
)
from tests.factories.jobs import WorkerFactory
from tests.jobs.conftest import QUEUE, Register

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _probe(register: Register) -> None:
    register(lambda job: None)


def nested(depth: int) -> dict[str, Any]:
    """Return a payload of as many objects and lists inside each other."""
    inner: Any = {}
    for level in range(depth - 1, 0, -1):
        inner = {"inner": inner} if level % 2 else [inner]
    payload: dict[str, Any] = inner
    return payload


def refusal_of(**fields: Any) -> str:
    with pytest.raises(InvalidJob) as refused:
        row_of(JobRequest("PROBE", **fields), NOW)
    return str(refused.value)


# Time


def test_a_job_without_a_time_is_queued_now() -> None:
    row = row_of(JobRequest("PROBE"), NOW)

    assert (row.status, row.available_at, row.created_at) == (JobStatus.QUEUED, NOW, NOW)
    assert row.due_by == NOW + timedelta(minutes=5)


def test_a_job_for_later_is_scheduled_and_due_from_then() -> None:
    row = row_of(JobRequest("PROBE", available_at=NOW + HOUR, priority=JobPriority.HIGH), NOW)

    assert (row.status, row.available_at) == (JobStatus.SCHEDULED, NOW + HOUR)
    assert row.due_by == NOW + HOUR + timedelta(seconds=30)


@pytest.mark.parametrize("ago", [timedelta(0), HOUR], ids=["now", "past"])
def test_a_time_that_has_come_is_now(ago: timedelta) -> None:
    row = row_of(JobRequest("PROBE", available_at=NOW - ago), NOW)

    assert (row.status, row.available_at) == (JobStatus.QUEUED, NOW)


@pytest.mark.parametrize("field", ["available_at", "expires_at"])
def test_a_time_without_a_zone_is_refused(field: str) -> None:
    naive = datetime(2027, 1, 1)  # noqa: DTZ001  that is the point

    assert "2027-01-01 00:00:00 has no time zone" in refusal_of(**{field: naive})


@pytest.mark.parametrize("field", ["available_at", "expires_at"])
@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(END_OF_TIME, id="the first that is too far"),
        pytest.param(datetime.max.replace(tzinfo=UTC), id="the last there is"),
        pytest.param(datetime.max.replace(tzinfo=timezone(-12 * HOUR)), id="in the year 10000"),
    ],
)
def test_a_time_that_no_process_could_read_again_is_refused(field: str, moment: datetime) -> None:
    assert "too far away" in refusal_of(**{field: moment})


def test_the_last_time_there_is_may_have_any_priority() -> None:
    last = END_OF_TIME - timedelta(microseconds=1)

    row = row_of(JobRequest("PROBE", available_at=last, priority=JobPriority.LOW), NOW)

    assert row.due_by == last + HOUR


@pytest.mark.parametrize(
    ("available_at", "expires_at"),
    [
        pytest.param(None, NOW - HOUR, id="before now"),
        pytest.param(None, NOW, id="now"),
        pytest.param(NOW + HOUR, NOW + HOUR, id="when it begins"),
        pytest.param(NOW + HOUR, NOW + HOUR / 2, id="before it begins"),
    ],
)
def test_a_job_that_expires_before_it_may_begin_is_refused(
    available_at: datetime | None, expires_at: datetime
) -> None:
    message = refusal_of(available_at=available_at, expires_at=expires_at)

    assert message == "it expires before it may begin"


def test_a_job_may_expire_as_soon_as_it_has_begun() -> None:
    expires_at = NOW + timedelta(microseconds=1)

    assert row_of(JobRequest("PROBE", expires_at=expires_at), NOW).expires_at == expires_at


# Type, priority, attempts, identifiers


def test_a_job_is_put_on_the_queue_of_its_type() -> None:
    assert row_of(JobRequest("PROBE"), NOW).queue_name == QUEUE


def test_a_type_that_nobody_can_do_is_refused() -> None:
    with pytest.raises(UnknownJobType, match=r"'os\.system'"):
        row_of(JobRequest("os.system"), NOW)


@pytest.mark.parametrize("priority", [0, 5, -1, 2.5, "HIGH", None, [2]], ids=repr)
def test_a_priority_that_does_not_exist_is_refused(priority: Any) -> None:
    message = refusal_of(priority=priority)

    assert message == f"priority {priority!r} is none of 1, 2, 3, 4"


@pytest.mark.parametrize("priority", [JobPriority.HIGH, 3, 3.0], ids=repr)
def test_a_priority_is_stored_as_the_number_it_is(priority: Any) -> None:
    assert repr(row_of(JobRequest("PROBE", priority=priority), NOW).priority) == repr(
        JobPriority.HIGH
    )


@pytest.mark.parametrize("attempts", [0, -1, MOST_ATTEMPTS + 1, 2**31, 2.5, "3", None], ids=repr)
def test_attempts_that_no_job_can_have_are_refused(attempts: Any) -> None:
    assert "max_attempts" in refusal_of(max_attempts=attempts)


@pytest.mark.parametrize("attempts", [1, MOST_ATTEMPTS])
def test_a_job_may_have_one_attempt_or_very_many(attempts: int) -> None:
    assert row_of(JobRequest("PROBE", max_attempts=attempts), NOW).max_attempts == attempts


@pytest.mark.parametrize("field", ["subject_id", "workspace_id"])
@pytest.mark.parametrize("identifier", ["acme", str(uuid4()), 7], ids=["name", "text", "number"])
def test_an_identifier_that_is_no_uuid_is_refused(field: str, identifier: Any) -> None:
    assert "is no UUID" in refusal_of(**{field: identifier})


# Keys


@pytest.mark.parametrize("field", ["idempotency_key", "unique_key"])
@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("k" * (MAX_KEY_LENGTH + 1), id="too long"),
        pytest.param("a\nb", id="line break"),
        pytest.param("a\0b", id="NUL"),
        pytest.param("a\ud800b", id="lone surrogate"),
        pytest.param("a\u200bb", id="invisible"),
    ],
)
def test_a_key_that_cannot_be_read_is_refused(field: str, key: str) -> None:
    assert "200 printable characters" in refusal_of(**{field: key})


@pytest.mark.parametrize("field", ["idempotency_key", "unique_key"])
@pytest.mark.parametrize(
    "key",
    [
        pytest.param("k", id="shortest"),
        pytest.param("k" * MAX_KEY_LENGTH, id="longest"),
        pytest.param("é" * MAX_KEY_LENGTH, id="longest in characters, not bytes"),
        pytest.param("'; DROP TABLE processing_jobs; -- {}%s", id="anything printable"),
    ],
)
@pytest.mark.django_db
def test_a_key_is_stored_as_it_is(field: str, key: str) -> None:
    job = enqueue_job(job_type="PROBE", **{field: key})  # type: ignore[arg-type]

    assert Job.objects.filter(**{field: key}).get() == job


# Payloads


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param([1], "is no object", id="list"),
        pytest.param("text", "is no object", id="text"),
        pytest.param(None, "is no object", id="nothing"),
        pytest.param({"x": float("nan")}, "is not JSON", id="NaN"),
        pytest.param({"x": float("-inf")}, "is not JSON", id="infinity"),
        pytest.param({float("nan"): 1}, "is not JSON", id="NaN as a name"),
        pytest.param({"x": {1}}, "is not JSON", id="set"),
        pytest.param({"x": b"bytes"}, "is not JSON", id="bytes"),
        pytest.param({"x": NOW}, "is not JSON", id="time"),
        pytest.param({(1, 2): 1}, "is not JSON", id="tuple as a name"),
        pytest.param({"x": 10**5_000}, "is not JSON", id="number of 5,001 digits"),
        pytest.param({"x": "\ud800"}, "is not JSON", id="lone surrogate"),
        pytest.param({"\udfff": 1}, "is not JSON", id="lone surrogate in a name"),
        pytest.param({"x": "a\0b"}, "character NUL", id="NUL"),
        pytest.param({"a\0b": 1}, "character NUL", id="NUL in a name"),
        pytest.param({"x": "\\\0"}, "character NUL", id="NUL after a backslash"),
        pytest.param(nested(MAX_DEPTH + 1), "nests more than 100 deep", id="one level too deep"),
        pytest.param(nested(50_000), "is not JSON", id="far too deep"),
    ],
)
def test_a_payload_that_cannot_be_stored_is_refused(payload: Any, reason: str) -> None:
    assert reason in refusal_of(payload=payload)


def test_a_payload_that_contains_itself_is_refused() -> None:
    payload: dict[str, Any] = {}
    payload["x"] = payload

    assert "is not JSON" in refusal_of(payload=payload)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param({}, id="empty"),
        pytest.param({"x": "\\u0000"}, id="NUL spelled out"),
        pytest.param({"x": "\\\\u0000"}, id="NUL spelled out after a backslash"),
        pytest.param({"x": "\U0001f600 \uffff \x01"}, id="any other character"),
        pytest.param({"x": [1, 2.5, True, None, {"y": "z"}]}, id="every kind of value"),
        pytest.param({"x": 10**4_000}, id="large number"),
        pytest.param({"x": ["["] * 5_000}, id="many brackets in texts"),
        pytest.param({"x": [[]] * 5_000}, id="broad"),
        pytest.param(nested(MAX_DEPTH), id="as deep as may be"),
    ],
)
def test_a_payload_is_read_back_as_it_was(payload: dict[str, Any]) -> None:
    job = enqueue_job(job_type="PROBE", payload=payload)

    assert Job.objects.get(pk=job.pk).payload == payload


@pytest.mark.django_db
def test_a_job_that_was_accepted_is_claimed_however_deep_in_calls_the_worker_is() -> None:
    job = enqueue_job(job_type="PROBE", payload=nested(MAX_DEPTH))
    worker = WorkerFactory.create()

    def claim_below(calls: int) -> list[Job]:
        if calls:
            return claim_below(calls - 1)
        return Job.objects.claim(queue_name=QUEUE, worker=worker)

    assert claim_below(500) == [job]


TEXTS = st.text(st.characters(codec=None), max_size=12) | st.sampled_from(["\\u0000", "\\", "\0"])
#: The database counts in decimals: numbers beyond these come back as whole ones.
FLOATS = st.floats(-1e9, 1e9) | st.sampled_from([float("nan"), float("inf"), float("-inf")])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.django_db
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(payload=st.dictionaries(TEXTS, VALUES, max_size=4))
def test_whatever_payload_is_accepted_the_database_takes(payload: dict[str, Any]) -> None:
    try:
        job = enqueue_job(job_type="PROBE", payload=payload)
    except InvalidJob:
        return

    assert Job.objects.get(pk=job.pk).payload == payload
