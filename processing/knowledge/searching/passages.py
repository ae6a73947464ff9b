"""Cutting what a document says into passages, short enough to be found and cited as a whole."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from processing.engines.spacing import is_spaceless
from processing.knowledge.content import Section

#: A sentence is over before white space, and in scripts without spaces at its full stop.
_SENTENCE_END = re.compile(  # in the scripts of the world, with what closes quotes and brackets
    r"[.!?…؟।]+[\"'”\u2019»)\]]*(?=\s)|[。\uff01\uff1f]+[」』”\u2019\uff09]*|\n"
)
_SPACE = re.compile(r"\s*")


@dataclass(slots=True)
class Stretch:
    """A passage to be: some sentences of one speaker; see ``Passage`` for the columns."""

    text: str = ""
    speaker: str = ""
    start_seconds: float | None = None
    end_seconds: float | None = None
    marks: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, or as much of one as fits; ``joint`` stands before it."""

    text: str
    joint: str
    speaker: str
    start: float | None
    end: float | None


@dataclass(frozen=True)
class PassageCutter:
    """Cuts between sentences, where the speaker changes, and inside what is too long.

    A passage has ``shortest`` to ``longest`` characters, unless its speaker says no more or one
    sentence is longer; it never has more than ``limit``. It is cut where the speaker changes,
    so that a filter by speaker finds every word. What is cut inside of a section has times in
    proportion to its characters.
    """

    shortest: int = 600
    longest: int = 1_000
    limit: int = 2_000

    def cut(self, sections: Iterable[Section]) -> Iterator[Stretch]:
        """Yield the passages of ``sections`` in the order of reading; holds one at a time."""
        current = Stretch()
        for section in sections:
            for piece in self._pieces(section):
                if current.text and not self._fits(current, piece):
                    yield current
                    current = Stretch()
                _append(current, piece)
        if current.text:
            yield current

    def _fits(self, current: Stretch, piece: _Piece) -> bool:
        length = len(current.text) + len(piece.joint) + len(piece.text)
        most = self.longest if len(current.text) >= self.shortest else self.limit
        return length <= most and current.speaker == piece.speaker

    def _pieces(self, section: Section) -> Iterator[_Piece]:
        text, joint = section.text, "\n\n" if section.start is None else " "
        begin = _after_space(text, 0)
        while begin < len(text):
            end = self._end(text, begin)
            times = _moment(section, begin), _moment(section, end)
            yield _Piece(text[begin:end].rstrip(), joint, section.speaker, *times)
            begin = _after_space(text, end)
            joint = " " if text[begin - 1].isspace() else ""

    def _end(self, text: str, begin: int) -> int:
        """Return where the sentence that begins there ends, or where it is to be cut."""
        if found := _SENTENCE_END.search(text, begin, begin + self.limit):
            return found.end()
        if len(text) - begin <= self.limit:
            return len(text)
        space = text.rfind(" ", begin, begin + self.limit)
        return space if space > begin else begin + self.limit


def _append(current: Stretch, piece: _Piece) -> None:
    if not current.text:
        current.speaker, current.start_seconds = piece.speaker, piece.start
    elif piece.joint != " " or not is_spaceless(current.text[-1], piece.text[0]):
        current.text += piece.joint
    if piece.start is not None:
        current.marks.append([len(current.text), piece.start])
    current.text += piece.text
    current.end_seconds = piece.end


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _moment(section: Section, offset: int) -> float | None:
    """Return when a character of a section was said, as if all took equally long."""
    if section.start is None or section.end is None:
        return section.start
    share = offset / len(section.text)
    return round(section.start + share * (section.end - section.start), 3)
