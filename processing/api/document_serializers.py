"""Documents and topics as programs read them, and as they write them."""

from typing import Any

from rest_framework import serializers
from rest_framework.reverse import reverse

from jobs.api.fields import OF_COLUMNS, TextField
from processing.knowledge.relations import RelatedDocument
from processing.managers.topic import MAX_NAME
from processing.models import Document, Topic

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
#: Further down nobody reads; a document of as many sections has other ways to be read.
MAX_OFFSET = 1_000_000


class DocumentUploadSerializer(serializers.Serializer[Any]):
    """What ``POST documents/`` takes; what is in the file is found out by a worker."""

    file = serializers.FileField(allow_empty_file=True, max_length=None)
    title = serializers.CharField(required=False, allow_blank=True, max_length=255, default="")
    language = serializers.CharField(required=False, allow_blank=True, max_length=10, default="")


class ChangeSerializer(serializers.Serializer[Any]):
    """What ``PATCH`` takes: ``topics`` are all that people say it is about, by their names."""

    title = TextField(required=False, max_length=255)
    language = TextField(required=False, allow_blank=True, max_length=10)
    topics = serializers.ListField(
        required=False, max_length=100, child=TextField(max_length=MAX_NAME)
    )


class SliceSerializer(serializers.Serializer[Any]):
    """Which part of something long is asked for."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    offset = serializers.IntegerField(min_value=0, max_value=MAX_OFFSET, default=0)

    def to_internal_value(self, data: Any) -> Any:
        if unknown := sorted({*data} - {*self.fields}):
            reason = f"It is not known here, but {', '.join(self.fields)}."
            raise serializers.ValidationError({name: [reason] for name in unknown})
        return super().to_internal_value(data)


class RelatedRequestSerializer(SliceSerializer):
    """``depth`` is over how many links; the operation says how many there may be."""

    depth = serializers.IntegerField(default=1)


class DocumentSerializer(serializers.ModelSerializer[Document]):
    """A document without what it says: ``links`` lead there.

    ``topics`` are those that people gave, then those that the machine suggests, the surest
    first. ``error`` is null unless it FAILED.
    """

    recording = serializers.UUIDField(source="recording_id", read_only=True, allow_null=True)
    topics = serializers.ListField(source="filed_topics", read_only=True)
    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Document
        fields = [
            "id",
            "title",
            "kind",
            "status",
            "error",
            "language",
            "media_type",
            "size_bytes",
            "sha256",
            "version",
            "transcript",
            "recording",
            "topics",
            "created_at",
            "updated_at",
            "links",
        ]

    def get_error(self, document: Document) -> dict[str, str] | None:
        if not document.error_code:
            return None
        return {"code": document.error_code, "message": document.error_message}

    def get_links(self, document: Document) -> dict[str, str]:
        request, pk = self.context["request"], str(document.pk)
        links = {
            "self": reverse("document-detail", [pk], request=request),
            "text": reverse("document-text", [pk], request=request),
            "sections": reverse("document-sections", [pk], request=request),
            "related": reverse("document-related", [pk], request=request),
        }
        if document.transcript_id:
            transcript = str(document.transcript_id)
            links["transcript"] = reverse("transcript-detail", [transcript], request=request)
            links["versions"] = reverse("transcript-version-list", [transcript], request=request)
        return links


class RelatedSerializer(serializers.BaseSerializer[RelatedDocument]):
    """A document with ``distance`` (links) and ``weight`` (0 to 1)."""

    schema = {
        "allOf": [
            {"$ref": "#/components/schemas/Document"},
            {
                "type": "object",
                "properties": {"distance": {"type": "integer"}, "weight": {"type": "number"}},
                "required": ["distance", "weight"],
            },
        ]
    }

    def to_representation(self, instance: RelatedDocument) -> dict[str, Any]:
        document = DocumentSerializer(instance.document, context=self.context)
        return dict(document.data) | {"distance": instance.distance, "weight": instance.weight}


class TopicSerializer(serializers.ModelSerializer[Topic]):
    serializer_field_mapping = OF_COLUMNS
    slug = serializers.CharField(read_only=True)
    document_count = serializers.IntegerField(read_only=True)
    links = serializers.SerializerMethodField()

    class Meta:
        model = Topic
        fields = ["name", "slug", "document_count", "links"]

    def get_links(self, topic: Topic) -> dict[str, str]:
        request = self.context["request"]
        return {
            "self": reverse("topic-detail", [topic.slug], request=request),
            "documents": reverse("document-list", request=request, query={"topic": topic.slug}),
        }
