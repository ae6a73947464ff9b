"""Jobs and workers as staff see them: rows that the machine owns are only ever looked at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from jobs import handlers
from jobs.bulk_admin import bulk_action
from jobs.choices import JobPriority, JobStatus
from jobs.job_verbs import CANCEL, REPRIORITISE, RETRY
from jobs.lists import (
    AMONG_NEWEST,
    CreatedFilter,
    JobTypeFilter,
    LargeListAdmin,
    NewestValues,
    ReadyFilter,
)
from jobs.managers.job import JobQuerySet
from jobs.models import Job, Work, Worker
from jobs.presentation import (
    NOTHING,
    age,
    elapsed,
    error_line,
    link_to,
    seconds_at_work,
    status_badge,
    status_links,
)

#: How many jobs before and after it the page of a job shows.
SHOWN_RELATED = 20


class MachineOwnedAdmin(LargeListAdmin):
    """Rows nobody adds, changes or deletes by hand, in tables of any size."""

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
    plain_values = {"worker_link": "worker", "duration": seconds_at_work, "error": "error_code"}

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

    @admin.display(description="worker")
    def worker_link(self, work: Work) -> SafeString | str:
        """Who did it last; its row may be forgotten by now."""
        return link_to(work.worker) if work.worker else str(work.worker_id or NOTHING)[:8]

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
                "worker_link",
                "lease_expires_at",
            ]
        },
    ),
    ("Times", {"fields": ["created_at", "started_at", "completed_at", "duration"]}),
]


@admin.register(Job)
class JobAdmin(WorkAdmin):
    list_display = [
        "job_type",
        "badge",
        "queue_name",
        "priority",
        "attempts",
        "age",
        "duration",
        "worker_link",
        "error",
    ]
    list_filter = ["status", JobTypeFilter, ReadyFilter, CreatedFilter]
    sortable_by = ("age",)  # no index has all jobs in another order
    empty_text = "No jobs: upload a recording, and its jobs are here while it is transcribed."
    search_fields = found_by = ("id", "subject_id")
    search_help_text = "The id of a job, or of what it is about"
    actions = [
        bulk_action(CANCEL, description="Cancel the selected jobs", permissions=["operate"]),
        bulk_action(RETRY, description="Retry the selected jobs", permissions=["operate"]),
        *(
            bulk_action(
                REPRIORITISE[priority],
                description=f"Give the selected jobs priority {priority.name}",
                permissions=["operate"],
            )
            for priority in reversed(JobPriority)
        ),
    ]
    fieldsets = [
        (None, {"fields": ["id", "job_type", "badge", "priority", "payload"]}),
        ("About", {"fields": ["subject_id", "workspace_id", "created_by"]}),
        ("Keys", {"fields": ["idempotency_key", "unique_key"]}),
        ("Order", {"fields": ["follows", "followed_by"]}),
        *WORK_FIELDSETS,
    ]

    def get_queryset(self, request: HttpRequest) -> JobQuerySet:
        return Job.objects.select_related("worker").defer("payload")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.change_job")

    @admin.display(description="depends on")
    def follows(self, job: Job) -> SafeString | str:
        return status_links(job.depends_on.all(), limit=SHOWN_RELATED)

    @admin.display(description="dependents")
    def followed_by(self, job: Job) -> SafeString | str:
        return status_links(job.dependents.all(), limit=SHOWN_RELATED)


@admin.register(Worker)
class WorkerAdmin(MachineOwnedAdmin):
    list_display = (
        "__str__",
        "state",
        "serves",
        "load",
        "supervisor_id",
        "started_at",
        "last_heartbeat",
        "stopped_at",
    )
    list_filter = (("hostname", NewestValues),)
    empty_text = "No worker has run yet: start some with manage.py work."
    search_fields = ("hostname",)
    search_help_text = f"The id of a worker, or words of its host's name {AMONG_NEWEST}"
    sortable_by = ("started_at", "last_heartbeat")
    fields = (
        "id",
        "hostname",
        "pid",
        "state",
        "serves",
        "holds",
        "supervisor_id",
        "started_at",
        "heartbeat_at",
        "stopped_at",
    )
    plain_values = {"state": lambda worker: state_of(worker), "serves": "queues"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        return Worker.objects.with_liveness().with_load()

    @admin.display(description="state")
    def state(self, worker: Any) -> SafeString:
        return status_badge(state_of(worker))

    @admin.display(description="queues")
    def serves(self, worker: Worker) -> str:
        return ", ".join(worker.queues)

    @admin.display(description="at work on")
    def load(self, worker: Any) -> int:
        count: int = worker.load
        return count

    @admin.display(description="at work on")
    def holds(self, worker: Worker) -> SafeString | str:
        """What it has claimed and not ended, of every kind of work."""
        links = (
            status_links(model.objects.held_by([worker.pk]), limit=SHOWN_RELATED)
            for model in handlers.work_models()
        )
        return format_html_join("", "{}", ((each,) for each in links if each != NOTHING)) or NOTHING

    @admin.display(description="last heartbeat", ordering="heartbeat_at")
    def last_heartbeat(self, worker: Worker) -> str:
        return f"{elapsed(worker.heartbeat_at, None)} ago"


def state_of(worker: Any) -> str:
    if worker.stopped_at:
        return "STOPPED"
    return "LIVE" if worker.is_live else "GONE"
