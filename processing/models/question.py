"""What people ask of their documents."""

from typing import ClassVar

from django.db import models

from processing.managers.result import ResultManager
from processing.models.result import Result


class Question(Result):
    """A question to the documents of a workspace, and its answer.

    ``filters`` narrows down where the answer is looked for, in the words of a search.
    ``citations`` is a list of ``{number, document, title, passage, start, end, quote}``: what
    ``[number]`` in the answer rests on. ``is_extractive``: the answer is the best passages,
    by no language model.
    """

    text = models.TextField()
    filters = models.JSONField(default=dict, blank=True)
    answer = models.TextField(blank=True)
    citations = models.JSONField(default=list, blank=True)
    is_extractive = models.BooleanField(default=False)

    objects: ClassVar[ResultManager["Question"]] = ResultManager()

    class Meta(Result.Meta):
        db_table = "questions"

    def __str__(self) -> str:
        return self.text
