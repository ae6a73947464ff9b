"""The passages of a document in the database: what has not changed stays as it is."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import connection
from django.db.models import F

from processing.knowledge.content import sections_of
from processing.knowledge.searching.passages import PassageCutter, Stretch
from processing.models import Document, Passage

if TYPE_CHECKING:
    from collections.abc import Iterator

CUTTER = PassageCutter()

#: Rows that are written, or read, in one statement.
BATCH_SIZE = 500

#: Out of the way of every other index: where a row waits while others take their new places.
ASIDE = 2**30

_COPY = """
COPY passages (
    document_id, workspace_id, index, text, language, speaker, start_seconds, end_seconds, marks
) FROM STDIN
"""


class Place(NamedTuple):
    """All that a passage has besides its text."""

    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    language: str
    speaker: str
    start_seconds: float | None
    end_seconds: float | None
    marks: list[list[float]]


class Changes(NamedTuple):
    """How many passages were written anew, moved with their text, and deleted."""

    added: int
    moved: int
    deleted: int


def store_passages(document: Document) -> Changes:
    """Make the passages of a document those of what it says now.

    One whose text is there already keeps its row, and with it its vector. To be called in a
    transaction that has locked the document.
    """
    kept, moved, gone = _compared(document)
    passages = Passage.objects.of_document(document)
    passages.filter(pk__in=gone).delete()
    passages.filter(pk__in=[row.pk for row in moved]).update(index=F("index") + ASIDE)
    Passage.objects.bulk_update(moved, Place._fields, batch_size=BATCH_SIZE)
    return Changes(_copy_new(document, kept), len(moved), len(gone))


def stretches_of(document: Document) -> Iterator[tuple[str, Place]]:
    """Yield text and place of each passage that a document is to have."""
    for index, stretch in enumerate(CUTTER.cut(sections_of(document))):
        yield stretch.text, _place(document, index, stretch)


def _place(document: Document, index: int, stretch: Stretch) -> Place:
    return Place(
        index,
        document.language,
        stretch.speaker[:100],
        stretch.start_seconds,
        stretch.end_seconds,
        stretch.marks,
    )


def _compared(document: Document) -> tuple[set[int], list[Passage], list[int]]:
    """Return the indexes of what is there, the rows to change, and the ids of what is gone."""
    there: defaultdict[bytes, deque[tuple[int, Place]]] = defaultdict(deque)
    rows = Passage.objects.of_document(document).in_order()
    for row in rows.values_list("pk", "text", *Place._fields).iterator(chunk_size=BATCH_SIZE):
        there[_digest(row[1])].append((row[0], Place(*row[2:])))
    kept: set[int] = set()
    moved: list[Passage] = []
    if there:
        for text, place in stretches_of(document):
            if same := there.get(_digest(text)):
                pk, before = same.popleft()
                kept.add(place.index)
                if before != place:
                    moved.append(Passage(pk=pk, **place._asdict()))
    return kept, moved, [pk for same in there.values() for pk, _ in same]


def _copy_new(document: Document, kept: set[int]) -> int:
    count = 0
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for text, place in stretches_of(document):
            if place.index not in kept:
                copy.write_row(_row(document, text, place))
                count += 1
    return count


def _row(document: Document, text: str, place: Place) -> tuple[Any, ...]:
    index, language, speaker, start, end, marks = place
    key = (document.pk, document.workspace_id)
    return (*key, index, text, language, speaker, start, end, json.dumps(marks))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
