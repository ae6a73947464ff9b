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

#: Fields of which no schema can say what they may be: where pages begin, and which names there are.
UNSAYABLE_FIELDS = {"cursor", "engines", "expand", "fields", "page"}


@schemathesis.check  # type: ignore[untyped-decorator]
def valid_data_acceptance(ctx: Any, response: Any, case: Any) -> None:
    """As ``positive_data_acceptance``, but for refusals of which no schema can say the reason."""
    if not _is_unsayable(response):
        positive_data_acceptance(ctx, response, case)


def _is_unsayable(response: Any) -> bool:
    if not 400 <= response.status_code < 500:
        return False
    problem = response.json()
    fields = problem.get("errors")
    if isinstance(fields, dict):
        return fields.keys() <= UNSAYABLE_FIELDS
    return problem.get("code") in UNSAYABLE
