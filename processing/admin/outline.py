"""Where the pages of a transcript begin and what is marked on each, without its words.

A recording of twelve hours has 150,000 words: its text is shown some at a time, and to know
where, nobody reads all of it more than once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from caching.backend import get_cache
from caching.invalidation import tags_of
from processing.admin.marks import DOUBT, SEAM, doubts_in, mark_of_gap, marks_of_segment
from processing.services.exports import content_so_far
from processing.services.merging.merger import Merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from processing.models import Transcript

JsonObject = dict[str, Any]

#: A page has whole segments, of about so many words: a quarter of an hour, half a megabyte of HTML.
WORDS_PER_PAGE = 3_000

#: What was outlined is in the cache for so long.
KEPT_FOR = timedelta(days=1)


@dataclass
class TextPage:
    """The segments from ``first`` up to ``last`` (without it), and when they begin, in seconds."""

    first: int = 0
    last: int = 0
    start: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)

    def has(self, mark: str) -> bool:
        return doubts_in(self.counts) if mark == DOUBT else mark in self.counts


@dataclass(frozen=True)
class Outline:
    """The pages of a transcript, one at least; the first begins at 0."""

    pages: list[TextPage]

    @classmethod
    def of(cls, content: Merged) -> Self:
        pages, counts, words = [TextPage()], [Counter[str]()], 0
        for index, segment in enumerate(content.segments):
            if words >= WORDS_PER_PAGE:
                pages.append(TextPage(index, index, segment["start"]))
                counts.append(Counter())
                words = 0
            words += len(segment.get("words", ())) or 1
            pages[-1].last = index + 1
            counts[-1].update(marks_of_segment(segment))
        outline = cls(pages)
        for gap in content.gaps:
            counts[outline.number_at(gap["start"])][mark_of_gap(gap)] += 1
        for seam in content.seams:
            counts[outline.number_at(seam["at"])][SEAM] += 1
        for page, counted in zip(pages, counts, strict=True):
            page.counts = dict(counted)
        return outline

    @property
    def counts(self) -> Counter[str]:
        """How many of each mark there are in all."""
        return sum((Counter(page.counts) for page in self.pages), Counter())

    def number_at(self, seconds: float) -> int:
        """Return the number of the page, from 0 on, that has what is said then."""
        starts = [page.start for page in self.pages]
        return max(bisect_right(starts, seconds) - 1, 0)

    def number_with(self, mark: str, numbers: Iterable[int]) -> int | None:
        """Return the first of the pages of these numbers that has a mark."""
        return next((number for number in numbers if self.pages[number].has(mark)), None)

    def end_of(self, number: int) -> float:
        """Return when the page after this one begins, in seconds; without one, infinity."""
        following = self.pages[number + 1 :]
        return following[0].start if following else float("inf")


def outline_of(transcript: Transcript) -> Outline:
    """Return the outline of a readable transcript; its content is read once, and not again."""
    pages: Sequence[Mapping[str, Any]] = get_cache().get_or_set(
        f"outline:{transcript.pk}",
        lambda: [asdict(page) for page in Outline.of(_content_of(transcript)).pages],
        KEPT_FOR.total_seconds(),
        tags=tags_of(
            transcript=transcript.pk,
            recording=transcript.recording_id,
            workspace=transcript.workspace_id,
        ),
    )
    return Outline([TextPage(**page) for page in pages])


def _content_of(transcript: Transcript) -> Merged:
    stored = type(transcript).objects.only("segments", "gaps", "seams").get(pk=transcript.pk)
    return Merged(stored.segments, stored.gaps, stored.seams)


def page_content(transcript: Transcript, at: float) -> tuple[Outline, int, Merged]:
    """Return the outline, the number of the page at a time, and what is on it.

    What a run that goes on has heard until now is joined anew.
    """
    if not transcript.is_readable:
        content = content_so_far(transcript)
        outline = Outline.of(content)
        number = outline.number_at(at)
        return outline, number, _part(content, outline, number)
    outline = outline_of(transcript)
    number = outline.number_at(at)
    page = outline.pages[number]
    end = outline.end_of(number)
    found = type(transcript).objects.part(
        transcript.pk, segments=(page.first, page.last), seconds=(page.start, end)
    )
    return outline, number, Merged(**found)


def _part(content: Merged, outline: Outline, number: int) -> Merged:
    page = outline.pages[number]
    end = outline.end_of(number)
    return Merged(
        content.segments[page.first : page.last],
        [gap for gap in content.gaps if page.start <= gap["start"] < end],
        [seam for seam in content.seams if page.start <= seam["at"] < end],
    )
