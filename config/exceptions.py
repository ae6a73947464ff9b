"""Errors as programs read them: problem details (RFC 9457) with a stable ``code``."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from jobs import exceptions as jobs
from processing import exceptions as processing

CONTENT_TYPE = "application/problem+json"
API_ROOT = "/api/"

STATUS_OF: dict[type[Exception], int] = {
    processing.UnknownEngine: status.HTTP_400_BAD_REQUEST,
    processing.UnsupportedLanguage: status.HTTP_400_BAD_REQUEST,
    processing.UnknownParameter: status.HTTP_400_BAD_REQUEST,
    processing.UnreadableAudio: status.HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    processing.AudioTooLarge: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    processing.StorageFull: status.HTTP_507_INSUFFICIENT_STORAGE,
    processing.NotFinished: status.HTTP_409_CONFLICT,
    processing.AlreadyOver: status.HTTP_409_CONFLICT,
    processing.NoGaps: status.HTTP_409_CONFLICT,
    processing.UnreadableDocument: status.HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    processing.DocumentTooLarge: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    processing.BelongsToTranscript: status.HTTP_409_CONFLICT,
    processing.NotConfigured: status.HTTP_422_UNPROCESSABLE_ENTITY,
    processing.NothingToDo: status.HTTP_409_CONFLICT,
    processing.Outdated: status.HTTP_409_CONFLICT,
    processing.InvalidCorrection: status.HTTP_400_BAD_REQUEST,
    processing.InvalidQuery: status.HTTP_400_BAD_REQUEST,
    jobs.InvalidJob: status.HTTP_400_BAD_REQUEST,
    jobs.InvalidPayload: status.HTTP_400_BAD_REQUEST,
    jobs.NotFromOutside: status.HTTP_400_BAD_REQUEST,
    jobs.BulkRefused: status.HTTP_422_UNPROCESSABLE_ENTITY,
    jobs.NotRequeueable: status.HTTP_409_CONFLICT,
    jobs.UnknownJobType: status.HTTP_409_CONFLICT,
    jobs.NoCapableWorker: status.HTTP_409_CONFLICT,
    # Django's own limits on forms, which REST framework does not know of
    RequestDataTooBig: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    SuspiciousOperation: status.HTTP_400_BAD_REQUEST,
}


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an error as ``application/problem+json``; None for what is a bug (500)."""
    known = next((code for kind, code in STATUS_OF.items() if isinstance(error, kind)), None)
    if known is not None:
        set_rollback()
        response = Response(status=known)
    else:
        answered = exception_handler(error, context)
        if answered is None:
            return None
        response = answered
    code, detail, errors = _described(error)
    response.data = _problem(response.status_code, code, detail)
    if errors:
        response.data["errors"] = errors
    if not _is_browsed(context):
        response.content_type = CONTENT_TYPE
    return response


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for addresses that nothing answers."""
    if request.path.startswith(API_ROOT):
        return _answer(HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this address.")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler for bugs; what went wrong is in the log and not for clients."""
    if request.path.startswith(API_ROOT):
        return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "error", "Something went wrong here.")
    return defaults.server_error(request)


def _answer(status_code: HTTPStatus, code: str, detail: str) -> HttpResponse:
    body = _problem(status_code, code, detail)
    return JsonResponse(body, status=status_code, content_type=CONTENT_TYPE)


def _problem(status_code: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status_code).phrase,
        "status": int(status_code),
        "code": code,
        "detail": detail,
    }


def _is_browsed(context: dict[str, Any]) -> bool:
    """Whether a person reads the answer in a browser, as a page around it."""
    renderer = getattr(context.get("request"), "accepted_renderer", None)
    return renderer is not None and renderer.format == "api"


def _described(error: Exception) -> tuple[str, str, Any]:
    match error:
        case jobs.BulkRefused():
            return error.code, str(error), [asdict(refusal) for refusal in error.refused]
        case jobs.JobsError():
            return getattr(error, "code", "error"), str(error), None
        case exceptions.ValidationError():
            return "invalid", "The request is not valid; see errors.", error.detail
        case exceptions.APIException():
            codes = error.get_codes()
            code = codes if isinstance(codes, str) else error.default_code
            return code, str(error.detail), None
        case Http404():
            return "not_found", "There is nothing here, or not for you.", None
        case PermissionDenied():
            return "permission_denied", "You may not do this.", None
        case RequestDataTooBig():
            limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            return "refused", f"{error} At most {limit:,} bytes are read.", None
        case SuspiciousOperation():
            return "refused", str(error), None
    return "error", str(error), None
