"""Documents come in, are read and filed, and lead to others."""

from dataclasses import asdict
from itertools import islice
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.parsers import ShallowJSONParser
from processing.api.access import user_of
from processing.api.document_serializers import (
    ChangeSerializer,
    DocumentSerializer,
    DocumentUploadSerializer,
    RelatedRequestSerializer,
    RelatedSerializer,
    SliceSerializer,
)
from processing.api.expansions import OF_DOCUMENT
from processing.api.filtersets import DocumentFilterSet
from processing.api.idempotency import idempotent
from processing.api.negotiation import FirstRendererNegotiation
from processing.api.receiving import LengthRequired, ReceivesFiles
from processing.choices import DocumentStatus
from processing.exceptions import NotFinished
from processing.knowledge.content import sections_of, text_of
from processing.knowledge.documents import delete_document, update_document
from processing.knowledge.receiving import DocumentUploadHandler
from processing.knowledge.relations import relate, related, unrelate
from processing.knowledge.uploading import submit_document
from processing.managers.document import DocumentQuerySet
from processing.models import Document, Topic


class DocumentViewSet(ReceivesFiles, ReadOnlyModelViewSet[Document]):
    """Transcripts as documents, and documents that were uploaded."""

    serializer_class = DocumentSerializer
    filterset_class = DocumentFilterSet
    sort_fields = ["created_at", "updated_at", "title", "size_bytes"]
    expansions = OF_DOCUMENT
    upload_handler = DocumentUploadHandler

    def get_parsers(self) -> list[BaseParser]:
        is_post = getattr(self.request, "method", "POST") == "POST"  # no request for a schema
        return [MultiPartParser()] if is_post else [ShallowJSONParser()]

    def get_queryset(self) -> DocumentQuerySet:
        documents = Document.objects.in_workspace(self.workspace).with_topics()
        has_content = self.action in ("text", "sections")
        return documents if has_content else documents.without_content()

    @idempotent
    def create(self, request: Request) -> Response:
        """Store ``file`` and have it read: 201, or 200 when its content was known."""
        if "HTTP_TRANSFER_ENCODING" in request.META:
            raise LengthRequired
        upload = DocumentUploadSerializer(data=request.data)
        upload.is_valid(raise_exception=True)
        file = upload.validated_data["file"]
        document, is_new = submit_document(
            source=file,
            name=file.name,
            workspace=self.workspace,
            title=upload.validated_data["title"],
            language=upload.validated_data["language"],
            sha256=file.sha256,
            created_by=user_of(request),
        )
        data = self._answer(document)
        return Response(
            data,
            status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK,
            headers={"Location": data["links"]["self"]},
        )

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change ``title``, ``language`` or ``topics``; what is not named stays."""
        document = self.get_object()
        change = ChangeSerializer(data=request.data)
        change.is_valid(raise_exception=True)
        update_document(document, **change.validated_data, by=user_of(request))
        return Response(self._answer(document))

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete an uploaded document; 409 for one that goes with its transcript."""
        delete_document(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(detail=True, content_negotiation_class=FirstRendererNegotiation)
    def text(self, request: Request, pk: str) -> HttpResponse:
        """Answer all that the document says, as plain text; 409 while nobody knows."""
        return HttpResponse(
            text_of(self._readable()),
            content_type="text/plain; charset=utf-8",
            headers={"X-Content-Type-Options": "nosniff"},
        )

    @action(detail=True)
    def sections(self, request: Request, pk: str) -> Response:
        """Answer a part of what the document says, by segments or paragraphs."""
        asked = _asked(SliceSerializer, request)
        start, stop = asked["offset"], asked["offset"] + asked["limit"]
        found = list(islice(sections_of(self._readable()), start, stop + 1))
        items = [asdict(section) for section in found[: asked["limit"]]]
        return Response({"items": items, "has_more": len(found) > asked["limit"], **asked})

    @action(detail=True)
    def related(self, request: Request, pk: str) -> Response:
        """Answer the documents that can be reached over ``depth`` links, the nearest first."""
        asked = _asked(RelatedRequestSerializer, request)
        page = related(self.get_object(), **asked)
        context = self.get_serializer_context()
        items = [RelatedSerializer(item, context=context).data for item in page.items]
        has_more = asked["offset"] + asked["limit"] < page.total
        return Response({"items": items, "total": page.total, "has_more": has_more, **asked})

    @action(
        detail=True,
        methods=["put", "delete"],
        url_path="related/(?P<other>[^/.]+)",
    )
    def relation(self, request: Request, pk: str, other: str) -> Response:
        """Say, or take back, that two documents have to do with each other."""
        document, other_document = self.get_object(), self._found(other)
        change = relate if request.method == "PUT" else unrelate
        change(document, other_document)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @action(
        detail=True,
        methods=["put", "delete"],
        url_path="topics/(?P<slug>[^/.]+)",
    )
    def topic(self, request: Request, pk: str, slug: str) -> Response:
        """File the document under a topic, or accept a suggested one; or take it away."""
        document = self.get_object()
        topic = get_object_or_404(Topic.objects.in_workspace(self.workspace), slug=slug)
        if request.method == "PUT":
            Topic.objects.give(document, topic.name)
        else:
            Topic.objects.take_away(document, topic)
        return Response(self._answer(document))

    def _readable(self) -> Document:
        document = self.get_object()
        if document.transcript_id is None and not document.text:
            raise NotFinished(
                f"the document is {document.status}; there is nothing to read of it until it "
                f"is {DocumentStatus.READY}"
            )
        return document

    def _found(self, pk: str) -> Document:
        self.kwargs[self.lookup_field] = pk
        return self.get_object()

    def _answer(self, document: Document) -> Any:
        fresh = self.get_queryset().get(pk=document.pk)
        return DocumentSerializer(fresh, context=self.get_serializer_context()).data


def _asked(kind: type[SliceSerializer], request: Request) -> dict[str, Any]:
    asked = kind(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)
