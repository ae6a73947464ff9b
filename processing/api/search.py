"""The search over everything that was said or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from processing.api.access import OfWorkspace
from processing.choices import DocumentKind
from processing.knowledge.searching.search import AUTO, MAX_LIMIT, MODES, Hit, SearchFilters, search
from processing.models import Document

if TYPE_CHECKING:
    from rest_framework.request import Request

#: Hits on a page that says nothing else.
DEFAULT_LIMIT = 20

#: So far down a list nobody looks; fewer are ranked anyway.
MAX_OFFSET = 10_000


#: What programs call a field of which the name is a word of Python.
NAMES = {"created_from": "from", "created_to": "to"}


class AskedSerializer(serializers.Serializer[dict[str, Any]]):
    """What is looked for, and where; what it does not know is refused."""

    q = serializers.CharField(trim_whitespace=False)
    mode = serializers.ChoiceField(MODES, default=AUTO)
    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT)
    offset = serializers.IntegerField(min_value=0, max_value=MAX_OFFSET, default=0)
    document = serializers.ListField(child=serializers.UUIDField(), default=list)
    recording = serializers.UUIDField(default=None)
    topic = serializers.CharField(default="")
    language = serializers.CharField(max_length=10, default="")
    speaker = serializers.CharField(max_length=100, default="")
    kind = serializers.ChoiceField(DocumentKind.choices, default="")
    created_from = serializers.DateTimeField(source="created_from", default=None)
    created_to = serializers.DateTimeField(source="created_to", default=None)

    def get_fields(self) -> dict[str, Any]:
        return {NAMES.get(name, name): field for name, field in super().get_fields().items()}

    def to_internal_value(self, data: Any) -> Any:
        if unknown := sorted({*data} - {*self.fields}):
            reason = f"The search does not know it, but {', '.join(self.fields)}."
            raise ValidationError({name: [reason] for name in unknown})
        asked = {name: data[name] for name in data if name != "document"}
        if documents := data.getlist("document"):
            asked["document"] = documents
        return super().to_internal_value(asked)


class HitSerializer(serializers.BaseSerializer[Hit]):
    """A passage that was found; ``snippet`` is pieces of plain text, of which some match."""

    schema = {
        "type": "object",
        "properties": {
            "passage": {"type": "integer"},
            "document": {"type": "string", "format": "uuid"},
            "title": {"type": "string"},
            "recording": {"type": ["string", "null"], "format": "uuid"},
            "transcript": {"type": ["string", "null"], "format": "uuid"},
            "language": {"type": "string"},
            "speaker": {"type": "string"},
            "start_seconds": {"type": ["number", "null"]},
            "end_seconds": {"type": ["number", "null"]},
            "score": {"type": "number"},
            "snippet": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}, "is_match": {"type": "boolean"}},
                },
            },
            "links": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        },
    }

    def to_representation(self, instance: Hit) -> dict[str, Any]:
        request = self.context["request"]
        transcript = instance.transcript_id
        recording = instance.recording_id
        return {
            "passage": instance.passage_id,
            "document": str(instance.document_id),
            "title": instance.title,
            "recording": recording and str(recording),
            "transcript": transcript and str(transcript),
            "language": instance.language,
            "speaker": instance.speaker,
            "start_seconds": instance.start_seconds,
            "end_seconds": instance.end_seconds,
            "score": instance.score,
            "snippet": [
                {"text": text, "is_match": is_match} for text, is_match in instance.snippet
            ],
            "links": {
                "document": reverse("document-detail", [instance.document_id], request=request),
                "recording": recording
                and reverse("recording-detail", [recording], request=request),
                "transcript": transcript
                and reverse("transcript-detail", [transcript], request=request),
            },
        }


class SearchViewSet(OfWorkspace, GenericViewSet[Any]):
    """Look through all documents by words and by meaning."""

    queryset = Document.objects.all()
    serializer_class = HitSerializer
    pagination_class = None

    def list(self, request: Request) -> Response:
        """Answer the best passages for ``q``; ``total`` may be an estimate.

        ``limit`` and ``offset`` choose the page. Only so many of the passages that match are
        ranked as anybody looks at: ``has_more`` says whether there are more of them.
        """
        asked = AskedSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        page = search(
            workspace=self.workspace,
            query=wanted["q"],
            mode=wanted["mode"],
            limit=wanted["limit"],
            offset=wanted["offset"],
            filters=SearchFilters(
                documents=tuple(wanted["document"]),
                **{
                    name: wanted[name]
                    for name in (
                        *("recording", "topic", "language", "speaker", "kind"),
                        *("created_from", "created_to"),
                    )
                },
            ),
        )
        hits = self.get_serializer(page.hits, many=True).data
        return Response(
            {
                "items": hits,
                "total": page.total,
                "is_total_exact": page.is_total_exact,
                "has_more": page.has_more,
                "mode": page.mode,
                "limit": wanted["limit"],
                "offset": wanted["offset"],
            }
        )
