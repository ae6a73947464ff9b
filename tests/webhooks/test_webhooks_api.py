"""Webhooks through the API: for managers of their workspace, and for nobody else."""

from typing import Any
from uuid import uuid4

import pytest
import standardwebhooks
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from jobs.choices import JobStatus
from processing.choices import Role, WebhookEvent
from processing.models import Membership, Webhook, WebhookDelivery, Workspace
from processing.webhooks.signing import secret_of
from tests.api.test_recordings import assert_problem
from tests.factories.processing import WorkspaceFactory
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.providers.server import Provider
from tests.queries import queries_of
from tests.webhooks.conftest import only, verified, work

pytestmark = pytest.mark.django_db

WEBHOOKS = "/api/v1/webhooks/"
CHOSEN = ["transcript.completed", "transcript.failed"]


@pytest.fixture
def api(manager: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(manager)
    return client


@pytest.fixture
def editor_api(db: None) -> APIClient:
    editor = User.objects.create_user("emil")
    workspace = Workspace.objects.default()
    Membership.objects.create(workspace=workspace, user=editor, role=Role.EDITOR)
    client = APIClient()
    client.force_authenticate(editor)
    return client


def post(api: APIClient, path: str = "", **body: Any) -> Any:
    return api.post(f"{WEBHOOKS}{path}", body, format="json")


def created(api: APIClient, receiver: Provider, **changes: Any) -> Any:
    return post(api, **({"url": receiver.url, "events": CHOSEN} | changes))


# Made and changed


def test_webhook_is_made_and_says_its_secret_once(
    api: APIClient, receiver: Provider, manager: User
) -> None:
    response = created(api, receiver, description="to the archive")

    webhook = Webhook.objects.get()
    body = response.json()
    detail = api.get(f"{WEBHOOKS}{webhook.pk}/").json()
    assert response.status_code == 201
    assert response["Location"] == body["links"]["self"]
    assert body["secret"] == secret_of(webhook)
    assert (body["url"], body["events"]) == (receiver.url, CHOSEN)
    assert (body["is_paused"], body["last_delivery"]) == (False, None)
    assert webhook.created_by == manager
    assert "secret" not in detail
    assert body["secret"] not in str(api.get(WEBHOOKS).json()) + str(detail)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("http://localhost:{port}/", "only https URLs", id="plain http"),
        pytest.param("https://localhost:{port}/", "not on the public internet", id="by a name"),
        pytest.param("https://127.0.0.1:{port}/", "not on the public internet", id="loopback"),
        pytest.param("https://169.254.169.254/", "not on the public internet", id="metadata"),
        pytest.param("https://[::ffff:10.0.0.1]/", "not on the public internet", id="mapped"),
        pytest.param("https://ann:secret@93.184.215.14/", "user name", id="credentials"),
        pytest.param("https://93.184.215.14:22/", "port 22", id="port"),
        pytest.param("https://93.184.215.14:0/", "port 0", id="port 0"),
        pytest.param("https://no-such-host.invalid/", "not known", id="unknown name"),
        pytest.param("file:///etc/passwd", "only https URLs", id="file"),
        pytest.param("hooks", "only https URLs", id="no URL"),
        pytest.param("https://", "names no host", id="no host"),
    ],
)
def test_address_that_nothing_is_sent_to_is_refused_with_the_reason(
    api: APIClient, receiver: Provider, settings: Any, url: str, reason: str
) -> None:
    port = settings.WEBHOOK_PORTS[0]
    settings.WEBHOOK_PORTS = [443, port]
    settings.WEBHOOK_ALLOW_HTTP = False
    settings.WEBHOOK_ALLOWED_HOSTS = []

    problem = assert_problem(post(api, url=url.format(port=port), events=CHOSEN), 400, "invalid")

    assert reason in problem["errors"]["url"][0]
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="none"),
        pytest.param(["transcript.begun"], id="unknown"),
        pytest.param(["ping"], id="ping"),
        pytest.param("transcript.completed", id="no list"),
    ],
)
def test_events_that_cannot_be_chosen_are_refused(
    api: APIClient, receiver: Provider, events: Any
) -> None:
    problem = assert_problem(created(api, receiver, events=events), 400, "invalid")

    assert "events" in problem["errors"]


def test_one_more_webhook_than_a_workspace_may_have_is_refused_with_the_limit(
    api: APIClient, receiver: Provider, settings: Any
) -> None:
    settings.WEBHOOKS_PER_WORKSPACE = 2
    WebhookFactory.create_batch(2)

    problem = assert_problem(created(api, receiver), 402, "quota_reached")

    assert "2 webhooks" in problem["detail"]


