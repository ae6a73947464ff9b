"""Which words of two neighbours are the same word, where both heard the same audio."""

import math
import re
import unicodedata
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from processing.engines.base import Word

#: What may be no part of a word: neither letter, digit nor the apostrophe inside a word.
_MARKS = re.compile(r"[^\w']")


#: The outermost word of a clip may be a part of one when it is so near to the clip's edge.
EDGE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Column:
    """One place of an alignment: the index of what each side heard there, None for nothing.

    Both and no match: a substitution, one word that the sides heard differently.
    """

    left: int | None
    right: int | None
    is_match: bool = False


@dataclass(frozen=True)
class TimedAligner:
    """Aligns the end of one word list with the beginning of the next, by text and time.

    A match is two words of equal text that start less than ``gate_seconds`` apart. Of the
    outermost word of a clip, within ``edge_seconds`` of its edge, a beginning or an ending is
    enough, for there words are cut. Two other words within the gate are a substitution.

    Of all alignments it is the one of the greatest worth: ``match_worth`` for a match,
    ``substitution_worth`` for a substitution, each less the share of the gate it is apart.
    The figures are ours, the best of those measured (``tests/bench/pipeline/seams.py``).
    """

    gate_seconds: float = 0.6
    edge_seconds: float = EDGE_SECONDS
    match_worth: float = 3.0
    substitution_worth: float = 2.0

    def align(
        self, left: Sequence[Word], right: Sequence[Word], *, left_end: float, right_start: float
    ) -> list[Column]:
        """Return the columns in order.

        ``left_end`` is where the audio of the left side ends, ``right_start`` where that of the
        right side begins, on the clock of the words.
        """
        left_texts = [normalized(word.word) for word in left]
        right_texts = [normalized(word.word) for word in right]
        is_left_cut = bool(left) and left[-1].end > left_end - self.edge_seconds
        is_right_cut = bool(right) and right[0].start < right_start + self.edge_seconds

        def worth(i: int, j: int) -> tuple[float, bool]:
            apart = abs(left[i].start - right[j].start)
            is_match = left_texts[i] == right_texts[j]
            is_at_edge = (is_left_cut and i == len(left) - 1) or (is_right_cut and j == 0)
            if is_at_edge and not is_match:
                is_match = is_part(left_texts[i], right_texts[j])
                apart = min(apart, abs(left[i].end - right[j].end))
            if apart >= self.gate_seconds:
                return -math.inf, False
            full = self.match_worth if is_match else self.substitution_worth
            return full - apart / self.gate_seconds, is_match

        columns, _ = _best_path(len(left), len(right), worth, gap_worth=0.0)
        return _by_time(columns, left, right)


@dataclass(frozen=True)
class TailAligner:
    """Aligns the end of one word list with the beginning of the next, by text alone.

    The best overlap alignment (a suffix of the left with a prefix of the right). Worth less than
    ``least_worth`` nothing is a match: of random words it takes fewer than one in 300 for alike.
    The figures are ours, as those of ``TimedAligner``.
    """

    match_worth: float = 4.0
    substitution_worth: float = -0.5
    gap_worth: float = -1.0
    least_worth: float = 7.0

    def align(self, left: Sequence[Word], right: Sequence[Word]) -> list[Column]:
        """Return the columns in order; all left, then all right, when they share nothing."""
        left_texts = [normalized(word.word) for word in left]
        right_texts = [normalized(word.word) for word in right]

        def worth(i: int, j: int) -> tuple[float, bool]:
            is_match = left_texts[i] == right_texts[j]
            return (self.match_worth if is_match else self.substitution_worth), is_match

        columns, total = _best_path(len(left), len(right), worth, gap_worth=self.gap_worth)
        if total < self.least_worth:
            return [Column(i, None) for i in range(len(left))] + [
                Column(None, j) for j in range(len(right))
            ]
        return columns


def normalized(word: str) -> str:
    """Return a word as it is compared: case, punctuation and kinds of letters apart.

    A word of nothing but punctuation stays as it is.
    """
    plain = unicodedata.normalize("NFKC", word).casefold()
    plain = plain.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return _MARKS.sub(_without_punctuation, plain) or word


def _without_punctuation(found: re.Match[str]) -> str:
    """Return a vowel sign, as Hindi and Thai have them, and nothing for anything else."""
    return found[0] if unicodedata.category(found[0])[0] == "M" else ""


def is_part(one: str, other: str) -> bool:
    """Whether one of two words may be what is left of the other where it was cut."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) or long.endswith(short)


def _best_path(
    rows: int,
    columns: int,
    worth: Callable[[int, int], tuple[float, bool]],
    *,
    gap_worth: float,
) -> tuple[list[Column], float]:
    """Return the alignment of the greatest worth, and its worth (Needleman and Wunsch 1970).

    Gaps before the first word of the right side and after the last of the left are free.
    """
    worths = [[worth(i, j) for j in range(columns)] for i in range(rows)]
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        best[i][columns] = best[i + 1][columns] + gap_worth
        for j in reversed(range(columns)):
            best[i][j] = max(
                worths[i][j][0] + best[i + 1][j + 1],
                best[i + 1][j] + gap_worth,
                best[i][j + 1] + gap_worth,
            )
    first = max(range(rows + 1), key=lambda row: best[row][0])
    path = [Column(row, None) for row in range(first)]
    i, j = first, 0
    while i < rows and j < columns:
        gain, is_match = worths[i][j]
        if best[i][j] == gain + best[i + 1][j + 1]:
            path.append(Column(i, j, is_match))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j] + gap_worth:
            path.append(Column(i, None))
            i += 1
        else:
            path.append(Column(None, j))
            j += 1
    path += [Column(row, None) for row in range(i, rows)]
    path += [Column(None, column) for column in range(j, columns)]
    return path, best[first][0]


def _by_time(
    columns: Sequence[Column], left: Sequence[Word], right: Sequence[Word]
) -> list[Column]:
    """Return the columns with neighbouring gaps of both sides in the order of their times.

    Pairs stay where they are, and so does the order of each side.
    """
    ordered: list[Column] = []
    lefts: deque[int] = deque()
    rights: deque[int] = deque()

    def settle() -> None:
        while lefts or rights:
            is_left_next = not rights or (
                bool(lefts) and left[lefts[0]].start <= right[rights[0]].start
            )
            ordered.append(
                Column(lefts.popleft(), None) if is_left_next else Column(None, rights.popleft())
            )

    for column in columns:
        if column.left is not None and column.right is not None:
            settle()
            ordered.append(column)
        elif column.left is not None:
            lefts.append(column.left)
        elif column.right is not None:
            rights.append(column.right)
    settle()
    return ordered
