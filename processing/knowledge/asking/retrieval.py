"""Finding the passages that a question may be answered from.

By its words, any of which may be missing; and by its meaning, where somebody can say what is
near to it. A passage that has many of the words is better than one that has one of them many
times, and a rare word says more than a common one.
"""

import logging
import math
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from django.db import connection
from django.db.models import Case, Value, When

from jobs.exceptions import JobsError
from processing.exceptions import InvalidQuery
from processing.knowledge.asking.filters import filters_of
from processing.knowledge.searching.candidates import limited, ranked
from processing.knowledge.searching.filters import SearchFilters
from processing.knowledge.searching.fusion import fused
from processing.knowledge.searching.languages import CONFIGURATIONS, UNSPACED, configuration_of
from processing.knowledge.searching.queries import MAX_QUERY_LENGTH, TextQuery, parse, text_query
from processing.knowledge.searching.search import MAX_LIMIT, MEANING, languages_of, search
from processing.managers.passage import TextSearch
from processing.models import Passage, Question
from processing.text_engines.registry import embedding_engine

logger = logging.getLogger(__name__)

#: The most words that are looked for: more only make a question vaguer.
MAX_TERMS = 32

#: How many passages are read for one answer.
MAX_PASSAGES = 12

#: Which of some words mean nothing by themselves, in each of some languages.
STOP_WORDS_SQL: Final = """
SELECT array_agg(word) FILTER (WHERE to_tsvector(name::regconfig, word) = ''::tsvector)
FROM unnest(%s::text[]) AS configuration(name), unnest(%s::text[]) AS words(word)
GROUP BY name
"""

_UNSPACED_RUN = re.compile(f"{UNSPACED}+")


def passages_for(question: Question) -> list[Passage]:
    """Return the passages nearest to a question, the best first, each with its document's title."""
    filters = filters_of(question.filters)
    rankings = _by_words(question, filters), _by_meaning(question, filters)
    best = [pk for pk, _ in fused(*(each for each in rankings if each))][:MAX_PASSAGES]
    rows = Passage.objects.in_workspace(question.workspace).select_related("document")
    columns = ("text", "speaker", "start_seconds", "end_seconds", "marks", "document__title")
    found = rows.only(*columns).in_bulk(best)
    return [found[pk] for pk in best if pk in found]


def _by_words(question: Question, filters: SearchFilters) -> list[int]:
    workspace = question.workspace
    languages = [filters.language] if filters.language else languages_of(workspace)
    try:
        query = parse(query_of(question.text, language=filters.language))
        words = text_query(query, {configuration_of(language) for language in languages})
    except InvalidQuery:
        return []  # it has only words that are in every text
    passages = filters.applied(Passage.objects.in_workspace(workspace), workspace)
    with limited():
        ranking = ranked(words, passages, workspace, is_narrow=filters.is_narrow)
        return _by_coverage([pk for pk, _ in ranking.hits], words)


def _by_coverage(found: list[int], words: TextQuery) -> list[int]:
    """Sort passages by the words they have, each of which counts by how rare it is among them."""
    if not words.terms:
        return found
    has = {
        f"has_{i}": Case(When(search=TextSearch(term), then=Value(1)), default=Value(0))
        for i, term in enumerate(words.terms)
    }
    rows = Passage.objects.filter(pk__in=found).order_by().annotate(**has).values_list("pk", *has)
    having = {row[0]: row[1:] for row in rows}
    counts = [sum(column) for column in zip(*having.values(), strict=True)]
    weights = [math.log(1 + len(having) / count) if count else 0.0 for count in counts]
    scores = {
        pk: sum(weight for weight, is_there in zip(weights, there, strict=True) if is_there)
        for pk, there in having.items()
    }
    return sorted((pk for pk in found if pk in scores), key=lambda pk: -scores[pk])


def _by_meaning(question: Question, filters: SearchFilters) -> list[int]:
    if embedding_engine() is None:
        return []
    try:
        page = search(
            workspace=question.workspace,
            query=question.text,
            filters=filters,
            limit=MAX_LIMIT,
            mode=MEANING,
        )
    except JobsError as error:  # no pgvector, or nobody at the other end: words will do
        logger.warning("answering by words alone: %s", type(error).__name__)
        return []
    return [hit.passage_id for hit in page.hits]


def query_of(question: str, *, language: str = "") -> str:
    """Return a web-style query for what a question is about: any of its words that mean something.

    Words that mean nothing by themselves are those of ``language``, or of the language in which
    most words of the question are such; of a question of nothing else, all words are kept. In
    scripts without spaces each two letters that stand side by side are looked for. Empty when
    there is not even a word.
    """
    runs = _UNSPACED_RUN.findall(question)
    words = _distinct(_words_of(_UNSPACED_RUN.sub(" ", question)))[: 2 * MAX_TERMS]
    stop_words = _stop_words_among(words, language)
    terms = [word for word in words if word not in stop_words]
    terms += _distinct(pair for run in runs for pair in _pairs(run))
    return _either((terms or words)[:MAX_TERMS])


def _either(terms: Iterable[str]) -> str:
    """Return as many of the terms as fit into a query, quoted: none of them is an operator."""
    query = ""
    for term in terms:
        longer = f'{query} or "{term}"' if query else f'"{term}"'
        if len(longer) <= MAX_QUERY_LENGTH:
            query = longer
    return query


def _words_of(text: str) -> list[str]:
    """Return the words of a text, lower-case, with the marks that their letters have."""
    letters = (c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return "".join(letters).lower().split()


def _pairs(run: str) -> Iterable[str]:
    return (one + next_ for one, next_ in pairwise(run)) if len(run) > 1 else [run]


def _stop_words_among(words: list[str], language: str) -> set[str]:
    """Where two languages have equally many of them, only what is one in both."""
    if not words:
        return set()
    names = [configuration_of(language)] if language else list(CONFIGURATIONS.values())
    with connection.cursor() as cursor:
        cursor.execute(STOP_WORDS_SQL, [names, words])
        found = [set(row[0] or ()) for row in cursor.fetchall()]
    most = max(map(len, found))
    return set.intersection(*(one for one in found if len(one) == most))


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))
