"""PostgreSQL itself keeps requests in their workspace: the policies, and who is under them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from functools import partial
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import DatabaseError, ProgrammingError, connection, models, transaction
from django.http import StreamingHttpResponse
from django.urls import include, path
from django.utils import timezone
from psycopg.errors import FeatureNotSupported, InsufficientPrivilege, UniqueViolation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from config.api import router
from jobs.models import BulkAction, BulkActionItem, JobDependency
from processing.api.access import OfWorkspace
from processing.choices import Role
from processing.knowledge.searching import embeddings
from processing.knowledge.searching.candidates import limited
from processing.models import (
    ApiKey,
    AuditEvent,
    DocumentVersion,
    IdempotencyKey,
    Membership,
    Passage,
    Recording,
    ResumableUpload,
    Topic,
    Webhook,
    WebhookDelivery,
    Workspace,
    WorkspaceUsage,
)
from processing.workspaces.keys import issue_key
from processing.workspaces.policies import APPS, ROLE, SHARED, disabling, enabling, rules, run
from processing.workspaces.row_security import as_owner, as_tenant
from tests.factories.audio import wav_bytes
from tests.factories.jobs import JobFactory
from tests.factories.knowledge import (
    DocumentFactory,
    DocumentLinkFactory,
    DocumentTopicFactory,
    PassageFactory,
    QuestionFactory,
    SummaryFactory,
    TopicFactory,
    TranslationFactory,
)
from tests.factories.processing import (
    ChunkTaskFactory,
    ProcessingTaskFactory,
    RecordingFactory,
    TranscriptFactory,
    WorkspaceFactory,
)

pytestmark = pytest.mark.django_db

Make = Callable[[Workspace], Any]
#: table -> a row of one workspace, and one of another.
Pairs = dict[str, tuple[Any, Any]]
Refusal = tuple[type[Any], bool]


def user() -> User:
    return User.objects.create(username=uuid4().hex)


def a_key(workspace: Workspace) -> ApiKey:
    key, _ = issue_key(workspace=workspace, user=user(), name="a program", scopes=["read"])
    return key


def a_webhook(workspace: Workspace) -> Webhook:
    return Webhook.objects.create(
        workspace=workspace, url="https://example.org/", events=["transcript.completed"]
    )


def a_transcript(workspace: Workspace) -> Any:
    return TranscriptFactory.create(recording__workspace=workspace)


def a_job(workspace: Workspace) -> Any:
    return JobFactory.create(workspace_id=workspace.pk)


def a_bulk_action(workspace: Workspace) -> Any:
    return BulkAction.objects.create(
        action="jobs.cancel", description="Cancel jobs", workspace_id=workspace.pk
    )


def a_document(workspace: Workspace) -> Any:
    return DocumentFactory.create(workspace=workspace)


#: table -> what makes a row of it in a workspace.
MAKERS: dict[str, Make] = {
    "api_keys": a_key,
    "audit_events": lambda w: AuditEvent.objects.create(workspace=w, action="recording.create"),
    "bulk_action_items": lambda w: BulkActionItem.objects.create(
        bulk_action=a_bulk_action(w), object_id="1"
    ),
    "bulk_actions": a_bulk_action,
    "chunk_tasks": lambda w: ChunkTaskFactory.create(
        processing__transcript__recording__workspace=w
    ),
    "document_links": lambda w: DocumentLinkFactory.create(
        source=a_document(w), target=a_document(w)
    ),
    "document_topics": lambda w: DocumentTopicFactory.create(
        document=a_document(w), topic=TopicFactory.create(workspace=w)
    ),
    "document_versions": lambda w: DocumentVersion.objects.create(document=a_document(w), number=1),
    "documents": a_document,
    "idempotency_keys": lambda w: IdempotencyKey.objects.create(
        workspace=w, user=user(), key="k", fingerprint="f", locked_until=timezone.now()
    ),
    "job_dependencies": lambda w: JobDependency.objects.create(
        job=JobFactory.create(workspace_id=w.pk, blocked=True), depends_on=a_job(w)
    ),
    "memberships": lambda w: Membership.objects.create(workspace=w, user=user()),
    "passages": lambda w: PassageFactory.create(document__workspace=w),
    "processing_jobs": a_job,
    "processing_tasks": lambda w: ProcessingTaskFactory.create(transcript__recording__workspace=w),
    "questions": lambda w: QuestionFactory.create(workspace=w),
    "recordings": lambda w: RecordingFactory.create(workspace=w),
    "resumable_uploads": lambda w: ResumableUpload.objects.create(
        workspace=w, length_bytes=1, file=uuid4().hex, expires_at=timezone.now()
    ),
    "summaries": lambda w: SummaryFactory.create(document__workspace=w),
    "topics": lambda w: TopicFactory.create(workspace=w),
    "transcripts": a_transcript,
    "translations": lambda w: TranslationFactory.create(
        document__transcript__recording__workspace=w
    ),
    "webhook_deliveries": lambda w: WebhookDelivery.objects.create(
        webhook=a_webhook(w), queue_name="webhooks", event="transcript.completed"
    ),
    "webhooks": a_webhook,
    "workspace_usage": lambda w: WorkspaceUsage.objects.create(
        workspace=w, month=timezone.now().date().replace(day=1)
    ),
    "workspaces": lambda w: w,
}
OF_A_WORKSPACE = sorted(
    model._meta.db_table
    for app in APPS
    for model in apps.get_app_config(app).get_models(include_auto_created=True)
    if model._meta.db_table not in SHARED
)

#: What a policy refuses, as ``refusal`` has it.
BY_POLICY = (InsufficientPrivilege, True)


@pytest.fixture(scope="module", autouse=True)
def _policies(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        run(enabling())
        yield
        run(disabling())


@pytest.fixture
def mine() -> Workspace:
    return WorkspaceFactory.create()


@pytest.fixture
def other() -> Workspace:
    return WorkspaceFactory.create()


def refusal(error: BaseException) -> Refusal:
    """Return the kind of a refusal, and whether it was a policy's."""
    return type(error.__cause__), "row-level security" in str(error)


