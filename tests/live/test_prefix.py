"""What is heard of a run while it goes on: a beginning of its transcript, never taken back."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from processing.live.prefix import Prefix
from processing.models import ProcessingTask
from processing.services.joining import heard_so_far
from tests.live.runs import land, run_of
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


def current(run: ProcessingTask) -> ProcessingTask:
    return ProcessingTask.objects.with_recordings().get(pk=run.pk)


def heard(prefix: Prefix) -> str:
    return " ".join(segment["text"] for segment in prefix.advance().segments)


def words(first: int, last: int) -> str:
    return " ".join(f"a{number}" for number in range(first, last))


def test_a_chunk_that_ends_in_a_pause_is_told_at_once() -> None:
    run = run_of(3)
    prefix = Prefix(current(run))
    land(run, 0)

    assert heard(prefix) == words(0, 20)


def test_a_chunk_waits_for_those_before_it() -> None:
    run = run_of(3)
    prefix = Prefix(current(run))
    land(run, 1)
    early = heard(prefix)
    land(run, 0)

    assert early == ""
    assert heard(prefix) == words(0, 40)


def test_what_the_next_chunk_may_have_heard_too_waits_for_it() -> None:
    run = run_of(2, open_cuts=True)
    prefix = Prefix(current(run))
    land(run, 0)
    early = heard(prefix)
    land(run, 1)

    assert early == ""  # the only chunk that landed began where the next may not begin before
    assert heard(prefix) == words(0, 40)


def test_with_overlaps_all_but_the_last_chunk_is_told() -> None:
    run = run_of(4, open_cuts=True)
    prefix = Prefix(current(run))
    land(run, 0, 1, 2)

    told = heard(prefix)

    assert told == words(0, len(told.split()))
    assert len(told.split()) >= 30


def test_a_chunk_that_failed_is_a_gap_and_the_next_is_told() -> None:
    run = run_of(3)
    prefix = Prefix(current(run))
    land(run, 0)
    land(run, 1, failed=True)
    land(run, 2)

    gained = prefix.advance()

    assert gained.gaps == [{"start": 10.0, "end": 20.0, "reason": "error: no"}]
    assert [segment["start"] for segment in gained.segments][-1] > 20.0


def test_of_two_channels_neither_runs_ahead_of_the_other() -> None:
    run = run_of(2, channel_count=2)
    prefix = Prefix(current(run))
    land(run, 0, 1)
    early = prefix.advance().segments
    land(run, 2)

    late = prefix.advance().segments

    assert early == []
    assert [segment["speaker"] for segment in late[:4]] == ["channel 1", "channel 2"] * 2
    assert max(segment["start"] for segment in late) < 10.0


def test_no_chunk_is_read_twice() -> None:
    run = run_of(6)
    prefix = Prefix(current(run))
    land(run, 0, 1, 2, 3)
    prefix.advance()
    land(run, 4)

    queries = queries_of(prefix.advance)

    assert len(queries) == 2
    assert queries_of(prefix.advance)[0].count("SELECT") == 1


def test_many_chunks_are_read_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processing.live.prefix.CHUNKS_AT_ONCE", 2)
    run = run_of(3)
    prefix = Prefix(current(run))
    land(run, 0, 1, 2)
    first, was_behind = heard(prefix), prefix.is_behind

    rest = heard(prefix)

    assert was_behind
    assert not prefix.is_behind
    assert f"{first} {rest}" == words(0, 60)


@hypothesis_settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(data=st.data(), open_cuts=st.booleans(), channel_count=st.sampled_from([1, 2]))
def test_whatever_the_order_what_was_told_is_a_beginning_of_the_transcript(
    data: Any, open_cuts: bool, channel_count: int
) -> None:
    run = run_of(3, open_cuts=open_cuts, channel_count=channel_count)
    prefix = Prefix(current(run))
    segments: list[Any] = []
    gaps: list[Any] = []
    for index in data.draw(st.permutations(range(3 * channel_count))):
        land(run, index, failed=data.draw(st.integers(0, 4)) == 0)
        gained = prefix.advance()
        segments += gained.segments
        gaps += gained.gaps

    whole = heard_so_far(current(run))

    assert segments == whole.segments[: len(segments)]
    assert sorted(map(str, gaps)) == sorted(map(str, whole.gaps))
