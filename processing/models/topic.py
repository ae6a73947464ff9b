"""What documents are about."""

from django.db import models
from django.db.models import Q

from processing.managers.topic import TopicManager
from processing.models.workspace import Workspace


class Topic(models.Model):
    """A word or phrase that documents of one workspace are filed under."""

    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, db_index=False, related_name="topics"
    )
    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=100, allow_unicode=True, db_index=False)

    objects = TopicManager()

    class Meta:
        db_table = "topics"
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "slug"], name="topic_one_per_slug")
        ]

    def __str__(self) -> str:
        return self.name


class DocumentTopic(models.Model):
    """A document is about a topic: people say so, or the machine suggests it.

    A suggestion that people have dismissed is kept, so that it is not made again.
    ``score`` (0 to 1) is how sure the machine is; of a topic given by people it is 1.
    """

    document = models.ForeignKey(
        "processing.Document", on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="+")
    is_suggested = models.BooleanField(default=False)
    is_dismissed = models.BooleanField(default=False)
    score = models.FloatField(default=1.0)

    class Meta:
        db_table = "document_topics"
        constraints = [
            models.UniqueConstraint(fields=["document", "topic"], name="document_topic_named_once"),
            models.CheckConstraint(
                name="document_topic_score_is_a_share", condition=Q(score__gte=0, score__lte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id} about {self.topic_id}"