@pytest.fixture
def rows(mine: Workspace, other: Workspace) -> Pairs:
    """Make two rows of each table, of ``mine`` and of another workspace."""
    return {table: (make(mine), make(other)) for table, make in MAKERS.items()}


def every(value: Any) -> dict[str, Any]:
    return dict.fromkeys(MAKERS, value)


def itself(row: models.Model) -> "models.QuerySet[Any]":
    return type(row)._base_manager.filter(pk=row.pk)


def pks_among(pair: tuple[Any, Any]) -> list[Any]:
    found = type(pair[0])._base_manager.filter(pk__in=[row.pk for row in pair])
    return list(found.values_list("pk", flat=True))


def give_away(row: models.Model, foreign: models.Model) -> None:
    itself(row).update(**whose(foreign))


def insert(row: models.Model) -> None:
    models.Model.save_base(row, force_insert=True, raw=True)


def whose(row: models.Model) -> dict[str, Any]:
    """Return the columns of a row that say whose it is, with what they say."""
    columns = {"workspace_id", "job_id", "webhook_id"} & {
        field.attname for field in row._meta.concrete_fields
    }
    if not columns:
        columns = {
            field.attname
            for field in row._meta.concrete_fields
            if field.is_relation and field.related_model is not User
        }
    return {name: getattr(row, name) for name in columns or {"name"}}


def refusal_of(change: Callable[[], Any]) -> Refusal | None:
    """Return the kind of error a change ends with, and whether it was a policy's; None if none."""
    try:
        with transaction.atomic():
            change()
    except DatabaseError as error:
        return refusal(error)
    return None


def role_and_workspace() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('role'), current_setting('longhand.workspace', true)"
        )
        role, workspace = cursor.fetchone()
    return role, workspace or ""


# Every table


def test_every_table_has_a_rule_and_a_row_to_try_it_on() -> None:
    assert sorted(MAKERS) == OF_A_WORKSPACE
    assert {table for table, rule in rules().items() if not rule.condition} == SHARED.keys()


def test_everything_is_in_place_once_enabled() -> None:
    assert enabling() == []


def test_rows_of_the_workspace_are_seen_and_no_others(rows: Pairs, mine: Workspace) -> None:
    with as_tenant(mine.pk):
        seen = {table: pks_among(pair) for table, pair in rows.items()}

    assert {table: len(pks_among(pair)) for table, pair in rows.items()} == every(2)
    assert seen == {table: [row.pk] for table, (row, _) in rows.items()}


