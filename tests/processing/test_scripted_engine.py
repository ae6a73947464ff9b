"""The engine of the other tests, held to what the real one is held to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processing.engines.base import SAMPLE_RATE, AudioClip
from tests.audio import make_scripted_audio
from tests.fakes.speech import ScriptedEngine
from tests.processing.engine_contract import SpeechEngineContract


class TestScriptedEngineKeepsTheContract(SpeechEngineContract):
    @pytest.fixture
    def engine(self) -> ScriptedEngine:
        return ScriptedEngine()

    @pytest.fixture
    def parameters(self, tmp_path: Path) -> Mapping[str, Any]:
        return {"script": str(make_scripted_audio(tmp_path, 20.0).script_path)}

    @pytest.fixture
    def clip_with_speech(self) -> AudioClip:
        return AudioClip(np.zeros(8 * SAMPLE_RATE, np.int16))

    @pytest.fixture
    def other_clip(self) -> AudioClip:
        return AudioClip(np.zeros(4 * SAMPLE_RATE, np.int16), start_sample=9 * SAMPLE_RATE)

    @pytest.fixture
    def silent_clip(self) -> AudioClip:
        """It hears by the clock: silence is where the script is over."""
        return AudioClip(np.zeros(3 * SAMPLE_RATE, np.int16), start_sample=30 * SAMPLE_RATE)
