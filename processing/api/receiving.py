"""Files come in: to disk, hashed on the way, and not at all where there is no room for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import status
from rest_framework.exceptions import APIException

from processing.api.access import OfWorkspace, user_of
from processing.api.idempotency import KEY_HEADER
from processing.models import IdempotencyKey
from processing.uploads import MULTIPART_OVERHEAD_BYTES, HashingUploadHandler
from processing.workspaces.quotas import refuse_over_storage

if TYPE_CHECKING:
    from django.http import HttpRequest
    from rest_framework.request import Request


class LengthRequired(APIException):
    """WSGI shows no body of a length that was not announced."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_code = "length_required"
    default_detail = "The request must say how long its body is (Content-Length)."


class ReceivesFiles(OfWorkspace):
    """A view that files are posted to: first among its bases, instead of ``OfWorkspace``.

    Once it is known who calls, and before anything else reads the body, ``QuotaReached`` refuses
    a file for which the workspace has no room; also one whose content is there already, which
    nobody can know by then. Where a browser's session says who calls, Django has looked for its
    CSRF token in the body before.
    """

    upload_handler: type[HashingUploadHandler] = HashingUploadHandler

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        request.upload_handlers = [self.upload_handler(request)]
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        size_bytes = _announced_bytes(request)
        if size_bytes > 0 and not self._is_repeated(request):
            refuse_over_storage(self.workspace, size_bytes)

    def _is_repeated(self, request: Request) -> bool:
        """Whether the request was made before: then its file is here, and so is the answer."""
        key, user = request.headers.get(KEY_HEADER), user_of(request)
        if key is None or user is None:
            return False
        return IdempotencyKey.objects.named(self.workspace, user, key).exists()


def _announced_bytes(request: Request) -> int:
    """Return how long the file in a form must be at least, 0 where nothing says so."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    is_form = (request.content_type or "").startswith("multipart/")
    return int(length) - MULTIPART_OVERHEAD_BYTES if is_form and length.isdecimal() else 0
