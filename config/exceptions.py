"""Errors as programs read them: problem details (RFC 9457) with a stable ``code``."""

import logging
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import csrf, defaults
from redis.exceptions import RedisError
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from config.throttling import count
from jobs import exceptions as jobs
from processing import exceptions as processing
from processing.api.openai.errors import error_page, retold
from processing.origin import request_id

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
API_ROOT = "/api/"
OPENAI_ROOT = "/v1/"

#: What PostgreSQL or Redis raise while they are away or have no room, and for how long the
#: callers are asked to wait then. Who reaches the top with one of them did what can be repeated.
UNAVAILABLE = (OperationalError, InterfaceError, RedisError)
UNAVAILABLE_SECONDS = 5
UNAVAILABLE_DETAIL = "What is needed for this is not available at the moment; try again soon."

_UNAVAILABLE_PAGE = (
    f"<!doctype html><title>Not available</title><h1>Not available</h1><p>{UNAVAILABLE_DETAIL}</p>"
)

#: What values raise that no column can hold and no answer repeat: a text with NUL, half a letter
#: of UTF-16. What is checked before is refused with a better reason.
IMPOSSIBLE = (DataError, UnicodeEncodeError)
IMPOSSIBLE_DETAIL = "The request has a value that can neither be stored nor found."

#: No client is asked to wait for longer: some do not come back at all then.
MAX_RETRY_SECONDS = 120

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
    processing.NoWorkspace: status.HTTP_403_FORBIDDEN,
    processing.QuotaReached: status.HTTP_402_PAYMENT_REQUIRED,
    processing.LastManager: status.HTTP_409_CONFLICT,
    processing.AlreadyMember: status.HTTP_409_CONFLICT,
    processing.UnknownUser: status.HTTP_400_BAD_REQUEST,
    processing.ScopeTooWide: status.HTTP_403_FORBIDDEN,
    processing.KeyUnusable: status.HTTP_409_CONFLICT,
    processing.WebhookIsPaused: status.HTTP_409_CONFLICT,
    processing.OffsetMismatch: status.HTTP_409_CONFLICT,
    processing.UploadBusy: status.HTTP_423_LOCKED,
    processing.UploadGone: status.HTTP_410_GONE,
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
    **dict.fromkeys(IMPOSSIBLE, status.HTTP_400_BAD_REQUEST),
    **dict.fromkeys(UNAVAILABLE, status.HTTP_503_SERVICE_UNAVAILABLE),
}


class Shape(Enum):
    """How whoever asked for an address reads what went wrong there."""

    PAGE = auto()
    PROBLEM = auto()
    OPENAI = auto()


def shape_of(path: str) -> Shape:
    if path.startswith(OPENAI_ROOT):
        return Shape.OPENAI
    return Shape.PROBLEM if path.startswith(API_ROOT) else Shape.PAGE


