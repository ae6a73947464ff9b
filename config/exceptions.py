"""Errors as programs read them: problem details (RFC 9457) with a stable ``code``."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from processing import exceptions as processing

STATUS_OF = {
    processing.UnknownEngine: status.HTTP_400_BAD_REQUEST,
    processing.UnsupportedLanguage: status.HTTP_400_BAD_REQUEST,
    processing.UnreadableAudio: status.HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    processing.AudioTooLarge: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    processing.StorageFull: status.HTTP_507_INSUFFICIENT_STORAGE,
}


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an error as ``application/problem+json``; None for what is a bug (500)."""
    if type(error) in STATUS_OF:
        response = Response(status=STATUS_OF[type(error)])
        code, detail, errors = error.code, str(error), None  # type: ignore[attr-defined]
    else:
        answered = exception_handler(error, context)
        if answered is None:
            return None
        response = answered
        code, detail, errors = _described(error)
    response.data = {
        "type": "about:blank",
        "title": response.status_text,
        "status": response.status_code,
        "code": code,
        "detail": detail,
    }
    if errors:
        response.data["errors"] = errors
    response.content_type = "application/problem+json"
    return response


def _described(error: Exception) -> tuple[str, str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return "invalid", "The request is not valid; see errors.", error.detail
    if isinstance(error, exceptions.APIException):
        return str(error.default_code), str(error.detail), None
    if isinstance(error, Http404):
        return "not_found", "There is nothing here, or not for you.", None
    if isinstance(error, PermissionDenied):
        return "permission_denied", "You may not do this.", None
    return "error", str(error), None
