"""What people ask of their documents."""

from typing import ClassVar

from django.db import models

from processing.managers.result import ResultManager
from processing.models.result import Result
from processing.models.workspace import Workspace


class Question(Result):
    """A question to the documents of a workspace, and its answer.

    ``filters`` narrows down where the answer is looked for, in the words of a search.
    ``citations`` is a list of ``{number, document, title, passage, start, end, quote}``: what
    ``[number]`` in the answer rests on. ``is_extractive``: the answer is the best passages,
    by no language model.
    """

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="questions"
    )
    text = models.TextField()
    filters = models.JSONField(default=dict, blank=True)
    answer = models.TextField(blank=True)
    citations = models.JSONField(default=list, blank=True)
    is_extractive = models.BooleanField(default=False)

    objects: ClassVar[ResultManager["Question"]] = ResultManager()

    class Meta(Result.Meta):
        db_table = "questions"
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="question_list_idx")
        ]

    def __str__(self) -> str:
        return self.text
