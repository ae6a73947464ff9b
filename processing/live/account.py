"""What there is to tell of a run, in little memory, and how much of it somebody has heard."""

from __future__ import annotations

import json
import re
import zlib
from bisect import bisect_right
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import TYPE_CHECKING, Any, Final, Self

from processing.services.exports import gaps_of, segments_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from processing.services.merging.merger import JsonObject

#: Rows that are kept, and told, together at most.
FRAME = 100

DIGEST_BYTES = 6

_POSITION = re.compile(r"([0-9]{1,9})-([0-9a-f]{12})-([0-9]{1,9})-([0-9a-f]{12})", re.ASCII)


class PackedRows:
    """JSON objects in a sequence that only grows, with a digest of each beginning of it."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._starts: list[int] = []
        self._digests = bytearray(DIGEST_BYTES)

    def __len__(self) -> int:
        return len(self._digests) // DIGEST_BYTES - 1

    def extend(self, rows: Sequence[JsonObject]) -> None:
        for first in range(0, len(rows), FRAME):
            texts = [_as_text(row) for row in rows[first : first + FRAME]]
            self._starts.append(len(self))
            self._frames.append(zlib.compress(f"[{','.join(texts)}]".encode(), level=1))
            digest, digests = bytes(self._digests[-DIGEST_BYTES:]), bytearray()
            for text in texts:
                digest = blake2s(digest + text.encode(), digest_size=DIGEST_BYTES).digest()
                digests += digest
            self._digests += digests  # at once and last: others read meanwhile

    def digest(self, count: int) -> str:
        """Return what the first ``count`` rows are known by."""
        return self._digests[count * DIGEST_BYTES :][:DIGEST_BYTES].hex()

    def after(self, count: int) -> Iterator[list[JsonObject]]:
        """Yield the rows after the first ``count``, some at a time."""
        frame = max(bisect_right(self._starts, count) - 1, 0)
        while count < len(self):
            rows = json.loads(zlib.decompress(self._frames[frame]))
            yield rows[count - self._starts[frame] :]
            count = self._starts[frame] + len(rows)
            frame += 1


@dataclass(frozen=True)
class Position:
    """How many segments and gaps somebody has heard, and which those were.

    As text it is the id of an event: whoever has heard the same may go on from it, in any
    process and of any run that heard the same.
    """

    segment_count: int
    segments_digest: str
    gap_count: int
    gaps_digest: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the position that ``text`` is, None when it is none."""
        found = _POSITION.fullmatch(text)
        return cls(int(found[1]), found[2], int(found[3]), found[4]) if found else None

    def __str__(self) -> str:
        return f"{self.segment_count}-{self.segments_digest}-{self.gap_count}-{self.gaps_digest}"


NOTHING: Final = "0" * 2 * DIGEST_BYTES
#: Who has heard nothing yet.
START: Final = Position(0, NOTHING, 0, NOTHING)


@dataclass(frozen=True)
class Account:
    """Segments and gaps as programs read them, in the order in which they are told."""

    _segments: PackedRows = field(default_factory=PackedRows)
    _gaps: PackedRows = field(default_factory=PackedRows)

    def add(self, segments: Iterable[JsonObject], gaps: Iterable[JsonObject]) -> None:
        self._gaps.extend(gaps_of(gaps))
        self._segments.extend(segments_of(segments))

    @property
    def segment_count(self) -> int:
        return len(self._segments)

    @property
    def gap_count(self) -> int:
        return len(self._gaps)

    def reaches(self, position: Position) -> bool:
        """Whether there is as much as was heard."""
        return position.segment_count <= len(self._segments) and (
            position.gap_count <= len(self._gaps)
        )

    def goes_on(self, position: Position) -> bool:
        """Whether what was heard is the beginning of this."""
        return self.reaches(position) and position == self._position(
            position.segment_count, position.gap_count
        )

    def after(self, position: Position) -> Iterator[tuple[dict[str, Any], Position]]:
        """Yield ``{segments, gaps}`` that follow a position, and the one after each."""
        segment_count, gap_count = position.segment_count, position.gap_count
        for gaps in self._gaps.after(gap_count):
            gap_count += len(gaps)
            yield {"segments": [], "gaps": gaps}, self._position(segment_count, gap_count)
        for segments in self._segments.after(segment_count):
            segment_count += len(segments)
            yield {"segments": segments, "gaps": []}, self._position(segment_count, gap_count)

    def _position(self, segment_count: int, gap_count: int) -> Position:
        return Position(
            segment_count,
            self._segments.digest(segment_count),
            gap_count,
            self._gaps.digest(gap_count),
        )


def _as_text(row: JsonObject) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
