"""Which of many passages are ranked: to rank one its row is read, so never all of them.

Where few match, all do. Words that are common match hundreds of thousands, of which the newest
are taken: the index has a word for each stretch of ids, so that of its long lists only the part
is read that belongs to the newest stretches (``languages.bucket_lexeme``). PostgreSQL's
own limit, ``gin_fuzzy_search_limit``, leaves out others each time: no second page would follow
from the first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from processing.exceptions import InvalidQuery
from processing.knowledge.searching.languages import bucket_lexeme, workspace_lexeme
from processing.knowledge.searching.queries import TextQuery
from processing.managers.passage import PassageQuerySet
from processing.models import Passage, Workspace
from processing.workspaces.row_security import as_owner

#: The most passages that are ranked for one query.
CANDIDATES = 500

#: Of so many times that, as PostgreSQL estimates, all are looked at at once.
FEW = 5

#: The most stretches of ids that are asked for by their words.
MAX_BUCKETS = 64

#: A query that takes longer is given up.
SEARCH_SECONDS = 10

_LIMITS = f"""
SET LOCAL statement_timeout = '{SEARCH_SECONDS}s';
SET LOCAL enable_seqscan = off;
SET LOCAL jit = off;
"""
_NO_LIMITS = """
SET LOCAL statement_timeout TO DEFAULT;
SET LOCAL enable_seqscan TO DEFAULT;
SET LOCAL jit TO DEFAULT;
"""


@dataclass
class Ranking:
    """Passages that were ranked, as ``(id, score)``, the best first.

    ``total`` is how many there are, ``is_exact`` whether that was counted or estimated.
    """

    hits: list[tuple[int, float]] = field(default_factory=list)
    total: int = 0
    is_exact: bool = True


@contextmanager
def limited() -> Iterator[None]:
    """Have searches in this block use indexes, and end in time.

    Raises ``InvalidQuery`` for one that takes too long. What is set here ends with the block,
    also within a transaction of the caller's.
    """
    try:
        with transaction.atomic(), as_owner(), connection.cursor() as cursor:
            cursor.execute(_LIMITS)
            yield
            cursor.execute(_NO_LIMITS)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise InvalidQuery(
                f"the search took more than SEARCH_SECONDS = {SEARCH_SECONDS} and was given up; "
                "ask for rarer or for whole words"
            ) from error
        raise


def ranked(
    query: TextQuery, passages: PassageQuerySet, workspace: Workspace, *, is_narrow: bool = False
) -> Ranking:
    """Return the best of ``passages``, which are the workspace's, for a query.

    ``is_narrow`` says that the passages are few whatever is looked for.
    """
    picker = _Picker(query, passages.in_workspace(workspace), workspace)
    condition = query.condition
    here = passages.matching(picker.here(condition)).estimated_count()
    if is_narrow or here <= FEW * CANDIDATES:
        # the workspace's word costs more than it saves where most of the index is its own
        everywhere = passages.matching(condition).estimated_count()
        picker.take(condition if here > everywhere / 2 else picker.here(condition))
        is_all = len(picker.found) < CANDIDATES
    else:
        picker.take_rare()
        is_all = picker.take_newest(condition, expected=here)
    hits = sorted(picker.found.items(), key=lambda row: (-row[1], -row[0]))[:CANDIDATES]
    return Ranking(hits, len(hits) if is_all else max(here, len(hits)), is_all)


@dataclass
class _Picker:
    """Gathers candidates by several conditions, each one once."""

    query: TextQuery
    passages: PassageQuerySet
    workspace: Workspace
    found: dict[int, float] = field(default_factory=dict)

    def here(self, condition: str) -> str:
        return f"({condition}) & '{workspace_lexeme(self.workspace.pk)}'"

    def take(self, condition: str, *, before: int | None = None) -> None:
        passages = self.passages.matching(condition)
        if before is not None:
            passages = passages.older_than_bucket(before)
        self.found |= passages.ranked(self.query.wanted, self.query.phrase, limit=CANDIDATES)

    def take_rare(self) -> None:
        """Take what has all of several alternatives, and what has the rarest of them."""
        if not self.query.terms:
            return
        self.take_newest(self.query.all, expected=self._count(self.here(self.query.all)))
        counts = sorted((self._count(self.here(term)), term) for term in self.query.terms)
        rare, total = [], 0
        for count, term in counts:
            total += count
            if total > CANDIDATES:
                break
            rare.append(f"({term})")
        if rare:
            self.take(self.here(" | ".join(rare)))

    def take_newest(self, condition: str, *, expected: int) -> bool:
        """Take the newest until there are enough; return whether that was all there are."""
        low = self.passages.model.objects.newest_bucket() + 1
        count = max(2 * CANDIDATES * low // max(expected, 1), 1)
        wanted = len(self.found) + CANDIDATES
        while low > 0 and len(self.found) < wanted:
            if count > MAX_BUCKETS:
                self.take(self.here(condition), before=low)
                break
            count = self._affordable(condition, low, count)
            self.take(self._within(condition, low, count))
            low, count = low - count, 4 * count
        return len(self.found) < wanted

    def _affordable(self, condition: str, low: int, count: int) -> int:
        """Return how many buckets to ask, of ``count``: after those of others come full ones."""
        most = 2 * CANDIDATES
        while count > 1 and (many := self._count(self._within(condition, low, count))) > most:
            count = max(count * most // many, 1)
        return count

    def _within(self, condition: str, low: int, count: int) -> str:
        """Restrict a condition to so many buckets before another."""
        buckets = range(max(low - count, 0), low)
        words = " | ".join(f"'{bucket_lexeme(self.workspace.pk, each)}'" for each in buckets)
        return f"({condition}) & ({words})"

    def _count(self, condition: str) -> int:
        return Passage.objects.matching(condition).estimated_count()
