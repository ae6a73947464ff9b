"""The Whisper engine and the real library, on a model of random weights made on the spot."""

import multiprocessing
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import processing
from jobs.exceptions import PermanentError
from processing.audio.decode import decode
from processing.engines.base import (
    AUTO,
    SAMPLE_RATE,
    AudioClip,
    EngineLimits,
    Speech,
    SpeechEngine,
    Timing,
    Word,
)
from processing.engines.languages import WHISPER_CODES
from processing.engines.whisper import WhisperEngine, WhisperSettings
from processing.engines.whisper_segments import speech_of
from processing.exceptions import UnknownParameter, UnsupportedLanguage
from tests.processing.engine_contract import SpeechEngineContract, words_of
from tests.processing.whisper_model import make_whisper_model

faster_whisper: Any = pytest.importorskip(
    "faster_whisper", reason="needs the optional engine: pip install -r requirements-whisper.txt"
)

DEMO = Path(processing.__file__).parent / "demo"
ROOT = DEMO.parent.parent

#: Seconds after which a process that waits for threads that are not there is taken to hang.
PATIENCE_SECONDS = 3.0


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper_model(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture(scope="module")
def settings(directory: Path) -> WhisperSettings:
    return WhisperSettings(model=str(directory), device="cpu")


@pytest.fixture(scope="module")
def whisper(settings: WhisperSettings) -> WhisperEngine:
    return WhisperEngine(settings)


@pytest.fixture(scope="module")
def lesson() -> NDArray[np.int16]:
    with (DEMO / "lesson.flac").open("rb") as file:
        return np.concatenate(list(decode(file)))


@pytest.fixture
def clip(lesson: NDArray[np.int16]) -> AudioClip:
    return AudioClip(lesson[: 5 * SAMPLE_RATE])


class TestWhisperEngineKeepsTheContract(SpeechEngineContract):
    @pytest.fixture
    def engine(self, whisper: WhisperEngine) -> SpeechEngine:
        return whisper

    @pytest.fixture
    def clip_with_speech(self, clip: AudioClip) -> AudioClip:
        return clip

    @pytest.fixture
    def other_clip(self, lesson: NDArray[np.int16]) -> AudioClip:
        return AudioClip(lesson[5 * SAMPLE_RATE : 9 * SAMPLE_RATE])

    def test_its_name_version_and_languages_are_told(self, engine: SpeechEngine) -> None:
        """``AUTO`` is no ISO code, and Hawaiian has none of two letters."""
        assert engine.name == "whisper"
        assert engine.version
        assert engine.languages == (AUTO, *WHISPER_CODES)
        assert {code for code in WHISPER_CODES if len(code) != 2} == {"haw"}

    def test_speech_gives_words_in_the_language_asked_for(
        self, engine: SpeechEngine, speech: Speech
    ) -> None:
        """The first language is ``AUTO``, which asks for the one that was found out."""
        assert words_of(speech)
        assert speech.language in WHISPER_CODES


def test_the_languages_are_those_of_the_library_besides_the_one_of_the_newest_models() -> None:
    assert {*WHISPER_CODES, "yue"} == set(faster_whisper.tokenizer._LANGUAGE_CODES)


def test_words_are_in_the_language_that_was_asked_for(
    whisper: WhisperEngine, clip: AudioClip
) -> None:
    german = whisper.transcribe(clip, language="de", parameters={})

    assert german.language == "de"
    assert german != whisper.transcribe(clip, language="en", parameters={})


def test_what_is_heard_is_what_the_library_says_of_the_same_file(
    whisper: WhisperEngine, lesson: NDArray[np.int16], settings: WhisperSettings
) -> None:
    model = faster_whisper.WhisperModel(
        settings.model, device="cpu", compute_type="int8", cpu_threads=1
    )
    segments, _ = model.transcribe(
        str(DEMO / "lesson.flac"),
        language="en",
        temperature=0.0,
        word_timestamps=True,
        condition_on_previous_text=False,
    )

    speech = whisper.transcribe(AudioClip(lesson), language="en", parameters={})

    theirs = list(segments)
    assert [w.word for w in words_of(speech)] == " ".join(s.text for s in theirs).split()
    assert [s.avg_logprob for s in speech.segments] == [s.avg_logprob for s in theirs]
    assert [s.no_speech_prob for s in speech.segments] == [s.no_speech_prob for s in theirs]


def test_the_full_range_of_samples_reaches_the_model(
    whisper: WhisperEngine, clip: AudioClip
) -> None:
    """The difference of the extremes does not fit into 16 bits."""
    extreme = AudioClip(clip.samples.copy())
    extreme.samples[1_000:1_002] = -32_768, 32_767

    assert words_of(whisper.transcribe(extreme, language="en", parameters={}))


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"prompt": " Ada "}, "<|startofprev|> Ada<|startoftranscript|>"),
        ({"hotwords": "Byron"}, "<|startofprev|> Byron<|startoftranscript|>"),
        (
            {"prompt": "Ada", "hotwords": "Byron"},
            "<|startofprev|> Byron Ada<|startoftranscript|>",
        ),
        ({"prompt": "", "hotwords": " "}, "<|startoftranscript|>"),
    ],
    ids=["prompt", "hotwords", "both", "blank"],
)
def test_the_parameters_are_before_the_text_that_the_model_continues(
    settings: WhisperSettings, clip: AudioClip, parameters: dict[str, str], expected: str
) -> None:
    engine, prompts = _listened_to(settings)

    engine.transcribe(clip, language="en", parameters=parameters)

    assert prompts[0] == f"{expected}<|en|><|transcribe|>"


