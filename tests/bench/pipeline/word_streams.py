"""Talk without audio: streams of words, the ears of an engine, and where chunks are cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from processing.engines.base import SAMPLE_RATE, Segment, Speech, Timing, Word
from processing.services.merging.merger import HeardChunk

#: Of a cut word a clip hears nothing under the first share, and all of it from the second on.
HEARD_SHARE = 0.3
WHOLE_SHARE = 0.8

#: How errors divide into substitutions, deletions and insertions.
ERROR_SHARES = (0.5, 0.25, 0.25)

#: Words further apart than this are in different segments, and so are runs of this many words.
SEGMENT_PAUSE_SECONDS = 0.3
SEGMENT_WORDS = 12


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word that was really said, on the recording's clock."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Piece:
    """A clip to hear, in seconds: cores follow each other, clips may overlap."""

    start: float
    core_start: float
    core_end: float
    end: float


@dataclass(frozen=True)
class Ears:
    """How badly an engine hears.

    ``error_rate`` is per word, and ``edge_factor`` times that in the outermost ``edge_seconds`` of
    a clip, where context is missing. ``jitter_seconds`` is the most a word's times are off.
    """

    error_rate: float = 0.0
    jitter_seconds: float = 0.0
    edge_factor: float = 2.0
    edge_seconds: float = 1.0
    timing: Timing = Timing.WORD


def vocabulary(size: int = 2_000) -> list[str]:
    """Return made-up words of 1 to 4 syllables, the short ones first, as in a language."""
    random = np.random.default_rng(7)
    syllables = [c + v for c in "bcdfghklmnprstvw" for v in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < size:
        known = len(words)
        count = 1 + min(known // 60, 1) + int(random.integers(0, 1 + min(known // 120, 2)))
        words["".join(random.choice(syllables, count))] = None
    return list(words)


VOCABULARY = vocabulary()
_FREQUENCIES = 1 / (np.arange(len(VOCABULARY)) + 5)
_FREQUENCIES /= _FREQUENCIES.sum()


def talk(seconds: float, *, seed: int, has_pauses: bool) -> list[Spoken]:
    """Return about three words a second, by Zipf's law; pauses of 0.4 to 1.2 s every 5 to 14."""
    random = np.random.default_rng((seed, 1))
    spoken: list[Spoken] = []
    now, until_pause = 0.2, int(random.integers(5, 15))
    while now < seconds - 1.0:
        text = VOCABULARY[random.choice(len(VOCABULARY), p=_FREQUENCIES)]
        length = (0.08 + 0.045 * len(text)) * random.uniform(0.8, 1.25)
        spoken.append(Spoken(text, now, now + length))
        now += length + random.uniform(0.0, 0.06)
        until_pause -= 1
        if has_pauses and not until_pause:
            now += random.uniform(0.4, 1.2)
            until_pause = int(random.integers(5, 15))
    return spoken


def cut_in_pauses(spoken: Sequence[Spoken], every: float) -> list[Piece]:
    """Cut through the middle of the first pause after each ``every`` seconds, no overlap."""
    cuts = [0.0]
    for one, other in pairwise(spoken):
        if other.start - one.end > SEGMENT_PAUSE_SECONDS and one.end > cuts[-1] + every:
            cuts.append((one.end + other.start) / 2)
    return [Piece(a, a, b, b) for a, b in pairwise([*cuts, spoken[-1].end + 0.2])]


def cut_blindly(
    spoken: Sequence[Spoken], every: float, *, overlap_seconds: float, seed: int
) -> list[Piece]:
    """Cut about every so many seconds, wherever that is; each side hears so much of the other."""
    random = np.random.default_rng((seed, 2))
    last = spoken[-1].end + 0.2
    cuts = [0.0]
    while cuts[-1] + 1.6 * every < last:
        cuts.append(cuts[-1] + every * random.uniform(0.8, 1.2))
    return [
        Piece(max(a - overlap_seconds, 0.0), a, b, min(b + overlap_seconds, last))
        for a, b in pairwise([*cuts, last])
    ]


