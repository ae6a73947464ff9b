"""An engine in other processes that a test can slow down and have fail."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.exceptions import PermanentError
from processing.engines.base import SAMPLE_RATE, AudioClip, Speech
from tests.fakes.tones import ToneEngine


def rehearsal_of(media_root: Path) -> Path:
    """Return the file that tells the engine of an installation what to do."""
    return media_root.parent / "rehearsal.json"


class RehearsedEngine(ToneEngine):
    """Hears tones as words, in the way that a file of JSON beside ``MEDIA_ROOT`` says:

    ``seconds_per_clip``, how long to work on each; ``fail_at``, times on the recording's clock
    whose clip is not heard.
    """

    name = "rehearsed"

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        told = json.loads(rehearsal_of(Path(settings.MEDIA_ROOT)).read_text())
        time.sleep(told.get("seconds_per_clip", 0))
        begin = clip.start_sample / SAMPLE_RATE
        if any(begin <= at < begin + clip.duration_seconds for at in told.get("fail_at", ())):
            raise PermanentError("the rehearsal says so")
        return super().transcribe(clip, language=language, parameters=parameters)