def test_webhook_is_changed_in_part(api: APIClient, webhook: Webhook) -> None:
    response = api.patch(f"{WEBHOOKS}{webhook.pk}/", {"events": CHOSEN[:1]}, format="json")

    assert response.status_code == 200
    assert response.json()["events"] == CHOSEN[:1]
    assert response.json()["url"] == webhook.url


def test_webhook_is_not_led_to_a_private_address_later(
    api: APIClient, webhook: Webhook, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = []

    response = api.patch(f"{WEBHOOKS}{webhook.pk}/", {"url": webhook.url}, format="json")

    assert "public internet" in assert_problem(response, 400, "invalid")["errors"]["url"][0]


def test_deleted_webhook_takes_its_deliveries_along(api: APIClient) -> None:
    delivery = WebhookDeliveryFactory.create(delivered=True)
    kept = WebhookDeliveryFactory.create()

    response = api.delete(f"{WEBHOOKS}{delivery.webhook_id}/")

    assert response.status_code == 204
    assert only() == kept


def test_secret_is_changed_and_said(api: APIClient, webhook: Webhook) -> None:
    before = secret_of(webhook)

    response = post(api, f"{webhook.pk}/rotate-secret/")

    webhook.refresh_from_db()
    assert response.status_code == 200
    assert response.json()["secret"] == secret_of(webhook) != before


# Sent


@pytest.mark.django_db(transaction=True)
def test_ping_arrives_and_is_listed_with_what_was_answered(
    api: APIClient, receiver: Provider
) -> None:
    made = created(api, receiver).json()

    response = post(api, f"{made['id']}/ping/")
    work()

    delivery = api.get(response["Location"]).json()
    client = standardwebhooks.Webhook(made["secret"])
    [request] = receiver.requests
    assert response.status_code == 202
    assert (response.json()["status"], delivery["status"]) == ("QUEUED", "COMPLETED")
    assert client.verify(request.body, dict(request.headers)) == delivery["payload"]
    assert (delivery["event"], delivery["response_status"]) == ("ping", 200)
    assert (delivery["attempt"], delivery["next_attempt_at"]) == (1, None)
    assert api.get(made["links"]["self"]).json()["last_delivery"]["status"] == "COMPLETED"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", ["delivered", "failed", "cancelled"])
def test_delivery_is_sent_again(
    api: APIClient, webhook: Webhook, receiver: Provider, status: str
) -> None:
    delivery = WebhookDeliveryFactory.create(webhook=webhook, **{status: True})

    response = post(api, f"{webhook.pk}/deliveries/{delivery.pk}/resend/")
    work()

    again = api.get(response["Location"]).json()
    assert response.status_code == 202
    assert again["id"] != str(delivery.pk)
    assert (again["message_id"], again["status"]) == (str(delivery.message_id), "COMPLETED")
    assert verified(webhook, receiver) == delivery.payload


def test_next_attempt_and_the_last_error_are_told(api: APIClient, webhook: Webhook) -> None:
    delivery = WebhookDeliveryFactory.create(webhook=webhook, scheduled=True)

    body = api.get(f"{WEBHOOKS}{webhook.pk}/deliveries/{delivery.pk}/").json()

    assert (body["status"], body["attempt"], body["max_attempts"]) == ("SCHEDULED", 1, 10)
    assert body["next_attempt_at"] is not None
    assert body["error"] == {"code": "transient", "message": "the provider is away"}


# Paused


def test_webhook_is_paused_and_resumed(api: APIClient, webhook: Webhook) -> None:
    paused = post(api, f"{webhook.pk}/pause/").json()
    resumed = post(api, f"{webhook.pk}/resume/").json()

    assert (paused["is_paused"], paused["pause_reason"]) == (True, "by people")
    assert (resumed["is_paused"], resumed["pause_reason"]) == (False, "")


def test_paused_webhook_is_sent_nothing(api: APIClient) -> None:
    webhook = WebhookFactory.create(paused=True)
    delivery = WebhookDeliveryFactory.create(webhook=webhook, failed=True)

    assert_problem(post(api, f"{webhook.pk}/ping/"), 409, "webhook_paused")
    assert_problem(
        post(api, f"{webhook.pk}/deliveries/{delivery.pk}/resend/"), 409, "webhook_paused"
    )
    assert only() == delivery


# Lists


def test_lists_ask_the_database_as_often_for_many_as_for_one(
    api: APIClient, webhook: Webhook
) -> None:
    deliveries = f"{WEBHOOKS}{webhook.pk}/deliveries/"
    WebhookDeliveryFactory.create(webhook=webhook)
    few = len(queries_of(lambda: api.get(WEBHOOKS))), len(queries_of(lambda: api.get(deliveries)))

    WebhookDeliveryFactory.create_batch(3)
    WebhookDeliveryFactory.create_batch(3, webhook=webhook)
    many = len(queries_of(lambda: api.get(WEBHOOKS))), len(queries_of(lambda: api.get(deliveries)))

    assert many == few


def test_list_of_deliveries_leaves_out_what_was_sent(api: APIClient, webhook: Webhook) -> None:
    WebhookDeliveryFactory.create(webhook=webhook)

    [sql] = [
        sql
        for sql in queries_of(lambda: api.get(f"{WEBHOOKS}{webhook.pk}/deliveries/"))
        if 'FROM "webhook_deliveries"' in sql and "LIMIT 21" in sql
    ]

    assert "payload" not in sql


@pytest.mark.parametrize(
    ("query", "count"),
    [
        pytest.param({"status": "FAILED"}, 1, id="status"),
        pytest.param({"status": ["FAILED", "QUEUED"]}, 2, id="statuses"),
        pytest.param({"event": "ping"}, 1, id="event"),
        pytest.param({"message_id": str(uuid4())}, 0, id="message"),
        pytest.param({"created_before": "2020-01-01T00:00:00Z"}, 0, id="time"),
    ],
)
def test_deliveries_are_narrowed(
    api: APIClient, webhook: Webhook, query: dict[str, Any], count: int
) -> None:
    WebhookDeliveryFactory.create(webhook=webhook, failed=True)
    WebhookDeliveryFactory.create(webhook=webhook, event=WebhookEvent.PING)

    assert len(api.get(f"{WEBHOOKS}{webhook.pk}/deliveries/", query).json()["items"]) == count


@pytest.mark.parametrize(
    ("query", "count"),
    [
        pytest.param({"is_paused": "true"}, 1, id="paused"),
        pytest.param({"is_paused": "false"}, 2, id="active"),
        pytest.param({"event": "document.ready"}, 2, id="event"),
        pytest.param({"url": "EXAMPLE.org"}, 3, id="address"),
    ],
)
def test_webhooks_are_narrowed(api: APIClient, query: dict[str, str], count: int) -> None:
    WebhookFactory.create(paused=True)
    WebhookFactory.create()
    WebhookFactory.create(events=CHOSEN)

    assert len(api.get(WEBHOOKS, query).json()["items"]) == count


# Not for everybody


@pytest.fixture
def foreign() -> WebhookDelivery:
    delivery: WebhookDelivery = WebhookDeliveryFactory.create(
        webhook__workspace=WorkspaceFactory.create(), failed=True
    )
    return delivery


OF_A_WEBHOOK = [
    ("get", ""),
    ("patch", ""),
    ("delete", ""),
    ("post", "rotate-secret/"),
    ("post", "ping/"),
    ("post", "pause/"),
    ("post", "resume/"),
    ("get", "deliveries/"),
    ("get", "deliveries/{delivery}/"),
    ("post", "deliveries/{delivery}/resend/"),
]


@pytest.mark.parametrize(("verb", "path"), OF_A_WEBHOOK)
def test_webhook_of_another_workspace_is_not_there(
    api: APIClient, foreign: WebhookDelivery, verb: str, path: str
) -> None:
    address = f"{WEBHOOKS}{foreign.webhook_id}/{path.format(delivery=foreign.pk)}"

    assert_problem(getattr(api, verb)(address), 404, "not_found")
    assert WebhookDelivery.objects.count() == 1


def test_delivery_of_another_webhook_is_not_there(
    api: APIClient, webhook: Webhook, foreign: WebhookDelivery
) -> None:
    address = f"{WEBHOOKS}{webhook.pk}/deliveries/{foreign.pk}/"

    assert_problem(api.get(address), 404, "not_found")


@pytest.mark.parametrize(("verb", "path"), [("get", None), ("post", None), *OF_A_WEBHOOK])
def test_editors_may_not_even_look(editor_api: APIClient, verb: str, path: str | None) -> None:
    delivery = WebhookDeliveryFactory.create(failed=True)
    of_one = "" if path is None else f"{delivery.webhook_id}/{path.format(delivery=delivery.pk)}"

    response = getattr(editor_api, verb)(WEBHOOKS + of_one)

    assert_problem(response, 403, "permission_denied")
    assert only().status == JobStatus.FAILED


def test_nobody_is_asked_to_log_in(db: None) -> None:
    assert APIClient().get(WEBHOOKS).status_code == 401
