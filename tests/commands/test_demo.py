"""``manage.py demo``: the two minutes that a newcomer sees first."""

import pytest

from processing.models import ProcessingTask
from tests.processes import manage, processes_of_this_test

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_demo_hears_every_word_and_the_second_time_answers_from_the_cache() -> None:
    first = manage("demo")
    left = processes_of_this_test()
    second = manage("demo")

    transcript, _, summary = first.stdout.partition("\n\n")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "\n0 word errors in 358 words" in first.stdout
    assert summary.startswith("139.5 s of speech in ")
    assert "from the cache: nothing was transcribed again" in second.stdout
    assert second.stdout.startswith(transcript)
    assert ProcessingTask.objects.count() == 1
    assert left == []
