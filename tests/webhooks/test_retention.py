"""Deliveries are remembered for a while."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import handlers
from jobs.models import Job
from processing.models import WebhookDelivery
from processing.webhooks.retention import PURGE_DELIVERIES_JOB, purge_deliveries, run_purge_job
from tests.factories.webhooks import WebhookDeliveryFactory

pytestmark = pytest.mark.django_db


def ended(days_ago: float) -> WebhookDelivery:
    delivery: WebhookDelivery = WebhookDeliveryFactory.create(
        delivered=True, completed_at=timezone.now() - timedelta(days=days_ago)
    )
    return delivery


def test_deliveries_that_ended_long_ago_are_forgotten_batch_by_batch() -> None:
    old = [ended(31), ended(32), ended(33)]
    kept = [ended(29), WebhookDeliveryFactory.create(scheduled=True)]

    count = purge_deliveries(older_than=timedelta(days=30), batch_size=2)

    assert count == len(old)
    assert set(WebhookDelivery.objects.all()) == set(kept)


def test_nightly_job_keeps_deliveries_as_long_as_it_is_set() -> None:
    ended(31)
    kept = ended(29)

    handlers.handler_of(PURGE_DELIVERIES_JOB).run(Job())

    assert WebhookDelivery.objects.get() == kept


def test_deliveries_are_kept_for_ever_where_that_is_wanted(settings: Any) -> None:
    settings.WEBHOOK_RETENTION_DAYS = 0
    ended(1_000)

    run_purge_job(Job())

    assert WebhookDelivery.objects.exists()