def test_nothing_is_seen_of_no_workspace(rows: Pairs, mine: Workspace) -> None:
    with as_tenant(mine.pk), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('longhand.workspace', '', true)")
        seen = {table: pks_among(pair) for table, pair in rows.items()}

    assert seen == every([])


def test_rows_of_another_workspace_are_not_changed(rows: Pairs, mine: Workspace) -> None:
    with as_tenant(mine.pk):
        changed = {table: itself(row).update(**whose(row)) for table, (_, row) in rows.items()}

    assert changed == every(0)


def test_rows_of_another_workspace_are_not_deleted(rows: Pairs, mine: Workspace) -> None:
    with as_tenant(mine.pk):
        deleted = {table: itself(row)._raw_delete("default") for table, (_, row) in rows.items()}

    assert deleted == every(0)


def test_rows_of_the_workspace_are_changed(rows: Pairs, mine: Workspace) -> None:
    with as_tenant(mine.pk):
        changed = {table: itself(row).update(**whose(row)) for table, (row, _) in rows.items()}

    assert changed == every(1)


def test_rows_are_not_given_to_another_workspace(rows: Pairs, mine: Workspace) -> None:
    del rows["workspaces"]  # which belongs to nobody else

    with as_tenant(mine.pk):
        refusals = {table: refusal_of(partial(give_away, *pair)) for table, pair in rows.items()}

    assert refusals == dict.fromkeys(rows, BY_POLICY)


def test_rows_of_another_workspace_are_not_inserted(rows: Pairs, mine: Workspace) -> None:
    with as_tenant(mine.pk):
        refusals = {table: refusal_of(partial(insert, row)) for table, (_, row) in rows.items()}

    assert refusals == every(BY_POLICY)


def test_rows_of_the_workspace_are_inserted(rows: Pairs, mine: Workspace) -> None:
    with as_tenant(mine.pk):
        refusals = {table: refusal_of(partial(insert, row)) for table, (row, _) in rows.items()}

    # It is there already: that is what the database says, once the policy lets it through.
    assert refusals == every((UniqueViolation, False))


#: What may be read of a table, where it is not all.
COLUMNS = {"cache_entries": "key, tags"}


@pytest.mark.parametrize("table", sorted(SHARED))
def test_shared_tables_are_read_and_not_changed(table: str, mine: Workspace) -> None:
    with as_tenant(mine.pk), connection.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS.get(table, '*')} FROM {table}")  # noqa: S608  our own names

    with (
        pytest.raises(ProgrammingError) as raised,
        as_tenant(mine.pk),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"DELETE FROM {table}")  # noqa: S608  our own names

    assert refusal(raised.value) == (InsufficientPrivilege, False)


