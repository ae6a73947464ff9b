"""What people type into a search box, as a query of PostgreSQL's full text search.

``word other`` asks for both; ``"some words"`` for these next to each other; ``-word`` for texts
without it; ``one OR other`` (or ``one | other``) for either; ``wor*`` for how words begin.
OR joins the terms on its two sides, and minus is for the whole query.

Terms reach PostgreSQL as parameters of functions that take any text, so nothing that can be
typed is an error of syntax.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from django.db import connection

from processing.exceptions import InvalidQuery
from processing.knowledge.searching.languages import DEFAULT_CONFIGURATION, UNSPACED

#: The longest query, in characters, and the most terms of one.
MAX_QUERY_LENGTH = 1_000
MAX_TERMS = 50

#: The shortest beginning of a word: those of fewer letters are in most of the index.
MIN_PREFIX_LENGTH = 3

_TOKEN = re.compile(r'(-?)"([^"]*)"?|(\|)|([^\s"|]+)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»\uff02「」『』", '"') | {"\uff5c": "|"})
_LETTER = re.compile(f"({UNSPACED})")
_RUN = re.compile(f"{UNSPACED}+")


@dataclass(frozen=True, slots=True)
class Term:
    """A word, the beginning of one, or words next to each other."""

    text: str
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One term of each group is wanted, and none of ``excluded``."""

    groups: tuple[tuple[Term, ...], ...]
    excluded: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A query as PostgreSQL has it, in its own notation (``tsquery``), of all configurations.

    ``condition`` is all of it, ``wanted`` is without what is excluded, and ``wanted_by`` the
    same of each configuration by its name. ``phrase`` is the words just as they were typed, next
    to each other. ``terms`` are the alternatives of a query that has nothing else, and ``all``
    is what has every one of them. ``runs`` are the letters side by side that are wanted in
    scripts without spaces. What does not apply is empty.
    """

    condition: str
    wanted: str
    wanted_by: dict[str, str]
    phrase: str = ""
    terms: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()

    @property
    def all(self) -> str:
        return _both(self.terms)


def parse(text: str) -> Query:
    """Return what is asked for.

    Raises ``InvalidQuery`` for what is too long or too short, and for what says only what is
    not wanted.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise InvalidQuery(
            f"the query has {len(text):,} characters; MAX_QUERY_LENGTH is {MAX_QUERY_LENGTH:,}"
        )
    groups: list[list[Term]] = []
    excluded: list[Term] = []
    is_alternative = False
    for match in _TOKEN.finditer(_clean(text)):
        minus, phrase, bar, word = match.groups()
        if bar or (word and word.lower() == "or"):
            is_alternative = bool(groups)
            continue
        is_excluded = bool(minus) or (word or "").startswith("-")
        term = _term(word.lstrip("-") if word else phrase, is_phrase=word is None)
        if term is None:
            continue
        if is_excluded:
            excluded.append(term)
        elif is_alternative:
            groups[-1].append(term)
        else:
            groups.append([term])
        is_alternative = False
    if not groups:
        raise InvalidQuery(
            "the query says only what is not wanted; add a word to look for"
            if excluded
            else "the query has no word to look for"
        )
    if sum(map(len, groups)) + len(excluded) > MAX_TERMS:
        raise InvalidQuery(f"the query has more than MAX_TERMS = {MAX_TERMS} words")
    return Query(tuple(map(tuple, groups)), tuple(excluded))


def text_query(query: Query, configurations: Collection[str]) -> TextQuery:
    """Have PostgreSQL reduce the words of ``query`` as its ``configurations`` do.

    Words of texts whose language has none are compared as they are, whatever else is there.
    Raises ``InvalidQuery`` when nothing remains of it but stop words.
    """
    names = sorted({*configurations, DEFAULT_CONFIGURATION})
    terms = [*chain.from_iterable(query.groups), *query.excluded]
    phrase = _phrase_of(query)
    rows = _reduced([*terms, *phrase], names)
    found = dict(zip(terms, rows, strict=False))
    wanted_by = {
        name: _both(_either(found[term][i] for term in group) for group in query.groups)
        for i, name in enumerate(names)
    }
    if not any(wanted_by[name] for name in configurations or names):
        raise InvalidQuery("every word of the query is too common to be looked for")
    wanted = _either(wanted_by.values())
    without = [f"!({each})" for term in query.excluded if (each := _either(found[term]))]
    return TextQuery(
        _both([wanted, *without]),
        wanted,
        wanted_by,
        phrase=_either(rows[-1]) if phrase else "",
        terms=_alternatives(query, found) if not query.excluded else (),
        runs=tuple(
            run for term in chain.from_iterable(query.groups) for run in _RUN.findall(term.text)
        ),
    )


def _reduced(terms: Sequence[Term], names: Sequence[str]) -> list[list[str]]:
    """Return what each of the configurations ``names`` makes of each of the terms."""
    leaves = [_leaf(term, name) for term in terms for name in names]
    columns = ", ".join(f"{sql}::text" for sql, _ in leaves)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", list(chain.from_iterable(args for _, args in leaves)))
        found = cursor.fetchone()
    return [list(found[at : at + len(names)]) for at in range(0, len(found), len(names))]


def _phrase_of(query: Query) -> list[Term]:
    """Return the words as one phrase, where they were several and nothing else."""
    words = [group[0] for group in query.groups if len(group) == 1 and not group[0].is_prefix]
    if len(words) != len(query.groups) or len(words) < 2:
        return []
    return [Term(" ".join(word.text for word in words))]


def _alternatives(query: Query, found: Mapping[Term, Sequence[str]]) -> tuple[str, ...]:
    if len(query.groups) != 1 or len(query.groups[0]) < 2:
        return ()
    each = (_either(found[term]) for term in query.groups[0])
    return tuple(dict.fromkeys(filter(None, each)))


def _either(parts: Iterable[str]) -> str:
    return " | ".join(f"({part})" for part in dict.fromkeys(parts) if part)


def _both(parts: Iterable[str]) -> str:
    return " & ".join(f"({part})" for part in dict.fromkeys(parts) if part)


def _leaf(term: Term, configuration: str) -> tuple[str, list[str]]:
    text = term.text
    if configuration == DEFAULT_CONFIGURATION:
        text = _LETTER.sub(r" \1 ", text)
    if not term.is_prefix:
        return "phraseto_tsquery(%s::regconfig, %s)", [configuration, text]
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    return "to_tsquery(%s::regconfig, %s)", [configuration, f"'{quoted}':*"]


def _term(text: str, *, is_phrase: bool) -> Term | None:
    is_prefix = not is_phrase and text.endswith("*")
    text = text.strip("*") if is_prefix else text
    if not any(letter.isalnum() for letter in text):
        return None
    if is_prefix and len(text) < MIN_PREFIX_LENGTH and not _LETTER.search(text):
        raise InvalidQuery(f"{text}* has too few letters: MIN_PREFIX_LENGTH is {MIN_PREFIX_LENGTH}")
    return Term(text, is_prefix)


def _clean(text: str) -> str:
    """Leave out what no database takes, and write all kinds of quotes as one."""
    kept = (
        " " if unicodedata.category(letter) in ("Cc", "Cs") else letter
        for letter in unicodedata.normalize("NFC", text)
    )
    return "".join(kept).translate(_QUOTES)