@pytest.mark.parametrize("parameter", ["prompt", "hotwords"])
def test_the_parameters_change_what_is_heard(
    whisper: WhisperEngine, clip: AudioClip, parameter: str
) -> None:
    plain = whisper.transcribe(clip, language="en", parameters={})

    assert whisper.transcribe(clip, language="en", parameters={parameter: "Ada"}) != plain


def test_prompt_and_hotwords_together_leave_half_of_the_window_to_the_text(
    settings: WhisperSettings, clip: AudioClip
) -> None:
    engine, prompts = _listened_to(settings)

    engine.transcribe(
        clip, language="en", parameters={"prompt": "a" * 500 + "z", "hotwords": "b" * 99}
    )

    said = prompts[0].removeprefix("<|startofprev|>").partition("<|")[0]
    assert said == f" {'b' * 99}{'a' * 122}z"


def test_a_prompt_that_is_no_text_is_refused(whisper: WhisperEngine, clip: AudioClip) -> None:
    with pytest.raises(UnknownParameter, match="hotwords is a text"):
        whisper.transcribe(clip, language="en", parameters={"hotwords": ["Ada"]})


def test_soft_words_are_not_left_out_unless_somebody_asks_for_it() -> None:
    assert WhisperSettings().vad_filter is False


def test_chunks_are_to_be_no_longer_than_the_window(whisper: WhisperEngine) -> None:
    assert whisper.limits == EngineLimits(window_seconds=30.0)


def test_an_english_model_knows_english_only(tmp_path: Path, clip: AudioClip) -> None:
    english = make_whisper_model(tmp_path / "tiny", is_multilingual=False)
    engine = WhisperEngine(WhisperSettings(model=str(english), device="cpu"))

    assert engine.languages == ("en",)
    assert engine.transcribe(clip, language="en", parameters={}).language == "en"
    with pytest.raises(UnsupportedLanguage):
        engine.transcribe(clip, language=AUTO, parameters={})


@pytest.mark.parametrize(
    ("model", "first"),
    [("small", AUTO), ("medium.en", "en"), ("someone/whisper-small.en-ct2", "en")],
    ids=["multilingual", "English", "English, of the Hub"],
)
def test_the_name_of_a_model_tells_its_languages_before_it_is_downloaded(
    model: str, first: str
) -> None:
    assert WhisperEngine(WhisperSettings(model=model)).languages[0] == first


def test_the_version_follows_what_is_in_the_model_and_not_where_it_is(
    whisper: WhisperEngine, tmp_path: Path
) -> None:
    same = make_whisper_model(tmp_path / "same" / "tiny")
    other = make_whisper_model(tmp_path / "other" / "tiny", seed=1)

    assert _version_of(WhisperSettings(model=str(same), device="cpu")) == whisper.version
    assert _version_of(WhisperSettings(model=str(other), device="cpu")) != whisper.version


@pytest.mark.parametrize(
    "change",
    [
        {"beam_size": 1},
        {"compute_type": "float32"},
        {"cpu_threads": 2},
        {"vad_filter": True},
        {"model": "small"},
    ],
    ids=["beam", "precision", "threads", "voice detector", "model"],
)
def test_the_version_follows_every_option_that_shapes_the_output(
    whisper: WhisperEngine, settings: WhisperSettings, change: dict[str, Any]
) -> None:
    assert _version_of(replace(settings, **change)) != whisper.version


def test_the_version_does_not_follow_where_downloads_are_kept(
    whisper: WhisperEngine, settings: WhisperSettings
) -> None:
    assert _version_of(replace(settings, download_root="/srv/models")) == whisper.version