@pytest.mark.parametrize("secret", ["cache_entries", "cache_tags", "django_session"])
def test_what_is_neither_of_a_workspace_nor_shared_cannot_be_read(
    mine: Workspace, secret: str
) -> None:
    with (
        pytest.raises(ProgrammingError) as raised,
        as_tenant(mine.pk),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SELECT * FROM {secret}")  # noqa: S608  our own names

    assert refusal(raised.value) == (InsufficientPrivilege, False)


def test_vectors_of_passages_are_of_a_workspace_where_there_are_any(
    mine: Workspace, other: Workspace
) -> None:
    passages = [PassageFactory.create(document__workspace=each) for each in (mine, other)]
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
        cursor.execute(embeddings._TABLE)
        run(enabling())
        for passage in passages:
            cursor.execute(
                "INSERT INTO passage_embeddings VALUES (%s, 'v', %s, '[1]')",
                [passage.pk, passage.workspace_id],
            )

    with as_tenant(mine.pk), connection.cursor() as cursor:
        cursor.execute("SELECT passage_id FROM passage_embeddings")
        seen = cursor.fetchall()

    assert seen == [(passages[0].pk,)]


# Transactions


@pytest.mark.django_db(transaction=True)
def test_single_statements_are_of_the_workspace_and_leave_nothing_behind(
    mine: Workspace, other: Workspace
) -> None:
    RecordingFactory.create(workspace=mine)
    RecordingFactory.create(workspace=other)

    with as_tenant(mine.pk):
        within = role_and_workspace()
        seen = Recording.objects.count()

    assert within[0].startswith("longhand_tenant_")
    assert (within[1], seen) == (str(mine.pk), 1)
    assert role_and_workspace() == ("none", "")
    assert Recording.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_transaction_is_of_the_workspace_after_a_savepoint_was_given_up(mine: Workspace) -> None:
    with as_tenant(mine.pk), transaction.atomic():
        with suppress(KeyError), transaction.atomic():
            Topic.objects.create(workspace=mine, name="rivers", slug="rivers")
            raise KeyError
        within = role_and_workspace()

    assert within == (within[0], str(mine.pk))
    assert within[0] != "none"
    assert not Topic.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_waits_for_the_commit_is_of_the_workspace(mine: Workspace) -> None:
    told = []

    with as_tenant(mine.pk), transaction.atomic():
        transaction.on_commit(lambda: told.append(role_and_workspace()[1]))

    assert told == [str(mine.pk)]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_behind_by_a_statement_that_fails(mine: Workspace) -> None:
    with suppress(ProgrammingError), as_tenant(mine.pk), connection.cursor() as cursor:
        cursor.execute("SELECT no_such_column")

    assert role_and_workspace() == ("none", "")


@pytest.mark.django_db(transaction=True)
def test_rows_that_are_fetched_some_at_a_time_are_of_the_workspace(
    mine: Workspace, other: Workspace
) -> None:
    topic = TopicFactory.create(workspace=mine)
    TopicFactory.create(workspace=other)

    with as_tenant(mine.pk):
        seen = list(Topic.objects.iterator(chunk_size=1))

    assert seen == [topic]


@pytest.mark.django_db(transaction=True)
def test_statements_that_are_run_many_times_are_of_the_workspace(
    mine: Workspace, other: Workspace
) -> None:
    topics = [TopicFactory.create(workspace=mine), TopicFactory.create(workspace=other)]

    with as_tenant(mine.pk), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE topics SET name = 'changed' WHERE id = %s", [[topic.pk] for topic in topics]
        )

    assert [*Topic.objects.filter(name="changed")] == [topics[0]]


