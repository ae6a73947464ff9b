"""Recordings in pieces, by the tus protocol 1.0 (https://tus.io/protocols/resumable-upload).

With its extensions creation, creation-with-upload, checksum, expiration and termination. Bodies
are read block by block and never held in memory. What is JSON here is ours: a list, and a GET of
an upload, which says what came of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import ReadOnlyModelViewSet

from processing.api.access import OfWorkspace, user_of
from processing.api.idempotency import idempotent
from processing.api.receiving import LengthRequired
from processing.api.serializers import UploadSerializer
from processing.api.upload_headers import (
    PIECE,
    checksum_of,
    headers_of,
    metadata_of,
    number_in,
)
from processing.exceptions import ChecksumMismatch
from processing.managers.resumable_upload import TRANSCRIPT
from processing.models import ResumableUpload
from processing.services.inputs.pieces import CHECKSUMS
from processing.services.inputs.resumable import (
    announce_upload,
    discard_upload,
    receive_piece,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from processing.managers.resumable_upload import ResumableUploadQuerySet

VERSION = "1.0.0"
EXTENSIONS = ("creation", "creation-with-upload", "checksum", "expiration", "termination")

#: A line on which nothing comes for so long is taken for broken, so that its client, which may
#: have lost it long before, can go on by another.
SILENCE_SECONDS = 15

#: What people without PATCH and DELETE send in ``X-HTTP-Method-Override``.
OVERRIDES = ("PATCH", "DELETE")

#: No name of HTTP's own; tus has it.
HTTP_460_CHECKSUM_MISMATCH = 460


class VersionMismatch(APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_code = "unknown_tus_version"
    default_detail = f"Tus-Resumable must be {VERSION}."


class PieceParser(BaseParser):
    """There is no data in a piece: who wants its bytes reads the request."""

    media_type = PIECE

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return {}


class AnnouncementSerializer(UploadSerializer):
    """The ``Upload-Metadata`` that we know; all of them may be left out."""

    file = None  # type: ignore[assignment]  # how a field is taken away
    filename = serializers.CharField(required=False, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        file_name = attrs.pop("filename")
        return {**attrs, "name": attrs["name"] or file_name, "priority": int(attrs["priority"])}


class ResumableUploadSerializer(serializers.ModelSerializer[ResumableUpload]):
    """How much of an upload is here, and once all is, what came of it."""

    name = serializers.CharField(source="metadata.name", read_only=True)
    transcript = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = ResumableUpload
        fields = [
            "id",
            "name",
            "length_bytes",
            "offset_bytes",
            "created_at",
            "expires_at",
            "recording",
            "transcript",
            "links",
        ]
        read_only_fields = fields

    def get_transcript(self, upload: ResumableUpload) -> str | None:
        transcript: str | None = upload.metadata.get(TRANSCRIPT)
        return transcript

    def get_links(self, upload: ResumableUpload) -> dict[str, str]:
        leading_to = {
            "upload": upload.pk,
            "recording": upload.recording_id,
            "transcript": upload.metadata.get(TRANSCRIPT),
        }
        request = self.context["request"]
        links = {
            name: reverse(f"{name}-detail", [str(pk)], request=request)
            for name, pk in leading_to.items()
            if pk is not None
        }
        return {"self": links.pop("upload"), **links}


class UploadViewSet(OfWorkspace, ReadOnlyModelViewSet[ResumableUpload]):
    """Send a recording in pieces, and go on where the line broke."""

    serializer_class = ResumableUploadSerializer
    sort_fields = ["created_at"]
    parser_classes = [PieceParser]
    renderer_classes = [JSONRenderer]

    def get_queryset(self) -> ResumableUploadQuerySet:
        return ResumableUpload.objects.in_workspace(self.workspace).alive()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        override = request.headers.get("X-HTTP-Method-Override")
        if request.method == "POST" and override in OVERRIDES:
            request.method = override
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        is_ours = request.method in ("GET", "OPTIONS") or self.action in ("list", None)
        if not is_ours and request.headers.get("Tus-Resumable") != VERSION:
            raise VersionMismatch

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Tus-Resumable"] = answer["Tus-Version"] = VERSION
        return answer

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Tell what of the protocol is here."""
        capabilities = {
            "Tus-Extension": ",".join(EXTENSIONS),
            "Tus-Max-Size": str(settings.MAX_UPLOAD_BYTES),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        }
        return Response(status=status.HTTP_204_NO_CONTENT, headers=capabilities)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Tell how much is here: in headers for who asks by HEAD, and in JSON."""
        upload = self.get_object()
        headers = headers_of(upload) | {
            "Upload-Length": str(upload.length_bytes),
            "Cache-Control": "no-store",
        }
        if told := upload.metadata.get("header"):
            headers["Upload-Metadata"] = told
        is_json = request.method != "HEAD"
        return Response(self.get_serializer(upload).data if is_json else None, headers=headers)

    @idempotent
    def create(self, request: Request) -> Response:
        """Announce a recording of ``Upload-Length`` bytes, with or without the first of them."""
        if "Upload-Defer-Length" in request.headers:
            raise ParseError("Upload-Defer-Length is not supported: say Upload-Length.")
        length_bytes = number_in(request, "Upload-Length")
        told = request.headers.get("Upload-Metadata", "")
        metadata = AnnouncementSerializer(data=metadata_of(told))
        metadata.is_valid(raise_exception=True)
        upload = announce_upload(
            workspace=self.workspace,
            length_bytes=length_bytes,
            metadata={**metadata.validated_data, "header": told},
            created_by=user_of(request),
        )
        if request.content_type == PIECE:
            refusal = self._receive(request, upload, offset_bytes=0)
            if refusal is not None:
                return refusal
        data = self.get_serializer(upload).data
        headers = headers_of(upload) | {"Location": data["links"]["self"]}
        return Response(data, status=status.HTTP_201_CREATED, headers=headers)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Append a piece that begins at ``Upload-Offset``; the last one makes the recording."""
        if request.content_type != PIECE:
            raise UnsupportedMediaType(request.content_type or "")
        upload = self.get_object()
        refusal = self._receive(request, upload, offset_bytes=number_in(request, "Upload-Offset"))
        return refusal or Response(status=status.HTTP_204_NO_CONTENT, headers=headers_of(upload))

    def destroy(self, request: Request, pk: str) -> Response:
        """Forget what has arrived; a recording that it has become stays."""
        discard_upload(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _receive(
        self, request: Request, upload: ResumableUpload, *, offset_bytes: int
    ) -> Response | None:
        if "HTTP_TRANSFER_ENCODING" in request.META:
            raise LengthRequired
        checksum = checksum_of(request)
        try:
            with _impatient(request):
                receive_piece(
                    upload,
                    request.stream or BytesIO(),
                    offset_bytes=offset_bytes,
                    size_bytes=int(request.META.get("CONTENT_LENGTH") or 0),
                    checksum=checksum,
                )
        except ChecksumMismatch as error:
            return _checksum_refusal(error)
        return None


@contextmanager
def _impatient(request: Request) -> Iterator[None]:
    """Give up a line that says nothing, where the server lets us: gunicorn would not."""
    socket = request.META.get("gunicorn.socket")
    if socket is None:
        yield
        return
    usual = socket.gettimeout()
    socket.settimeout(SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.settimeout(usual)


def _checksum_refusal(error: ChecksumMismatch) -> Response:
    """A problem like all others, but for its status: no table of HTTP's has it."""
    problem = {
        "type": "about:blank",
        "title": "Checksum Mismatch",
        "status": HTTP_460_CHECKSUM_MISMATCH,
        "code": error.code,
        "detail": str(error),
    }
    return Response(
        problem, status=HTTP_460_CHECKSUM_MISMATCH, content_type="application/problem+json"
    )
