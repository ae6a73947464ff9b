"""A hundred thousand documents: words as frequent as in a language, in texts about something.

The words of rank r have a share of about 1/r (Zipf's law) of the text. The most frequent are the
stop words of English, mixed with some that mean something, as in real text; the others are made
up of syllables, the frequent ones of few.
"""

from collections.abc import Iterator
from itertools import islice, product
from uuid import UUID

import numpy as np
import psycopg

VOCABULARY = 50_000
#: Ranks that stop words take: all of the first, and every second one after that.
STOP_RANKS = (*range(50), *range(50, 200, 2))

#: A document is about one of so many topics: a tenth of its words are of these few.
TOPICS, TOPIC_WORDS, TOPIC_SHARE = 500, 100, 0.1

WORDS_PER_PASSAGE = 140

_STOP_TEXT = (
    "the of and to a in is it you that he was for on are with as i his they be at this have from "
    "or had by but what some we can out other were all there when up your how their if will about "
    "then she these so her him has do more no my than who did now down its been only very just "
    "where most after before here because same such why again few too through between both own "
    "under while during once off above below against further until each any those am being does "
    "doing having not nor into over should"
)
STOP_WORDS = _STOP_TEXT.split()

_PASSAGES = """
COPY passages (
    document_id, workspace_id, index, text, language, speaker, start_seconds, end_seconds, marks
) FROM STDIN
"""


def vocabulary() -> list[str]:
    """Return all words, the most frequent first."""
    heads = [a + b for a, b in product("bdfgklmnprstvz", "aeiou")]
    made = (
        "".join(parts)
        for length in (2, 3, 4)
        for parts in product(reversed(heads), repeat=length)
        if len(set(parts)) == length
    )
    # Every seventh of them, so that words do not all begin alike.
    meaningful = islice(islice(made, 0, None, 7), VOCABULARY)
    stop = iter(STOP_WORDS)
    words = []
    for rank in range(VOCABULARY):
        word = next(stop, None) if rank in STOP_RANKS else None
        words.append(next(meaningful) if word is None else word)
    return words


class Writer:
    """Makes up texts; the same of the same seed."""

    def __init__(self, seed: int, *, passages: int) -> None:
        self._shape = (passages, WORDS_PER_PASSAGE)
        self._random = np.random.default_rng(seed)
        self._words = np.array(vocabulary(), dtype=object)
        shares = 1 / np.arange(1, VOCABULARY + 1)
        self._cumulated = np.cumsum(shares / shares.sum())
        self._topics = np.random.default_rng(0).integers(200, 20_000, (TOPICS, TOPIC_WORDS))

    def passages(self) -> Iterator[str]:
        """Yield the passages of a document about something."""
        ranks = np.searchsorted(self._cumulated, self._random.random(self._shape))
        topic = self._topics[self._random.integers(TOPICS)]
        is_topical = self._random.random(self._shape) < TOPIC_SHARE
        ranks[is_topical] = self._random.choice(topic, is_topical.sum())
        for row in self._words[np.minimum(ranks, VOCABULARY - 1)].tolist():
            yield " ".join(row)


def write_passages(
    address: str, workspace_id: UUID, documents: list[UUID], seed: int, passages: int
) -> None:
    """Write so many passages of each document, made up from ``seed`` on.

    That their documents exist is not checked: it takes as long as all else.
    """
    writer = Writer(seed, passages=passages)
    with psycopg.connect(address) as database, database.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        with cursor.copy(_PASSAGES) as copy:
            for pk in documents:
                for index, text in enumerate(writer.passages()):
                    copy.write_row((pk, workspace_id, index, text, "en", "", None, None, "[]"))