def test_the_version_names_the_model_and_the_packages(whisper: WhisperEngine) -> None:
    pattern = r"tiny@[0-9a-f]{12}-\d+\.\d+\.\d+-\d+\.\d+\.\d+-[0-9a-f]{8}"

    assert re.fullmatch(pattern, whisper.version)


def test_a_new_process_hears_the_same(
    whisper: WhisperEngine, settings: WhisperSettings, clip: AudioClip
) -> None:
    here = whisper.transcribe(clip, language="en", parameters={})

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(_hear, (settings, clip)).get(timeout=60) == here


def test_workers_forked_after_loading_hear_the_same(
    settings: WhisperSettings, clip: AudioClip, whisper: WhisperEngine
) -> None:
    here = whisper.transcribe(clip, language="en", parameters={})

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        answer = pool.apply_async(_answer_of_forked, (settings, clip, False)).get(timeout=60)

    assert answer == repr(here)


def test_a_worker_forked_after_its_parent_has_transcribed_hears_the_same(
    settings: WhisperSettings, clip: AudioClip, whisper: WhisperEngine
) -> None:
    here = whisper.transcribe(clip, language="en", parameters={})

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        answer = pool.apply_async(_answer_of_forked, (settings, clip, True)).get(timeout=60)

    assert answer == repr(here)


