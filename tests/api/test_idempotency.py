"""``Idempotency-Key``: what is asked for twice is done once, and answered twice."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest
from django.utils import timezone
from rest_framework import serializers
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIClient, APIRequestFactory, force_authenticate
from rest_framework.viewsets import ViewSet

from processing.api.access import OfWorkspace
from processing.api.idempotency import idempotent
from processing.choices import Role
from processing.models import IdempotencyKey, Membership, Topic, Workspace
from processing.uploads import HashingUploadHandler
from tests.concurrency.threads import at_once
from tests.factories.audio import wav_bytes
from tests.factories.processing import WorkspaceFactory

pytestmark = pytest.mark.django_db

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


class NameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(required=False)
    file = serializers.FileField(required=False)


class Breakdown(Exception):
    """What nobody expects."""


class TopicViewSet(OfWorkspace, ViewSet):
    """Makes a topic for each request, after what ``meanwhile`` says that happens."""

    parser_classes = [JSONParser, MultiPartParser]
    meanwhile: Callable[[], object] = staticmethod(lambda: None)
    cache_control = ""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        request.upload_handlers = [HashingUploadHandler(request)]
        return super().initialize_request(request, *args, **kwargs)

    @idempotent
    def create(self, request: Request) -> Response:
        asked = NameSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        topic = Topic.objects.create(
            workspace=self.workspace, name=asked.validated_data.get("name", ""), slug=uuid4().hex
        )
        self.meanwhile()
        headers = {"Location": f"/topics/{topic.pk}/"}
        if self.cache_control:
            headers["Cache-Control"] = self.cache_control
        return Response({"name": topic.name, "id": topic.pk}, status=201, headers=headers)


class OperatorViewSet(TopicViewSet):
    """The same for operators, who need not be in any workspace."""

    permission_classes = [IsAdminUser]

    @property
    def workspace(self) -> Workspace:
        return Workspace.objects.default()


def post(
    user: User,
    body: object = None,
    *,
    viewset: type[ViewSet] = TopicViewSet,
    key: str | None = KEY,
    path: str = "/topics/",
    workspace: str = "",
    form: str = "json",
    **options: Any,
) -> Any:
    """Post a body as ``user`` to a viewset with ``options``, and return the rendered answer."""
    headers = {"Longhand-Workspace": workspace} if workspace else {}
    if key is not None:
        headers["Idempotency-Key"] = key
    request = APIRequestFactory().post(path, body or {"name": "a"}, format=form, headers=headers)
    force_authenticate(request, user)
    return viewset.as_view({"post": "create"}, **options)(request).render()


def assert_problem(response: Any, status: int, code: str) -> None:
    assert (response.status_code, response.data["code"]) == (status, code)


def a_file(content: bytes) -> dict[str, Any]:
    return {"file": SimpleUploadedFile("meeting.wav", content)}


def test_without_a_key_each_request_is_done(admin_user: User) -> None:
    post(admin_user, key=None)
    post(admin_user, key=None)

    assert Topic.objects.count() == 2
    assert not IdempotencyKey.objects.exists()


def test_same_request_with_the_same_key_is_done_once_and_answered_alike(admin_user: User) -> None:
    first = post(admin_user)

    again = post(admin_user)

    assert Topic.objects.count() == 1
    assert (again.status_code, again.content) == (201, first.content)
    assert again["Location"] == first["Location"]
    assert again["Content-Type"] == first["Content-Type"]
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first


def test_another_key_is_another_request(admin_user: User) -> None:
    post(admin_user, key="a")
    post(admin_user, key="b")

    assert Topic.objects.count() == 2


def test_order_of_members_does_not_make_another_request(admin_user: User) -> None:
    first = post(admin_user, {"name": "a", "more": {"b": 1, "c": 2}})

    again = post(admin_user, {"more": {"c": 2, "b": 1}, "name": "a"})

    assert again.content == first.content


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"body": {"name": "b"}}, id="body"),
        pytest.param({"path": "/documents/"}, id="path"),
        pytest.param({"path": "/topics/?expand=all"}, id="query"),
        pytest.param({"form": "multipart", "body": {"name": "b"}}, id="form"),
        pytest.param({"form": "multipart", "body": a_file(b"two")}, id="file"),
    ],
)
def test_key_of_another_request_is_refused(admin_user: User, other: dict[str, Any]) -> None:
    post(admin_user)

    answer = post(admin_user, **other)

    assert_problem(answer, 422, "idempotency_key_reused")
    assert Topic.objects.count() == 1


def test_same_file_is_the_same_request(admin_user: User) -> None:
    first = post(admin_user, a_file(b"one"), form="multipart")

    again = post(admin_user, a_file(b"one"), form="multipart")

    assert again.content == first.content
    assert Topic.objects.count() == 1


def test_other_content_under_the_same_name_is_another_request(admin_user: User) -> None:
    post(admin_user, a_file(b"one"), form="multipart")

    answer = post(admin_user, a_file(b"two"), form="multipart")

    assert_problem(answer, 422, "idempotency_key_reused")


def test_recording_that_is_sent_twice_is_answered_as_at_first(
    api: APIClient, upload: Callable[..., Any]
) -> None:
    api.credentials(HTTP_IDEMPOTENCY_KEY=KEY)

    first, again = upload(wav_bytes()), upload(wav_bytes())
    other = upload(wav_bytes(frequency=300.0))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert_problem(other, 422, "idempotency_key_reused")


def test_same_key_of_another_person_is_another_key(
    admin_user: User, django_user_model: type[User]
) -> None:
    editor = django_user_model.objects.create_user("editor")
    workspace = Workspace.objects.default()
    Membership.objects.create(workspace=workspace, user=editor, role=Role.EDITOR)

    answers = [post(admin_user), post(editor)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert Topic.objects.count() == 2


def test_same_key_in_another_workspace_is_another_key(admin_user: User) -> None:
    other = WorkspaceFactory.create()

    post(admin_user)
    post(admin_user, workspace=other.slug)

    assert Topic.objects.count() == 2


def test_refused_request_leaves_its_key_to_the_corrected_one(admin_user: User) -> None:
    refused = post(admin_user, {"name": ""})

    answer = post(admin_user, {"name": "a"})

    assert (refused.status_code, answer.status_code) == (400, 201)


def test_request_that_failed_is_done_when_it_comes_again(admin_user: User) -> None:
    def break_down() -> None:
        raise Breakdown

    with pytest.raises(Breakdown):
        post(admin_user, meanwhile=break_down)
    answer = post(admin_user)

    assert answer.status_code == 201
    assert Topic.objects.count() == 1


def test_second_request_is_told_to_come_again_while_the_first_is_under_way(
    admin_user: User,
) -> None:
    second: list[Any] = []

    first = post(admin_user, meanwhile=lambda: second.append(post(admin_user)))

    assert first.status_code == 201
    assert_problem(second[0], 409, "idempotency_key_in_use")
    assert second[0]["Retry-After"] == "1"
    assert Topic.objects.count() == 1


def test_key_of_a_request_that_died_is_taken_over(admin_user: User) -> None:
    workspace = Workspace.objects.default()
    IdempotencyKey.objects.claim(workspace=workspace, user=admin_user, key=KEY, fingerprint="f")
    IdempotencyKey.objects.update(locked_until=timezone.now() - timedelta(minutes=1))

    answer = post(admin_user)

    assert answer.status_code == 201
    assert post(admin_user).content == answer.content


@pytest.mark.django_db(transaction=True)
def test_request_that_was_presumed_dead_leaves_nothing_behind(admin_user: User) -> None:
    def succeed() -> Any:
        IdempotencyKey.objects.update(locked_until=timezone.now())
        return post(admin_user, {"name": "successor"})

    slow = post(admin_user, {"name": "slow"}, meanwhile=lambda: at_once([succeed]))

    assert_problem(slow, 409, "idempotency_key_in_use")
    assert [topic.name for topic in Topic.objects.all()] == ["successor"]
    assert post(admin_user, {"name": "successor"})["Idempotency-Replayed"] == "true"


def test_key_is_as_good_as_new_after_a_day(admin_user: User) -> None:
    post(admin_user)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))

    answer = post(admin_user, {"name": "b"})

    assert answer.status_code == 201
    assert post(admin_user, {"name": "b"}).content == answer.content


def test_keys_are_purged_after_a_day(admin_user: User) -> None:
    post(admin_user, key="old")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    post(admin_user, key="new")

    assert IdempotencyKey.objects.purge() == 1
    assert IdempotencyKey.objects.get().key == "new"


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("", id="empty"),
        pytest.param("k" * 256, id="too long"),
        pytest.param("two words", id="a space"),
        pytest.param("schlüssel", id="no ASCII"),
    ],
)
def test_key_that_is_none_is_refused(admin_user: User, key: str) -> None:
    answer = post(admin_user, key=key)

    assert_problem(answer, 400, "invalid_idempotency_key")
    assert not Topic.objects.exists()


def test_longest_key_is_one(admin_user: User) -> None:
    assert post(admin_user, key="k" * 255).status_code == 201


def test_answer_that_is_not_to_be_stored_is_not_given_again(admin_user: User) -> None:
    first = post(admin_user, cache_control="no-store")

    again = post(admin_user, cache_control="no-store")

    assert first.status_code == 201
    assert_problem(again, 409, "idempotency_answer_not_kept")
    assert IdempotencyKey.objects.get().body is None
    assert Topic.objects.count() == 1


def test_operator_who_is_in_no_workspace_may_use_keys(django_user_model: type[User]) -> None:
    operator = django_user_model.objects.create_user("operator", is_staff=True)

    first = post(operator, viewset=OperatorViewSet)
    again = post(operator, viewset=OperatorViewSet)

    assert (again.status_code, again.content) == (201, first.content)
    assert Topic.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_equal_requests_at_once_are_done_once(admin_user: User) -> None:
    Workspace.objects.default()

    answers = at_once([partial(post, admin_user)] * 4)

    kinds = sorted({answer.status_code for answer in answers})
    assert kinds in ([201], [201, 409])
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert Topic.objects.count() == 1
