"""Charsets that clients name: only UTF-8 is read as text."""

from typing import Any

import pytest
from django.core.wsgi import get_wsgi_application
from django.test import RequestFactory

from config.charsets import reading_utf8


def asked(content_type: str) -> str:
    """Return the status of an answer to a request with a letter that is not ASCII."""
    environ = RequestFactory().generic("POST", "/api/v1/questions/?x=%e9", b"{}").environ
    environ["CONTENT_TYPE"] = content_type
    statuses = []

    def start_response(status: str, headers: Any) -> None:
        statuses.append(status)

    answer: Any = reading_utf8(get_wsgi_application())(environ, start_response)
    answer.close()
    return statuses[0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=rot13",
        "application/json; charset=base64",
        "application/json; charset=idna",
        "application/json; charset=undefined",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "application/json; charset=a\0b",
        "application/json; title*=nonsense'en'x",
        "application/json; charset=utf-8",
        "application/json",
        "",
    ],
)
def test_no_charset_is_an_error_of_ours(content_type: str) -> None:
    assert asked(content_type) == "401 Unauthorized"


@pytest.mark.parametrize(
    ("content_type", "read_as"),
    [
        ("text/plain; charset=rot13", "application/octet-stream"),
        ("text/plain; charset=latin-1", "application/octet-stream"),
        ("text/plain; charset=UTF8", "text/plain; charset=UTF8"),
        ("text/plain; charset=us-ascii", "text/plain; charset=us-ascii"),
        ("text/plain", "text/plain"),
    ],
)
def test_what_is_not_utf8_is_bytes(content_type: str, read_as: str) -> None:
    environ = {"CONTENT_TYPE": content_type}

    list(reading_utf8(lambda environ, start_response: [])(environ, lambda *args: None))

    assert environ["CONTENT_TYPE"] == read_as
