"""What every engine must do, run against each of them."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from processing.engines.base import SAMPLE_RATE, AudioClip, Speech, SpeechEngine, Word
from processing.exceptions import UnsupportedLanguage


class SpeechEngineContract:
    """Subclass it and give the fixtures ``engine``, ``clip_with_speech`` and ``other_clip``.

    ``silent_clip`` and ``parameters`` (of every call) have defaults.
    """

    @pytest.fixture
    def silent_clip(self) -> AudioClip:
        return AudioClip(np.zeros(3 * SAMPLE_RATE, np.int16))

    @pytest.fixture
    def parameters(self) -> Mapping[str, Any]:
        return {}

    @pytest.fixture
    def speech(
        self, engine: SpeechEngine, clip_with_speech: AudioClip, parameters: Mapping[str, Any]
    ) -> Speech:
        return hear(engine, clip_with_speech, parameters)

    def test_its_name_version_and_languages_are_told(self, engine: SpeechEngine) -> None:
        assert engine.name
        assert engine.version
        assert all(len(language) == 2 for language in engine.languages)

    def test_loading_again_is_harmless(self, engine: SpeechEngine) -> None:
        engine.load()
        engine.load()

    def test_speech_gives_words_in_the_language_asked_for(
        self, engine: SpeechEngine, speech: Speech
    ) -> None:
        assert words_of(speech)
        assert speech.language == engine.languages[0]

    def test_every_segment_has_a_word(self, speech: Speech) -> None:
        assert all(segment.words for segment in speech.segments)

    def test_every_word_is_a_word_without_spaces_and_marks(self, speech: Speech) -> None:
        assert [
            w.word for w in words_of(speech) if not w.word or set(w.word) & set(" ()<>[]")
        ] == []

    def test_every_word_ends_after_it_starts(self, speech: Speech) -> None:
        assert [word for word in words_of(speech) if word.start >= word.end] == []

    def test_words_follow_each_other_without_overlap(self, speech: Speech) -> None:
        pairs = pairwise(words_of(speech))

        assert [(one, next_) for one, next_ in pairs if one.end > next_.start] == []

    def test_every_word_is_inside_the_clip(
        self, clip_with_speech: AudioClip, speech: Speech
    ) -> None:
        words = words_of(speech)

        assert words[0].start >= 0
        assert words[-1].end <= clip_with_speech.duration_seconds

    def test_confidence_is_a_share_where_there_is_one(self, speech: Speech) -> None:
        confidences = [w.confidence for w in words_of(speech) if w.confidence is not None]

        assert [c for c in confidences if not 0 <= c <= 1] == []

    def test_what_was_heard_before_does_not_matter(
        self,
        engine: SpeechEngine,
        clip_with_speech: AudioClip,
        other_clip: AudioClip,
        parameters: Mapping[str, Any],
    ) -> None:
        first = hear(engine, clip_with_speech, parameters)
        hear(engine, other_clip, parameters)

        assert hear(engine, clip_with_speech, parameters) == first

    def test_the_clip_is_left_as_it_was(
        self, engine: SpeechEngine, clip_with_speech: AudioClip, parameters: Mapping[str, Any]
    ) -> None:
        before = clip_with_speech.samples.copy()

        hear(engine, clip_with_speech, parameters)

        assert np.array_equal(clip_with_speech.samples, before)

    def test_silence_gives_no_segments(
        self, engine: SpeechEngine, silent_clip: AudioClip, parameters: Mapping[str, Any]
    ) -> None:
        assert hear(engine, silent_clip, parameters).segments == ()

    @pytest.mark.parametrize("sample_count", [0, 1, 159, 160, 500])
    def test_a_clip_too_short_for_a_word_gives_no_segments(
        self, engine: SpeechEngine, parameters: Mapping[str, Any], sample_count: int
    ) -> None:
        click = AudioClip(np.full(sample_count, 9_000, np.int16))

        assert hear(engine, click, parameters).segments == ()

    def test_a_language_it_does_not_know_is_refused(
        self, engine: SpeechEngine, silent_clip: AudioClip, parameters: Mapping[str, Any]
    ) -> None:
        with pytest.raises(UnsupportedLanguage):
            engine.transcribe(silent_clip, language="xx", parameters=parameters)


def hear(engine: SpeechEngine, clip: AudioClip, parameters: Mapping[str, Any]) -> Speech:
    return engine.transcribe(clip, language=engine.languages[0], parameters=parameters)


def words_of(speech: Speech) -> list[Word]:
    return [word for segment in speech.segments for word in segment.words]
