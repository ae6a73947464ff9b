"""Finding rows by words of their name, with an index.

A part of a word is found by nothing that PostgreSQL has by itself: only by its extension pg_trgm.
"""

import re

from django.contrib.postgres.search import SearchQuery, SearchVector, SearchVectorExact
from django.db.models import F, Func, Q, TextField, Value

#: What is between the words of a name: everything that is neither letter nor digit.
_BETWEEN = r"[\W_]+"

#: The configuration of words as they are, of whatever language.
_CONFIGURATION = "simple"


def words_of(field: str) -> SearchVector:
    """Return the words of a name in a field, as an index has them.

    They are parted here, for PostgreSQL takes ``board_2026-11.wav`` for one word.
    """
    spaced = Func(
        *(F(field), Value(_BETWEEN), Value(" "), Value("g")),
        function="regexp_replace",
        output_field=TextField(),
    )
    return SearchVector(spaced, config=_CONFIGURATION)


def is_named(field: str, text: str) -> Q:
    """Match rows whose name has all words of ``text``; of ``beg*`` the beginning.

    Beginnings only for who asks for them: PostgreSQL knows how often a word is there, and takes
    any beginning of one for 2 % of the rows, so that it may look through all. Without a word
    nothing matches.
    """
    words = re.findall(r"[^\W_]+\*?", text)
    if not words:
        return Q(pk__in=[])
    terms = (f"'{word[:-1]}':*" if word.endswith("*") else f"'{word}'" for word in words)
    query = SearchQuery(" & ".join(terms), config=_CONFIGURATION, search_type="raw")
    return Q(SearchVectorExact(words_of(field), query))
