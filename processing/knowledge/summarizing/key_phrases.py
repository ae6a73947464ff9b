"""What a text is about, in its own words; without a model, and without other texts.

Phrases are runs of words without stop words, ranked by their C-value (Frantzi, Ananiadou and Mima,
"Automatic recognition of multi-word terms", 2000): how often they occur by themselves, and not
within a longer one, times the logarithm of their length. Where there are no spaces, each letter
is a word.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from processing.engines.spacing import is_letter_word, spaced, words_of

#: Of a text with more words, so many are read, evenly spread: what it is about is in these, too.
PART_WORDS = 10_000
MAX_PARTS = 10

#: Words of a phrase at most; where each letter is a word, letters.
PHRASE_WORDS = 3
PHRASE_LETTERS = 4

#: A word alone is a phrase from so many letters on.
MIN_LETTERS = 3

#: Letters that are words by themselves in Chinese and Japanese, and part of no phrase.
PARTICLES = frozenset("的了是在和也就都不我你他她它们这那吗呢吧把被与及或而但很のをにはがでともへ")

#: What is said once may be chance: it is worth less than the shortest that is said again.
ONCE = 0.25

_BREAK = re.compile(r"[^\w\s'\u2019-]+|_+")

Run = tuple[str, ...]


def key_phrases(text: str, language: str, limit: int) -> list[tuple[str, float]]:
    """Return the phrases that a text is about, the best first, as they stand in it.

    The best has a score of 1, others less; no phrase is within another. ``language`` is ISO
    639-1; of those whose stop words nobody has listed, empty among them, phrases are poorer.
    """
    counts: Counter[Run] = Counter()
    spelling: dict[Run, str] = {}
    for run in _runs(text, stop_words(language)):
        longest = PHRASE_LETTERS if is_letter_word(run[0]) else PHRASE_WORDS
        for length in range(1, longest + 1):
            for first in range(len(run) - length + 1):
                phrase = run[first : first + length]
                key = tuple(word.lower() for word in phrase)
                counts[key] += 1
                spelling.setdefault(key, spaced(phrase))
    scores = _c_values(counts)
    known = (key for key in scores if _is_phrase(spelling[key]))
    ranked = sorted(known, key=lambda key: -scores[key])  # equal ones in the order of the text
    chosen: list[Run] = []
    for key in ranked:
        if len(chosen) == limit:
            break
        if scores[key] > 0 and not any(_is_within(key, other) for other in chosen):
            chosen.append(key)
    highest = max((scores[key] for key in chosen), default=1.0)
    return [(spelling[key], round(scores[key] / highest, 4)) for key in chosen]


def normalized(text: str) -> str:
    """Return the words of a text in lower case, with one space between and around them."""
    return f" {' '.join(words_of(_BREAK.sub(' ', text.lower())))} "


def _runs(text: str, silent: frozenset[str]) -> Iterator[Run]:
    """Yield words that stand together, between stop words, numbers, marks and ends of lines."""
    fragments = [
        words_of(fragment) for line in _read(text) for fragment in _BREAK.split(line) if fragment
    ]
    for words in fragments:
        run: list[str] = []
        for word in words:
            bare = word.strip("'\u2019-")
            is_letter = is_letter_word(bare)
            is_stop = bare in PARTICLES if is_letter else bare.lower() in silent
            if run and (is_stop or is_letter != is_letter_word(run[0])):
                yield tuple(run)
                run = []
            if not is_stop and any(letter.isalpha() for letter in bare):
                run.append(bare)
            elif run:
                yield tuple(run)
                run = []
        if run:
            yield tuple(run)


def _read(text: str) -> Iterator[str]:
    """Yield the lines of a text, of a very long one those of ``MAX_PARTS`` parts."""
    parts: list[list[str]] = [[]]
    count = 0
    for line in text.splitlines():
        words = words_of(line)
        for first in range(0, len(words), PART_WORDS):
            some = words[first : first + PART_WORDS]
            if parts[-1] and count + len(some) > PART_WORDS:
                parts.append([])
                count = 0
            parts[-1].append(spaced(some))
            count += len(some)
    step = max(len(parts) / MAX_PARTS, 1.0)
    for number in range(min(len(parts), MAX_PARTS)):
        yield from parts[int(number * step)]


def _c_values(counts: Counter[Run]) -> dict[Run, float]:
    """Return the C-value of each run, of the longer ones that it is in those by one word."""
    within: Counter[Run] = Counter()
    longer: Counter[Run] = Counter()
    for run, count in counts.items():
        for inner in {run[1:], run[:-1]} - {()}:
            within[inner] += count
            longer[inner] += 1
    return {
        run: math.log2(len(run) + 1)
        * (count - within[run] / max(longer[run], 1))
        * (ONCE if count == 1 else 1.0)
        for run, count in counts.items()
    }


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the words of a language that say nothing by themselves; none where nobody knows."""
    # a megabyte of words that most processes never ask for
    from stopwordsiso import has_lang, stopwords  # noqa: PLC0415

    return frozenset(stopwords(language)) if has_lang(language) else frozenset()


def _is_phrase(name: str) -> bool:
    letters = sum(map(str.isalpha, name))
    return letters >= (2 if is_letter_word(name[0]) else MIN_LETTERS) and 2 * letters >= len(name)


def _is_within(run: Run, other: Run) -> bool:
    """Whether one of two runs is within the other."""
    short, long = sorted((run, other), key=len)
    return any(
        long[first : first + len(short)] == short for first in range(len(long) - len(short) + 1)
    )
