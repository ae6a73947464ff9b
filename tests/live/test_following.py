"""Following a run: everything once, in order, whatever happens to run, listener and database."""

import threading
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db import OperationalError, connection

from processing.choices import ProcessingStatus
from processing.live import followed_run
from processing.live.events import DONE, FAILED, HEARTBEAT, PROGRESS, RESTART, SEGMENTS
from processing.live.following import follow
from processing.live.hub import hub, renew_hub
from processing.models import ChunkTask, ProcessingTask, Transcript
from tests.factories.processing import TranscriptFactory, heard_segment
from tests.live.conftest import Listener
from tests.live.runs import cancel, finish, is_whole, land, names, run_of, texts
from tests.processing.test_joining import text_of
from tests.queries import queries_of
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Listen = Callable[..., Listener]


def connections_to_the_database() -> int:
    """Count those that this process has, but for the one that counts."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
        [[count]] = cursor.fetchall()
    return int(count)


# A run that goes on


def test_segments_come_as_chunks_land_and_the_end_says_that_all_were_heard(listen: Listen) -> None:
    run = run_of(3)
    listener = listen(run.transcript_id)
    land(run, 0)
    listener.heard(SEGMENTS)
    land(run, 2)
    land(run, 1)
    listener.heard(SEGMENTS, count=2)
    transcript = finish(run)

    events = listener.to_its_end()

    assert " ".join(texts(events)) == transcript.text
    assert is_whole(events)
    assert RESTART not in names(events)
    assert events[-1].data == {
        "status": "COMPLETED",
        "transcript": str(transcript.pk),
        "recording": str(transcript.recording_id),
        "processing": str(run.pk),
        "engine": "scripted",
        "language": "en",
        "heard_language": "en",
        "duration_seconds": 30.0,
        "segment_count": 12,
        "gap_count": 0,
    }


def test_progress_says_how_far_it_is(listen: Listen) -> None:
    run = run_of(2)
    listener = listen(run.transcript_id)
    [first] = listener.heard(PROGRESS)[:1]
    land(run, 1)

    second = listener.heard(PROGRESS, count=2)[-1]

    assert first.data["status"] == "PROCESSING"
    assert (first.data["done_seconds"], second.data["done_seconds"]) == (0.0, 10.0)
    assert second.data["total_seconds"] == 20.0
    assert second.data["progress_text"].startswith("0:10 of 0:20")


def test_a_chunk_that_failed_is_told_as_a_gap(listen: Listen) -> None:
    run = run_of(3)
    listener = listen(run.transcript_id)
    land(run, 0)
    land(run, 1, failed=True)
    land(run, 2)
    finish(run)

    events = listener.to_its_end()

    gaps = [gap for event in events if event.name == SEGMENTS for gap in event.data["gaps"]]
    assert gaps == [{"start": 10.0, "end": 20.0, "reason": "error: no"}]
    assert events[-1].data["status"] == ProcessingStatus.PARTIAL
    assert (events[-1].data["gap_count"], is_whole(events)) == (1, True)


def test_listeners_of_one_run_hear_the_same(listen: Listen) -> None:
    run = run_of(2, open_cuts=True)
    listeners = [listen(run.transcript_id) for _ in range(5)]
    land(run, 0, 1)
    transcript = finish(run)

    heard = [" ".join(texts(listener.to_its_end())) for listener in listeners]

    assert heard == [transcript.text] * 5


def test_a_cancelled_run_ends_in_a_failure(listen: Listen) -> None:
    run = run_of(2)
    listener = listen(run.transcript_id)
    listener.heard(PROGRESS)
    cancel(run)

    last = listener.to_its_end()[-1]

    assert (last.name, last.data["status"], last.data["code"]) == (FAILED, "CANCELLED", "cancelled")


def test_a_deleted_transcript_ends_in_a_failure(listen: Listen) -> None:
    run = run_of(1)
    listener = listen(run.transcript_id)
    listener.heard(PROGRESS)
    Transcript.objects.filter(pk=run.transcript_id).delete()

    assert listener.to_its_end()[-1].data["code"] == "deleted"


def test_a_transcript_that_nobody_has_ends_at_once() -> None:
    assert [event.name for event in follow(uuid4())] == [FAILED]


def test_what_becomes_another_in_the_end_is_told_anew(listen: Listen) -> None:
    run = run_of(1)
    listener = listen(run.transcript_id)
    land(run, 0)
    listener.heard(SEGMENTS)
    Transcript.objects.filter(pk=run.transcript_id).update(
        segments=[heard_segment(0.1, "corrected")], duration_seconds=10.0
    )
    ProcessingTask.objects.elect_merger(run.pk)
    ProcessingTask.objects.finish(run.pk, is_partial=False)

    events = listener.to_its_end()

    assert names(events).count(RESTART) == 1
    assert texts(events) == ["corrected"]
    assert is_whole(events)


# Going on


@pytest.mark.parametrize("count", [1, 2])
def test_who_comes_again_in_another_process_hears_only_the_rest(listen: Listen, count: int) -> None:
    run = run_of(4)
    first = listen(run.transcript_id, until=(SEGMENTS, count))
    for index in range(count):
        land(run, index)
        first.heard(SEGMENTS, count=index + 1)
    before = first.to_its_end()
    hub().close()
    renew_hub()  # nothing is known any more of what was told
    second = listen(run.transcript_id, after=before[-1].id)
    land(run, *range(count, 4))
    transcript = finish(run)

    after = second.to_its_end()

    assert RESTART not in names(after)
    assert " ".join(texts(before) + texts(after)) == transcript.text
    assert after[-1].data["segment_count"] == len(texts(before) + texts(after))


def test_who_comes_again_after_the_end_hears_only_the_rest(listen: Listen) -> None:
    run = run_of(2)
    land(run, 0)
    before = listen(run.transcript_id, until=(SEGMENTS, 1)).to_its_end()
    land(run, 1)
    transcript = finish(run)

    after = listen(run.transcript_id, after=before[-1].id).to_its_end()

    assert names(after) == [PROGRESS, SEGMENTS, DONE]
    assert " ".join(texts(before) + texts(after)) == transcript.text


def test_who_has_heard_all_is_only_told_of_the_end(listen: Listen) -> None:
    transcript = TranscriptFactory.create(completed=True)
    before = listen(transcript.pk).to_its_end()

    after = listen(transcript.pk, after=before[-1].id).to_its_end()

    assert names(after) == [PROGRESS, DONE]


def test_who_has_heard_what_was_corrected_since_hears_all_anew(listen: Listen) -> None:
    transcript = TranscriptFactory.create(completed=True)
    before = listen(transcript.pk).to_its_end()
    transcript.segments[0]["text"] = "corrected"
    transcript.save(update_fields=["segments"])

    after = listen(transcript.pk, after=before[-1].id).to_its_end()

    assert names(after) == [PROGRESS, RESTART, SEGMENTS, DONE]
    assert texts(after)[0] == "corrected"


@pytest.mark.parametrize("after", ["nonsense", "5-000000000000-0-000000000000"])
def test_who_has_heard_what_nobody_knows_hears_all_anew(listen: Listen, after: str) -> None:
    transcript = TranscriptFactory.create(completed=True)

    events = listen(transcript.pk, after=after).to_its_end()

    assert names(events) == [PROGRESS, RESTART, SEGMENTS, DONE]


# What is over


def test_a_long_transcript_is_told_while_it_is_read(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed_run, "SEGMENTS_AT_ONCE", 10)
    segments = [heard_segment(float(number), "so", "it") for number in range(55)]
    transcript = TranscriptFactory.create(completed=True, segments=segments)
    before = listen(transcript.pk, until=(SEGMENTS, 2)).to_its_end()

    after = listen(transcript.pk, after=before[-1].id).to_its_end()

    assert RESTART not in names(after)
    assert " ".join(texts(before) + texts(after)) == text_of(segments)
    assert after[-1].data["segment_count"] == 55


def test_a_finished_transcript_is_told_in_frames(listen: Listen) -> None:
    segments = [heard_segment(float(number), "so", "it") for number in range(250)]
    transcript = TranscriptFactory.create(completed=True, segments=segments)

    events = listen(transcript.pk).to_its_end()

    assert names(events) == [PROGRESS, SEGMENTS, SEGMENTS, SEGMENTS, DONE]
    assert " ".join(texts(events)) == text_of(segments)
    assert is_whole(events)


@pytest.mark.parametrize(
    ("trait", "code"), [("failed", "unreadable_audio"), ("cancelled", "cancelled")]
)
def test_of_a_run_without_a_transcript_it_is_told_why(
    listen: Listen, trait: str, code: str
) -> None:
    transcript = TranscriptFactory.create(**{trait: True})

    events = listen(transcript.pk).to_its_end()

    assert names(events) == [PROGRESS, FAILED]
    assert events[-1].data["code"] == code


# While nothing happens


def test_a_waiting_listener_shows_that_it_lives_and_holds_no_connection(listen: Listen) -> None:
    run = run_of(1)
    before = connections_to_the_database()
    listeners = [listen(run.transcript_id, heartbeat_seconds=0.05) for _ in range(10)]

    for listener in listeners:
        listener.heard(HEARTBEAT, count=3)

    assert connections_to_the_database() <= before + 1  # the hub's, while it looks
    wait_for(lambda: [thread.name for thread in threading.enumerate()].count("live") == 1)


def test_all_runs_are_looked_at_with_one_query(listen: Listen) -> None:
    runs = [run_of(1) for _ in range(3)]
    for run in runs:
        listen(run.transcript_id).heard(PROGRESS)

    assert len(queries_of(hub()._look)) == 1


def test_nobody_is_watched_whom_nobody_follows(listen: Listen) -> None:
    run = run_of(1)
    land(run, 0)

    listen(run.transcript_id, until=(SEGMENTS, 1)).to_its_end()

    wait_for(lambda: not hub()._runs)


def test_a_run_that_cannot_be_read_lets_its_listeners_go_and_no_others(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("threading.excepthook", lambda args: None)
    good, bad = run_of(1), run_of(1)
    land(bad, 0)
    ChunkTask.objects.of(bad.pk).update(result={"segments": "nonsense"})
    other = listen(good.transcript_id, heartbeat_seconds=0.1)
    other.heard(PROGRESS)
    broken = listen(bad.transcript_id, heartbeat_seconds=0.1)
    events = broken.to_its_end()
    land(good, 0)

    assert DONE not in names(events)
    assert FAILED not in names(events)
    assert texts(other.heard(SEGMENTS))


def test_without_the_database_heartbeats_go_on_and_so_does_all_when_it_is_back(
    listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(1)
    listener = listen(run.transcript_id, heartbeat_seconds=0.1)
    listener.heard(PROGRESS)
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    count = names(listener.events).count(HEARTBEAT)
    listener.heard(HEARTBEAT, count=count + 8)  # who had connected before has looked by then
    land(run, 0)  # by the connection there is
    count = names(listener.events).count(HEARTBEAT)
    during = names(listener.heard(HEARTBEAT, count=count + 8))
    monkeypatch.undo()

    assert texts(listener.heard(SEGMENTS))
    assert SEGMENTS not in during


def test_an_end_that_could_not_be_read_is_told_when_the_database_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transcript = TranscriptFactory.create(completed=True)
    run = ProcessingTask.objects.with_recordings().get(transcript=transcript)
    followed = followed_run.FollowedRun(run.pk)
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    connection.close()
    with pytest.raises(OperationalError):
        followed.look(run)
    monkeypatch.undo()

    followed.look(run)

    end = followed.after(0, seconds=0.0).end
    assert end is not None
    assert end.name == DONE


def test_a_transcript_that_was_corrected_is_read_again_for_who_comes_later(listen: Listen) -> None:
    transcript = TranscriptFactory.create(completed=True)
    slow = follow(transcript.pk)
    next(slow)
    Transcript.objects.filter(pk=transcript.pk).update(segments=[heard_segment(0.1, "corrected")])

    events = listen(transcript.pk).to_its_end()

    assert texts(events) == ["corrected"]
    assert DONE in [event.name for event in slow]


def test_listeners_end_when_the_process_is_to_end(listen: Listen) -> None:
    run = run_of(1)
    listener = listen(run.transcript_id)
    listener.heard(PROGRESS)

    hub().close()

    assert names(listener.to_its_end()) == [PROGRESS]
