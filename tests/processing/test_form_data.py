"""Forms with files mean what they mean to Django, wherever their pieces end."""

from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from hypothesis import given
from hypothesis import strategies as st

from processing.form_data import parse_form
from processing.uploads import HashingUploadHandler

NAMES = st.text("abcdef\u00e9\u4e2d-_", min_size=1, max_size=8)
CONTENTS = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r\n--", b"--bound", b"\r\n--boundar", b"\r", b"\0", b"words", b"-"]
    )
).map(b"".join)
FILE_NAMES = st.one_of(st.none(), st.text("ab.\u00e9/\\\n", min_size=1, max_size=8))
PARTS = st.lists(st.tuples(NAMES, FILE_NAMES, CONTENTS), max_size=6)


def form_of(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    body = b""
    for name, file_name, content in parts:
        quoted = (file_name or "").replace("\\", "/").replace("\n", "")
        of_file = f'; filename="{quoted}"' if file_name is not None else ""
        head = f'Content-Disposition: form-data; name="{name}"{of_file}\r\n\r\n'
        body += b"--boundary\r\n" + head.encode() + content + b"\r\n"
    return body + b"--boundary--\r\n"


def parsed(body: bytes, *, chunk_size: int = 64) -> Any:
    handler = HashingUploadHandler()
    handler.chunk_size = chunk_size
    return parse_form(BytesIO(body), boundary=b"boundary", encoding="utf-8", handler=handler)


def by_django(body: bytes) -> Any:
    meta = {
        "CONTENT_TYPE": "multipart/form-data; boundary=boundary",
        "CONTENT_LENGTH": str(len(body)),
    }
    handler = MemoryFileUploadHandler()
    handler.activated = True
    return MultiPartParser(meta, BytesIO(body), [handler]).parse()


def told(fields: Any, files: Any) -> Any:
    contents = {name: [told_of(file) for file in several] for name, several in files.lists()}
    return dict(fields.lists()), contents


def told_of(file: Any) -> Any:
    with file:
        return file.name, file.size, file.read()


@given(parts=PARTS, chunk_size=st.integers(min_value=64, max_value=300))
def test_a_form_is_to_us_what_it_is_to_django(
    parts: list[tuple[str, str | None, bytes]], chunk_size: int
) -> None:
    body = form_of(parts)

    assert told(*parsed(body, chunk_size=chunk_size)) == told(*by_django(body))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(form_of([("field", None, b"value")])[:-4], id="without its end"),
        pytest.param(form_of([("file", "a.wav", b"x" * 500)])[:300], id="half a file"),
        pytest.param(b"nothing of the kind", id="no form"),
        pytest.param(
            b"--boundary\r\nContent-Type: audio/wav\r\n\r\nx\r\n--boundary--", id="no name"
        ),
        pytest.param(
            b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
            b"Content-Transfer-Encoding: base64\r\n\r\neHg=\r\n--boundary--",
            id="base64",
        ),
        pytest.param(b"", id="empty"),
    ],
)
def test_what_is_no_whole_form_is_refused(body: bytes, stored_files: Any) -> None:
    files = stored_files()

    with pytest.raises(MultiPartParserError):
        parsed(body)

    assert stored_files() == files


@pytest.mark.parametrize(
    ("setting", "limit", "error"),
    [
        ("DATA_UPLOAD_MAX_NUMBER_FIELDS", 2, TooManyFieldsSent),
        ("DATA_UPLOAD_MAX_NUMBER_FILES", 2, TooManyFilesSent),
        ("DATA_UPLOAD_MAX_MEMORY_SIZE", 30, RequestDataTooBig),
    ],
)
def test_a_form_of_more_than_settings_allow_is_refused(
    setting: str, limit: int, error: type[Exception], settings: Any, stored_files: Any
) -> None:
    setattr(settings, setting, limit)
    files = stored_files()
    parts = [("field", None, b"value12"), ("file", "a.wav", b"x")] * 3

    with pytest.raises(error, match=str(limit)):
        parsed(form_of(parts))

    assert stored_files() == files
