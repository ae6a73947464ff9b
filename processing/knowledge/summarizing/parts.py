"""A long text in parts that a model reads at once; together they are all of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from processing.knowledge.content import Section
from processing.knowledge.summarizing.sentences import sentences_of

#: Between two sections, in ``processing.knowledge.content.text_of``.
SEPARATOR_LENGTH = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """A section or some of it. ``start`` and ``end`` are seconds where it was spoken, and
    characters of the document's text otherwise; within a section that is cut, estimated."""

    text: str
    start: float
    end: float
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Pieces that follow each other."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """What they say, a line each, with the speaker where that is known."""
        return "\n".join(
            f"{piece.speaker}: {piece.text}" if piece.speaker else piece.text
            for piece in self.pieces
        )

    @property
    def start(self) -> float:
        return self.pieces[0].start

    @property
    def end(self) -> float:
        return self.pieces[-1].end


def pieces_of(sections: Iterable[Section]) -> Iterator[Piece]:
    """Yield each section as a piece."""
    at = 0
    for section in sections:
        length = len(section.text)
        if section.start is None or section.end is None:
            yield Piece(section.text, at, at + length, section.speaker)
        else:
            yield Piece(section.text, section.start, section.end, section.speaker)
        at += length + SEPARATOR_LENGTH


def parts_of(
    pieces: Iterable[Piece], *, limit: float, cost: Callable[[str], float], language: str
) -> list[Part]:
    """Pack pieces into parts of at most ``limit``, in order; each is in exactly one.

    ``cost`` says what a text counts. A piece over the limit is cut between sentences, and a
    sentence over it between words, or within one where there is no other way.
    """
    parts: list[Part] = []
    waiting: list[Piece] = []
    room = limit
    for piece in _fitting(pieces, limit, cost, language):
        size = _size(piece, cost)
        if waiting and size > room:
            parts.append(Part(tuple(waiting)))
            waiting, room = [], limit
        waiting.append(piece)
        room -= size
    if waiting:
        parts.append(Part(tuple(waiting)))
    return parts


def _size(piece: Piece, cost: Callable[[str], float]) -> float:
    """What a piece counts as a line of a part, the end of the line included."""
    return cost(f"{piece.speaker}: {piece.text}" if piece.speaker else piece.text) + 1


def _fitting(
    pieces: Iterable[Piece], limit: float, cost: Callable[[str], float], language: str
) -> Iterator[Piece]:
    for piece in pieces:
        if _size(piece, cost) <= limit:
            yield piece
            continue
        sentences = sentences_of(piece.text, language)
        if len(sentences) == 1:
            sentences = _halves(sentences[0])
        if sentences == [piece.text]:  # a letter: less there is not
            yield piece
        else:
            yield from _fitting(_cut(piece, sentences), limit, cost, language)


def _cut(piece: Piece, texts: Sequence[str]) -> Iterator[Piece]:
    """Yield a piece in the pieces that ``texts`` are, each with its share of the time."""
    total, done = sum(map(len, texts)), 0
    span = piece.end - piece.start
    for text in texts:
        start = piece.start + span * done / total
        done += len(text)
        yield replace(piece, text=text, start=start, end=piece.start + span * done / total)


def _halves(text: str) -> list[str]:
    """Cut a text without space around it at the space nearest to its middle, or else there."""
    middle = len(text) // 2
    before, after = text.rfind(" ", 1, middle + 1), text.find(" ", middle)
    spaces = [at for at in (before, after) if at > 0]
    at = min(spaces, key=lambda one: abs(one - middle), default=middle)
    return [half for half in (text[:at].strip(), text[at:].strip()) if half]