def test_a_model_itself_does_not_survive_a_fork(settings: WhisperSettings, clip: AudioClip) -> None:
    """If this fails, CTranslate2 has learned to fork, and ``load`` may make the model."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        hangs = pool.apply_async(_inherited_model_hangs, (settings, clip)).get(timeout=60)

    assert hangs


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("enormous", "Invalid model size"),
        ("/nowhere/whisper", "Repo id"),
        ("someone/whisper-no-one-made", "local"),
    ],
    ids=["no size", "no directory", "not downloaded"],
)
def test_a_model_that_cannot_be_had_is_named_with_the_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, reason: str
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    engine = WhisperEngine(WhisperSettings(model=model, download_root=str(tmp_path)))

    with pytest.raises(PermanentError, match=f"{model}.*WHISPER_MODEL.*{reason}"):
        engine.load()


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_directory_without_all_files_of_a_model_is_refused_at_once(
    tmp_path: Path, name: str
) -> None:
    directory = make_whisper_model(tmp_path / "tiny")
    (directory / name).unlink()

    with pytest.raises(PermanentError, match=f"has no {name}"):
        WhisperEngine(WhisperSettings(model=str(directory)))


def test_a_damaged_model_is_refused(tmp_path: Path, clip: AudioClip) -> None:
    directory = make_whisper_model(tmp_path / "tiny")
    (directory / "model.bin").write_bytes(b"\0" * 1_000)

    with pytest.raises(PermanentError, match="WHISPER_MODEL"):
        _hear(WhisperSettings(model=str(directory), device="cpu"), clip)


def test_without_the_package_the_error_says_how_to_install_it(tmp_path: Path) -> None:
    for path in Path(np.__file__).parent.parent.iterdir():
        if not path.name.startswith(("faster_whisper", "__pycache__")):
            (tmp_path / path.name).symlink_to(path)

    done = subprocess.run(
        [sys.executable, "-S", "-c", "from processing.engines.whisper import *; WhisperEngine()"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path)))},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "UnknownEngine" in done.stderr
    assert "pip install -r requirements-whisper.txt" in done.stderr


def test_a_segment_without_times_of_words_gets_estimated_ones() -> None:
    heard = _segment(start=1.0, end=2.0, text=" ab cdef gh", words=[])

    speech = speech_of([heard], language="en", duration=5.0)

    assert speech.timing == Timing.SEGMENT
    assert words_of(speech) == [
        Word("ab", 1.0, 1.25),
        Word("cdef", 1.25, 1.75),
        Word("gh", 1.75, 2.0),
    ]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(0.5, 0.5)], [(0.5, 0.51)]),
        ([(4.9, 5.4)], [(4.9, 5.0)]),
        ([(5.2, 5.4)], [(4.99, 5.0)]),
        ([(1.0, 2.0), (1.5, 1.8)], [(1.0, 2.0), (2.0, 2.01)]),
        ([(5.0, 5.0), (5.0, 5.0)], [(4.98, 4.99), (4.99, 5.0)]),
    ],
    ids=["no length", "over the end", "behind the end", "one in another", "all at the end"],
)
def test_words_are_moved_into_the_clip_and_into_order(
    times: list[tuple[float, float]], expected: list[tuple[float, float]]
) -> None:
    words = [
        SimpleNamespace(word=" a", start=start, end=end, probability=0.5) for start, end in times
    ]

    speech = speech_of(
        [_segment(start=0, end=5, text=" a", words=words)], language="en", duration=5.0
    )

    got = [(word.start, word.end) for word in words_of(speech)]
    assert got == [pytest.approx(pair) for pair in expected]


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        pytest.param(
            [" a", " well", "-known", " fact."], ["a", "well-known", "fact."], id="hyphen"
        ),
        pytest.param(["我", "用", "Py", "thon", "写"], ["我", "用Python写"], id="mixed, no space"),
        pytest.param(["用", " Py", "thon", " 写"], ["用", "Python", "写"], id="mixed, with spaces"),
        pytest.param(["今", "天", "好。"], ["今", "天", "好。"], id="a script without spaces"),
        pytest.param([" a ", "b", " ", "c"], ["a", "b", "c"], id="space behind or alone"),
    ],
)
def test_what_the_model_wrote_without_a_space_is_one_word(
    pieces: list[str], words: list[str]
) -> None:
    said = [
        SimpleNamespace(word=piece, start=i * 0.5, end=i * 0.5 + 0.5, probability=1 - i * 0.1)
        for i, piece in enumerate(pieces)
    ]
    heard = _segment(start=0.0, end=5.0, text="".join(pieces), words=said)

    speech = speech_of([heard], language="zh", duration=5.0)

    assert [word.word for word in words_of(speech)] == words


def test_a_word_of_two_pieces_lasts_as_long_as_both_and_is_as_sure_as_the_less_sure() -> None:
    pieces = [
        SimpleNamespace(word=" well", start=0.0, end=0.5, probability=0.9),
        SimpleNamespace(word="-known", start=0.5, end=1.0, probability=0.6),
    ]

    speech = speech_of(
        [_segment(start=0.0, end=1.0, text=" well-known", words=pieces)],
        language="en",
        duration=5.0,
    )

    assert words_of(speech) == [Word("well-known", 0.0, 1.0, 0.6)]


def test_words_of_nothing_but_space_and_segments_of_nothing_else_are_left_out() -> None:
    word = SimpleNamespace(word=" a ", start=0.0, end=1.0, probability=1.0000001)
    blank = SimpleNamespace(word=" ", start=1.0, end=2.0, probability=0.5)
    segments = [
        _segment(start=0.0, end=1.0, text=" a", words=[word, blank]),
        _segment(start=1.0, end=2.0, text=" ", words=[blank]),
        _segment(start=2.0, end=3.0, text=" ", words=None),
    ]

    speech = speech_of(segments, language="en", duration=5.0)

    assert [segment.words for segment in speech.segments] == [(Word("a", 0.0, 1.0, 1.0),)]
    assert speech.timing == Timing.WORD


def _segment(**values: Any) -> SimpleNamespace:
    return SimpleNamespace(avg_logprob=-0.5, no_speech_prob=0.1, **values)


def _version_of(settings: WhisperSettings) -> str:
    return WhisperEngine(settings).version


def _hear(settings: WhisperSettings, clip: AudioClip) -> Speech:
    return WhisperEngine(settings).transcribe(clip, language="en", parameters={})


def _listened_to(settings: WhisperSettings) -> tuple[WhisperEngine, list[str]]:
    """Return an engine and the texts that its model is given to continue, as they are given."""
    engine, prompts = WhisperEngine(settings), []
    model = engine._model()
    given = model.generate_with_fallback

    def listen(encoded: Any, prompt: list[int], tokenizer: Any, options: Any) -> Any:
        prompts.append(tokenizer.tokenizer.decode(prompt, skip_special_tokens=False))
        return given(encoded, prompt, tokenizer, options)

    model.generate_with_fallback = listen
    return engine, prompts


def _answer_of_forked(settings: WhisperSettings, clip: AudioClip, has_heard: bool) -> str:
    """Load an engine, fork, and return what the child heard; empty when it hangs."""
    engine = WhisperEngine(settings)
    engine.load()
    if has_heard:
        engine.transcribe(clip, language="de", parameters={})
    return _forked(lambda: repr(engine.transcribe(clip, language="en", parameters={})))


def _inherited_model_hangs(settings: WhisperSettings, clip: AudioClip) -> bool:
    engine = WhisperEngine(settings)
    model = engine._model()
    samples = clip.samples.astype(np.float32) / 32_768
    return not _forked(lambda: repr(list(model.transcribe(samples, language="en")[0])))


def _forked(answer: Callable[[], str]) -> str:
    """Return what ``answer`` returns in a forked child; empty when that hangs."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(writer, answer().encode())
        os._exit(0)
    os.close(writer)
    is_answered, _, _ = select.select([reader], [], [], PATIENCE_SECONDS)
    with os.fdopen(reader) as pipe:
        if not is_answered:
            os.kill(pid, signal.SIGKILL)
        text = pipe.read()
    os.waitpid(pid, 0)
    return text
