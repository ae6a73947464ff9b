"""Values of JSON as what they are: REST framework's own fields also take ``5`` for a text, ``"on"``
for true and ``"5"`` for a number, as forms need it.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from rest_framework import serializers


class TextField(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class WholeNumberField(serializers.IntegerField):
    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return super().to_internal_value(data)


class OneOfField(serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        chosen = super().to_internal_value(data)
        if isinstance(chosen, int) != isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid_choice", input=data)
        return chosen


class IdField(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


#: As ``serializer_field_mapping`` of a serializer of rows.
OF_COLUMNS = serializers.ModelSerializer.serializer_field_mapping | {
    models.BigIntegerField: WholeNumberField,
    models.CharField: TextField,
    models.IntegerField: WholeNumberField,
    models.PositiveBigIntegerField: WholeNumberField,
    models.PositiveIntegerField: WholeNumberField,
    models.PositiveSmallIntegerField: WholeNumberField,
    models.TextField: TextField,
}
