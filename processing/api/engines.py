"""Engines: what they can, what they have done, and how they stand now."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.http import Http404
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from processing.api.access import OfWorkspace, is_operators
from processing.models import Engine
from processing.services.engine_health import (
    EngineHealth,
    EngineReport,
    engine_report,
    engine_reports,
)

if TYPE_CHECKING:
    from rest_framework.request import Request

#: What the API says of an engine that is, at best, not known.
UNKNOWN = "unknown"


class EngineSerializer(serializers.ModelSerializer[Engine]):
    """The record of an engine; what a failure said may be of any workspace, and for operators."""

    last_failure = serializers.SerializerMethodField()

    class Meta:
        model = Engine
        fields = [
            "real_time_factor",
            "audio_seconds",
            "busy_seconds",
            "heard_count",
            "failed_count",
            "heard_at",
            "last_failure",
        ]

    def get_last_failure(self, engine: Engine) -> dict[str, Any] | None:
        if engine.failed_at is None:
            return None
        return {
            "code": engine.error_code,
            "message": engine.error_message if self.context["is_operators"] else None,
            "at": serializers.DateTimeField().to_representation(engine.failed_at),
        }


class EngineReportSerializer(serializers.BaseSerializer[EngineReport]):
    """An engine, with its record.

    ``reason`` says why it cannot be made, and is null when it can; what only the engine itself
    knows is null then. ``rate_limits`` and ``breaker`` are null for engines of our own, and
    "unknown" while Redis is away.
    """

    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "health": {"type": "string", "enum": list(EngineHealth)},
            "reason": {"type": ["string", "null"]},
            "is_remote": {"type": ["boolean", "null"]},
            "version": {"type": ["string", "null"]},
            "languages": {"type": ["array", "null"], "items": {"type": "string"}},
            "parameters": {"type": ["array", "null"], "items": {"type": "string"}},
            "limits": {"type": ["object", "null"]},
            "real_time_factor": {"type": ["number", "null"]},
            "audio_seconds": {"type": "number"},
            "busy_seconds": {"type": "number"},
            "heard_count": {"type": "integer"},
            "failed_count": {"type": "integer"},
            "heard_at": {"type": ["string", "null"], "format": "date-time"},
            "last_failure": {"type": ["object", "null"]},
            "rate_limits": {"type": ["object", "string", "null"]},
            "breaker": {"type": ["object", "string", "null"]},
            "links": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }

    def to_representation(self, instance: EngineReport) -> dict[str, Any]:
        engine = instance.engine
        is_remote = engine is not None and engine.is_remote
        unknown = UNKNOWN if is_remote else None
        limiter, breaker = instance.limiter, instance.breaker
        return {
            "name": instance.name,
            "health": instance.health,
            "reason": instance.reason or None,
            "is_remote": engine and engine.is_remote,
            "version": engine and engine.version,
            "languages": engine and list(engine.languages),
            "parameters": engine and sorted(engine.parameter_names),
            "limits": engine and asdict(engine.limits),
            **EngineSerializer(instance.record, context=self.context).data,
            "rate_limits": asdict(limiter) if limiter else unknown,
            "breaker": asdict(breaker) if breaker else unknown,
            "links": {
                "self": reverse(
                    "engine-detail", [instance.name], request=self.context.get("request")
                )
            },
        }


class EngineViewSet(OfWorkspace, GenericViewSet[Any]):
    """All engines at once: they are as many as the settings name."""

    queryset = Engine.objects.all()
    serializer_class = EngineReportSerializer
    pagination_class = None
    lookup_value_regex = "[^/]+"

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "is_operators": is_operators(self.request)}

    def list(self, request: Request) -> Response:
        items = self.get_serializer(engine_reports(), many=True).data
        return Response({"items": items, "total": len(items)})

    def retrieve(self, request: Request, pk: str) -> Response:
        report = engine_report(pk)
        if report is None:
            raise Http404
        return Response(self.get_serializer(report).data)
