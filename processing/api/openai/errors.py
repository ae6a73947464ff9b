"""Errors in the one shape that clients of OpenAI read: ``{"error": {message, type, param, code}}``.

The four keys are always there. Clients choose their exception by the status, and repeat 408, 409,
429 and what is 500 or more unless ``x-should-retry`` says otherwise.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from rest_framework import exceptions

from processing import exceptions as processing
from processing.exceptions import ENGINE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from rest_framework.response import Response

#: The version of the API that answers say they are of.
VERSION_HEADERS = {"openai-version": "2020-10-01"}

#: Types of errors: whose fault it is.
INVALID_REQUEST, SERVER_ERROR = "invalid_request_error", "server_error"

#: What is to be repeated later than this is not repeated by clients at all.
MAX_RETRY_SECONDS = 120

FILE_FORMATS = ["flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm"]

#: Codes of failed runs that are the fault of who asked.
REFUSED_BY_WORKERS = ("unreadable_audio", "unsupported_language", "unknown_parameter")

#: Codes of fields that say more than that a value is not valid.
FIELD_CODES = ("unsupported_value", "invalid_language_format")


class OpenAIError(exceptions.APIException):
    """An error as clients of OpenAI are told it.

    ``may_pass`` says whether the same request may succeed later; None leaves that to the status.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = HTTPStatus.BAD_REQUEST,
        kind: str | None = None,
        param: str | None = None,
        code: str | None = None,
        may_pass: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = int(status)
        self.kind = kind or (SERVER_ERROR if self.status_code >= 500 else INVALID_REQUEST)
        self.param, self.code = param, code
        self.may_pass = may_pass
        self.retry_after_seconds = retry_after_seconds

    @property
    def body(self) -> dict[str, Any]:
        error = {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}

    @property
    def headers(self) -> dict[str, str]:
        headers = {}
        if self.may_pass is not None:
            headers["x-should-retry"] = str(self.may_pass).lower()
        if self.retry_after_seconds is not None:
            seconds = min(max(math.ceil(self.retry_after_seconds), 1), MAX_RETRY_SECONDS)
            headers["Retry-After"] = str(seconds)
        return headers


def run_failed(data: Mapping[str, Any]) -> OpenAIError:
    """Return how a run without a result is told by its ``code`` and ``message``.

    It was tried often enough: clients are not to do it again by themselves.
    """
    code, message = str(data.get("code") or "error"), str(data.get("message") or "")
    if code in REFUSED_BY_WORKERS:
        return OpenAIError(message, param="file" if code == "unreadable_audio" else None, code=code)
    is_upstream = code in ENGINE_FAULTS
    return OpenAIError(
        message or "The recording could not be transcribed.",
        status=HTTPStatus.BAD_GATEWAY if is_upstream else HTTPStatus.INTERNAL_SERVER_ERROR,
        code=code,
        may_pass=False,
    )


def model_not_found(model: str) -> OpenAIError:
    return OpenAIError(
        f"The model `{model}` does not exist or you do not have access to it.",
        status=HTTPStatus.NOT_FOUND,
        param="model",
        code="model_not_found",
    )


def retold(response: Response, error: Exception, *, code: str, detail: str) -> Response:
    """Return the answer to an error in OpenAI's shape; ``code`` and ``detail`` say what it is to
    other clients, where there is nothing better to say to these."""
    told = _told(error) or OpenAIError(detail, status=response.status_code, code=code)
    response.status_code, response.data = told.status_code, told.body
    for name, value in told.headers.items():
        response[name] = value
    return response


def error_page(
    request: HttpRequest,
    status: HTTPStatus,
    *,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Answer what no view has answered."""
    if status == HTTPStatus.NOT_FOUND:
        detail = f"Invalid URL ({request.method} {request.path})"
    error = OpenAIError(detail, status=status, code=code)
    return JsonResponse(error.body, status=status, headers=VERSION_HEADERS | dict(headers or {}))


def _told(error: Exception) -> OpenAIError | None:
    """Return how an error is told of which OpenAI says more, or else, than others do."""
    match error:
        case OpenAIError():
            return error
        case exceptions.ValidationError():
            return _of_field(error.detail)
        case exceptions.NotAuthenticated():
            return OpenAIError(
                "You didn't provide an API key. Send it in the header Authorization, as "
                "`Authorization: Bearer lh_...`.",
                status=HTTPStatus.UNAUTHORIZED,
            )
        case exceptions.AuthenticationFailed():
            return OpenAIError(
                f"Incorrect API key provided. {error.detail}",
                status=HTTPStatus.UNAUTHORIZED,
                code="invalid_api_key",
            )
        case exceptions.PermissionDenied():
            return OpenAIError(
                "You have insufficient permissions for this operation: it needs a key with the "
                "scope write, of an editor of the workspace.",
                status=HTTPStatus.FORBIDDEN,
                code="insufficient_permissions",
            )
        case exceptions.Throttled():
            return OpenAIError(
                f"Rate limit reached: {error.detail}",
                status=HTTPStatus.TOO_MANY_REQUESTS,
                kind="requests",
                code="rate_limit_exceeded",
                retry_after_seconds=getattr(error, "wait", None) or 1,
            )
    return _of_longhand(error)


def _of_longhand(error: Exception) -> OpenAIError | None:
    match error:
        case processing.UnknownEngine():
            return OpenAIError(
                str(error), status=HTTPStatus.NOT_FOUND, param="model", code="model_not_found"
            )
        case processing.UnsupportedLanguage():
            return OpenAIError(str(error), param="language", code=error.code)
        case processing.NotConfigured():
            return OpenAIError(str(error), code=error.code)
        case processing.UnreadableAudio():
            return OpenAIError(
                f"Invalid file format: {error}. Supported formats: {FILE_FORMATS}",
                param="file",
                code="invalid_value",
            )
        case processing.AudioTooLarge():
            return OpenAIError(
                f"Maximum content size limit ({settings.MAX_UPLOAD_BYTES}) exceeded: {error}",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                kind=SERVER_ERROR,  # as OpenAI says, whoever's fault it is
            )
        case processing.QuotaReached():
            return OpenAIError(
                str(error),
                status=HTTPStatus.TOO_MANY_REQUESTS,
                kind="insufficient_quota",
                code="insufficient_quota",
                may_pass=False,
            )
        case processing.StorageFull():
            return OpenAIError(
                str(error),
                status=HTTPStatus.INSUFFICIENT_STORAGE,
                code=error.code,
                may_pass=False,
            )
    return None


def _of_field(detail: Any) -> OpenAIError:
    """Return the first error of a form."""
    param = None
    while not isinstance(detail, exceptions.ErrorDetail):
        if isinstance(detail, dict):
            name, detail = next(iter(detail.items()))
            param = param or str(name)
        else:
            detail = detail[0]
    if detail.code == "required":
        message = f"Missing required parameter: '{param}'."
        return OpenAIError(message, param=param, code="missing_required_parameter")
    code = detail.code if detail.code in FIELD_CODES else "invalid_value"
    return OpenAIError(str(detail), param=param, code=code)
