"""Jobs and workers as staff see them: rows that the machine owns are only ever looked at."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from jobs import handlers
from jobs import specifications as spec
from jobs.api.totals import EstimatingPaginator
from jobs.choices import WAITING, JobPriority, JobStatus
from jobs.exceptions import NotRequeueable, UnknownJobType
from jobs.managers.job import JobQuerySet
from jobs.models import Job, Work, Worker
from jobs.presentation import NOTHING, age, elapsed, error_line, status_badge, status_links

#: The most jobs that one action takes on: they are loaded, and the page waits for it.
ACTION_LIMIT = 10_000

#: How many jobs before and after it the page of a job shows.
SHOWN_RELATED = 20

#: How many jobs an action changed, and why not the others: reason -> how many.
Outcome = tuple[int, Counter[str]]


class MachineOwnedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """Rows nobody adds, changes or deletes by hand, in tables of any size."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count the whole table

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


class JobTypeFilter(admin.SimpleListFilter):
    """By type; the choices come from the registry, not from a look through all rows."""

    title = "type"
    parameter_name = "job_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in handlers.job_types()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        job_type = self.value()
        return queryset.matching(spec.has_type(job_type)) if job_type else queryset


class ReadyFilter(admin.SimpleListFilter):
    """What waits for a worker on a queue: the rows that an index has by queue."""

    title = "ready on queue"
    parameter_name = "ready_on"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = handlers.queue_names()
        return [(name, name) for name in names if handlers.source_of(name).model is Job]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        queue_name = self.value()
        return queryset.ready().on_queue(queue_name) if queue_name else queryset


def _statuses(jobs: JobQuerySet) -> Counter[str]:
    counts = jobs.order_by().values_list("status").annotate(Count("pk"))
    return Counter({f"the job is {status}": count for status, count in counts})


def _cancel(jobs: JobQuerySet) -> Outcome:
    cancelled = jobs.cancel()
    return len(cancelled), _statuses(jobs.exclude(pk__in=cancelled))


def _retry(jobs: JobQuerySet) -> Outcome:
    count, reasons = 0, Counter[str]()
    for job in jobs:
        try:
            if Job.objects.requeue(job):
                count += 1
            else:
                reasons[f"the job is {job.status}"] += 1
        except (NotRequeueable, UnknownJobType) as error:
            reasons[str(error)] += 1
    return count, reasons


def _reprioritise_to(priority: JobPriority) -> Callable[..., None]:
    """Return the action that gives jobs which have not begun this priority."""

    @admin.action(
        description=f"Give the selected jobs priority {priority.name}", permissions=["operate"]
    )
    def reprioritise(model_admin: "JobAdmin", request: HttpRequest, queryset: JobQuerySet) -> None:
        model_admin.act(
            request,
            queryset,
            f"Gave {priority.name} to",
            lambda jobs: (
                jobs.reprioritise(priority),
                _statuses(jobs.exclude(status__in=WAITING)),
            ),
        )

    reprioritise.__name__ = f"reprioritise_{priority.name.lower()}"
    return reprioritise


@admin.register(Job)
class JobAdmin(WorkAdmin):
    list_display = (
        "job_type",
        "badge",
        "queue_name",
        "priority",
        "attempts",
        "age",
        "duration",
        "worker",
        "error",
    )
    list_filter = ("status", JobTypeFilter, ReadyFilter, "created_at")
    sortable_by = ("age",)  # no index has all jobs in another order
    search_fields = ("id", "subject_id")
    search_help_text = "Id of a job or of its subject"
    actions = [
        "cancel",
        "retry",
        *(_reprioritise_to(priority) for priority in reversed(JobPriority)),
    ]
    fieldsets = [
        (None, {"fields": ["id", "job_type", "badge", "priority", "payload"]}),
        ("About", {"fields": ["subject_id", "workspace_id", "created_by"]}),
        ("Keys", {"fields": ["idempotency_key", "unique_key"]}),
        ("Order", {"fields": ["follows", "followed_by"]}),
        *WORK_FIELDSETS,
    ]

    def get_queryset(self, request: HttpRequest) -> JobQuerySet:
        return Job.objects.defer("payload")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Job], search_term: str
    ) -> tuple[QuerySet[Job], bool]:
        """Find by whole ids, as their indexes can; Django's search would compare texts."""
        try:
            pk = UUID(search_term) if search_term else None
        except ValueError:
            return queryset.none(), False
        return queryset.filter(Q(pk=pk) | spec.is_about(pk)) if pk else queryset, False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.change_job")

    @admin.action(description="Cancel the selected jobs", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: JobQuerySet) -> None:
        self.act(request, queryset, "Cancelled", _cancel)

    @admin.action(description="Retry the selected jobs", permissions=["operate"])
    def retry(self, request: HttpRequest, queryset: JobQuerySet) -> None:
        self.act(request, queryset, "Requeued", _retry)

    def act(
        self,
        request: HttpRequest,
        queryset: JobQuerySet,
        done: str,
        verb: Callable[[JobQuerySet], Outcome],
    ) -> None:
        """Do ``verb`` to the selected jobs, and say to how many it was done and why not to all."""
        ids = list(queryset.order_by().values_list("pk", flat=True)[: ACTION_LIMIT + 1])
        if len(ids) > ACTION_LIMIT:
            reason = f"At most {ACTION_LIMIT:,} jobs at once: nothing was done. Narrow the list."
            self.message_user(request, reason, messages.ERROR)
            return
        count, reasons = verb(Job.objects.filter(pk__in=ids))
        level = messages.SUCCESS if count else messages.WARNING
        self.message_user(request, f"{done} {count} of {len(ids)}.", level)
        for reason, refused_count in reasons.most_common():
            self.message_user(request, f"Refused {refused_count}: {reason}.", messages.WARNING)

    @admin.display(description="depends on")
    def follows(self, job: Job) -> SafeString | str:
        return status_links(job.depends_on.all(), limit=SHOWN_RELATED)

    @admin.display(description="dependents")
    def followed_by(self, job: Job) -> SafeString | str:
        return status_links(job.dependents.all(), limit=SHOWN_RELATED)


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
