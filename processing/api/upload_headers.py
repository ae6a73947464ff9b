"""The headers of the tus protocol: read from requests, and written for answers."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from typing import TYPE_CHECKING

from django.utils.datastructures import MultiValueDict
from django.utils.http import http_date
from rest_framework.exceptions import ParseError

from processing.managers.resumable_upload import TRANSCRIPT
from processing.services.inputs.pieces import CHECKSUMS, Checksum

if TYPE_CHECKING:
    from rest_framework.request import Request

    from processing.models import ResumableUpload

PIECE = "application/offset+octet-stream"

#: What an announcement asks for.
ANNOUNCING = ("Upload-Length", "Upload-Metadata")

_NUMBER = re.compile(r"[0-9]{1,18}")


def headers_of(upload: ResumableUpload) -> dict[str, str]:
    headers = {
        "Upload-Offset": str(upload.offset_bytes),
        "Upload-Expires": http_date(upload.expires_at.timestamp()),
    }
    if upload.recording_id is not None:
        headers["Longhand-Recording"] = str(upload.recording_id)
    if TRANSCRIPT in upload.metadata:
        headers["Longhand-Transcript"] = upload.metadata[TRANSCRIPT]
    return headers


def number_in(request: Request, name: str) -> int:
    value = request.headers.get(name, "")
    if not _NUMBER.fullmatch(value):
        raise ParseError(f"{name} must be a number of bytes.")
    return int(value)


def metadata_of(told: str) -> MultiValueDict[str, str]:
    """Read ``key base64, key base64``; where a key has no value it is empty."""
    found = MultiValueDict[str, str]()
    for pair in filter(None, map(str.strip, told.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = _decoded(value).decode()
        except UnicodeDecodeError:
            raise ParseError(f"Upload-Metadata: {key} is not UTF-8.") from None
    return found


def checksum_of(request: Request) -> Checksum | None:
    told = request.headers.get("Upload-Checksum")
    if told is None:
        return None
    algorithm, _, digest = told.partition(" ")
    if algorithm not in CHECKSUMS:
        raise ParseError(f"Upload-Checksum: we know {', '.join(CHECKSUMS)}.")
    return Checksum(algorithm, _decoded(digest))


def _decoded(value: str) -> bytes:
    try:
        return b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ParseError("Upload-Metadata and Upload-Checksum have values in Base64.") from None
