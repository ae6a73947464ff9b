"""What the index holds: short stretches of documents."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.expressions import RawSQL

from processing.knowledge.searching.languages import search_vector_sql
from processing.managers.passage import PassageManager
from processing.models.document import Document
from processing.models.workspace import Workspace


class Passage(models.Model):
    """Some sentences of a document, short enough to be shown, embedded and cited as a whole.

    ``index`` counts from 0 in the order of reading. ``start_seconds`` and ``end_seconds`` are on
    the recording's clock, None in documents that nobody spoke; ``marks`` is a list of
    ``[offset, seconds]``: what begins at that character of ``text`` was said then.
    """

    document = models.ForeignKey(
        Document, on_delete=models.CASCADE, db_index=False, related_name="passages"
    )
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    index = models.PositiveIntegerField()
    text = models.TextField()
    language = models.CharField(max_length=10, blank=True)
    speaker = models.CharField(max_length=100, blank=True)
    start_seconds = models.FloatField(null=True, blank=True)
    end_seconds = models.FloatField(null=True, blank=True)
    marks = models.JSONField(default=list, blank=True)
    search = models.GeneratedField(
        expression=RawSQL(search_vector_sql(), ()),  # noqa: S611  a constant of ours
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects = PassageManager()

    class Meta:
        db_table = "passages"
        ordering = ["document_id", "index"]
        constraints = [
            models.UniqueConstraint(fields=["document", "index"], name="passage_one_per_index")
        ]
        # a pending list would make every search slower
        indexes = [GinIndex(fields=["search"], name="passage_search_idx", fastupdate=False)]

    def __str__(self) -> str:
        return f"{self.document_id} [{self.index}]"
