"""What comes as JSON is taken for what it is, not for what could be read out of it."""

from typing import Any
from uuid import uuid4

import pytest
from rest_framework.fields import Field
from rest_framework.serializers import ValidationError

from caching.api import fields as of_caching
from jobs.api import fields as of_jobs
from jobs.choices import JobPriority

ONE_OF_NUMBERS = of_jobs.OneOfField(choices=JobPriority.choices)
ONE_OF_TEXTS = of_jobs.OneOfField(choices=["read", "1"])
ID = str(uuid4())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(of_jobs.TextField(), 0, id="a number for a text"),
        pytest.param(of_jobs.TextField(), True, id="a flag for a text"),
        pytest.param(of_caching.TextField(), 0, id="a number for a text, in caching"),
        pytest.param(of_jobs.FlagField(), "true", id="a text for a flag"),
        pytest.param(of_jobs.FlagField(), 1, id="a number for a flag"),
        pytest.param(of_caching.FlagField(), "on", id="a text for a flag, in caching"),
        pytest.param(of_jobs.WholeNumberField(), "5", id="a text for a number"),
        pytest.param(of_jobs.WholeNumberField(), True, id="a flag for a number"),
        pytest.param(of_jobs.WholeNumberField(), 1.5, id="a fraction for a whole number"),
        pytest.param(of_caching.WholeNumberField(), "5", id="a text for a number, in caching"),
        pytest.param(of_jobs.IdField(), 5, id="a number for an id"),
        pytest.param(ONE_OF_NUMBERS, "2", id="a text for a number to choose"),
        pytest.param(ONE_OF_NUMBERS, True, id="a flag for a number to choose"),
        pytest.param(ONE_OF_TEXTS, 1, id="a number for a text to choose"),
    ],
)
def test_value_of_another_type_is_refused(field: Field[Any, Any, Any, Any], value: Any) -> None:
    with pytest.raises(ValidationError):
        field.run_validation(value)


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        pytest.param(of_jobs.TextField(), " a ", "a", id="a text"),
        pytest.param(of_jobs.FlagField(), False, False, id="a flag"),
        pytest.param(of_jobs.WholeNumberField(), 2.0, 2, id="a whole number"),
        pytest.param(ONE_OF_NUMBERS, 2, JobPriority.NORMAL, id="a number to choose"),
        pytest.param(ONE_OF_TEXTS, "1", "1", id="a text to choose"),
    ],
)
def test_value_of_its_type_is_taken(
    field: Field[Any, Any, Any, Any], value: Any, taken: Any
) -> None:
    assert field.run_validation(value) == taken
