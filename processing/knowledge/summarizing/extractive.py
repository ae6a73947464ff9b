"""A summary in sentences of the text itself, for installations without a language model.

The sentences are those that together say most of what the text is about: the key phrases are the
concepts to be covered, and each sentence is worth those that no other has said yet. After Gillick
and Favre, "A scalable global model for summarization" (2009), chosen greedily, with the worth of
a sentence divided by a power of its length as Lin and Bilmes do (2010).
"""

from collections.abc import Iterable, Iterator, Sequence

from processing.knowledge.summarizing.key_phrases import PART_WORDS, key_phrases, normalized
from processing.knowledge.summarizing.parts import Piece
from processing.knowledge.summarizing.sentences import sentences_of

#: A summary has a fifth of the words of its text, within these limits.
SHARE = 5
MIN_WORDS = 50
MAX_WORDS = 300

#: Of each part of a text so long that it is read in parts; words.
MIN_PART_WORDS = 30

#: Key phrases that the sentences of a part are to say.
CONCEPTS = 30

#: A shorter sentence says little by itself; words.
MIN_SENTENCE_WORDS = 4

LENGTH_POWER = 0.5

#: No language has longer words on average, spaces included.
WORD_LETTERS = 12


def extract_summary(pieces: Iterable[Piece], language: str) -> list[Piece]:
    """Return the sentences that say most of what a text is about, in its order, with their times.

    A text of ``MIN_WORDS`` or less is its own summary. Memory and time are those of
    ``PART_WORDS`` words at a time.
    """
    sentences = [sentence for piece in pieces for sentence in _sentences(piece, language)]
    total = sum(map(_length, sentences))
    budget = min(max(total // SHARE, MIN_WORDS), MAX_WORDS)
    return _extracted(sentences, budget, language)


def _sentences(piece: Piece, language: str) -> Iterator[Piece]:
    texts = sentences_of(piece.text, language)
    total, done = sum(map(len, texts)), 0
    for text in texts:
        start = piece.start + (piece.end - piece.start) * done / total
        done += len(text)
        end = piece.start + (piece.end - piece.start) * done / total
        yield Piece(text, start, end, piece.speaker)


def _extracted(sentences: list[Piece], budget: int, language: str) -> list[Piece]:
    if sum(map(_length, sentences)) <= budget:
        return sentences
    parts = list(_parts(sentences))
    if len(parts) == 1:
        return _best(sentences, budget, language)
    share = max(budget // len(parts), MIN_PART_WORDS)
    kept = [sentence for part in parts for sentence in _best(part, share, language)]
    is_short = sum(map(_length, kept)) <= 2 * budget
    return kept if is_short else _extracted(kept, budget, language)


def _parts(sentences: Sequence[Piece]) -> Iterator[list[Piece]]:
    part: list[Piece] = []
    words = 0
    for sentence in sentences:
        length = _length(sentence)
        if part and words + length > PART_WORDS:
            yield part
            part, words = [], 0
        part.append(sentence)
        words += length
    if part:
        yield part


def _best(sentences: list[Piece], budget: int, language: str) -> list[Piece]:
    """Return the sentences that say most with ``budget`` words; where none says more than the
    others, the first ones."""
    text = "\n".join(sentence.text for sentence in sentences)
    concepts = {
        normalized(name): score for name, score in key_phrases(text, language, limit=CONCEPTS)
    }
    missing = dict(concepts)
    said = [
        {concept for concept in concepts if concept in words}
        for words in (normalized(sentence.text) for sentence in sentences)
    ]
    lengths = [_length(sentence) for sentence in sentences]
    telling = [n for n, length in enumerate(lengths) if length >= MIN_SENTENCE_WORDS]
    left = telling or list(range(len(sentences)))
    chosen: list[int] = []
    while left:
        worth = {
            n: sum(missing.get(concept, 0.0) for concept in said[n])
            / max(lengths[n], 1) ** LENGTH_POWER
            for n in left
        }
        best = max(left, key=lambda n: (worth[n], -n))
        if not worth[best] and missing != concepts:  # all is said once; say it again
            missing = dict(concepts)
            continue
        chosen.append(best)
        budget -= lengths[best]
        for concept in said[best]:
            missing.pop(concept, None)
        left = [n for n in left if n != best and lengths[n] <= budget]
    return [sentences[n] for n in sorted(chosen)]


def _length(sentence: Piece) -> int:
    """The words of a sentence; what has no spaces is not short for that."""
    return max(normalized(sentence.text).count(" ") - 1, len(sentence.text) // WORD_LETTERS)
