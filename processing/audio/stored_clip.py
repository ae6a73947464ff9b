"""A clip as it is stored: a file, which not every engine needs decoded."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from processing.audio.decode import decode_all
from processing.engines.base import SAMPLE_RATE, AudioClip


class StoredClip(AudioClip):
    """``sample_count`` samples as FLAC; decoded when somebody first asks for ``samples``."""

    sample_count: int
    flac: bytes

    def __init__(self, flac: bytes, *, sample_count: int, start_sample: int) -> None:
        vars(self).update(flac=flac, sample_count=sample_count, start_sample=start_sample)

    @cached_property
    def samples(self) -> NDArray[np.int16]:
        return decode_all(self.flac)

    @property
    def duration_seconds(self) -> float:
        return self.sample_count / SAMPLE_RATE
