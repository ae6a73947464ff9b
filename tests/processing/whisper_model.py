"""A Whisper model that was never trained: small enough to be made on the spot, real to load.

It has the files, the vocabulary and the layers of a converted ``openai/whisper-tiny``, with
random weights. Its words mean nothing, but they follow the audio, the prompt and the language,
and are the same in every process. Two things are not left to chance. It says nonsense words
only: neither single bytes nor silence. And from ``LAST_POSITION`` on, prompt included, it wants
to say a timestamp and end, as trained models do at the end of what they hear.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

_REASON = "needs the optional engine: pip install -r requirements-whisper.txt"
ctranslate2: Any = pytest.importorskip("ctranslate2", reason=_REASON)
tokenizers: Any = pytest.importorskip("tokenizers", reason=_REASON)
_LANGUAGES = pytest.importorskip("faster_whisper.tokenizer", reason=_REASON)._LANGUAGE_CODES

WIDTH = 16
MEL_COUNT = 80
AUDIO_POSITIONS, TEXT_POSITIONS = 1500, 448
#: Timestamps are 0.00 to 30.00 in steps of 0.02.
TIMESTAMP_COUNT = 1501
LAST_POSITION = 16


def make_whisper_model(directory: Path, *, seed: int = 3, is_multilingual: bool = True) -> Path:
    """Write a model to ``directory`` as ``ct2-transformers-converter`` would, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    words = _words(50_257 if is_multilingual else 50_256)
    marks = ["<|endoftext|>", "<|startoftranscript|>"]
    marks += [f"<|{language}|>" for language in _LANGUAGES if language != "yue"]
    marks += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    marks += ["<|nospeech|>", "<|notimestamps|>"]
    marks += [f"<|{index * 0.02:.2f}|>" for index in range(TIMESTAMP_COUNT)]
    _write_tokenizer(directory / "tokenizer.json", words, marks)
    (directory / "preprocessor_config.json").write_text(
        json.dumps({"feature_size": MEL_COUNT, "sampling_rate": 16_000, "hop_length": 160})
    )
    _write_weights(directory, words, marks, seed)
    return directory


def _words(count: int) -> list[str]:
    """Return the bytes, then made-up words; every third continues the word before it."""
    syllables = [c + v for c, v in itertools.product("bdfgklmnprstvz", "aeiou")]
    invented = ("".join(parts) for parts in itertools.product(syllables, repeat=3))
    bytes_ = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    spaced = (
        word if index % 3 == 0 else f"Ġ{word}"  # the tokenizer's sign for a space
        for index, word in enumerate(invented)
    )
    # The empty word at the end is how CTranslate2 tells a multilingual model.
    end = [""] if count == 50_257 else []
    return [*bytes_, *itertools.islice(spaced, count - len(bytes_) - len(end)), *end]


def _write_tokenizer(path: Path, words: list[str], marks: list[str]) -> None:
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(marks)
    tokenizer.save(str(path))


def _write_weights(directory: Path, words: list[str], marks: list[str], seed: int) -> None:
    vocabulary = [*words, *marks]
    random = np.random.default_rng(seed)
    spec = ctranslate2.specs.WhisperSpec(1, 1, 1, 1)
    shapes = _shapes(len(vocabulary))

    def fill(part: Any, name: str, value: Any) -> None:
        if name.endswith(("gamma", "beta")):
            setattr(part, name.rpartition("/")[2], _array(np.full(WIDTH, name.endswith("gamma"))))
        elif name in shapes:
            weights = random.normal(0, 1 / np.sqrt(WIDTH), shapes[name])
            setattr(part, name.rpartition("/")[2], _array(weights))

    spec._visit(fill)
    _shape_the_ends(spec.decoder, len(words), vocabulary)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.alignment_heads = [[0, 0]]
    first = vocabulary.index("<|startoftranscript|>") + 1
    spec.config.lang_ids = list(range(first, vocabulary.index("<|translate|>")))
    spec.register_vocabulary(vocabulary)
    spec.validate()
    spec.save(str(directory))


def _shapes(vocabulary_size: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights besides those of layer norms, by name."""
    shapes: dict[str, tuple[int, ...]] = {
        "encoder/conv1/weight": (WIDTH, MEL_COUNT, 3),
        "encoder/conv2/weight": (WIDTH, WIDTH, 3),
        "encoder/position_encodings/encodings": (AUDIO_POSITIONS, WIDTH),
        "decoder/position_encodings/encodings": (TEXT_POSITIONS, WIDTH),
        "decoder/embeddings/weight": (vocabulary_size, WIDTH),
        "decoder/projection/weight": (vocabulary_size, WIDTH),
        "decoder/projection/bias": (vocabulary_size,),
    }
    attentions = ("encoder/layer_0/self_attention", "decoder/layer_0/self_attention")
    linears = {f"{name}/linear_0": (3 * WIDTH, WIDTH) for name in attentions}
    linears |= {f"{name}/linear_1": (WIDTH, WIDTH) for name in attentions}
    linears["decoder/layer_0/attention/linear_0"] = (WIDTH, WIDTH)
    linears["decoder/layer_0/attention/linear_1"] = (2 * WIDTH, WIDTH)
    linears["decoder/layer_0/attention/linear_2"] = (WIDTH, WIDTH)
    for side in ("encoder", "decoder"):
        linears[f"{side}/layer_0/ffn/linear_0"] = (4 * WIDTH, WIDTH)
        linears[f"{side}/layer_0/ffn/linear_1"] = (WIDTH, 4 * WIDTH)
    shapes |= {f"{name}/weight": shape for name, shape in linears.items()}
    shapes |= {f"{name}/bias": shape[:1] for name, shape in linears.items()}
    shapes |= {f"encoder/{name}/bias": (WIDTH,) for name in ("conv1", "conv2")}
    return shapes


def _shape_the_ends(decoder: Any, word_count: int, vocabulary: list[str]) -> None:
    """Make the first dimension say how far the text is, and everything but words wait for it."""
    decoder.embeddings.weight[:, 0] = 0
    far = np.arange(TEXT_POSITIONS) - LAST_POSITION
    decoder.position_encodings.encodings[:, 0] = np.clip(far, -6, 6) / 2
    decoder.projection.weight[:, 0] = 0
    decoder.projection.weight[:, 1:] *= 4
    decoder.projection.bias[:] = 0
    decoder.projection.bias[:256] = -100
    decoder.projection.bias[word_count - 1 :] = -100
    for first, weight in (("<|endoftext|>", 60), ("<|0.00|>", 50)):
        index = vocabulary.index(first)
        last = len(vocabulary) if weight == 50 else index + 1
        decoder.projection.bias[index:last] = 0
        decoder.projection.weight[index:last, 0] = weight


def _array(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)
