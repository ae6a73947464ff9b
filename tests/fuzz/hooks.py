"""What schemathesis cannot know of us. It runs in its own virtual environment."""

from __future__ import annotations

from typing import Any

import schemathesis  # type: ignore[import-not-found]
from schemathesis.specs.openapi.checks import (  # type: ignore[import-not-found]
    positive_data_acceptance,
)

#: Codes of refusals that depend on what there is, or on what several values are together.
UNSAYABLE = {
    "already_member",
    "idempotency_key_reused",
    "invalid_correction",
    "invalid_query",
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
    "/api/v1/jobs/": {"job_type", "min_priority", "priority", "queue_name"},
    "/api/v1/transcripts/{id}/export/": {"gaps"},
    "/api/v1/webhooks/": {"url"},
    "/api/v1/webhooks/{id}/": {"url"},
    "/api/v1/workspaces/": {"engines", "language"},
    "/api/v1/workspaces/{slug}/": {"engines", "language"},
}


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
