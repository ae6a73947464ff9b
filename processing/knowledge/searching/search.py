"""Looking through everything that was said or written in a workspace.

By words: full text search in the language of each text. By meaning: the passages whose vectors
are near to the query's, where PostgreSQL has pgvector and an embedding engine is configured. In
the mode ``auto`` both are asked and fused, and words alone when there is no other.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib.postgres.search import SearchHeadline
from django.core.cache import cache
from django.db.models import Case, F, Func, TextField, Value, When

from jobs.exceptions import JobsError
from processing.exceptions import InvalidQuery, NotConfigured
from processing.knowledge.searching.candidates import Ranking, limited, ranked
from processing.knowledge.searching.embeddings import is_prepared, nearest, vectors_of
from processing.knowledge.searching.filters import SearchFilters
from processing.knowledge.searching.fusion import fused
from processing.knowledge.searching.languages import (
    CONFIGURATIONS,
    DEFAULT_CONFIGURATION,
    UNSPACED,
    configuration_of,
)
from processing.knowledge.searching.queries import TextQuery, parse, text_query
from processing.knowledge.searching.snippets import (
    START,
    STOP,
    Piece,
    Span,
    excerpt,
    spans_of,
    whole_runs,
)
from processing.managers.passage import TextSearch
from processing.models import Document, Passage, Workspace
from processing.text_engines.registry import embedding_engine

if TYPE_CHECKING:
    from uuid import UUID

    from processing.managers.passage import PassageQuerySet

__all__ = ["Hit", "SearchFilters", "SearchPage", "search"]

logger = logging.getLogger(__name__)

#: What can be asked for; ``BOTH`` is what an answer to ``AUTO`` says when both were asked.
AUTO, WORDS, MEANING, BOTH = "auto", "words", "meaning", "both"
MODES: Final = (AUTO, WORDS, MEANING)

#: The most hits of one page, and the most passages that are found by meaning.
MAX_LIMIT = 100
NEIGHBOURS = 100

#: How long the languages of a workspace are remembered; a new one is known at once.
LANGUAGES_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found.

    ``snippet`` is the part of it that shows why, as ``(text, is_match)`` in order.
    ``start_seconds`` is when its first match begins on the recording's clock, None in what
    nobody spoke. ``score`` is from 0 to 1, and says nothing beside hits of another query.
    """

    passage_id: int
    document_id: UUID
    title: str
    recording_id: UUID | None
    transcript_id: UUID | None
    language: str
    speaker: str
    snippet: list[Piece]
    start_seconds: float | None
    end_seconds: float | None
    score: float


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some hits, the best first.

    ``total`` is how many there are in all, an estimate unless ``is_total_exact``. Only so many
    of these are ranked (``candidates.CANDIDATES``); ``has_more`` says whether there are more of
    them. ``mode`` is by what was looked: ``words``, ``meaning`` or ``both``.
    """

    hits: list[Hit]
    has_more: bool
    total: int
    is_total_exact: bool
    mode: str


def search(
    *,
    workspace: Workspace,
    query: str,
    filters: SearchFilters = SearchFilters(),  # noqa: B008  it is frozen
    limit: int = 20,
    offset: int = 0,
    mode: str = AUTO,
) -> SearchPage:
    """Return the ``limit`` best passages of a workspace from ``offset`` on.

    Raises ``InvalidQuery`` for a query, mode, limit or offset that means nothing, and
    ``NotConfigured`` for the mode ``meaning`` where nothing can do that.
    """
    _check(mode, limit, offset)
    passages = filters.applied(Passage.objects.in_workspace(workspace), workspace)
    words = _words(query, workspace, filters, is_needed=mode != MEANING)
    ranking, meaning = Ranking(), None
    if mode != WORDS:
        meaning = _by_meaning(query, workspace, filters, passages, is_needed=mode == MEANING)
    with limited():
        if words and mode != MEANING:
            ranking = ranked(words, passages, workspace, is_narrow=filters.is_narrow)
        if meaning is not None:
            ranking = _joined(ranking, meaning, is_alone=mode == MEANING)
        chosen = ranking.hits[offset : offset + limit]
        hits = _hits(chosen, words, workspace)
    return SearchPage(
        hits,
        has_more=len(ranking.hits) > offset + limit,
        total=ranking.total,
        is_total_exact=ranking.is_exact,
        mode=_mode_of(mode, has_meaning=meaning is not None),
    )


def forget_languages(workspace_id: UUID) -> None:
    """Have the languages of a workspace read anew, because there may be one more."""
    cache.delete(_languages_key(workspace_id))


def languages_of(workspace: Workspace) -> list[str]:
    """Return the languages of a workspace's documents."""

    def read() -> list[str]:
        documents = Document.objects.in_workspace(workspace)
        return sorted(documents.order_by().values_list("language", flat=True).distinct())

    found = cache.get_or_set(_languages_key(workspace.pk), read, LANGUAGES_SECONDS)
    return cast("list[str]", found)


def _languages_key(workspace_id: UUID) -> str:
    return f"search-languages:{workspace_id}"


