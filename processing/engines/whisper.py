"""Whisper behind the engine Protocol, by the optional package faster-whisper, on CPU or GPU."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from django.conf import settings

from processing.engines.base import AUTO, AudioClip, EngineLimits, Speech
from processing.engines.languages import WHISPER_CODES
from processing.engines.whisper_segments import speech_of
from processing.exceptions import (
    ProcessingError,
    UnknownEngine,
    UnknownParameter,
    UnsupportedLanguage,
)

#: Part of the version; to be raised when a change of this file changes what is heard.
REVISION = 2

#: Multilingual vocabularies are at least as large (openai/whisper, ``model.py``).
MULTILINGUAL_TOKEN_COUNT = 51_865

#: Whisper invents words where there are none, so it is not asked about clips shorter than this ...
MIN_CLIP_SECONDS = 0.1
#: ... nor about those whose samples differ by no more (dither, 78 dB below full scale).
SILENCE_RANGE = 8 / 32_768

#: Of a window's 448 tokens the text needs half. The library cuts ``hotwords`` and ``prompt`` to
#: this length one by one, so that both together take the text's half, or more than there is.
MAX_PROMPT_TOKENS = 223

#: Whisper hears so much at once, and fills up with silence what is shorter.
WINDOW_SECONDS = 30.0

#: What a converted model needs. Without the last the library would fetch another model's.
MODEL_FILES = ("model.bin", "config.json", "tokenizer.json")

NOT_INSTALLED = "'whisper' is not installed: pip install -r requirements-whisper.txt"


@dataclass(frozen=True, slots=True)
class WhisperSettings:
    """Which model to run and how.

    ``model`` is a size (``small``, ``large-v3``, ``medium.en``), a repository of the Hugging Face
    Hub, or the directory of a converted model. What has to be downloaded is kept in
    ``download_root`` (None: the Hub's own cache). ``cpu_threads`` is of each worker process: one,
    because there is a worker for each core. ``int8`` needs a quarter of the memory of float32.
    ``vad_filter`` leaves out what does not sound like speech, and loses soft words with it.
    """

    model: str = "small"
    device: str = "auto"
    compute_type: str = "int8"
    cpu_threads: int = 1
    download_root: str | None = None
    beam_size: int = 5
    vad_filter: bool = False


@dataclass
class WhisperEngine:
    """The engine of ``settings``; each process makes its own model at its first clip.

    ``load`` does not make it: CTranslate2's threads do not survive a fork, and a child waits for
    those of an inherited model for ever.
    """

    settings: WhisperSettings = field(default_factory=WhisperSettings)
    name: str = "whisper"
    is_remote: bool = False
    limits: EngineLimits = field(
        default_factory=lambda: EngineLimits(window_seconds=WINDOW_SECONDS)
    )
    #: ``prompt`` is what was said before the clip (it acts on the first 30 seconds), ``hotwords``
    #: are words to expect anywhere in it.
    parameter_names: frozenset[str] = frozenset({"prompt", "hotwords"})
    languages: tuple[str, ...] = field(init=False)
    #: The model, the packages' versions and a digest of the other settings. A model in a directory
    #: is told by its content (read once per process, half a GB a second). Threads count: they add
    #: up in another order, which changes the last digits of probabilities.
    version: str = field(init=False)
    _directory: str | None = field(default=None, init=False, repr=False)
    #: By process id. That of a parent is kept: to free it, too, would be to wait for its threads.
    _models: dict[int, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        packages = "-".join(_installed(name) for name in ("faster-whisper", "ctranslate2"))
        named = self.settings.model
        model = _digest_of(self._find()) if Path(named).is_dir() else named
        shape = repr((REVISION, astuple(replace(self.settings, model="", download_root=None))))
        self.version = f"{model}-{packages}-{hashlib.sha256(shape.encode()).hexdigest()[:8]}"
        self.languages = (AUTO, *WHISPER_CODES) if self._is_multilingual() else ("en",)

    def load(self) -> None:
        """Import the library and find the model's files, downloading those of a named model.

        Raises ``UnknownEngine`` when the library is not installed, and ``ProcessingError`` when
        there is no such model or no way to get it.
        """
        _library()
        self._directory = self._directory or self._find()

    def transcribe(
        self, clip: AudioClip, *, language: str, parameters: Mapping[str, Any]
    ) -> Speech:
        """Return the words of ``clip``, punctuation attached.

        Decoding is greedy or by beam, never by sampling: the library falls back to sampling when
        a beam loops, and its random numbers depend on what the process heard before. A language
        that was to be found out and had nothing to be found in stays ``AUTO``.
        """
        if language not in self.languages:
            raise UnsupportedLanguage(f"{self.name} does not understand {language!r}")
        prompt, hotwords = (_text(parameters, name) for name in ("prompt", "hotwords"))
        samples = clip.samples.astype(np.float32) / 32_768
        if clip.duration_seconds < MIN_CLIP_SECONDS or np.ptp(samples) <= SILENCE_RANGE:
            return Speech((), language)
        model = self._model()
        segments, info = model.transcribe(
            samples,
            language=None if language == AUTO else language,
            beam_size=self.settings.beam_size,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=self.settings.vad_filter,
            initial_prompt=_end_of_prompt(model, prompt, hotwords),
            hotwords=hotwords or None,
        )
        return speech_of(segments, language=info.language, duration=clip.duration_seconds)

    def _model(self) -> Any:
        """Return this process's model, made at the first call."""
        if os.getpid() not in self._models:
            self.load()
            self._models[os.getpid()] = self._make()
        return self._models[os.getpid()]

    def _make(self) -> Any:
        try:
            return _library().WhisperModel(
                self._directory,
                device=self.settings.device,
                compute_type=self.settings.compute_type,
                cpu_threads=self.settings.cpu_threads,
            )
        except (RuntimeError, ValueError) as error:
            raise self._unusable(error) from error

    def _find(self) -> str:
        directory = self.settings.model
        if not Path(directory).is_dir():
            try:
                root = self.settings.download_root
                directory = _library().download_model(directory, cache_dir=root)
            except (OSError, ValueError) as error:
                raise self._unusable(error) from error
        missing = [name for name in MODEL_FILES if not Path(directory, name).is_file()]
        if missing:
            raise self._unusable(f"{directory} has no {', '.join(missing)}")
        return directory

    def _unusable(self, reason: object) -> ProcessingError:
        return ProcessingError(
            f"the Whisper model {self.settings.model!r} (setting WHISPER_MODEL: a size, a "
            f"repository of the Hugging Face Hub or a directory) cannot be used: {reason}"
        )

    def _is_multilingual(self) -> bool:
        path = Path(self.settings.model) / "vocabulary.json"
        if path.is_file():
            return len(json.loads(path.read_bytes())) >= MULTILINGUAL_TOKEN_COUNT
        return not re.search(r"\.en\b", self.settings.model)


def _library() -> ModuleType:
    """Import the package here, so that only processes that transcribe have it in memory."""
    try:
        return import_module("faster_whisper")
    except ImportError as error:
        raise UnknownEngine(NOT_INSTALLED) from error


def _installed(package: str) -> str:
    try:
        return package_version(package)
    except PackageNotFoundError:
        raise UnknownEngine(NOT_INSTALLED) from None


@cache
def _digest_of(directory: str) -> str:
    """Return the directory's name and a digest of what its files contain, read once."""
    digest = hashlib.sha256()
    for name in MODEL_FILES:
        with Path(directory, name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return f"{Path(directory).name}@{digest.hexdigest()[:12]}"


def _text(parameters: Mapping[str, Any], name: str) -> str:
    value = parameters.get(name) or ""
    if not isinstance(value, str):
        raise UnknownParameter(f"{name} is a text, not {value!r}")
    return value.strip()


def _end_of_prompt(model: Any, prompt: str, hotwords: str) -> list[int]:
    """Return the tokens of as much of the end of ``prompt`` as fits beside ``hotwords``."""
    asked, expected = (
        model.hf_tokenizer.encode(f" {text}", add_special_tokens=False).ids if text else []
        for text in (prompt, hotwords)
    )
    room = max(0, MAX_PROMPT_TOKENS - len(expected))
    return list(asked[max(0, len(asked) - room) :])


def engine_of_settings() -> WhisperEngine:
    """Return the engine that ``settings.WHISPER`` describes."""
    return WhisperEngine(WhisperSettings(**settings.WHISPER))
