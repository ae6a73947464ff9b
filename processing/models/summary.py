"""Documents in short."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from processing.choices import ACTIVE_RESULT
from processing.managers.result import ResultManager
from processing.models.document import Document
from processing.models.result import Result


class Summary(Result):
    """What a version of a document says, in short.

    ``is_extractive``: it is made of sentences of the document, by no language model.
    ``coverage`` is a list of ``{start, end, is_covered}`` over all parts of the document that
    were read, in seconds where it was spoken and in characters otherwise. ``key_phrases`` is a
    list of ``{phrase, score}``, the best first.
    """

    document = models.ForeignKey(
        Document, on_delete=models.CASCADE, db_index=False, related_name="summaries"
    )
    document_version = models.PositiveIntegerField(default=1)
    language = models.CharField(max_length=10, blank=True)
    text = models.TextField(blank=True)
    is_extractive = models.BooleanField(default=False)
    key_phrases = models.JSONField(default=list, blank=True)
    coverage = models.JSONField(default=list, blank=True)

    objects: ClassVar[ResultManager["Summary"]] = ResultManager()

    class Meta(Result.Meta):
        db_table = "summaries"
        constraints = [
            *Result.Meta.constraints,
            models.UniqueConstraint(
                fields=["document"],
                condition=Q(status__in=ACTIVE_RESULT),
                name="summary_one_active_per_document",
            ),
        ]
        indexes = [
            *Result.Meta.indexes,
            models.Index(fields=["document", "-created_at"], name="summary_latest_idx"),
        ]

    def __str__(self) -> str:
        return f"Summary of {self.document}"
