"""Jobs and workers as staff see them: rows that the machine owns are only ever looked at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from jobs.choices import JobStatus
from jobs.models import Job, Work, Worker
from jobs.presentation import NOTHING, age, elapsed, error_line, status_badge


class MachineOwnedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """Rows nobody adds, changes or deletes by hand."""

    show_full_result_count = False

    class Media:
        css = {"all": ["jobs/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class WorkAdmin(MachineOwnedAdmin):
    """The columns that all work shares."""

    list_select_related = ["worker"]

    @admin.display(description="status", ordering="status")
    def badge(self, work: Work) -> SafeString:
        return status_badge(work.status)

    @admin.display(description="attempt", ordering="attempt")
    def attempts(self, work: Work) -> str:
        return f"{work.attempt} of {work.max_attempts}"

    @admin.display(description="age", ordering="-created_at")
    def age(self, work: Work) -> str:
        return age(work.created_at)

    @admin.display(description="duration")
    def duration(self, work: Work) -> str:
        is_waiting = work.status in (JobStatus.QUEUED, JobStatus.SCHEDULED)
        return NOTHING if is_waiting else elapsed(work.started_at, work.completed_at)

    @admin.display(description="error")
    def error(self, work: Work) -> str:
        return error_line(work.error_code, work.error_message)


WORK_FIELDSETS: list[Any] = [
    ("Outcome", {"fields": ["error_code", "error_message"]}),
    (
        "Queue",
        {
            "fields": [
                "queue_name",
                "due_by",
                "available_at",
                "attempts",
                "crash_count",
                "worker",
                "lease_expires_at",
            ]
        },
    ),
    ("Times", {"fields": ["created_at", "started_at", "completed_at", "duration"]}),
]


@admin.register(Job)
class JobAdmin(WorkAdmin):
    list_display = (
        "job_type",
        "badge",
        "priority",
        "attempts",
        "age",
        "duration",
        "worker",
        "error",
    )
    list_filter = ("status", "job_type", "queue_name", "priority")
    search_fields = ("=id", "=subject_id")
    search_help_text = "Id of a job or of its subject"
    date_hierarchy = "created_at"
    fieldsets = [
        (None, {"fields": ["id", "job_type", "badge", "priority", "payload"]}),
        ("About", {"fields": ["subject_id", "workspace_id", "created_by"]}),
        *WORK_FIELDSETS,
    ]


@admin.register(Worker)
class WorkerAdmin(MachineOwnedAdmin):
    list_display = ("__str__", "state", "serves", "started_at", "last_heartbeat", "stopped_at")
    list_filter = ("hostname",)
    search_fields = ("hostname", "=id")
    fields = (
        "id",
        "hostname",
        "pid",
        "state",
        "serves",
        "supervisor_id",
        "started_at",
        "heartbeat_at",
        "stopped_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        return Worker.objects.with_liveness()

    @admin.display(description="state")
    def state(self, worker: Any) -> SafeString:
        if worker.stopped_at:
            return status_badge("STOPPED")
        return status_badge("LIVE" if worker.is_live else "GONE")

    @admin.display(description="queues")
    def serves(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    @admin.display(description="last heartbeat", ordering="heartbeat_at")
    def last_heartbeat(self, worker: Worker) -> str:
        return f"{elapsed(worker.heartbeat_at, None)} ago"
