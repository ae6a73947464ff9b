"""What tests of whole runs need."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests.fakes.tones import ENGINES, ToneEngine, tones, write_tones
from tests.processing.runs import HookedStorage

OnStore = Callable[[Callable[[str], object]], None]


@pytest.fixture
def tone_engine(settings: Settings) -> Iterator[type[ToneEngine]]:
    """The engines that hear tones, without trouble as yet."""
    settings.ENGINES = settings.ENGINES | ENGINES
    ToneEngine.asked.clear()
    yield ToneEngine
    ToneEngine.asked.clear()
    ToneEngine.troubles.clear()
    ToneEngine.sleeps.clear()


@pytest.fixture
def mono(tmp_path: Path) -> Path:
    """40 s of tones: four chunks."""
    return write_tones(tmp_path / "mono.wav", [tones(40.0)], 40.0)


@pytest.fixture
def on_store(settings: Settings) -> OnStore:
    """Set what is called with the name of each chunk file before it is stored."""

    def use(hook: Callable[[str], Any]) -> None:
        HookedStorage.hook = staticmethod(hook)
        backend = f"{HookedStorage.__module__}.{HookedStorage.__qualname__}"
        settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": backend}}

    return use
