"""When failed work is tried again."""

import pytest

from jobs.services.retry import RetryHandler


@pytest.mark.parametrize(
    ("attempt", "longest"),
    [(1, 2.0), (2, 4.0), (3, 8.0), (8, 256.0), (9, 300.0), (10_000, 300.0)],
)
def test_the_longest_delay_doubles_with_each_attempt_up_to_the_cap(
    attempt: int, longest: float
) -> None:
    assert RetryHandler().delay_seconds(attempt, jitter=lambda: 1.0) == longest


@pytest.mark.parametrize(("jitter", "delay"), [(0.0, 0.0), (0.25, 2.0), (0.5, 4.0)])
def test_jitter_takes_its_share_of_the_whole_delay(jitter: float, delay: float) -> None:
    assert RetryHandler().delay_seconds(3, jitter=lambda: jitter) == delay


def test_equal_failures_do_not_wait_equally_long() -> None:
    delays = {RetryHandler().delay_seconds(5) for _ in range(20)}

    assert len(delays) > 10
    assert max(delays) <= 32.0


@pytest.mark.parametrize(
    ("asked", "delay"), [(90.0, 90.0), (100_000.0, 100_000.0), (0.0, 0.0), (-5.0, 0.0)]
)
def test_retry_after_wins_over_backoff_and_cap(asked: float, delay: float) -> None:
    assert RetryHandler().delay_seconds(1, retry_after_seconds=asked) == delay
