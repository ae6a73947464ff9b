"""Chunks of different recordings that say the same, at the same moment."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import pytest
from pytest_django import Settings

from caching.backend import get_cache
from caching.models import CacheEntry
from processing.engines.base import AudioClip, Segment, Speech, Word
from processing.models import ChunkTask
from processing.services.chunk_runner import run_chunk
from processing.services.deletion import delete_recording
from processing.services.hearing import stored
from tests.concurrency.threads import at_once
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    WorkspaceFactory,
)
from tests.fakes.speech import ScriptedEngine

pytestmark = pytest.mark.django_db(transaction=True)


HEARD = Speech((Segment((Word("heard", 0.1, 0.4, 0.9),)),), "en")


class CountingEngine(ScriptedEngine):
    """Takes its time over each clip, and counts them."""

    name = "counting"
    clips: ClassVar[list[AudioClip]] = []

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        self.clips.append(clip)
        time.sleep(0.2)
        return HEARD


@pytest.fixture(autouse=True)
def _counting_engine(settings: Settings) -> None:
    settings.ENGINES = settings.ENGINES | {"counting": f"{__name__}.CountingEngine"}
    CountingEngine.clips.clear()


def chunks_that_say_the_same(count: int) -> list[ChunkTask]:
    """Return chunks of so many recordings of one workspace."""
    workspace = WorkspaceFactory.create()
    return [
        ChunkTaskFactory.create(
            claimed=True,
            cache_key=f"chunk:{1:064x}",
            processing=ProcessingTaskFactory.create(
                processing=True,
                transcript__engine="counting",
                transcript__recording__workspace=workspace,
            ),
        )
        for _ in range(count)
    ]


def test_chunks_that_say_the_same_at_the_same_moment_are_heard_once() -> None:
    chunks = chunks_that_say_the_same(4)

    results = at_once([partial(run_chunk, chunk) for chunk in chunks])

    assert len(CountingEngine.clips) == 1
    assert [result["result"] for result in results] == [stored(HEARD)] * 4
    assert sorted(result["is_reused"] for result in results) == [False, True, True, True]


def test_what_was_heard_is_known_when_every_row_is_gone() -> None:
    first, second = chunks_that_say_the_same(2)
    run_chunk(first)
    get_cache().hierarchy.memory.clear()

    assert run_chunk(second)["is_reused"]


def test_nothing_of_a_deleted_recording_is_left_in_the_cache() -> None:
    chunk, other = chunks_that_say_the_same(2)
    run_chunk(chunk)
    held = CacheEntry.objects.exclude(payload=None)
    assert held.count() == 1

    delete_recording(recording=chunk.processing.transcript.recording)

    assert not held.all().exists()
    assert not run_chunk(other)["is_reused"]
