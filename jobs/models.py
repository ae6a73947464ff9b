"""Jobs, the workers that run them, and ``Work``: a row that is claimed, leased and retried."""

from typing import ClassVar
from uuid import uuid4

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from jobs.choices import ACTIVE, TERMINAL, WAITING, JobPriority, JobStatus
from jobs.identifiers import uuid7
from jobs.managers.job import JobManager
from jobs.managers.work import DEFAULT_MAX_ATTEMPTS, WorkManager
from jobs.managers.worker import WorkerManager


class Worker(models.Model):
    """One worker process. Its supervisor renews it, and with it the leases of what it runs.

    Registered before its process is forked; ``pid`` is None until then.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    supervisor_id = models.UUIDField()
    hostname = models.CharField(max_length=255)
    pid = models.PositiveIntegerField(null=True, blank=True)
    queues = ArrayField(models.CharField(max_length=50))
    started_at = models.DateTimeField(db_default=Now())
    heartbeat_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = WorkerManager()

    class Meta:
        db_table = "workers"
        ordering = ["-started_at", "id"]
        indexes = [
            models.Index(
                "heartbeat_at", name="worker_running_idx", condition=Q(stopped_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.hostname}:{self.pid or self.id}"


class Work(models.Model):
    """Something one worker at a time does, and that must get done.

    The one machinery of all queues: subclasses inherit claim, lease, fence, retry and rescue.
    ``attempt`` counts the claims and is the fencing token: a result is accepted only from the
    claim that is current. ``due_by`` is the order of the queue. Work that has not begun by
    ``expires_at`` is given up. ``worker`` may name one whose row is forgotten by now: a claim
    has no time for a foreign key's check.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    queue_name = models.CharField(max_length=50)
    status = models.CharField(
        max_length=10,
        choices=JobStatus.choices,
        default=JobStatus.QUEUED,
        db_default=JobStatus.QUEUED,
        editable=False,
    )
    available_at = models.DateTimeField(db_default=Now())
    due_by = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0, db_default=0)
    max_attempts = models.PositiveIntegerField(
        default=DEFAULT_MAX_ATTEMPTS, db_default=DEFAULT_MAX_ATTEMPTS
    )
    crash_count = models.PositiveIntegerField(default=0, db_default=0)
    worker = models.ForeignKey(
        Worker,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=50, blank=True, db_default="")
    error_message = models.TextField(blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[WorkManager["Work"]] = WorkManager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_status_known", condition=Q(status__in=JobStatus.values)
            ),
            models.CheckConstraint(
                name="%(class)s_completed_at_iff_terminal",
                condition=Q(status__in=TERMINAL, completed_at__isnull=False)
                | (~Q(status__in=TERMINAL) & Q(completed_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="%(class)s_lease_iff_processing",
                condition=Q(status=JobStatus.PROCESSING, lease_expires_at__isnull=False)
                | (~Q(status=JobStatus.PROCESSING) & Q(lease_expires_at__isnull=True)),
            ),
            models.CheckConstraint(
                name="%(class)s_attempt_within_budget",
                condition=Q(attempt__lte=F("max_attempts")),
            ),
        ]
        indexes = [
            models.Index(
                "queue_name",
                "due_by",
                "id",
                name="%(class)s_ready_idx",
                condition=Q(status=JobStatus.QUEUED),
            ),
            models.Index(
                "available_at",
                name="%(class)s_scheduled_idx",
                condition=Q(status=JobStatus.SCHEDULED),
            ),
            models.Index(
                "lease_expires_at",
                name="%(class)s_leased_idx",
                condition=Q(status=JobStatus.PROCESSING),
            ),
            models.Index(
                "expires_at",
                name="%(class)s_expiring_idx",
                condition=Q(expires_at__isnull=False, status__in=WAITING),
            ),
        ]


class Job(Work):
    """A piece of work of a registered type; ``payload`` is what its handler needs to know.

    ``subject_id`` names what the job is about (a transcript, a document) and ``workspace_id``
    whom it belongs to; both are plain identifiers, so that this app depends on no other.
    ``idempotency_key`` names the request for it: a workspace has one job per key, ever.
    ``unique_key`` names what only one active job at a time may be doing. It is BLOCKED while
    a job in ``depends_on`` has not completed.
    """

    job_type = models.CharField(max_length=50)
    payload = models.JSONField(default=dict, blank=True)
    priority = models.PositiveSmallIntegerField(
        choices=JobPriority.choices, default=JobPriority.NORMAL, db_default=JobPriority.NORMAL
    )
    subject_id = models.UUIDField(null=True, blank=True)
    workspace_id = models.UUIDField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        db_index=False,
        related_name="jobs",
    )
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001
    unique_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001
    depends_on = models.ManyToManyField(
        "self",
        symmetrical=False,
        through="JobDependency",
        through_fields=("job", "depends_on"),
        related_name="dependents",
    )

    objects: ClassVar[JobManager["Job"]] = JobManager()

    class Meta(Work.Meta):
        db_table = "processing_jobs"
        ordering = ["-created_at", "-id"]
        constraints = [
            *Work.Meta.constraints,
            models.CheckConstraint(
                name="job_priority_known", condition=Q(priority__in=JobPriority.values)
            ),
            models.UniqueConstraint(
                name="job_one_per_idempotency_key",
                fields=["workspace_id", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                nulls_distinct=False,
            ),
            models.UniqueConstraint(
                name="job_one_active_per_unique_key",
                fields=["unique_key"],
                condition=Q(unique_key__isnull=False, status__in=ACTIVE),
            ),
        ]
        indexes = [
            *Work.Meta.indexes,
            models.Index("created_at", "id", name="job_list_idx"),
            models.Index("job_type", "created_at", "id", name="job_type_idx"),
            models.Index(
                "status",
                "created_at",
                "id",
                name="job_status_idx",
                condition=~Q(status=JobStatus.COMPLETED),  # most rows, and found among all
            ),
            models.Index(
                "workspace_id",
                "status",
                "created_at",
                "id",
                name="job_workspace_status_idx",
                condition=Q(workspace_id__isnull=False) & ~Q(status=JobStatus.COMPLETED),
            ),
            models.Index(
                "workspace_id",
                "job_type",
                "created_at",
                "id",
                name="job_workspace_type_idx",
                condition=Q(workspace_id__isnull=False),
            ),
            models.Index(
                "completed_at", name="job_over_idx", condition=Q(completed_at__isnull=False)
            ),
            models.Index(
                "workspace_id",
                "created_at",
                "id",
                name="job_workspace_idx",
                condition=Q(workspace_id__isnull=False),
            ),
            models.Index(
                "subject_id", name="job_subject_idx", condition=Q(subject_id__isnull=False)
            ),
            models.Index(
                "created_by",
                "created_at",
                "id",
                name="job_owner_idx",
                condition=Q(created_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_type} {self.id}"


class JobDependency(models.Model):
    """``job`` begins when ``depends_on`` has completed, and is cancelled when it never will."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, db_index=False, related_name="+")
    depends_on = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+")

    class Meta:
        db_table = "job_dependencies"
        constraints = [
            models.UniqueConstraint(fields=["job", "depends_on"], name="job_dependency_named_once"),
            models.CheckConstraint(
                name="job_dependency_not_on_itself", condition=~Q(job=F("depends_on"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} after {self.depends_on_id}"
