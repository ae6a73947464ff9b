"""Deliveries on their way: what a receiver gets, and each way in which it does not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connections
from django.utils import timezone

from jobs.choices import JobStatus
from processing.models import Webhook, WebhookDelivery
from processing.webhooks.announcing import MAX_ATTEMPTS, ping
from processing.webhooks.delivering import DELAYS_SECONDS, JITTER, delay_seconds
from processing.webhooks.sending import EXCERPT_CHARACTERS, MAX_ANSWER_BYTES
from tests.factories.audio import wav_bytes
from tests.factories.jobs import STALLED
from tests.factories.webhooks import WebhookDeliveryFactory, WebhookFactory
from tests.processing.runs import ask, work_off
from tests.providers.server import Exchange, Provider, Reply, answering, gate
from tests.webhooks.conftest import only, verified, work

pytestmark = pytest.mark.django_db(transaction=True)

#: A server that holds its answer back for longer than the suite waits for one.
SHORT_SECONDS = 0.2


def seconds_to_wait(delivery: WebhookDelivery) -> float:
    return (delivery.available_at - timezone.now()).total_seconds()


def assert_will_be_tried_again(delivery: WebhookDelivery, code: str) -> None:
    assert (delivery.status, delivery.error_code) == (JobStatus.SCHEDULED, code)
    assert 0 < seconds_to_wait(delivery) < DELAYS_SECONDS[0] * (1 + JITTER) + 1


def sending_slowly(status: int, *, head: bytes = b"", promised: int = 1_000) -> Reply:
    """Answer with a head and the beginning of a body, and then with nothing for a while."""

    def reply(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send_response_only(status)
        exchange.send_header("Content-Length", str(promised))
        exchange.end_headers()
        exchange.wfile.write(head)
        exchange.wfile.flush()
        exchange.connection.settimeout(5)
        exchange.connection.recv(1)  # until the client goes away
        exchange.close_connection = True

    return reply


# Delivered


def test_receiver_gets_the_message_signed(webhook: Webhook, receiver: Provider) -> None:
    delivery = ping(webhook)

    work()

    request = receiver.requests[0]
    body = verified(webhook, receiver)
    assert body == delivery.payload
    assert (body["type"], body["data"]["id"]) == ("ping", str(webhook.pk))
    assert request.headers["webhook-id"] == str(delivery.message_id)
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Longhand"
    assert "cookie" not in request.headers


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_every_status_of_success_is_success(
    webhook: Webhook, receiver: Provider, status: int
) -> None:
    receiver.will(answering("" if status == 204 else "thank you", status=status))
    ping(webhook)

    work()

    delivery = only()
    assert (delivery.status, delivery.response_status) == (JobStatus.COMPLETED, status)
    assert delivery.response_seconds is not None
    assert 0 < delivery.response_seconds < 5


def test_what_was_answered_is_kept_as_text(webhook: Webhook, receiver: Provider) -> None:
    receiver.will(answering(b"caf\xc3\xa9 \x00\xff\x1b[31m"))
    ping(webhook)

    work()

    assert only().response_excerpt == "café \ufffd\ufffd\ufffd[31m"


def test_of_a_huge_answer_only_the_beginning_is_read(webhook: Webhook, receiver: Provider) -> None:
    sent: list[int] = []

    def endless(exchange: Exchange) -> None:
        exchange.read_body()
        exchange.send_response_only(200)
        exchange.send_header("Content-Length", str(10**10))
        exchange.end_headers()
        exchange.close_connection = True
        while True:  # until the client goes away, which raises OSError
            sent.append(exchange.wfile.write(b"x" * MAX_ANSWER_BYTES))

    receiver.will(endless)
    ping(webhook)

    work()

    delivery = only()
    assert delivery.status == JobStatus.COMPLETED
    assert delivery.response_excerpt == "x" * EXCERPT_CHARACTERS
    assert sum(sent) < 64 * 1024**2


def test_answer_whose_rest_does_not_come_counts_by_its_status(
    webhook: Webhook, receiver: Provider, settings: Any
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = SHORT_SECONDS
    receiver.will(sending_slowly(200, head=b"than"))
    ping(webhook)

    work()

    delivery = only()
    assert (delivery.status, delivery.response_excerpt) == (JobStatus.COMPLETED, "than")


# Not delivered


@pytest.mark.parametrize("status", [500, 503, 404, 400, 429, 304])
def test_status_that_is_no_success_is_tried_again(
    webhook: Webhook, receiver: Provider, status: int
) -> None:
    receiver.will(answering("" if status == 304 else "no", status=status))
    ping(webhook)

    work()

    delivery = only()
    assert_will_be_tried_again(delivery, "refused")
    assert delivery.response_status == status
    assert str(status) in delivery.error_message


def test_silent_receiver_is_tried_again(
    webhook: Webhook, receiver: Provider, settings: Any
) -> None:
    settings.WEBHOOK_TIMEOUT_SECONDS = SHORT_SECONDS
    silent = gate(answering(""))
    receiver.will(silent)
    ping(webhook)

    work()
    silent.opened.set()

    delivery = only()
    assert_will_be_tried_again(delivery, "fetch_timeout")
    assert delivery.response_status is None
    assert "0.2 s" in delivery.error_message


def test_receiver_that_is_not_there_is_tried_again(
    webhook: Webhook, settings: Any, unused_port: int
) -> None:
    settings.WEBHOOK_PORTS = [unused_port]
    webhook.url = f"http://localhost:{unused_port}/hooks/token"
    webhook.save()
    ping(webhook)

    work()

    delivery = only()
    assert_will_be_tried_again(delivery, "unreachable")
    assert "token" not in delivery.error_message


def test_receiver_that_breaks_off_is_tried_again(webhook: Webhook, receiver: Provider) -> None:
    receiver.will(Exchange.reset)
    ping(webhook)

    work()

    assert_will_be_tried_again(only(), "no_answer")


def test_redirect_is_not_followed(webhook: Webhook, receiver: Provider) -> None:
    address = receiver.url.replace("localhost", "127.0.0.1")
    receiver.will(answering("", status=307, headers={"Location": address}))
    ping(webhook)

    work()

    delivery = only()
    assert_will_be_tried_again(delivery, "refused")
    assert delivery.response_status == 307
    assert len(receiver.requests) == 1


def test_name_that_leads_to_a_private_address_by_now_is_not_connected_to(
    webhook: Webhook, receiver: Provider, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = []
    ping(webhook)

    work()

    assert_will_be_tried_again(only(), "forbidden_address")
    assert receiver.requests == []


def test_certificate_that_nobody_vouches_for_is_not_trusted(
    tls_receiver: Provider, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["localhost"]
    settings.WEBHOOK_PORTS = [urlsplit(tls_receiver.url).port]
    ping(WebhookFactory.create(url=tls_receiver.url))

    work()

    delivery = only()
    assert_will_be_tried_again(delivery, "unreachable")
    assert "CERTIFICATE_VERIFY_FAILED" in delivery.error_message
    assert tls_receiver.requests == []


# When it is tried again


def test_delivery_is_tried_ten_times_in_about_a_day(webhook: Webhook, receiver: Provider) -> None:
    receiver.always(answering("no", status=500))
    ping(webhook)

    work()
    waits = [seconds_to_wait(only())]
    while only().attempt < 9:
        tried_now()
        waits.append(seconds_to_wait(only()))
    tried_now()

    delivery = only()
    assert waits == pytest.approx(list(DELAYS_SECONDS), rel=0.11, abs=1.0)
    assert timedelta(hours=22) < timedelta(seconds=sum(DELAYS_SECONDS)) < timedelta(hours=26)
    assert (delivery.status, delivery.attempt) == (JobStatus.FAILED, 10)
    assert len(receiver.requests) == 10
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1


def tried_now() -> None:
    """Have the delivery that waits for its time tried by a worker."""
    WebhookDelivery.objects.update(available_at=timezone.now() - timedelta(seconds=1))
    WebhookDelivery.objects.promote()
    work()


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        pytest.param("120", 120.0, id="longer than planned"),
        pytest.param("1", 5.0, id="shorter than planned"),
        pytest.param("864000", 3600.0, id="ten days"),
        pytest.param("soon", 5.0, id="no number"),
    ],
)
def test_receiver_may_ask_for_time(
    webhook: Webhook, receiver: Provider, asked: str, seconds: float
) -> None:
    receiver.will(answering("", status=503, headers={"Retry-After": asked}))
    ping(webhook)

    work()

    assert seconds_to_wait(only()) == pytest.approx(seconds, abs=1.0)


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 54.0), (0.5, 60.0), (1.0, 66.0)])
def test_not_all_come_back_at_once(jitter: float, seconds: float) -> None:
    assert delay_seconds(2, jitter=lambda: jitter) == pytest.approx(seconds)


def test_next_attempt_is_signed_anew(webhook: Webhook, receiver: Provider) -> None:
    receiver.will(answering("no", status=500))
    delivery = ping(webhook)
    work()

    tried_now()

    assert only().status == JobStatus.COMPLETED
    assert verified(webhook, receiver, 1) == delivery.payload


# Kept whatever happens


def test_delivery_whose_worker_died_is_made_by_another(
    webhook: Webhook, receiver: Provider
) -> None:
    delivery = WebhookDeliveryFactory.create(webhook=webhook, **STALLED)

    WebhookDelivery.objects.stalled().rescue()
    work()

    assert only().status == JobStatus.COMPLETED
    assert receiver.requests[0].headers["webhook-id"] == str(delivery.message_id)


def test_receiver_that_takes_its_time_does_not_hold_up_another(receiver: Provider) -> None:
    held = gate(answering(""))
    receiver.always(held)
    for webhook in WebhookFactory.create_batch(2, url=receiver.url):
        ping(webhook)

    with ThreadPoolExecutor(1) as worker:
        ended = worker.submit(work_and_hang_up)
        are_both_there = held.reached.acquire(timeout=20) and held.reached.acquire(timeout=20)
        held.opened.set()
        ended.result()

    assert are_both_there
    assert WebhookDelivery.objects.filter(status=JobStatus.COMPLETED).count() == 2


def test_address_that_was_silent_before_holds_two_threads_at_most(
    webhook: Webhook, receiver: Provider
) -> None:
    WebhookDeliveryFactory.create(webhook=webhook, scheduled=True, error_code="fetch_timeout")
    WebhookDeliveryFactory.create_batch(2, webhook=webhook, claimed=True)
    late = WebhookDeliveryFactory.create(webhook=webhook)
    other = WebhookDeliveryFactory.create(webhook=WebhookFactory.create(url=receiver.url))

    work()

    late.refresh_from_db()
    other.refresh_from_db()
    assert (late.status, late.error_code) == (JobStatus.SCHEDULED, "webhook_slow")
    assert late.attempt == late.max_attempts - MAX_ATTEMPTS  # which costs it none
    assert other.status == JobStatus.COMPLETED


def test_oldest_delivery_to_an_address_that_was_silent_before_is_made(
    webhook: Webhook, receiver: Provider
) -> None:
    WebhookDeliveryFactory.create(webhook=webhook, scheduled=True, error_code="fetch_timeout")
    oldest = WebhookDeliveryFactory.create(webhook=webhook)
    WebhookDeliveryFactory.create_batch(2, webhook=webhook, claimed=True)

    work()

    oldest.refresh_from_db()
    assert oldest.status == JobStatus.COMPLETED


def test_run_tells_what_becomes_of_it_to_the_end(
    webhook: Webhook, receiver: Provider, tmp_path: Path
) -> None:
    path = tmp_path / "meeting.wav"
    path.write_bytes(wav_bytes())
    script = tmp_path / "script.json"
    script.write_text('[["river", 0.2, 0.6], ["rises", 0.8, 1.2]]')
    requested = ask(path, engine="scripted", parameters={"script": str(script)})

    work_off()

    told = [verified(webhook, receiver, index) for index in range(len(receiver.requests))]
    assert {message["type"] for message in told} == {
        "transcript.completed",
        "document.ready",
        "summary.completed",
    }
    assert str(requested.transcript.pk) in {message["data"]["id"] for message in told}


def work_and_hang_up() -> None:
    try:
        work()
    finally:
        connections.close_all()
