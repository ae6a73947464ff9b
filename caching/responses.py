"""HTTP responses as plain values, for Django's ``cache_page`` and its middleware."""

from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.http import HttpResponse
from django.template.response import SimpleTemplateResponse


def parts_of(response: HttpResponse) -> list[Any]:
    """Return the parts of a response; TypeError for one that is not rendered yet."""
    if isinstance(response, SimpleTemplateResponse) and not response.is_rendered:
        raise TypeError("a response must be rendered before it is cached")
    return [
        response.status_code,
        response.reason_phrase,
        response.charset,
        [list(header) for header in response.headers.items()],
        response.cookies.output(header=""),
        response.content,
    ]


def response_of(parts: list[Any]) -> HttpResponse:
    """Return a response made of such parts; ValueError or TypeError for others."""
    status, reason, charset, headers, cookies, content = parts
    response = HttpResponse(
        content, status=status, reason=reason, charset=charset, headers=dict(headers)
    )
    try:
        for cookie in cookies.split("\r\n"):
            response.cookies.update(SimpleCookie(cookie))
    except CookieError as error:
        raise ValueError(f"no cookies: {error}") from error
    return response
