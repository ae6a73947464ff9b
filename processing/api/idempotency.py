"""Requests that programs may send again without anything happening again.

The header ``Idempotency-Key`` of draft-ietf-httpapi-idempotency-key-header, which leaves these
to the server: a key is any 1 to 255 visible characters (quotes would be a part of it), is a
user's own in a workspace, and is good for 24 hours. What is kept and given again is success. A
request that is refused, or fails, has done nothing: its key is free for the corrected one.
"""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from functools import wraps
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.datastructures import MultiValueDict
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from processing.api.access import access_of
from processing.api.upload_headers import ANNOUNCING, PIECE
from processing.exceptions import NoWorkspace
from processing.models import IdempotencyKey, Workspace
from processing.services.inputs.ingestion import hash_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

View = TypeVar("View")
Arguments = ParamSpec("Arguments")


class InvalidKey(APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid_idempotency_key"
    default_detail = f"{KEY_HEADER} is 1 to 255 visible characters of ASCII."


class KeyReused(APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"
    default_detail = f"This {KEY_HEADER} came with another request before; take a new one."


class KeyInUse(APIException):
    """``wait`` is what the client is told to wait, in seconds."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "idempotency_key_in_use"
    default_detail = f"The first request with this {KEY_HEADER} is still under way."
    wait = 1


class AnswerNotKept(APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "idempotency_answer_not_kept"
    default_detail = f"What this {KEY_HEADER} asks for was done; its answer is shown only once."


def idempotent(
    method: Callable[Concatenate[View, Request, Arguments], Response],
) -> Callable[Concatenate[View, Request, Arguments], Response]:
    """Have a viewset's ``method`` do what one ``Idempotency-Key`` asks for once.

    For methods that answer with ``Response`` and read ``request.data``; without the header
    nothing changes. An answer that says ``Cache-Control: no-store``, as secrets do, is not kept.
    The work and the keeping of its answer are one transaction. The exception is work on files,
    which may be long: where a process dies in it, the same content may be handed in twice.
    """

    @wraps(method)
    def answer(
        view: View, request: Request, /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Response:
        key = request.headers.get(KEY_HEADER)
        if key is None:
            return method(view, request, *args, **kwargs)
        if not _KEY.fullmatch(key):
            raise InvalidKey
        return _once(request, key, lambda: method(view, request, *args, **kwargs))

    answer.is_idempotent = True  # type: ignore[attr-defined]  # for the schema
    return answer


def _once(request: Request, key: str, work: Callable[[], Response]) -> Response:
    """Do ``work`` and keep its answer, or return the one that was kept."""
    fingerprint = fingerprint_of(request)
    named: dict[str, Any] = {"workspace": _workspace_of(request), "user": request.user, "key": key}
    claimed = IdempotencyKey.objects.claim(**named, fingerprint=fingerprint)
    if claimed is None:
        known = IdempotencyKey.objects.named(**named).first()
        return _replayed(known, fingerprint)
    try:
        has_file = request.FILES or request.content_type == PIECE
        return _kept(claimed, work, is_atomic=not has_file)
    except BaseException:
        IdempotencyKey.objects.release(claimed)
        raise


def _kept(claimed: IdempotencyKey, work: Callable[[], Response], *, is_atomic: bool) -> Response:
    with transaction.atomic() if is_atomic else nullcontext():
        response = work()
        if not status.is_success(response.status_code):
            IdempotencyKey.objects.release(claimed)
            return response
        is_secret = "no-store" in response.get("Cache-Control", "")
        is_kept = IdempotencyKey.objects.complete(
            claimed,
            status_code=response.status_code,
            headers={n: v for n, v in response.items() if n != "Content-Type"},
            body=None if is_secret else JSONRenderer().render(response.data).decode(),
        )
        if is_atomic and not is_kept:  # presumed dead: another request does it, or has done it
            raise KeyInUse
    return response


def _replayed(known: IdempotencyKey | None, fingerprint: str) -> Response:
    if known is not None and known.fingerprint != fingerprint:
        raise KeyReused
    if known is None or known.status_code is None:
        raise KeyInUse
    if known.body is None:
        raise AnswerNotKept
    return Response(
        json.loads(known.body) if known.body else None,
        status=known.status_code,
        headers=known.headers | {REPLAYED_HEADER: "true"},
    )


def _workspace_of(request: Request) -> Workspace:
    """Return the workspace of a request; the default one for operators who are in none."""
    try:
        return access_of(request).workspace
    except NoWorkspace:
        return Workspace.objects.default()


def fingerprint_of(request: Request) -> str:
    """Return the SHA-256, in hex, of what a request asks for: equal for equal JSON or forms.

    Of an upload in pieces that is what is announced of it, not the piece that comes along.
    """
    try:
        asked = json.dumps(
            [
                request.method,
                request.path,
                request.META.get("QUERY_STRING", ""),
                [request.headers.get(name) for name in ANNOUNCING],
                _canonical(request.data),
            ],
            sort_keys=True,
        )
    except RecursionError:
        raise ParseError("The body is nested too deeply.") from None
    return sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(data: Any) -> Any:
    if not isinstance(data, MultiValueDict):
        return data
    return {
        name: [_content(value) if isinstance(value, UploadedFile) else value for value in values]
        for name, values in data.lists()
    }


def _content(file: UploadedFile[Any]) -> dict[str, str | None]:
    known = getattr(file, "sha256", None)
    digest = known or hash_file(file)
    file.seek(0)
    return {"name": file.name, "sha256": digest}
