"""Citations: the numbers in an answer, and the literal words of the passages they stand for.

Nothing here believes a model: a number counts only if a passage of that number was given, and
what is quoted is always cut out of the passage itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from processing.engines.spacing import words_of
from processing.models import Passage

#: The longest stretch of a passage that is quoted, in characters.
QUOTE_CHARACTERS = 300

#: The most characters between the brackets of a mark such as ``[1]`` or ``[2, 3]``.
MARK_CHARACTERS = 60

_INSIDE = rf"[\s\d,;]{{1,{MARK_CHARACTERS}}}"
MARK = re.compile(rf"[\[【]({_INSIDE})[\]】]")
_SPACED_MARK = re.compile(rf"(?<!\s)(\s*){MARK.pattern}")
_OPEN = re.compile(rf"[\[【][\s\d,;]{{0,{MARK_CHARACTERS}}}\Z")
_UNFINISHED = re.compile(rf"(?<!\s)\s*(?:[\[【][\s\d,;]{{0,{MARK_CHARACTERS}}})?\Z")

#: A sentence with the marks that follow it. Full stops of scripts without spaces end one anywhere.
_STOP = r"[.!?…؟।]{1,9}+[\"'”’»)]{0,3}(?=[\s\[【]|\Z)|[。！？]+"  # noqa: RUF001  of many scripts
_SENTENCE = re.compile(rf"\S.*?(?:(?:{_STOP})(?:\s*{MARK.pattern})*|\n|\Z)", re.DOTALL)

#: What is around a word and no part of it.
_AROUND = "\"'“”‘’«».,;:!?()[]…-"  # noqa: RUF001  quotes as typesetters have them


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that is given to a model, or shown, under a ``number`` (from 1 on).

    ``start`` and ``end`` are seconds on the recording's clock, None in what nobody spoke;
    ``marks`` are those of a ``Passage``.
    """

    number: int
    passage: int
    document: str
    title: str
    text: str
    speaker: str = ""
    start: float | None = None
    end: float | None = None
    marks: Sequence[tuple[int, float]] = ()

    @classmethod
    def of(cls, number: int, passage: Passage) -> "Source":
        """Return a passage as a source; its document is read, too."""
        return cls(
            number,
            passage.pk,
            str(passage.document_id),
            passage.document.title,
            passage.text,
            passage.speaker,
            passage.start_seconds,
            passage.end_seconds,
            [(int(offset), float(seconds)) for offset, seconds in passage.marks],
        )

    def cited(self, begin: int, end: int) -> dict[str, Any]:
        """Return the citation of ``text[begin:end]``, with the time at which that was said."""
        said = [seconds for offset, seconds in self.marks if offset <= begin]
        after = [seconds for offset, seconds in self.marks if offset >= end]
        return {
            "number": self.number,
            "document": self.document,
            "title": self.title,
            "passage": self.passage,
            "start": self.start if self.start is None or not said else max(said[-1], self.start),
            "end": self.end if self.end is None or not after else min(after[0], self.end),
            "quote": self.text[begin:end],
        }


@dataclass(slots=True)
class MarkChecker:
    """Takes the numbers that nobody gave out of an answer while it comes, piece by piece.

    All marks come out as ``[1]`` or ``[1][2]``. However the answer is cut into pieces, what
    comes out is the same.
    """

    count: int
    _held: str = ""
    _before: str = ""

    def feed(self, piece: str) -> str:
        """Return what is certain by now; what may be the beginning of a mark is held back."""
        text = self._held + piece
        unfinished = _UNFINISHED.search(text)
        end = len(text) if unfinished is None else unfinished.start()
        self._held = text[end:]
        checked = _SPACED_MARK.sub(self._checked, text[:end])
        self._before = (self._before + text[:end])[-MARK_CHARACTERS - 1 :]
        return checked

    def flush(self) -> str:
        """Return what was held back: the answer is over."""
        rest, self._held = self._held, ""
        return rest

    def _checked(self, match: "re.Match[str]") -> str:
        space, inside = match.groups()
        named = [int(number) for number in re.findall(r"\d+", inside)]
        known = [number for number in dict.fromkeys(named) if 1 <= number <= self.count]
        if not named:
            return match[0]
        if not known:
            near = match.string[max(0, match.start() - MARK_CHARACTERS - 1) : match.start()]
            is_inside = _OPEN.search(self._before + near)  # without it, another mark would close
            return "…" if is_inside else space if "\n" in space else ""
        return space + "".join(f"[{number}]" for number in known)


def without_marks(text: str) -> str:
    """Return a text of others in which nothing looks like a citation of ours."""
    return MARK.sub(r"(\1)", text)


def citations_of(answer: str, sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Return a citation for each number in a checked answer, in the order of the numbers.

    Quoted is what is nearest to the sentence that the number stands in.
    """
    claims: dict[int, str] = {}
    for sentence in _SENTENCE.finditer(answer):
        for mark in MARK.finditer(sentence[0]):
            for number in re.findall(r"\d+", mark[1]):
                claims.setdefault(int(number), MARK.sub(" ", sentence[0]))
    return [
        source.cited(*nearest_stretch(source.text, claims[source.number]))
        for source in sources
        if source.number in claims
    ]


def nearest_stretch(text: str, claim: str, *, at_most: int = QUOTE_CHARACTERS) -> tuple[int, int]:
    """Return where the sentence, or a part of one, begins and ends that shares most with a claim.

    Long words that are shared count for more than short ones; of equals the first is taken.
    """
    wanted = _words(claim)
    stretches = list(_stretches(text, at_most))
    if not stretches:
        return 0, min(len(text), at_most)
    return max(
        stretches,
        key=lambda stretch: sum(map(len, wanted & _words(text[stretch[0] : stretch[1]]))),
    )


def _stretches(text: str, at_most: int) -> Iterator[tuple[int, int]]:
    """Yield the sentences of a text; what is too long is cut, between words where it has any."""
    for sentence in _SENTENCE.finditer(text):
        begin, end = sentence.start(), sentence.start() + len(sentence[0].rstrip())
        while end - begin > at_most:
            space = text.rfind(" ", begin + 1, begin + at_most + 1)
            cut = space if space > 0 else begin + at_most
            yield begin, cut
            begin = cut + len(text[cut:end]) - len(text[cut:end].lstrip())
        if begin < end:
            yield begin, end


def _words(text: str) -> set[str]:
    stripped = (word.strip(_AROUND).casefold() for word in words_of(text))
    return {word for word in stripped if word}


def are_quoted(citations: Sequence[Mapping[str, Any]], texts: Mapping[int, str]) -> bool:
    """Whether each quote is in the text of its passage, as it is stored now."""
    return all(one["quote"] in texts.get(one["passage"], "") for one in citations)
