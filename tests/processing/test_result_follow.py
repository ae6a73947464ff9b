"""Waiting for what workers make: everything comes once it is over, in the order it was asked."""

import io

import pytest

from processing.management.result_follow import finished
from processing.models import Summary
from tests.factories.knowledge import SummaryFactory

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def follow(*summaries: Summary, stream: io.StringIO, check: object = None) -> list[Summary]:
    steps = iter([check] if check else [])

    def step() -> None:
        next(steps)()  # type: ignore[operator]

    return list(finished(summaries, description="Summarising", stream=stream, check=step))


def test_what_is_over_comes_in_order_and_nothing_is_shown_elsewhere_than_on_a_terminal() -> None:
    done, failed = SummaryFactory.create(completed=True), SummaryFactory.create(failed=True)
    stream = io.StringIO()

    assert follow(failed, done, stream=stream) == [failed, done]
    assert stream.getvalue() == ""


def test_what_goes_on_is_waited_for() -> None:
    done, begun = SummaryFactory.create(completed=True), SummaryFactory.create(begun=True)
    stream = Terminal()

    results = follow(
        begun,
        done,
        stream=stream,
        check=lambda: Summary.objects.fail(begun.pk, code="x", message="no"),
    )

    assert results == [begun, done]
    assert results[0].error_message == "no"
    assert "Summarising" in stream.getvalue()


def test_one_that_is_deleted_meanwhile_is_not_waited_for() -> None:
    begun = SummaryFactory.create(begun=True)

    results = follow(
        begun, stream=io.StringIO(), check=lambda: Summary.objects.filter(pk=begun.pk).delete()
    )

    assert results == [begun]


def test_who_checks_may_stop_the_waiting() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(SummaryFactory.create(begun=True), stream=io.StringIO(), check=stop)
