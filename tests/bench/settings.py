"""The settings of an installation, plus an engine that costs nothing."""

from config.settings.base import *  # noqa: F403
from config.settings.base import ENGINES

ENGINES["metronome"] = "tests.fakes.speech.MetronomeEngine"
