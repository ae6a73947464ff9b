"""Filters of questions: the same after they were stored, and refused where no search knows them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from processing.exceptions import InvalidQuery
from processing.knowledge.asking.filters import MAX_DOCUMENTS, checked_filters, filters_of
from processing.knowledge.searching.filters import SearchFilters

ID = "0198c0de-0000-7000-8000-000000000001"


def test_filters_are_the_same_after_they_were_stored() -> None:
    asked = {
        "documents": [ID, ID],
        "recording": ID,
        "topic": "brücken",
        "language": "de",
        "speaker": "Ann",
        "created_from": "2026-01-31T12:00:00",
        "created_to": "2026-02-01T12:00:00+01:00",
        "kind": "UPLOAD",
    }

    stored = checked_filters(asked)

    assert stored == asked | {"documents": [ID], "created_from": "2026-01-31T12:00:00+00:00"}
    assert filters_of(stored) == SearchFilters(
        documents=(UUID(ID),),
        recording=UUID(ID),
        topic="brücken",
        language="de",
        speaker="Ann",
        created_from=datetime(2026, 1, 31, 12, tzinfo=UTC),
        created_to=datetime(2026, 2, 1, 11, tzinfo=UTC),
        kind="UPLOAD",
    )


def test_what_does_not_matter_is_not_stored() -> None:
    assert checked_filters({"documents": [], "topic": "", "recording": None}) == {}


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        pytest.param({"nonsense": 1}, "unknown filter nonsense; known: documents", id="unknown"),
        pytest.param({"documents": ID}, "a list of ids", id="no list"),
        pytest.param({"documents": ["x"]}, "has an id that is none: 'x'", id="no id in a list"),
        pytest.param({"documents": [5]}, "has an id that is none: 5", id="a number"),
        pytest.param({"documents": [ID] * (MAX_DOCUMENTS + 1)}, "MAX_DOCUMENTS", id="too many"),
        pytest.param({"recording": "x" * 1_000}, "recording has an id", id="no id"),
        pytest.param({"topic": ["x"]}, "topic is a text", id="no text"),
        pytest.param({"speaker": "x" * 101}, "MAX_FILTER_CHARACTERS", id="too long"),
        pytest.param({"language": "e\0"}, "language is a text", id="null character"),
        pytest.param({"created_from": "soon"}, "created_from is a time", id="no time"),
        pytest.param({"created_to": "2026-13-01T00:00:00"}, "created_to is", id="13th month"),
        pytest.param({"kind": "BOOK"}, "TRANSCRIPT, UPLOAD", id="unknown kind"),
        pytest.param({"kind": {"a": 1}}, "TRANSCRIPT, UPLOAD", id="kind is an object"),
    ],
)
def test_what_no_search_knows_is_refused(filters: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidQuery, match=reason):
        checked_filters(filters)
