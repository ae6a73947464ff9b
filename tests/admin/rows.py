"""A row of every model that the admin lists, as it is when there is much to show of it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import Model

from caching.backend import get_cache
from caching.models import CacheEntry
from caching.preview import entries_of
from jobs.models import BulkAction, Job, Worker
from monitoring.models import Metric
from processing.choices import Scope
from processing.models import (
    ApiKey,
    AuditEvent,
    ChunkTask,
    Document,
    Engine,
    ProcessingTask,
    Question,
    Recording,
    Topic,
    Transcript,
    Translation,
    Webhook,
    WebhookDelivery,
    Workspace,
)
from processing.workspaces.keys import issue_key
from tests.factories.jobs import JobFactory, WorkerFactory
from tests.factories.knowledge import (
    DocumentFactory,
    DocumentTopicFactory,
    QuestionFactory,
    TranslationFactory,
)
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    TranscriptFactory,
    WorkspaceFactory,
)
from tests.factories.webhooks import WebhookDeliveryFactory


def person() -> User:
    return User.objects.create_user(f"user-{uuid4().hex[:8]}")


def job() -> Job:
    workspace = WorkspaceFactory.create()
    return JobFactory.create(
        failed=True, workspace_id=workspace.pk, subject_id=uuid4(), created_by=person()
    )


def engine() -> Engine:
    name = f"engine-{uuid4().hex}"
    Engine.objects.record_failure(name, code="bad_answer", message="it was cut off")
    return Engine.objects.get(name=name)


def document() -> Document:
    document = DocumentFactory.create(spoken=True, created_by=person())
    DocumentTopicFactory.create(document=document)
    return document


def delivery() -> WebhookDelivery:
    return WebhookDeliveryFactory.create(delivered=True)


def api_key() -> ApiKey:
    workspace = WorkspaceFactory.create()
    key, _ = issue_key(workspace=workspace, user=person(), name="a program", scopes=[Scope.READ])
    return key


def audit_event() -> AuditEvent:
    return AuditEvent.objects.create(
        workspace=WorkspaceFactory.create(),
        actor_name="somebody",
        action="job.cancel",
        object_type="job",
        object_id=str(uuid4()),
        address="192.0.2.1",
    )


def cache_entry() -> CacheEntry:
    cache, key = get_cache(), f"transcript:{uuid4().hex}"
    cache.set(key, "a value", tags=[f"tag-{uuid4().hex}"])
    return entries_of(cache).get(key=cache.make_key(key))


def bulk_action() -> BulkAction:
    return BulkAction.objects.create(
        action="jobs.cancel", description="Cancel jobs", total_count=3, created_by=person()
    )


MAKERS: dict[type[Model], Callable[[], Any]] = {
    Job: job,
    BulkAction: bulk_action,
    Worker: WorkerFactory.create,
    Recording: lambda: (
        TranscriptFactory.create(
            completed=True,
            recording__created_by=person(),
            recording__workspace=WorkspaceFactory.create(),
        ).recording
    ),
    Transcript: lambda: TranscriptFactory.create(
        partial=True, recording__created_by=person(), recording__workspace=WorkspaceFactory.create()
    ),
    ProcessingTask: lambda: ProcessingTaskFactory.create(processing=True),
    ChunkTask: lambda: ChunkTaskFactory.create(failed=True),
    Document: document,
    Topic: lambda: DocumentTopicFactory.create().topic,
    Question: lambda: QuestionFactory.create(completed=True, created_by=person()),
    Translation: lambda: TranslationFactory.create(completed=True, created_by=person()),
    Engine: engine,
    Webhook: lambda: delivery().webhook,
    WebhookDelivery: delivery,
    ApiKey: api_key,
    AuditEvent: audit_event,
    Workspace: WorkspaceFactory.create,
    CacheEntry: cache_entry,
    User: person,
    Group: lambda: Group.objects.create(name=f"group-{uuid4().hex[:8]}"),
}
#: Metrics have a page in the place of a list.
LISTED: list[type[Model]] = [model for model in admin.site._registry if model is not Metric]


def maker_of(model: type[Model]) -> Callable[[], Any]:
    return MAKERS[model]
