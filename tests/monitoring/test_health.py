"""What /health answers, with everything there and with each part away."""

from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from tests.factories.jobs import WorkerFactory


@pytest.mark.django_db
def test_health_is_public_and_counts_live_workers(client: Client) -> None:
    WorkerFactory.create()
    WorkerFactory.create(gone=True)
    WorkerFactory.create(stopped=True)

    response = client.get("/health")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": True, "redis": True, "workers": 1}
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_health_is_well_without_redis_and_says_so(client: Client, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    response = client.get("/health")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "database": True,
        "redis": False,
        "workers": 0,
    }


@pytest.mark.django_db(transaction=True)
def test_health_does_not_wait_for_a_database_that_does_not_answer(client: Client) -> None:
    with psycopg.connect(**connection.get_connection_params()) as other:
        other.execute("LOCK TABLE workers IN ACCESS EXCLUSIVE MODE")
        response = client.get("/health")

    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "database": False,
        "redis": True,
        "workers": None,
    }


@pytest.mark.django_db
def test_health_is_only_read(client: Client) -> None:
    assert client.post("/health").status_code == 405
