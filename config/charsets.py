"""Text from outside is UTF-8: Django would read it by any codec of Python that a client names.

Some of those read no text and some raise what Django does not expect, before it answers errors.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

from django.utils.http import parse_header_parameters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: ASCII is UTF-8 too.
CHARSETS = {"utf-8", "ascii"}


def reading_utf8(application: WSGIApplication) -> WSGIApplication:
    """Return ``application``, for which a body in any other charset is no text: bytes (415)."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not _is_utf8(environ.get("CONTENT_TYPE", "")):
            environ["CONTENT_TYPE"] = "application/octet-stream"
        return application(environ, start_response)

    return answer


def _is_utf8(content_type: str) -> bool:
    try:
        charset = parse_header_parameters(content_type)[1].get("charset", "utf-8")
        return codecs.lookup(charset).name in CHARSETS
    except (LookupError, ValueError):
        return False
