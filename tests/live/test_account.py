"""What there is to tell, and how much of it somebody has heard."""

from typing import Any

import pytest

from processing.live.account import FRAME, START, Account, Position
from tests.factories.processing import heard_segment


def segments(count: int, *, word: str = "so") -> list[dict[str, Any]]:
    return [heard_segment(float(number), word) for number in range(count)]


def account_of(*parts: list[dict[str, Any]], gaps: int = 0) -> Account:
    account = Account()
    for part in parts:
        account.add(part, [])
    account.add([], [{"start": float(i), "end": i + 0.5, "reason": "no"} for i in range(gaps)])
    return account


def told(account: Account, position: Position) -> list[dict[str, Any]]:
    return [row for data, _ in account.after(position) for row in data["segments"]]


def position_after(account: Account, count: int) -> Position:
    """Return where somebody is who has heard so many segments, one part after the other."""
    one = account_of(*([row] for row in told(account, START)[:count]))
    *_, (_, position) = one.after(START)
    return position


@pytest.mark.parametrize("count", [1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME + 3])
def test_all_is_told_in_frames_of_a_bounded_size(count: int) -> None:
    account = account_of(segments(count))

    frames = [len(data["segments"]) for data, _ in account.after(START)]

    assert told(account, START) == segments(count)
    assert max(frames) <= FRAME


@pytest.mark.parametrize("heard", [1, 7, FRAME, FRAME + 5])
def test_from_any_position_the_rest_is_told_however_it_was_added(heard: int) -> None:
    rows = segments(2 * FRAME)
    account = account_of(rows[:3], rows[3 : FRAME + 5], rows[FRAME + 5 :])
    position = position_after(account, heard)

    assert account.goes_on(position)
    assert told(account, position) == rows[heard:]


def test_a_position_goes_by_its_text_into_another_process() -> None:
    position = position_after(account_of(segments(5)), 3)

    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "nonsense", "1-2-3-4", "1:2", "٣-000000000000-0-000000000000", "9" * 400]
)
def test_what_is_no_position_is_none(text: str) -> None:
    assert Position.parse(text) is None


def test_who_has_heard_something_else_cannot_go_on() -> None:
    position = position_after(account_of(segments(3)), 3)

    assert not account_of(segments(5, word="no")).goes_on(position)


def test_who_has_heard_more_than_there_is_waits_for_it() -> None:
    position = position_after(account_of(segments(3)), 3)

    assert not account_of(segments(2)).reaches(position)


def test_gaps_are_told_before_segments_and_count() -> None:
    [(data, position), *_] = account_of(segments(2), gaps=2).after(START)

    assert [gap["start"] for gap in data["gaps"]] == [0.0, 1.0]
    assert (position.segment_count, position.gap_count) == (0, 2)


def test_hours_of_speech_take_little_memory() -> None:
    rows = [heard_segment(float(n), *f"word {n} of a day of speech".split()) for n in range(4_000)]
    account = account_of(rows)

    size = sum(len(frame) for frame in account._segments._frames)

    assert size < 600_000
