"""An engine that says what a script says, so that lost and doubled words can be counted."""

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jobs.exceptions import PermanentError
from processing.engines.base import SAMPLE_RATE, AudioClip, EngineLimits, Segment, Speech, Word
from processing.exceptions import UnsupportedLanguage

#: A word of which a clip has less than this share is not heard in it at all.
HEARD_SHARE = 0.3

#: Words further apart than this are in different segments.
SEGMENT_PAUSE_SECONDS = 0.5


class ScriptedEngine:
    """Hears in a clip the words its script puts there; a word that was cut is heard broken.

    Parameters: ``script``, the path of a JSON list of ``[word, start, end]`` on the
    recording's clock; ``seconds_per_clip``, how long to work on each; ``raise_at`` and
    ``kill_at``, lists of times whose clip raises or kills its process; ``once``, the path of
    a directory in which a kill leaves a mark so that it happens once.
    """

    name = "scripted"
    version = "1"
    languages = ("en", "de")
    is_remote = False
    limits = EngineLimits()
    parameter_names = frozenset(
        {"script", "seconds_per_clip", "raise_at", "kill_at", "once", "moody", "beam"}
    )

    def load(self) -> None:
        """Nothing to load."""

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        if language not in self.languages:
            raise UnsupportedLanguage(f"it understands {self.languages}, not {language!r}")
        begin = clip.start_sample / SAMPLE_RATE
        end = begin + clip.duration_seconds
        time.sleep(parameters.get("seconds_per_clip", 0))
        if any(begin <= at < end for at in parameters.get("raise_at", ())):
            raise RuntimeError("the script says so")
        if any(begin <= at < end for at in parameters.get("kill_at", ())):
            _kill_once(parameters.get("once"))
        script = json.loads(Path(parameters["script"]).read_text())
        words = [
            word
            for text, word_begin, word_end in script
            if (word := _heard(text, word_begin, word_end, begin, end)) is not None
        ]
        return Speech(_segments(words), language)


class BrokenEngine(ScriptedEngine):
    """Raises for every clip, as an engine with a lost licence or a broken model does."""

    name = "broken"

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        raise PermanentError("the engine is broken")


class MetronomeEngine(ScriptedEngine):
    """Hears a word every 0.4 s of whatever it is given, at once: all cost is the pipeline's."""

    name = "metronome"

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        times = [beat * 0.4 for beat in range(int(clip.duration_seconds / 0.4))]
        words = [Word("tick", at, at + 0.2, 0.9) for at in times]
        return Speech(_segments(words), language)


def _heard(text: str, start: float, end: float, clip_start: float, clip_end: float) -> Word | None:
    inside = min(end, clip_end) - max(start, clip_start)
    share = inside / (end - start)
    if share < HEARD_SHARE:
        return None
    if share < 1:
        text = text[: max(int(len(text) * share), 1)] + "~"
    return Word(text, max(start - clip_start, 0.0), min(end, clip_end) - clip_start, 0.9)


def _segments(words: list[Word]) -> tuple[Segment, ...]:
    segments: list[list[Word]] = []
    for word in words:
        if not segments or word.start - segments[-1][-1].end > SEGMENT_PAUSE_SECONDS:
            segments.append([])
        segments[-1].append(word)
    return tuple(Segment(tuple(line)) for line in segments)


def _kill_once(directory: str | None) -> None:
    if directory is not None:
        try:
            (Path(directory) / "killed").touch(exist_ok=False)
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
