"""What can be read, searched and asked: every finished transcript, and what people upload."""

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.identifiers import uuid7
from processing.choices import DocumentKind, DocumentStatus, LinkKind
from processing.managers.document import DocumentLinkManager, DocumentManager
from processing.managers.naming import words_of
from processing.models.topic import DocumentTopic, Topic
from processing.models.transcript import Transcript
from processing.models.workspace import Workspace


class Document(models.Model):
    """A text with a title: that of ``transcript``, or of an uploaded ``file``.

    ``text`` is what was extracted from the file; a transcript keeps its own. ``sections`` is a
    list of ``{text, start, end, speaker}`` of a file of subtitles, which has times, and empty for
    all others. ``version`` counts corrections and later runs from 1 on. ``content_key`` says of
    which content the passages in the index are, so that nothing is indexed twice; empty before
    the first time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.PROTECT, db_index=False, related_name="documents"
    )
    kind = models.CharField(max_length=10, choices=DocumentKind.choices, editable=False)
    transcript = models.OneToOneField(
        Transcript, null=True, blank=True, on_delete=models.CASCADE, related_name="document"
    )
    title = models.CharField(max_length=255)
    language = models.CharField(max_length=10, blank=True)
    status = models.CharField(
        max_length=10,
        choices=DocumentStatus.choices,
        default=DocumentStatus.PENDING,
        editable=False,
    )
    error_code = models.CharField(max_length=50, blank=True)
    error_message = models.TextField(blank=True)
    media_type = models.CharField(max_length=100, blank=True)
    file = models.FileField(max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    text = models.TextField(blank=True)
    sections = models.JSONField(default=list, blank=True)
    version = models.PositiveIntegerField(default=1)
    content_key = models.CharField(max_length=100, blank=True)
    topics: "models.ManyToManyField[Topic, DocumentTopic]" = models.ManyToManyField(
        Topic, through=DocumentTopic, related_name="documents"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="documents",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = DocumentManager()

    class Meta:
        db_table = "documents"
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="document_status_known", condition=Q(status__in=DocumentStatus.values)
            ),
            models.CheckConstraint(
                name="document_transcript_iff_kind",
                condition=Q(kind=DocumentKind.TRANSCRIPT, transcript__isnull=False)
                | Q(kind=DocumentKind.UPLOAD, transcript__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["workspace", "sha256"],
                condition=Q(kind=DocumentKind.UPLOAD),
                name="document_one_per_content",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at", "-id"], name="document_list_idx"),
            models.Index(
                fields=["workspace"],
                include=["size_bytes"],
                name="document_storage_idx",
                condition=models.Q(kind=DocumentKind.UPLOAD),
            ),
            GinIndex(words_of("title"), name="document_words_idx"),
        ]

    def __str__(self) -> str:
        return self.title


class DocumentVersion(models.Model):
    """What a document said before it was corrected: ``segments`` of a transcript, or ``text``.

    ``gaps`` are those that the transcript had then.
    """

    document = models.ForeignKey(
        Document, on_delete=models.CASCADE, db_index=False, related_name="versions"
    )
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    segments = models.JSONField(default=list, blank=True)
    gaps = models.JSONField(default=list, blank=True)
    note = models.CharField(max_length=255, blank=True)
    replaced_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    replaced_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "document_versions"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "number"], name="document_version_numbered_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.document}, version {self.number}"


class DocumentLink(models.Model):
    """Two documents of one workspace have to do with each other, each with the other.

    RELATED links are people's, SIMILAR ones the machine's; ``weight`` (0 to 1) says how much.
    """

    source = models.ForeignKey(
        Document, on_delete=models.CASCADE, db_index=False, related_name="links_out"
    )
    target = models.ForeignKey(
        Document, on_delete=models.CASCADE, db_index=False, related_name="links_in"
    )
    kind = models.CharField(max_length=10, choices=LinkKind.choices)
    weight = models.FloatField(default=1.0)

    objects = DocumentLinkManager()

    class Meta:
        db_table = "document_links"
        constraints = [
            models.UniqueConstraint(
                fields=["source", "target", "kind"], include=["weight"], name="link_named_once"
            ),
            models.CheckConstraint(name="link_not_to_itself", condition=~Q(source=F("target"))),
            models.CheckConstraint(
                name="link_weight_is_a_share", condition=Q(weight__gte=0, weight__lte=1)
            ),
        ]
        # links are followed in both directions, and nothing but the indexes is read for it
        indexes = [
            models.Index(fields=["target"], include=["source", "weight"], name="link_target_idx")
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.kind.lower()} {self.target_id}"
