"""How many rows are claimed at once, and what becomes of those that wait."""

from concurrent.futures import ThreadPoolExecutor, as_completed

from jobs.services.batch import BATCH_SECONDS, GROWTH, MAX_BATCH, Batch, Pace
from tests.factories.jobs import JobFactory


def paced(*seconds_per_row: float) -> Pace:
    """Return the pace after batches of as many rows as it allowed, each row taking so long."""
    pace = Pace()
    for seconds in seconds_per_row:
        pace.observe(pace.limit, pace.limit * seconds)
    return pace


def test_the_first_batch_is_one_row() -> None:
    assert Pace().limit == 1


def test_batches_of_quick_rows_grow_step_by_step() -> None:
    assert paced(1e-5).limit == GROWTH
    assert paced(1e-5, 1e-5).limit == GROWTH**2


def test_no_batch_is_larger_than_the_limit() -> None:
    assert paced(*[1e-6] * 20).limit == MAX_BATCH


def test_a_batch_is_as_large_as_fits_its_time() -> None:
    assert paced(*[BATCH_SECONDS / 5] * 20).limit == 5


def test_rows_that_take_longer_than_a_batch_are_claimed_one_by_one() -> None:
    assert paced(*[1e-5] * 5, 60.0).limit == 1


def test_one_slow_batch_is_forgotten_after_some_quick_ones() -> None:
    assert paced(60.0, *[1e-5] * 40).limit == MAX_BATCH


def test_a_row_is_taken_once_and_in_order() -> None:
    batch, jobs = Batch(), JobFactory.build_batch(3)
    batch.add(jobs)

    assert [batch.take(), batch.take(), batch.take(), batch.take()] == [*jobs, None]


def test_what_waits_can_be_taken_together() -> None:
    batch, jobs = Batch(), JobFactory.build_batch(3)
    batch.add(jobs)
    batch.take()

    assert batch.take_all() == jobs[1:]
    assert batch.take() is None


def test_rows_are_held_until_they_are_done() -> None:
    batch, jobs = Batch(), JobFactory.build_batch(3)
    batch.add(jobs)
    batch.finish(batch.take() or jobs[0])
    batch.take()
    batch.take()
    batch.drop()

    assert batch.held_count == 1


def test_who_waits_for_a_row_gets_the_next_one_and_none_once_the_batch_is_closed() -> None:
    batch, [job] = Batch(), JobFactory.build_batch(1)
    with ThreadPoolExecutor() as pool:
        waiters = [pool.submit(batch.wait) for _ in range(3)]
        batch.add([job])
        first = next(as_completed(waiters)).result()
        batch.close()

    assert first is job
    assert [waiter.result() for waiter in waiters].count(None) == 2


def test_a_batch_is_empty_once_all_is_recorded() -> None:
    batch, [job] = Batch(), JobFactory.build_batch(1)
    batch.add([job])
    batch.finish(batch.take() or job)

    assert not batch.is_empty
    assert batch.take_finished() == [job]
    assert batch.is_empty
