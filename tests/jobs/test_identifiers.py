"""Ids that come in the order in which they are made."""

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import time_machine

from jobs.identifiers import uuid7


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = uuid7()

    assert (made.version, made.variant) == (7, RFC_4122)


def test_an_id_begins_with_the_time_in_milliseconds() -> None:
    moment = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)  # the example of RFC 9562, A.6

    with time_machine.travel(moment, tick=False):
        made = uuid7()

    assert made.hex[:12] == "017f22e279b0"


def test_ids_made_one_after_the_other_are_in_that_order() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = []

    for step in range(1000):
        with time_machine.travel(start + timedelta(microseconds=step), tick=False):
            made.append(uuid7())

    assert made == sorted(made)


def test_ids_made_at_one_moment_differ() -> None:
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False):
        made = {uuid7() for _ in range(1000)}

    assert len(made) == 1000