def problem_details(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer an error as ``application/problem+json``; None for what is a bug (500).

    Who was refused before they were counted is counted here: nobody asks without limit.
    """
    request = context.get("request")
    if request is not None and not isinstance(error, exceptions.Throttled):
        wait_seconds = count(request, context["view"])
        error = exceptions.Throttled(wait_seconds) if wait_seconds else error
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
    if isinstance(error, (*UNAVAILABLE, *IMPOSSIBLE)):
        logger.error("%s: %s", type(error).__name__, error)
    if isinstance(error, UNAVAILABLE) and request is not None:
        # the page around it would ask for what is away again, and wait for it
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type
    if wait := _when_to_retry(error):
        response.headers["Retry-After"] = wait
    if request is not None and shape_of(request.path) is Shape.OPENAI:
        return retold(response, error, code=code, detail=detail)
    response.data = _problem(response.status_code, code, detail)
    if errors:
        response.data["errors"] = errors
    if not _is_browsed(context):
        response.content_type = CONTENT_TYPE
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for what it cannot read, and for hosts that are not ours."""
    if shape_of(request.path) is Shape.PAGE:
        return defaults.bad_request(request, exception)
    if isinstance(exception, RequestDataTooBig):
        return answer(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return answer(request, HTTPStatus.BAD_REQUEST)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for what may not be done."""
    if shape_of(request.path) is Shape.PAGE:
        return defaults.permission_denied(request, exception)
    return answer(request, HTTPStatus.FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's answer to forms that did not come from its own pages."""
    if shape_of(request.path) is Shape.PAGE:
        return csrf.csrf_failure(request, reason)
    return answer(request, HTTPStatus.FORBIDDEN, detail=f"CSRF: {reason}")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler for addresses that nothing answers."""
    if shape_of(request.path) is Shape.PAGE:
        return defaults.page_not_found(request, exception)
    return answer(request, HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler for bugs, and for what is away; what went wrong is in the log.

    Django calls it while it handles the exception, of the view or of a middleware.
    """
    error = sys.exception()
    if isinstance(error, UNAVAILABLE):
        return unavailable(request)
    if isinstance(error, IMPOSSIBLE):
        return bad_request(request, error)
    if shape_of(request.path) is Shape.PAGE:
        return defaults.server_error(request)
    return answer(request, HTTPStatus.INTERNAL_SERVER_ERROR)


def unavailable(request: HttpRequest) -> HttpResponse:
    """Answer 503, for people as a page that needs nothing."""
    headers = {"Retry-After": str(UNAVAILABLE_SECONDS)}
    if shape_of(request.path) is Shape.PAGE:
        return HttpResponse(_UNAVAILABLE_PAGE, status=503, headers=headers)
    return answer(request, HTTPStatus.SERVICE_UNAVAILABLE, headers=headers)


INVALID = ("invalid", "The request is not valid; see errors.")

#: What is said where nothing better is known: a code, and a sentence for people.
SAID: dict[HTTPStatus, tuple[str, str]] = {
    HTTPStatus.BAD_REQUEST: ("refused", "The request cannot be read."),
    HTTPStatus.FORBIDDEN: ("permission_denied", "You may not do this."),
    HTTPStatus.NOT_FOUND: ("not_found", "There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "This cannot be done here; see Allow."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("refused", "The request is too large."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("unsupported_media_type", "Text is read as UTF-8."),
    HTTPStatus.INTERNAL_SERVER_ERROR: ("error", "Something went wrong here."),
    HTTPStatus.SERVICE_UNAVAILABLE: ("unavailable", UNAVAILABLE_DETAIL),
}


def answer(
    request: HttpRequest,
    status_code: HTTPStatus,
    *,
    detail: str = "",
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Answer a program in the shape that goes with the address."""
    code, said = INVALID if errors else SAID.get(status_code, ("error", status_code.phrase))
    if shape_of(request.path) is Shape.OPENAI:
        return error_page(request, status_code, code=code, detail=detail or said, headers=headers)
    body = _problem(status_code, code, detail or said) | ({"errors": errors} if errors else {})
    return JsonResponse(body, status=status_code, content_type=CONTENT_TYPE, headers=headers)


def _when_to_retry(error: Exception) -> str:
    """Return ``Retry-After`` in whole seconds; empty where nobody can say."""
    if isinstance(error, UNAVAILABLE):
        return str(UNAVAILABLE_SECONDS)
    if isinstance(error, exceptions.Throttled):
        wait_seconds: float = getattr(error, "wait", None) or 1  # the stubs do not know it
        return str(min(max(math.ceil(wait_seconds), 1), MAX_RETRY_SECONDS))
    return ""


def _problem(status_code: int, code: str, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": HTTPStatus(status_code).phrase,
        "status": int(status_code),
        "code": code,
        "detail": detail,
        "request_id": request_id(),
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
            return *INVALID, error.detail
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
        case _ if isinstance(error, IMPOSSIBLE):
            return "invalid", IMPOSSIBLE_DETAIL, None
        case _ if isinstance(error, UNAVAILABLE):
            return "unavailable", UNAVAILABLE_DETAIL, None
    return "error", str(error), None
