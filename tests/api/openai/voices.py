"""An engine that tells speakers apart: each turn of tones is another's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from processing.engines.base import AudioClip, Speech
from tests.fakes.tones import ToneEngine

#: Who speaks in turn, as the engine calls them.
SPEAKERS = ("speaker_7", "Bob")

#: How far the first tone of a turn is above that of the turn before, in Hz.
TURN_HZ = 500


class VoicesEngine(ToneEngine):
    """Hears what ``ToneEngine`` hears, and who says it."""

    name = "voices"

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        speech = super().transcribe(clip, language=language, parameters=parameters)
        segments = tuple(
            replace(segment, speaker=SPEAKERS[int(segment.words[0].word[1:]) // TURN_HZ % 2])
            for segment in speech.segments
        )
        return replace(speech, segments=segments)
