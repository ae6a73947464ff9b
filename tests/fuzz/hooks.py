"""What schemathesis cannot know of us. It runs in its own virtual environment."""

from __future__ import annotations

import io
import os
import wave
from typing import Any

import schemathesis  # type: ignore[import-not-found]
from schemathesis.specs.openapi.checks import (  # type: ignore[import-not-found]
    positive_data_acceptance,
)

#: Codes of refusals that depend on what there is, or on what several values are together.
UNSAYABLE = {
    "already_member",
    "bulk_refused",
    "idempotency_key_reused",
    "invalid_correction",
    "invalid_query",
    "not_configured",
    "quota_reached",
    "too_large",
    "unknown_engine",
    "unknown_parameter",
    "unknown_user",
    "unreadable_audio",
    "unreadable_document",
    "unsupported_language",
}

#: Of lists: where a page begins, which is said by one of two, and which names there are.
OF_LISTS = {"cursor", "expand", "fields", "page"}

#: Fields of which no schema can say what they may be, by operation: what depends on the clock, on
#: another field, on who is connected or on what is installed.
UNSAYABLE_FIELDS = {
    "/api/v1/api-keys/": {"expires_at", "expires_in_days"},
    "/api/v1/cache/invalidate/": {"confirm", "non_field_errors", "pattern"},
    "/api/v1/jobs/": {"job_type", "min_priority", "priority", "queue_name"},
    "/api/v1/transcripts/{id}/export/": {"gaps"},
    "/api/v1/transcripts/{transcript_pk}/corrections/": {"changes"},
    "/api/v1/webhooks/": {"url"},
    "/api/v1/webhooks/{id}/": {"url"},
    "/api/v1/workspaces/": {"engines", "language"},
    "/api/v1/workspaces/{slug}/": {"engines", "language"},
}


#: The keys that ask, and the memberships they are of: without them all that follows were a 401.
KEPT = set(os.environ.get("FUZZ_KEPT", "").split())
KEEPING = ("/api/v1/api-keys/{id}/", "/api/v1/members/{id}/")


@schemathesis.hook  # type: ignore[untyped-decorator]
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Have nobody revoke the key, or change the membership, that it asks with."""
    is_kept = str((case.path_parameters or {}).get("id")) in KEPT
    if is_kept and case.method != "GET" and case.operation.path.startswith(KEEPING):
        case.path_parameters["id"] = "0"


#: Where nobody listens; the only host to which this installation posts.
RECEIVER = "https://localhost/events"
MAX_URL = 2000

SAMPLE_RATE = 16_000


@schemathesis.hook("map_body").apply_to(operation_id=["webhook_create"])  # type: ignore[untyped-decorator]
def with_receiver(context: Any, body: Any) -> Any:
    """Name a host that can be found where the schema allows any text."""
    url = body.get("url") if isinstance(body, dict) else None
    if isinstance(url, str) and url.isprintable() and 0 < len(url.strip()) <= len(url) <= MAX_URL:
        body["url"] = RECEIVER
    return body


@schemathesis.hook("map_body").apply_to(operation_id=["recording_create"])  # type: ignore[untyped-decorator]
def with_speech(context: Any, body: Any) -> Any:
    """Make audio of what is in a file, which no schema can say what it has to be."""
    content = body.get("file") if isinstance(body, dict) else None
    if isinstance(content, bytes):
        file = io.BytesIO()
        with wave.open(file, "wb") as audio:
            audio.setnchannels(1)
            audio.setsampwidth(2)
            audio.setframerate(SAMPLE_RATE)
            audio.writeframes((content + b"\0").ljust(64, b"\1")[:64] * (SAMPLE_RATE // 32))
        body["file"] = file.getvalue()
    return body


@schemathesis.check  # type: ignore[untyped-decorator]
def valid_data_acceptance(ctx: Any, response: Any, case: Any) -> None:
    """As ``positive_data_acceptance``, but for refusals of which no schema can say the reason."""
    if not _is_unsayable(response, case.operation.path):
        positive_data_acceptance(ctx, response, case)


def _is_unsayable(response: Any, path: str) -> bool:
    if not 400 <= response.status_code < 500:
        return False
    problem = response.json()
    fields = problem.get("errors")
    if isinstance(fields, dict):
        return fields.keys() <= OF_LISTS | UNSAYABLE_FIELDS.get(path, set())
    return problem.get("code") in UNSAYABLE
