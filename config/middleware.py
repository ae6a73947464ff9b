"""What every request meets before and after the view that answers it."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.middleware.gzip import GZipMiddleware
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from config.addresses import address_of
from config.exceptions import Shape, answer, problem_details, shape_of
from jobs.identifiers import uuid7
from processing.api.representation import present
from processing.origin import Origin, enter, leave

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.template.response import SimpleTemplateResponse

    GetResponse = Callable[[HttpRequest], HttpResponseBase]

REQUEST_ID_HEADER = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

EVENT_STREAM = "text/event-stream"


class RequestIds:
    """Gives each request an id, the client's own where it sends a good one.

    ``request.id`` has it, the answer's ``X-Request-Id``, each problem and each line of the log
    until the answer is closed, which is after the last part of a stream.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        origin = Origin(sent if _REQUEST_ID.fullmatch(sent) else uuid7().hex, address_of(request))
        enter(origin)
        request.id = origin.request_id  # type: ignore[attr-defined]
        response = self._get_response(request)
        response.headers[REQUEST_ID_HEADER] = origin.request_id
        response._resource_closers.append(lambda: leave(origin))  # type: ignore[attr-defined]
        return response


class Compression(GZipMiddleware):
    """Django's gzip, but not of events, each of which is to arrive when it happens, nor of sound,
    whose bytes are asked for by their places.

    Secrets are safe from guessing by size (BREACH): forms mask their CSRF tokens, and Django
    adds a random number of bytes.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if response.headers.get("Content-Type", "").startswith((EVENT_STREAM, "audio/")):
            return response
        return super().process_response(request, response)


class ApiAnswers:
    """What programs get, whoever answered: no pages, and the headers of their limits."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if shape_of(request.path) is Shape.PAGE:
            return self._get_response(request)
        response = _refused(request) or self._get_response(request)
        if _is_page_of_error(response):
            said = answer(request, HTTPStatus(response.status_code))
            response.content = said.content  # type: ignore[attr-defined]
            response.headers["Content-Type"] = said.headers["Content-Type"]
            del response.headers["Content-Length"]
        if response.status_code == HTTPStatus.MOVED_PERMANENTLY:  # to the address with a slash
            response.status_code = HTTPStatus.PERMANENT_REDIRECT  # where a POST is still a POST
        allowance = getattr(request, "rate_limit", None)
        if allowance is not None:
            for name, value in allowance.headers().items():
                response.headers[name] = value
        return response

    def process_template_response(
        self, request: HttpRequest, response: SimpleTemplateResponse
    ) -> SimpleTemplateResponse:
        """Have ``fields=`` and ``expand=`` of a request obeyed before the answer is written."""
        is_read = request.method in ("GET", "HEAD") and response.status_code == HTTPStatus.OK
        if is_read and isinstance(response, Response):
            context: Any = response.renderer_context  # type: ignore[attr-defined]
            try:
                present(response, context["request"], context["view"])
            except ValidationError as error:
                problem = problem_details(error, context)
                if problem is not None:
                    response.data, response.status_code = problem.data, problem.status_code
                    response.content_type = problem.content_type
        return response


def _refused(request: HttpRequest) -> HttpResponseBase | None:
    """Refuse what no view of ours has a use for, and PostgreSQL or Python none at all."""
    if "\0" in request.path:
        return answer(request, HTTPStatus.NOT_FOUND)
    if "%00" in request.META.get("QUERY_STRING", ""):
        bad = [name for name, values in request.GET.lists() if "\0" in "".join([name, *values])]
        errors = {name: ["NUL characters are not allowed."] for name in bad}
        return answer(request, HTTPStatus.BAD_REQUEST, errors=errors)
    return None


def _is_page_of_error(response: HttpResponseBase) -> bool:
    if response.status_code < HTTPStatus.BAD_REQUEST or response.streaming:
        return False
    is_rendered_for_browsers = hasattr(response, "accepted_renderer")
    return not is_rendered_for_browsers and "json" not in response.headers.get("Content-Type", "")
