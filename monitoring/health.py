"""Whether this installation can do its work, for whoever decides where to send requests."""

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from jobs.models import Worker

TIMEOUT_SECONDS = 1


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers in time, else 503; public, so no details.

    Redis is told of and decides nothing: without it uploads are accepted all the same, and a
    sweep wakes the workers once it is back. ``workers`` counts those alive, and is null when
    the database does not say; zero is no failure of the web process either.
    """
    workers = _live_workers()
    is_well = workers is not None
    checks = {"database": is_well, "redis": _redis_answers()}
    return JsonResponse(
        {"status": "ok" if is_well else "unavailable", **checks, "workers": workers},
        status=200 if is_well else 503,
    )


def _live_workers() -> int | None:
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{TIMEOUT_SECONDS}s'")
            return Worker.objects.live().count()
    except DatabaseError:
        return None


def _redis_answers() -> bool:
    try:
        with Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        ) as redis:
            return bool(redis.ping())
    except RedisError:
        return False