def hear(
    spoken: Sequence[Spoken], piece: Piece, ears: Ears, *, seed: int, index: int
) -> list[Word]:
    """Return what an engine hears in a clip, on the recording's clock.

    The noise of a word depends on the seed, the word and ``index`` only, not on where the clip
    begins and ends: so the same word in the same chunk is heard alike whatever the overlap.
    """
    words: list[Word] = []
    for number, word in enumerate(spoken):
        if word.end <= piece.start or word.start >= piece.end:
            continue
        share = (min(word.end, piece.end) - max(word.start, piece.start)) / (word.end - word.start)
        is_near_edge = min(word.end - piece.start, piece.end - word.start) < ears.edge_seconds
        factor = ears.edge_factor if is_near_edge else 1.0
        for text, start, end in noisy(word, ears, seed=(seed, index, number), factor=factor):
            if share < HEARD_SHARE:
                continue
            if share < WHOLE_SHARE:
                kept = max(int(len(text) * share), 1)
                text = text[:kept] if word.start >= piece.start else text[-kept:]
            start, end = (min(max(at, piece.start), piece.end) for at in (start, end))
            words.append(Word(text, start, end))
    starts = sorted(word.start for word in words)
    return [
        Word(word.word, start, max(min(start + word.end - word.start, piece.end), start))
        for word, start in zip(words, starts, strict=True)
    ]


def noisy(
    word: Spoken, ears: Ears, *, seed: tuple[int, int, int], factor: float = 1.0
) -> list[tuple[str, float, float]]:
    """Return what is heard of one word: itself, another, none, or one more than was said."""
    if not ears.error_rate and not ears.jitter_seconds:
        return [(word.text, word.start, word.end)]
    random = np.random.default_rng((*seed, 3))
    shift = random.uniform(-ears.jitter_seconds, ears.jitter_seconds)
    chance, substitute = random.random(2)
    substitution, deletion, insertion = np.cumsum(ERROR_SHARES) * ears.error_rate * factor
    other = VOCABULARY[int(substitute * 300)]
    start, end = word.start + shift, word.end + shift
    if chance < substitution:
        return [(other, start, end)]
    if chance < deletion:
        return []
    if chance < insertion:
        middle = (start + end) / 2
        return [(word.text, start, middle), (other, middle, end)]
    return [(word.text, start, end)]


def one_piece(
    spoken: Sequence[Spoken], pieces: Sequence[Piece], ears: Ears, *, seed: int
) -> list[str]:
    """Return what the engine hears without cuts, each word with the noise of its own chunk."""
    heard: list[str] = []
    index = 0
    for number, word in enumerate(spoken):
        while (word.start + word.end) / 2 >= pieces[index].core_end:
            index += 1
        heard += [text for text, _, _ in noisy(word, ears, seed=(seed, index, number))]
    return heard


def heard_chunk(index: int, piece: Piece, words: Sequence[Word], timing: Timing) -> HeardChunk:
    """Return what was heard as the merger takes it, with times as exact as ``timing`` says."""
    segments: list[list[Word]] = []
    for word in words:
        is_new = not segments or len(segments[-1]) == SEGMENT_WORDS
        if is_new or word.start - segments[-1][-1].end > SEGMENT_PAUSE_SECONDS:
            segments.append([])
        segments[-1].append(word)
    if timing == Timing.SEGMENT:
        segments = [spread(line, line[0].start, line[-1].end) for line in segments]
    elif timing == Timing.NONE:
        segments = [spread(words, piece.start, piece.end)]
    start_sample = round(piece.start * SAMPLE_RATE)
    zero = start_sample / SAMPLE_RATE
    moved = (
        Segment(tuple(Word(word.word, word.start - zero, word.end - zero) for word in line))
        for line in segments
    )
    return HeardChunk(
        index=index,
        start_sample=start_sample,
        core_start_sample=round(piece.core_start * SAMPLE_RATE),
        core_end_sample=round(piece.core_end * SAMPLE_RATE),
        end_sample=round(piece.end * SAMPLE_RATE),
        speech=Speech(tuple(moved), "en", timing),
    )


def spread(words: Sequence[Word], start: float, end: float) -> list[Word]:
    """Return words with times estimated from their lengths, as engines without any give them."""
    ends = np.cumsum([len(word.word) + 1 for word in words], dtype=float)
    times = start + (end - start) * np.concatenate(([0.0], ends / (ends[-1] if len(ends) else 1)))
    return [
        Word(word.word, float(a), float(b))
        for word, (a, b) in zip(words, pairwise(times), strict=True)
    ]
