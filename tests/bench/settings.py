"""The settings of an installation, plus an engine that costs nothing."""

from config.settings.base import *  # noqa: F403
from config.settings.base import ENGINES

ENGINES["scripted"] = "tests.fakes.speech.ScriptedEngine"  # what a pool of workers loads first
ENGINES["metronome"] = "tests.fakes.speech.MetronomeEngine"
