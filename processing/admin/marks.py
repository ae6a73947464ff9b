"""What is marked in a transcript, and what each mark means: the legend of its page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processing.admin.presentation import DOUBTS, ESTIMATED
from processing.services.joining import NOT_HEARD_YET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: A word is marked as unsure below this: the engine itself thinks it more likely wrong than right.
UNSURE_BELOW = 0.5

UNSURE, CUT, CORRECTED = "unsure", "cut", "corrected"
ESTIMATES, SEAM, GAP, PENDING = "estimated", "seam", "gap", "pending"


@dataclass(frozen=True)
class Mark:
    """``name`` is its CSS class, ``sample`` what shows it beside its ``label``.

    Whoever looks for doubtful places is led to what ``is_doubt``.
    """

    name: str
    label: str
    meaning: str
    sample: str = ""
    is_doubt: bool = True


MARKS: dict[str, Mark] = {
    mark.name: mark
    for mark in (
        Mark(GAP, "Gap", "Nothing was heard here, for the reason that it gives"),
        Mark(
            UNSURE,
            "Unsure word",
            f"The engine gave it less than {UNSURE_BELOW:.0%}: more likely wrong than right",
            "word",
        ),
        *(
            Mark(str(flag), str(flag).replace("_", " ").capitalize(), meaning)
            for flag, meaning in DOUBTS.items()
        ),
        Mark(CUT, "Cut word", "A part of it may be in the gap beside it", "word"),
        Mark(SEAM, "Seam", "Two chunks overlap here and were joined", "⋈", is_doubt=False),
        Mark(ESTIMATES, "Estimated times", ESTIMATED, "≈", is_doubt=False),
        Mark(CORRECTED, "Corrected word", "Written by a person", "word", is_doubt=False),
        Mark(PENDING, "Pending", "Not heard yet: it is being worked on", is_doubt=False),
    )
}

#: The names of all that is doubtful, and of it all.
DOUBT = "doubt"


def mark_named(name: str) -> Mark:
    """Return a mark; a flag that nobody has described is one, too."""
    return MARKS.get(name) or Mark(name, name.replace("_", " ").capitalize(), name)


def is_doubt(name: str) -> bool:
    return mark_named(name).is_doubt


def marks_of_word(word: Mapping[str, Any]) -> list[str]:
    """Return the names of what is to be marked of a word."""
    confidence = word.get("confidence")
    found = {
        UNSURE: confidence is not None and confidence < UNSURE_BELOW,
        CUT: word.get("is_cut"),
        CORRECTED: word.get("is_corrected"),
    }
    return [name for name, is_so in found.items() if is_so]


def marks_of_segment(segment: Mapping[str, Any]) -> Counter[str]:
    """Return how many of each mark a segment has: of itself, and of its words."""
    found = Counter(segment.get("flags", ()))
    if segment.get("is_estimated"):
        found[ESTIMATES] += 1
    for word in segment.get("words", ()):
        found.update(marks_of_word(word))
    return found


def mark_of_gap(gap: Mapping[str, Any]) -> str:
    return PENDING if gap["reason"].endswith(NOT_HEARD_YET) else GAP


def legend(counts: Mapping[str, int]) -> list[tuple[Mark, int]]:
    """Return the marks that there are, each with its count, in the order of the legend."""
    known = [name for name in MARKS if counts.get(name)]
    others = sorted(name for name in counts if name not in MARKS and counts[name])
    return [(mark_named(name), counts[name]) for name in [*known, *others]]


def doubts_in(names: Iterable[str]) -> bool:
    return any(is_doubt(name) for name in names)