def test_copy_is_refused(mine: Workspace) -> None:
    with (
        pytest.raises(FeatureNotSupported),
        as_tenant(mine.pk),
        transaction.atomic(),
        connection.cursor() as cursor,
        cursor.copy("COPY topics (workspace_id, name, slug) FROM STDIN") as copy,
    ):
        copy.write_row((mine.pk, "rivers", "rivers"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("around", [nullcontext, transaction.atomic], ids=["alone", "together"])
def test_the_owner_sees_all_for_a_while(
    around: Callable[[], Any], mine: Workspace, other: Workspace
) -> None:
    TopicFactory.create(workspace=mine)
    TopicFactory.create(workspace=other)

    with as_tenant(mine.pk), around():
        with as_owner():
            first = Topic.objects.count()
        second = Topic.objects.count()
        with as_owner(), as_owner():
            third = Topic.objects.count()
        fourth = Topic.objects.count()

    assert (first, second, third, fourth) == (2, 1, 2, 1)


def test_as_the_owner_everybody_else_stays_what_they_are(mine: Workspace) -> None:
    with as_owner():
        assert role_and_workspace() == ("none", "")


@pytest.mark.django_db(transaction=True)
def test_the_owner_who_fails_leaves_the_workspace_as_it_was(
    mine: Workspace, other: Workspace
) -> None:
    TopicFactory.create(workspace=other)

    with as_tenant(mine.pk), transaction.atomic():
        with suppress(KeyError), transaction.atomic(), as_owner():
            raise KeyError
        seen = Topic.objects.count()

    assert seen == 0


# Requests


class ForgetfulView(OfWorkspace, APIView):
    """A view that does not filter at all."""

    action = None

    def get(self, request: Request) -> Response:
        return Response({"count": Recording.objects.count()})

    def delete(self, request: Request) -> Response:
        Recording.objects.all().delete()
        return Response()

    def patch(self, request: Request) -> Response:
        raise ZeroDivisionError


class TellingView(OfWorkspace, APIView):
    """A view that answers bit by bit."""

    action = None

    def get(self, request: Request) -> StreamingHttpResponse:
        return StreamingHttpResponse(
            f"{Recording.objects.count()} {role_and_workspace()[1]}\n" for _ in range(2)
        )


urlpatterns = [
    path("forgetful", ForgetfulView.as_view()),
    path("telling", TellingView.as_view()),
    path("api/v1/", include("config.api")),
]
with_forgetful_views = pytest.mark.urls(__name__)


@pytest.fixture
def program(settings: Any, mine: Workspace) -> APIClient:
    """A program of somebody who manages ``mine``, of an installation that has it switched on."""
    settings.ROW_LEVEL_SECURITY = True
    membership = Membership.objects.create(workspace=mine, user=user(), role=Role.MANAGER)
    scopes = ["read", "write", "manage"]
    _, token = issue_key(workspace=mine, user=membership.user, name="program", scopes=scopes)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.mark.django_db(transaction=True)
@with_forgetful_views
def test_a_view_that_forgets_to_filter_shows_nothing_of_others(
    program: APIClient, mine: Workspace, other: Workspace
) -> None:
    RecordingFactory.create(workspace=mine)
    RecordingFactory.create(workspace=other)

    answer = program.get("/forgetful")

    assert answer.json() == {"count": 1}
    assert role_and_workspace() == ("none", "")
    assert connection.execute_wrappers == []


@with_forgetful_views
def test_a_view_that_forgets_to_filter_deletes_nothing_of_others(
    program: APIClient, mine: Workspace, other: Workspace
) -> None:
    RecordingFactory.create(workspace=mine)
    foreign = RecordingFactory.create(workspace=other)

    program.delete("/forgetful")

    assert [*Recording.objects.all()] == [foreign]


@with_forgetful_views
def test_without_the_setting_nothing_looks_after_a_forgetful_view(
    program: APIClient, settings: Any, other: Workspace
) -> None:
    settings.ROW_LEVEL_SECURITY = False
    RecordingFactory.create(workspace=other)

    assert program.get("/forgetful").json() == {"count": 1}


@pytest.mark.django_db(transaction=True)
@with_forgetful_views
def test_nothing_is_left_behind_by_a_view_that_fails(program: APIClient) -> None:
    assert program.patch("/forgetful").status_code == 500
    assert role_and_workspace() == ("none", "")
    assert connection.execute_wrappers == []


@pytest.mark.django_db(transaction=True)
@with_forgetful_views
def test_a_stream_is_of_the_workspace_while_it_is_told(
    program: APIClient, mine: Workspace, other: Workspace
) -> None:
    RecordingFactory.create(workspace=mine)
    RecordingFactory.create(workspace=other)
    answer: Any = program.get("/telling")
    parts = iter(answer.streaming_content)

    first = next(parts)

    assert first.decode() == f"1 {mine.pk}\n"
    assert connection.execute_wrappers == []
    assert [part.decode() for part in parts] == [f"1 {mine.pk}\n"]


@pytest.mark.django_db(transaction=True)
def test_uploading_reading_and_deleting_work(program: APIClient, mine: Workspace) -> None:
    content = wav_bytes()
    file = SimpleUploadedFile("meeting.wav", content)

    uploaded = program.post("/api/v1/recordings/", {"file": file}).json()
    listed = program.get("/api/v1/recordings/").json()
    transcript = program.get(uploaded["transcript"]["links"]["self"]).json()
    cancelled = program.post(uploaded["transcript"]["links"]["cancel"])
    jobs = program.get("/api/v1/jobs/").json()
    deleted = program.delete(f"/api/v1/recordings/{uploaded['id']}/")

    assert uploaded["sha256"] == hashlib.sha256(content).hexdigest()
    assert [item["id"] for item in listed["items"]] == [uploaded["id"]]
    assert transcript["recording"] == uploaded["id"]
    assert cancelled.json()["status"] == "CANCELLED"
    assert len(jobs["items"]) == 1
    assert deleted.status_code == 204
    assert not Recording.objects.exists()


def test_correcting_and_versions_work(program: APIClient, mine: Workspace) -> None:
    transcript = TranscriptFactory.create(recording__workspace=mine, completed=True)
    DocumentFactory.create(transcript=transcript)
    address = f"/api/v1/transcripts/{transcript.pk}"
    changes = {"version": 1, "changes": [{"segment": 0, "text": "so was it"}]}

    corrected = program.post(f"{address}/corrections/", changes, format="json")
    versions = program.get(f"{address}/versions/")

    assert corrected.status_code in (200, 201), corrected.content
    assert versions.json()["items"]


def test_searching_and_asking_find_what_is_of_the_workspace(
    program: APIClient, mine: Workspace, other: Workspace
) -> None:
    passage = PassageFactory.create(document__workspace=mine, text="the river rises in the hills")
    PassageFactory.create(document__workspace=other, text="the river rises in the hills")

    found = program.get("/api/v1/search/", {"q": "river hills"})
    asked = program.post("/api/v1/questions/", {"text": "Where does it rise?"}, format="json")

    assert [hit["document"] for hit in found.json()["items"]] == [str(passage.document_id)]
    assert asked.status_code == 202
    assert program.get(asked.json()["links"]["self"]).status_code == 200


def test_documents_topics_and_summaries_are_listed(program: APIClient, mine: Workspace) -> None:
    document = DocumentFactory.create(workspace=mine)
    SummaryFactory.create(document=document, completed=True)
    DocumentTopicFactory.create(document=document, topic=TopicFactory.create(workspace=mine))

    answers = [
        program.get("/api/v1/documents/"),
        program.get("/api/v1/topics/"),
        program.get(f"/api/v1/documents/{document.pk}/summaries/"),
    ]

    assert [len(answer.json()["items"]) for answer in answers] == [1, 1, 1]


@pytest.mark.parametrize("address", ["recordings", "transcripts", "documents"])
def test_what_is_of_another_workspace_is_not_found(
    program: APIClient, other: Workspace, address: str
) -> None:
    foreign = MAKERS[address](other)

    assert program.get(f"/api/v1/{address}/{foreign.pk}/").status_code == 404


@pytest.mark.parametrize("is_superuser", [False, True], ids=["member", "superuser"])
def test_every_list_is_answered(program: APIClient, is_superuser: bool) -> None:
    User.objects.update(is_superuser=is_superuser, is_staff=is_superuser)
    lists = [prefix for prefix, *_ in router.registry if "(" not in prefix]

    statuses = {prefix: program.get(f"/api/v1/{prefix}/").status_code for prefix in lists}

    assert {prefix for prefix, status in statuses.items() if status >= 500} == set()
    assert list(statuses.values()).count(200) >= 10


# The command


def test_dry_run_prints_what_would_be_done_and_does_nothing() -> None:
    out = StringIO()

    call_command("row_level_security", "disable", dry_run=True, stdout=out)

    assert 'ALTER TABLE "recordings" DISABLE ROW LEVEL SECURITY;' in out.getvalue()
    assert enabling() == []


def test_disabling_takes_everything_away_and_enabling_puts_it_back() -> None:
    call_command("row_level_security", "disable", stdout=StringIO())
    without = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("row_level_security", "status", stdout=without)
    again = StringIO()
    call_command("row_level_security", "enable", stdout=StringIO())
    call_command("row_level_security", "enable", stdout=again)

    assert ended.value.code == 1
    assert without.getvalue().count("MISSING") == len(rules())
    assert again.getvalue() == "Nothing was to be done.\n"
    call_command("row_level_security", "status", stdout=StringIO())


def test_a_policy_that_was_taken_away_is_put_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP POLICY longhand_workspace ON recordings")

    assert [step.subject for step in enabling()] == ["recordings"]


def test_searches_go_by_their_index(mine: Workspace) -> None:
    PassageFactory.create(document__workspace=mine)

    with as_tenant(mine.pk), limited(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off")  # so few rows any index will do for
        plan = Passage.objects.in_workspace(mine).matching("'river'").explain()

    assert "passage_search_idx" in plan


def test_a_role_that_was_there_before_gets_what_it_lacks() -> None:
    with connection.cursor() as cursor:
        cursor.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC, " + role_of_requests())

    steps = enabling()

    assert [step.subject for step in steps] == [role_of_requests()]
    run(steps)
    assert enabling() == []


def role_of_requests() -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {ROLE}")
        return str(cursor.fetchone()[0])


def test_lists_are_found_by_their_index(mine: Workspace) -> None:
    with as_tenant(mine.pk), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        plan = Recording.objects.order_by("-created_at", "-id")[:20].explain(format="json")
        of_mine = Recording.objects.in_workspace(mine).order_by("-created_at", "-id")[:20]
        narrow = of_mine.explain(format="json")

    names = [json.loads(each)[0]["Plan"]["Plans"][0].get("Index Name") for each in (plan, narrow)]
    assert names[0] == "recording_list_idx"
