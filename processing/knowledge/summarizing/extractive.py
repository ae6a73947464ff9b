"""A summary in sentences of the text itself, for installations without a language model.

The sentences are those that SumBasic ranks first (Nenkova and Vanderwende, "The impact of
frequency on summarization", 2005), as the library sumy has it: what is said often is what the
text is about, and what one sentence has said counts less in the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from processing.knowledge.summarizing.key_phrases import PART_WORDS, normalized, stop_words
from processing.knowledge.summarizing.parts import Piece
from processing.knowledge.summarizing.sentences import sentences_of

#: A summary has a fifth of the words of its text, within these limits.
SHARE = 5
MIN_WORDS = 50
MAX_WORDS = 300

#: Of each part of a text so long that it is read in parts; words.
MIN_PART_WORDS = 30

#: A shorter sentence says little by itself; words.
MIN_SENTENCE_WORDS = 4

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
    """Return the sentences of ``budget`` words that rank first, each text once."""
    # it brings nltk, which most processes never ask for
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence  # noqa: PLC0415
    from sumy.summarizers.sum_basic import SumBasicSummarizer  # noqa: PLC0415

    telling = [each for each in sentences if _length(each) >= MIN_SENTENCE_WORDS] or sentences
    distinct = list({each.text: each for each in reversed(telling)}.values())[::-1]
    tokenizer = _Tokenizer()
    document = ObjectDocumentModel(
        [Paragraph([Sentence(each.text, tokenizer) for each in distinct])]
    )
    summarizer = SumBasicSummarizer()
    summarizer.stop_words = stop_words(language)
    chosen: list[int] = []

    def within_budget(ranked: Iterable[Any]) -> list[Any]:
        left = budget
        for sentence in ranked:
            length = _length(distinct[sentence.order])
            if not chosen or length <= left:
                chosen.append(sentence.order)
                left -= length
        return []

    summarizer(document, within_budget)
    return [distinct[order] for order in sorted(chosen)]


class _Tokenizer:
    """The words of a sentence, in the interface of sumy's own, which would load data of nltk."""

    def to_words(self, sentence: str) -> tuple[str, ...]:
        return tuple(normalized(sentence).split())


def _length(sentence: Piece) -> int:
    """The words of a sentence; what has no spaces is not short for that."""
    return max(normalized(sentence.text).count(" ") - 1, len(sentence.text) // WORD_LETTERS)
