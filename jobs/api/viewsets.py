"""Jobs: what there is to do, how it is doing, and the few things to be done about it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs.api.bulk import enqueue_from_outside, report_rows
from jobs.api.filtersets import JobFilterSet
from jobs.api.parsers import ShallowJSONParser
from jobs.api.permissions import MAY_CHANGE
from jobs.api.serializers import (
    BulkRequestSerializer,
    JobDetailSerializer,
    JobSerializer,
    StatisticsRequestSerializer,
    WorkerSerializer,
)
from jobs.api.statistics import queue_statistics
from jobs.choices import WAITING
from jobs.exceptions import NoCapableWorker, UnknownJobType
from jobs.models import Job
from jobs.services.dispatcher import JobDispatcher

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.serializers import BaseSerializer

    from jobs.managers.job import JobQuerySet
    from jobs.models import Worker


class Conflict(APIException):
    """What is asked for is refused in the status that the job has."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class JobViewSet(ReadOnlyModelViewSet[Job]):
    """Jobs, newest first; those that are ready on one queue can come in the order of the queue."""

    filterset_class = JobFilterSet
    split_by = ("status", "job_type")

    @property
    def sort_fields(self) -> tuple[str, ...]:
        """What an index has in order, for what the request asks."""
        asked = self.request.query_params
        is_one_queue = asked.get("is_ready") == "true" and bool(asked.get("queue_name"))
        return ("created_at", "due_by") if is_one_queue else ("created_at",)

    def get_queryset(self) -> JobQuerySet:
        jobs = Job.objects.all()
        return jobs.defer("payload") if self.action == "list" else jobs

    def get_serializer_class(self) -> type[BaseSerializer[Job]]:
        return JobSerializer if self.action == "list" else JobDetailSerializer

    @action(detail=False)
    def stats(self, request: Request) -> Response:
        """Tell how each queue is doing, counting what ended in the last ``window_seconds``."""
        asked = StatisticsRequestSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        window = timedelta(seconds=asked.validated_data["window_seconds"])
        queues = queue_statistics(window=window)
        return Response({"window_seconds": window.total_seconds(), "queues": queues})

    @action(detail=False, methods=["post"], parser_classes=[ShallowJSONParser])
    def bulk(self, request: Request) -> Response:
        """Enqueue up to 1,000 jobs: all, or with ``continue_on_error`` those that can be."""
        return self.enqueue(request)

    def enqueue(self, request: Request) -> Response:
        """Do what ``bulk`` is asked for."""
        asked = BulkRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        report = enqueue_from_outside(
            asked.validated_data["jobs"],
            created_by=request.user,
            continue_on_error=asked.validated_data["continue_on_error"],
        )
        answer = {
            "enqueued": report.enqueued_count,
            "existing": len(report.existing),
            "refused": len(report.refused),
            "jobs": report_rows(report),
        }
        return Response(answer, status=status.HTTP_201_CREATED)

    @action(detail=True, methods=["post"], permission_classes=MAY_CHANGE)
    def cancel(self, request: Request, pk: str) -> Response:
        """Have nobody do the job, or refuse the result of who does; 409 when it is over."""
        job = self.get_object()
        is_cancelled = Job.objects.filter(pk=job.pk).cancel()
        job = self.get_object()
        if not is_cancelled:
            raise Conflict(f"the job is {job.status} and can no longer be cancelled")
        return Response(self.get_serializer(job).data)

    @action(detail=True, methods=["post"], permission_classes=MAY_CHANGE)
    def retry(self, request: Request, pk: str) -> Response:
        """Have a job that failed or was cancelled done after all; 409 when it cannot be."""
        job = self.get_object()
        if not Job.objects.requeue(job):
            job = self.get_object()
            raise Conflict(f"the job is {job.status}: it neither failed nor was cancelled")
        return Response(self.get_serializer(job).data)

    @action(detail=True)
    def position(self, request: Request, pk: str) -> Response:
        """Tell how many jobs go before this one (1 is next), and which worker would get it."""
        job = self.get_object()
        answer: dict[str, Any] = {
            "id": job.pk,
            "status": job.status,
            "queue_name": job.queue_name,
            "position": Job.objects.position(job),
            "worker": None,
            "reason": None,
        }
        if job.status in WAITING:
            try:
                worker = JobDispatcher().dispatch(job)
                answer["worker"] = self.shown_worker(worker)
            except (NoCapableWorker, UnknownJobType) as error:
                answer["reason"] = {"code": error.code, "message": str(error)}
        else:
            answer["reason"] = {"code": "not_waiting", "message": f"the job is {job.status}"}
        return Response(answer)

    def shown_worker(self, worker: Worker) -> dict[str, Any] | None:
        """Return what is told of the worker that would get a job."""
        return WorkerSerializer(worker).data
