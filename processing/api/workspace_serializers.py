"""Workspaces, their members, keys and audit events, as the API shows and takes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.reverse import reverse

from jobs.api.fields import OF_COLUMNS, TextField, WholeNumberField
from processing.choices import Role, Scope
from processing.engines.languages import LANGUAGES
from processing.engines.registry import engine_names
from processing.models import ApiKey, AuditEvent, Membership, Workspace
from processing.workspaces.keys import PREFIX, ROTATION_GRACE
from processing.workspaces.quotas import current_month

#: What only superusers set.
LIMITS = (
    "max_concurrent_chunks",
    "max_concurrent_recordings",
    "max_storage_bytes",
    "max_audio_minutes_per_month",
)

MAX_KEY_DAYS = 3650
MAX_GRACE = timedelta(days=30)


class WorkspaceSerializer(serializers.ModelSerializer[Workspace]):
    """A workspace, the caller's ``role`` in it, what it may have at most and what it uses.

    A limit that is null is none. ``engines`` are asked in their order, the first where a request
    names none; ``language`` is that of requests which name none. ``retention_days`` is how long
    recordings and uploaded documents are kept, null for ever.
    """

    serializer_field_mapping = OF_COLUMNS
    role = serializers.CharField(read_only=True)
    usage = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Workspace
        fields = [
            "id",
            "slug",
            "name",
            "role",
            "language",
            "engines",
            "retention_days",
            *LIMITS,
            "usage",
            "created_at",
            "links",
        ]
        extra_kwargs = {
            name: {"min_value": 1}
            for name in ("retention_days", "max_concurrent_chunks", "max_concurrent_recordings")
        }

    def get_usage(self, workspace: Any) -> dict[str, Any]:
        return {
            "month": current_month().isoformat(),
            "audio_minutes": round(workspace.audio_seconds / 60, 2),
            "storage_bytes": workspace.stored_bytes,
        }

    def get_links(self, workspace: Workspace) -> dict[str, str]:
        request, slug = self.context["request"], workspace.slug
        return {
            "self": reverse("workspace-detail", [slug], request=request),
            "usage": reverse("workspace-usage", [slug], request=request),
        }

    def validate_engines(self, names: list[str]) -> list[str]:
        known = engine_names()
        if unknown := [name for name in names if name not in known]:
            raise ValidationError(
                f"There is no engine {', '.join(unknown)}; known: {', '.join(known)}."
            )
        if len({*names}) < len(names):
            raise ValidationError("Each engine is asked once: one is named twice.")
        return names

    def validate_language(self, language: str) -> str:
        if language and language not in LANGUAGES:
            raise ValidationError(f"{language!r} is no language we know; take a code such as en.")
        return language


class WorkspaceChangeSerializer(WorkspaceSerializer):
    """What can be changed of a workspace: its slug is chosen once."""

    class Meta(WorkspaceSerializer.Meta):
        read_only_fields = ["slug"]


class MemberSerializer(serializers.ModelSerializer[Membership]):
    """Somebody who belongs to the workspace; ``id`` is that of the membership."""

    username = serializers.CharField(source="user.username", read_only=True)
    links = serializers.SerializerMethodField()

    class Meta:
        model = Membership
        fields = ["id", "username", "role", "created_at", "links"]

    def get_links(self, membership: Membership) -> dict[str, str]:
        request = self.context["request"]
        return {"self": reverse("member-detail", [membership.pk], request=request)}


class MemberRequestSerializer(serializers.Serializer[Any]):
    """What ``POST members/`` takes."""

    username = TextField(max_length=150)
    role = serializers.ChoiceField(choices=Role.choices, default=Role.VIEWER)


class RoleSerializer(serializers.Serializer[Any]):
    """What ``PATCH members/{id}/`` takes."""

    role = serializers.ChoiceField(choices=Role.choices)


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret; ``last_used_at`` is right to a minute."""

    prefix = serializers.SerializerMethodField()
    username = serializers.CharField(source="user.username", read_only=True)
    is_usable = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "prefix",
            "name",
            "username",
            "scopes",
            "is_usable",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "links",
        ]

    def get_prefix(self, key: ApiKey) -> str:
        return f"{PREFIX}_{key.pk}_"

    def get_is_usable(self, key: ApiKey) -> bool:
        return key.revoked_at is None and (
            key.expires_at is None or key.expires_at > timezone.now()
        )

    def get_links(self, key: ApiKey) -> dict[str, str]:
        request = self.context["request"]
        names = {"self": "detail", "rotate": "rotate", "revoke": "revoke"}
        return {
            name: reverse(f"api-key-{route}", [key.pk], request=request)
            for name, route in names.items()
        }


class ApiKeyRequestSerializer(serializers.Serializer[Any]):
    """What ``POST api-keys/`` takes; a key without an end is good until it is revoked."""

    name = TextField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), min_length=1, max_length=len(Scope)
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    expires_in_days = WholeNumberField(
        required=False, min_value=1, max_value=MAX_KEY_DAYS, write_only=True
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        days, at = attrs.pop("expires_in_days", None), attrs["expires_at"]
        if days is not None and at is not None:
            raise ValidationError({"expires_in_days": ["Name this or expires_at, not both."]})
        if at is not None and at <= timezone.now():
            raise ValidationError({"expires_at": ["This is in the past."]})
        if days is not None:
            attrs["expires_at"] = timezone.now() + timedelta(days=days)
        return attrs


class RotationSerializer(serializers.Serializer[Any]):
    """What ``POST api-keys/{id}/rotate/`` takes: for how long the old key is good still."""

    grace_seconds = WholeNumberField(
        min_value=0,
        max_value=int(MAX_GRACE.total_seconds()),
        default=int(ROTATION_GRACE.total_seconds()),
    )


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """What somebody changed; ``actor`` is who it was, by the name of then."""

    actor = serializers.CharField(source="actor_name", read_only=True)

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "action",
            "object_type",
            "object_id",
            "actor",
            "api_key_id",
            "address",
            "request_id",
            "details",
            "created_at",
        ]
