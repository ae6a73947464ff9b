"""The repository of passages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db import models
from django.db.models import Case, ExpressionWrapper, F, Q, Value, When

from processing.knowledge.searching.languages import BUCKET_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from processing.models import Document, Passage, Workspace  # noqa: F401  named in strings

#: Rank by how near the words are to each other, in proportion to 1 + the logarithm of the
#: length (1), from 0 to 1 (32): the flags of PostgreSQL's ``ts_rank_cd``.
NORMALIZATION = 1 | 32


class TextSearch(SearchQuery):
    """A query in the notation of PostgreSQL (``tsquery``), which ours are made into before."""

    def __init__(self, condition: str) -> None:
        super().__init__(Value(condition), search_type="raw")
        self.template = "%(expressions)s::tsquery"


class PassageQuerySet(models.QuerySet["Passage"]):
    def in_workspace(self, workspace: Workspace) -> Self:
        return self.filter(workspace=workspace)

    def of_document(self, document: Document) -> Self:
        return self.filter(document=document)

    def of_documents(self, documents: Iterable[UUID]) -> Self:
        return self.filter(document__in=documents)

    def in_order(self) -> Self:
        return self.order_by("document_id", "index")

    def matching(self, condition: str) -> Self:
        """Those that a query in PostgreSQL's notation finds; always by the index."""
        return self.filter(search=TextSearch(condition))

    def older_than_bucket(self, bucket: int) -> Self:
        """Those whose id is before a bucket of ids; see ``bucket_lexeme``."""
        return self.filter(pk__lt=bucket << BUCKET_BITS)

    def newest_bucket(self) -> int:
        """Return the bucket of the newest passage of all workspaces, -1 when there is none."""
        newest = self.order_by("-pk").values_list("pk", flat=True).first()
        return -1 if newest is None else newest >> BUCKET_BITS

    def ranked(self, wanted: str, phrase: str, *, limit: int) -> list[tuple[int, float]]:
        """Return id and score (0 to 1) of up to ``limit`` of them, the best first.

        Those with ``phrase`` come before all others, and newer ones before equally good ones.
        """
        query = TextSearch(wanted)
        score: Any = SearchRank(
            F("search"), query, normalization=Value(NORMALIZATION), cover_density=True
        )
        if phrase:
            is_phrase = Case(When(Q(search=TextSearch(phrase)), then=1.0), default=0.0)
            score = ExpressionWrapper(
                (score + is_phrase) / Value(2.0), output_field=models.FloatField()
            )
        rows = self.order_by().annotate(score=score).values_list("pk", "score")[:limit]
        return sorted(rows, key=lambda row: (-row[1], -row[0]))

    def estimated_count(self) -> int:
        """Return how many PostgreSQL believes there are; costs as good as nothing."""
        plan = self.order_by().values("pk").explain(format="json")
        return int(json.loads(plan)[0]["Plan"]["Plan Rows"]) if plan else 0  # none() has no plan


PassageManager = models.Manager.from_queryset(PassageQuerySet)
