"""The API as OpenAPI 3.1: what its code says, and what holds for every operation of it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import uritemplate
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import Direction, OpenApiParameter
from rest_framework.parsers import MultiPartParser
from rest_framework.serializers import BaseSerializer, CharField, FileField, ListField

from caching.api.serializers import StrictSerializer
from config.exceptions import CONTENT_TYPE
from config.operations import ANYTHING, OPERATIONS, Operation
from processing.api.access import WORKSPACE_HEADER, OfWorkspace
from processing.api.idempotency import KEY_HEADER
from processing.api.representation import EXPAND, FIELDS

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What is wrong (RFC 9457). `code` is stable; `detail` is for people.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"description": "What is wrong with each field, or row."},
    },
    "required": ["type", "title", "status", "code", "detail"],
}

#: No text has a NUL in it, and what is needed is not only blanks. That it may be empty is said
#: beside it.
TEXT = r"^[^\u0000]+$"
TEXT_OR_NONE = r"^[^\u0000]*$"
TEXT_NOT_BLANK = r"^[^\u0000]*[^\s\u0000\u001c-\u001f\u0085][^\u0000]*$"

JSON = "application/json"

WORKSPACE = OpenApiParameter(
    WORKSPACE_HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The slug of a workspace, for who is a member of several; a key is of one.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    KEY_HEADER,
    {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Sent again with the same key, the request does nothing again: the answer to "
    "the first one is given.",
)


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "config.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "lh_<id>_<secret>"}


def mapped(auto_schema: AutoSchema, field: Any, direction: Direction) -> Any:
    """Return what drf-spectacular itself says of a field, but for ``null``: it adds that again."""
    schema = auto_schema._map_serializer_field(field, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
    if schema and isinstance(schema.get("type"), list):
        schema["type"] = schema["type"][0]
    return schema


class TextExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """What a serializer takes for a text."""

    target_class = CharField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Any:
        schema = mapped(auto_schema, self.target, direction)
        if direction == "request" and schema and not schema.keys() & {"format", "pattern", "enum"}:
            is_blank_refused = self.target.trim_whitespace and not self.target.allow_blank
            schema["pattern"] = TEXT_NOT_BLANK if is_blank_refused else TEXT
        return schema


class ListExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """What a serializer takes for a list."""

    target_class = ListField
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> Any:
        schema = mapped(auto_schema, self.target, direction)
        if direction == "request" and schema and not self.target.allow_empty:
            schema["minItems"] = 1
        return schema


class StrictExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A serializer that refuses names it does not know."""

    target_class = StrictSerializer
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]
        return {**schema, "additionalProperties": False}


class WrittenSerializer(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A serializer that writes what it likes, and says in ``schema`` what that is."""

    target_class = BaseSerializer
    match_subclasses = True
    priority = -1

    @classmethod
    def _matches(cls, target: Any) -> bool:
        return super()._matches(target) and hasattr(target, "schema")

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:
        return type(self.target).__name__.removesuffix("Serializer")

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return deepcopy(self.target.schema)


class Schema(AutoSchema):
    """An operation is called as the route and the action are; all errors are problems."""

    @property
    def _written(self) -> Operation | None:
        """What is written of the operation elsewhere."""
        name = f"{getattr(self.view, 'basename', '')}.{getattr(self.view, 'action', '')}"
        return OPERATIONS.get(name)

    def get_request_serializer(self) -> Any:
        return self._written.takes if self._written else super().get_request_serializer()

    def map_parsers(self) -> Any:
        """Return the media types of a body: that of a file is a form."""
        takes = self._written.takes if self._written else None
        fields = takes().fields.values() if takes else ()
        if any(isinstance(field, FileField) for field in fields):
            return [MultiPartParser.media_type]
        return super().map_parsers()

    def get_response_serializers(self) -> Any:
        if self._written is None:
            return super().get_response_serializers()
        codes: dict[Any, Any] = deepcopy(dict(self._written.answers))
        if self._written.media_types:
            kinds = self._written.media_types
            return {
                (code, kind): ANYTHING if kind == JSON else answer
                for code, answer in codes.items()
                for kind in kinds
            }
        return codes

    def _is_list_view(self, serializer: Any = None) -> bool:
        return self._written is None and bool(super()._is_list_view(serializer))

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").partition("/")[0] or "root"]

    def get_description(self) -> str:  # type: ignore[override]  # as its base has it
        return str(super().get_description() or "").replace("``", "`")

    def get_summary(self) -> str | None:
        """Return the first sentence of what the code says of it."""
        text = " ".join(self.get_description().partition("\n\n")[0].split())
        return text.partition(". ")[0].partition("; ")[0].rstrip(".:") or None

    def get_operation_id(self) -> str:
        view: Any = self.view
        if not hasattr(view, "basename"):
            return str(super().get_operation_id())
        name = f"{view.basename}_{view.action}".replace("-", "_")
        verbs = view.action_map if hasattr(view, "action_map") else {}
        # HEAD is among them from the first request of a view on
        actions = [action for verb, action in verbs.items() if verb != "head"]
        is_one_of_several = actions.count(view.action) > 1
        return f"{name}_{self.method.lower()}" if is_one_of_several else name

    def get_override_parameters(self) -> list[Any]:
        method = getattr(self.view, getattr(self.view, "action", "") or "", None)
        found = [WORKSPACE] if isinstance(self.view, OfWorkspace) else []
        found += [
            OpenApiParameter(name, OpenApiTypes.UUID, OpenApiParameter.PATH)
            for name in uritemplate.variables(self.path)
            if name.endswith("_pk") or name == "other"
        ]
        if "{slug}" in self.path:
            found.append(OpenApiParameter("slug", OpenApiTypes.STR, OpenApiParameter.PATH))
        if getattr(method, "is_idempotent", False):
            found.append(IDEMPOTENCY_KEY)
        paginator = self._get_paginator()  # type: ignore[no-untyped-call]
        is_page = self.method == "GET" and self._is_list_view() and paginator is not None
        if is_page or getattr(self.view, "action", "") == "retrieve":
            found += self._of_representation()
        return [*found, *(self._written.asks if self._written else ())]

    def _of_representation(self) -> list[OpenApiParameter]:
        expansions = getattr(self.view, "expansions", {})
        texts = {FIELDS: "The fields to be answered, with commas between them; else all are."}
        if expansions:
            texts[EXPAND] = f"What to put in: {', '.join(expansions)}; with commas between them."
        return [OpenApiParameter(name, description=text) for name, text in texts.items()]

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
            operation["responses"]["default"] = {
                "description": "A problem",
                "content": {CONTENT_TYPE: problem},
            }
        return operation


#: Of uploads in pieces only what programs read is shown: the rest is the protocol of tus.
UPLOADS = "/api/v1/uploads/"


def only_ours(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Leave out the routes that speak a protocol of others, with a schema of its own."""
    return [
        (path, pattern, method, view)
        for path, pattern, method, view in endpoints
        if path.startswith("/api/v1/") and (method == "GET" or not path.startswith(UPLOADS))
    ]


def add_patterns(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Say of what is asked for in addresses, too, that no text has a NUL in it.

    A flag there is true or false, whatever the column is that it is about.
    """
    for operations in result["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                is_text = schema.get("type") == "string"
                if is_text and not schema.keys() & {"format", "pattern", "enum"}:
                    schema["pattern"] = TEXT_OR_NONE
                if schema.get("enum") == ["false", "true"]:
                    parameter["schema"] = {"type": "boolean"}
    return result


def add_problem(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Add the component that all operations refer to."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    return result
