"""Workers with nothing to do listen, however long that lasts."""

import pytest
import redis
from django.conf import settings

from jobs.models import Worker
from tests.processes import worker_pool
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

#: Longer than any timeout of the connections that ring (``config.settings.base``).
IDLE_SECONDS = 4


def blocked_seconds(client: redis.Redis) -> list[int]:
    """How long each connection to this test's Redis has been waiting in a blocking command."""
    own = str(client.connection_pool.connection_kwargs["db"])
    return [
        int(row["idle"]) for row in client.client_list() if row["db"] == own and "b" in row["flags"]
    ]


def test_an_idle_worker_keeps_listening_on_one_connection() -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client, worker_pool(concurrency=1):
        workers = Worker.objects.live().count()

        idle = wait_for(
            lambda: [s for s in blocked_seconds(client) if s >= IDLE_SECONDS], seconds=20
        )

    assert idle
    assert len(idle) <= workers