def _check(mode: str, limit: int, offset: int) -> None:
    if mode not in MODES:
        raise InvalidQuery(f"there is no mode {mode!r}; known: {', '.join(MODES)}")
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidQuery(f"the limit is {limit}; a page has 1 to MAX_LIMIT = {MAX_LIMIT} hits")
    if offset < 0:
        raise InvalidQuery(f"the offset is {offset}, which is before the first hit")


def _mode_of(asked: str, *, has_meaning: bool) -> str:
    if asked == AUTO:
        return BOTH if has_meaning else WORDS
    return asked


def _words(
    text: str, workspace: Workspace, filters: SearchFilters, *, is_needed: bool
) -> TextQuery | None:
    """Return the query by words; None where it is none and not needed either."""
    languages = [filters.language] if filters.language else languages_of(workspace)
    try:
        return text_query(parse(text), {configuration_of(language) for language in languages})
    except InvalidQuery:
        if is_needed or not text.strip():
            raise
    return None


def _by_meaning(
    text: str,
    workspace: Workspace,
    filters: SearchFilters,
    passages: PassageQuerySet,
    *,
    is_needed: bool,
) -> list[tuple[int, float]] | None:
    """Return the nearest passages; None where nobody can say, and it is not needed either."""
    engine = embedding_engine()
    if engine is None or not is_prepared():
        if is_needed:
            raise NotConfigured(_what_is_missing(has_engine=engine is not None))
        return None
    try:
        [vector] = vectors_of([text], engine)
    except JobsError as error:
        if is_needed:
            raise
        logger.warning("looking by words alone: %s", type(error).__name__)
        return None
    with limited():
        return nearest(
            vector,
            engine,
            workspace_id=workspace.pk,
            passages=passages if filters.are_any else None,
            limit=NEIGHBOURS,
        )


def _what_is_missing(*, has_engine: bool) -> str:
    if has_engine:
        return (
            "search by meaning needs PostgreSQL's extension pgvector: install it on the server "
            "and run manage.py migrate and manage.py reindex"
        )
    return (
        "search by meaning needs an embedding engine: set EMBEDDINGS_BASE_URL and "
        "EMBEDDINGS_MODEL and run manage.py migrate and manage.py reindex"
    )


def _joined(words: Ranking, meaning: list[tuple[int, float]], *, is_alone: bool) -> Ranking:
    if is_alone:
        return Ranking(meaning, len(meaning), is_exact=False)
    hits = fused([pk for pk, _ in words.hits], [pk for pk, _ in meaning])
    return Ranking(hits, max(words.total, len(hits)), is_exact=False)


def _hits(
    chosen: list[tuple[int, float]], words: TextQuery | None, workspace: Workspace
) -> list[Hit]:
    """Read what is shown of the passages of one page."""
    rows = Passage.objects.in_workspace(workspace).filter(pk__in=[pk for pk, _ in chosen])
    rows = rows.select_related("document__transcript").only(
        *("text", "language", "speaker", "start_seconds", "end_seconds", "marks"),
        *("document__title", "document__transcript__recording_id"),
    )
    if words is not None and words.wanted:
        rows = rows.annotate(headline=_headline(words))
    found = {row.pk: row for row in rows}
    runs = words.runs if words is not None else ()
    return [_hit(found[pk], score, runs) for pk, score in chosen if pk in found]


def _hit(row: Passage, score: float, runs: tuple[str, ...]) -> Hit:
    spans = whole_runs(row.text, spans_of(row.text, getattr(row, "headline", "")), runs)
    transcript = row.document.transcript
    return Hit(
        passage_id=row.pk,
        document_id=row.document_id,
        title=row.document.title,
        recording_id=transcript.recording_id if transcript else None,
        transcript_id=transcript.pk if transcript else None,
        language=row.language,
        speaker=row.speaker,
        snippet=excerpt(row.text, spans),
        start_seconds=_moment(row, spans),
        end_seconds=row.end_seconds,
        score=round(score, 6),
    )


def _moment(row: Passage, spans: list[Span]) -> float | None:
    """Return when the segment begins in which the first match is."""
    first = spans[0][0] if spans else 0
    said = [seconds for offset, seconds in row.marks if offset <= first]
    return said[-1] if said else row.start_seconds


def _text_function(name: str, *arguments: Any) -> Func:
    return Func(*arguments, function=name, output_field=TextField())


def _headline(words: TextQuery) -> SearchHeadline:
    """Return a passage's whole text with its matches marked, cut into words as in the index."""
    languages = {
        language: name for language, name in CONFIGURATIONS.items() if name in words.wanted_by
    }
    names = [When(language=language, then=Value(name)) for language, name in languages.items()]
    text = _text_function("translate", F("text"), Value(START + STOP), Value("  "))
    letter = Value(f"({UNSPACED})")
    spaced = _text_function("regexp_replace", text, letter, Value(r" \1 "), Value("g"))
    has_spaces = When(language__in=list(languages), then=text)
    return SearchHeadline(
        Case(has_spaces, default=spaced, output_field=TextField()),
        TextSearch(words.wanted),
        config=Case(*names, default=Value(DEFAULT_CONFIGURATION)),
        start_sel=START,
        stop_sel=STOP,
        highlight_all=True,
    )
