"""Jobs as programs read them, and as they ask for them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from jobs.api.fields import FlagField, IdField, OneOfField, TextField, WholeNumberField
from jobs.api.links import reverse
from jobs.choices import JobPriority
from jobs.managers.job import STATISTICS_WINDOW
from jobs.models import Job, Worker
from jobs.services.requests import MAX_KEY_LENGTH

if TYPE_CHECKING:
    from django.db.models import QuerySet

#: The most jobs that one request enqueues.
MAX_JOBS = 1_000

#: How many jobs before and after it the page of a job names.
MAX_RELATED = 100

#: Statistics look back no further.
MAX_WINDOW = timedelta(days=7)


class JobSerializer(serializers.ModelSerializer[Job]):
    """How a job is doing: all that a list needs. ``error`` is null unless something went wrong."""

    error = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = [
            "id",
            "job_type",
            "queue_name",
            "status",
            "priority",
            "subject_id",
            "workspace_id",
            "created_by",
            "attempt",
            "max_attempts",
            "crash_count",
            "worker_id",
            "error",
            "created_at",
            "available_at",
            "due_by",
            "expires_at",
            "started_at",
            "lease_expires_at",
            "completed_at",
            "links",
        ]

    def get_error(self, job: Job) -> dict[str, str] | None:
        return {"code": job.error_code, "message": job.error_message} if job.error_code else None

    def get_links(self, job: Job) -> dict[str, str]:
        request, pk = self.context["request"], str(job.pk)
        return {
            "self": reverse("job-detail", [pk], request=request),
            "position": reverse("job-position", [pk], request=request),
            "cancel": reverse("job-cancel", [pk], request=request),
            "retry": reverse("job-retry", [pk], request=request),
        }


class JobDetailSerializer(JobSerializer):
    """A job with its payload, and with up to ``MAX_RELATED`` jobs before it and after it."""

    depends_on = serializers.SerializerMethodField()
    dependents = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = [
            *JobSerializer.Meta.fields,
            "payload",
            "idempotency_key",
            "unique_key",
            "depends_on",
            "dependents",
        ]

    def get_depends_on(self, job: Job) -> list[Any]:
        return _related(job.depends_on.all())

    def get_dependents(self, job: Job) -> list[Any]:
        return _related(job.dependents.all())


def _related(jobs: QuerySet[Job]) -> list[Any]:
    return list(jobs.values("id", "job_type", "status")[:MAX_RELATED])


class WorkerSerializer(serializers.ModelSerializer[Worker]):
    """Which process of which host a worker is."""

    class Meta:
        model = Worker
        fields = ["id", "hostname", "pid"]


class WorkerDetailSerializer(WorkerSerializer):
    """A worker with what it serves and whether it lives; None in ``stopped_at`` while it does."""

    class Meta(WorkerSerializer.Meta):
        fields = [
            *WorkerSerializer.Meta.fields,
            "supervisor_id",
            "queues",
            "started_at",
            "heartbeat_at",
            "stopped_at",
        ]


class StatisticsRequestSerializer(serializers.Serializer[Any]):
    window_seconds = serializers.IntegerField(
        min_value=1,
        max_value=int(MAX_WINDOW.total_seconds()),
        default=int(STATISTICS_WINDOW.total_seconds()),
    )


class BulkRequestSerializer(serializers.Serializer[Any]):
    """What ``POST bulk/`` takes; each of its jobs is looked at by itself."""

    jobs = serializers.ListField(allow_empty=False, max_length=MAX_JOBS)
    continue_on_error = FlagField(default=False)


class JobRequestSerializer(serializers.Serializer[Any]):
    """One job that a program asks for; a name it does not know is refused, not ignored.

    What the values may be is said where rows are made of them (``jobs.services.requests``).
    """

    job_type = TextField(max_length=50)
    payload = serializers.DictField(default=dict)
    priority = OneOfField(choices=JobPriority.choices, required=False)
    subject_id = IdField(allow_null=True, required=False)
    workspace_id = IdField(allow_null=True, required=False)
    max_attempts = WholeNumberField(required=False)
    available_at = serializers.DateTimeField(allow_null=True, required=False)
    expires_at = serializers.DateTimeField(allow_null=True, required=False)
    idempotency_key = TextField(
        max_length=MAX_KEY_LENGTH, allow_null=True, trim_whitespace=False, required=False
    )
    unique_key = TextField(
        max_length=MAX_KEY_LENGTH, allow_null=True, trim_whitespace=False, required=False
    )

    def to_internal_value(self, data: Any) -> Any:
        unknown = data.keys() - self.fields.keys() if isinstance(data, dict) else set()
        if unknown:
            raise serializers.ValidationError(
                {
                    name: [f"Unknown; a job has {', '.join(self.fields)}."]
                    for name in sorted(unknown)
                }
            )
        return super().to_internal_value(data)
