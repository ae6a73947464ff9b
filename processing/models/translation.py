"""Documents in other languages."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from processing.choices import ACTIVE_RESULT
from processing.managers.result import ResultManager
from processing.models.document import Document
from processing.models.result import Result


class Translation(Result):
    """A version of a document in another ``language`` (ISO 639-1).

    ``segments`` is a list of ``{start, end, text}``, with ``speaker`` where it is known, one for
    each segment of the source and with its times, which are None in what nobody spoke.
    """

    document = models.ForeignKey(
        Document, on_delete=models.CASCADE, db_index=False, related_name="translations"
    )
    document_version = models.PositiveIntegerField(default=1)
    language = models.CharField(max_length=10)
    segments = models.JSONField(default=list, blank=True)

    objects: ClassVar[ResultManager["Translation"]] = ResultManager()

    class Meta(Result.Meta):
        db_table = "translations"
        constraints = [
            *Result.Meta.constraints,
            models.UniqueConstraint(
                fields=["document", "language"],
                condition=Q(status__in=ACTIVE_RESULT),
                name="translation_one_active_per_language",
            ),
        ]
        indexes = [
            *Result.Meta.indexes,
            models.Index(
                fields=["document", "language", "-created_at"], name="translation_latest_idx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document} ({self.language})"
