"""What must be done, and what must be done before it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from jobs.choices import ACTIVE, JobPriority, JobStatus
from jobs.managers.job import JobManager
from jobs.models.work import Work


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
