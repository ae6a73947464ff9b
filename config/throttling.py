"""How much of the API each caller may have: counted in Redis, once for all web processes.

A limit of 600 a minute is a bucket of 600 that is filled up by 10 a second, so that in any stretch
of ``t`` minutes no more than ``600 + 600 t`` get through (``processing.providers.gcra``, whose
script does the counting). While Redis is away nobody is counted and nobody is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.conf import settings
from rest_framework.throttling import BaseThrottle

from config.addresses import neighbourhood_of
from processing.models import ApiKey
from processing.providers import scripts
from processing.providers.gcra import Charge, Meter
from processing.providers.limits import SECOND_US
from processing.providers.shared_redis import RedisIsAway, SharedRedis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest
    from rest_framework.request import Request

MINUTE = 60
#: Failed logins are counted over so many seconds.
LOGIN_PERIOD = 300

#: What of all waiting Redis may cost a request.
TIMEOUT_SECONDS = 0.25

#: Actions of viewsets that make something, by POST. Views without actions are taken to.
CREATING = ("create", "bulk")

#: ``scripts.ADMIT`` of a caller, and how things stand then, in one step.
#: KEYS: what is known of the caller. ARGV: those of ADMIT; after how many ms all is as if
#: nothing had been. Returns how long to wait, for what, the time, and what is known.
TAKE = f"""
local life = table.remove(ARGV)
local function admit()
{scripts.ADMIT}
end
local answer = admit()
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('PEXPIRE', KEYS[1], life)
end
local time = redis.call('TIME')
return {{answer[1], answer[2], time[1] * 1000000 + time[2], redis.call('HGETALL', KEYS[1])}}
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """``limit`` in ``period_seconds``, all of them at once if need be."""

    name: str
    limit: int
    period_seconds: int = MINUTE

    def charge(self) -> Charge:
        return Charge(self.name, 1, self.limit, self.period_seconds * SECOND_US, self.limit)

    def __str__(self) -> str:
        return f"{self.limit};w={self.period_seconds}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How a caller stands after a request, in the limit of which the least is left.

    ``reset_seconds`` is how long until nothing of it is used; ``wait_seconds`` is 0 for whoever
    was admitted. ``policy`` names all limits that were looked at.
    """

    limit: int
    remaining: int
    reset_seconds: float
    wait_seconds: float
    policy: str

    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(math.ceil(self.reset_seconds)),
            "RateLimit-Policy": self.policy,
        }


class Buckets:
    """The buckets of all callers, in one Redis."""

    def __init__(self, url: str) -> None:
        self._redis = SharedRedis(url, timeout_seconds=TIMEOUT_SECONDS, shared="throttles")
        self._take = self._redis.script(TAKE)

    def take(self, caller: str, rates: Sequence[Rate]) -> Allowance | None:
        """Take one of all ``rates`` or of none; None where nobody counts."""
        rates = [rate for rate in rates if rate.limit]
        if not rates:
            return None
        arguments: list[str | float] = ["", "", 0, 0, 0]
        for charge in (rate.charge() for rate in rates):
            arguments += [charge.dimension, charge.cost, charge.limit, charge.period, charge.burst]
        arguments.append(1000 * max(rate.period_seconds for rate in rates))
        try:
            wait, _, now, fields = self._redis.call(self._take, [_key(caller)], arguments)
        except RedisIsAway:
            return None
        names = (name.decode() for name in fields[::2])
        meter = Meter(dict(zip(names, map(float, fields[1::2]), strict=True)))
        least = min((_left(meter, rate, now) for rate in rates), key=lambda left: left[0] / left[1])
        return Allowance(
            limit=least[1],
            remaining=math.floor(least[0] + 1e-6),  # a microsecond is no request
            reset_seconds=least[2],
            wait_seconds=wait / SECOND_US,
            policy=", ".join(map(str, rates)),
        )

    def give_back(self, caller: str, rate: Rate) -> None:
        """Have one that was taken not count."""
        one = rate.period_seconds * SECOND_US / rate.limit
        try:
            self._redis.call(self._redis.client.hincrbyfloat, _key(caller), rate.name, -one)
        except RedisIsAway:
            return


def _key(caller: str) -> str:
    return f"throttle:{{{caller}}}"


def _left(meter: Meter, rate: Rate, now: float) -> tuple[float, int, float]:
    """Return how much is left, of how much, and how many seconds until all is."""
    used = meter.usage(rate.charge(), now=now).used
    return max(rate.limit - used, 0.0), rate.limit, used * rate.period_seconds / rate.limit


@lru_cache
def buckets() -> Buckets:
    """Return those of this installation."""
    return Buckets(settings.REDIS_URL)


class ApiThrottle(BaseThrottle):
    """Counts a request for its key, else for its user, else for its address."""

    wait_seconds = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        self.wait_seconds = count(request, view)
        return not self.wait_seconds

    def wait(self) -> float:
        return self.wait_seconds


def count(request: Request, view: Any) -> float:
    """Count a request, once; return for how many seconds its caller has to wait, mostly 0.

    Leaves its ``Allowance`` as ``rate_limit`` on the request of Django, None where nobody counts.
    """
    asked: Any = request._request
    if hasattr(asked, "rate_limit"):
        return 0.0
    caller, rates = _limits_of(request, view)
    asked.rate_limit = allowance = buckets().take(caller, rates)
    return allowance.wait_seconds if allowance else 0.0


def _limits_of(request: Request, view: Any) -> tuple[str, list[Rate]]:
    # not ``request.user``: who was refused as nobody we know would be asked again who they are
    user, key = getattr(request, "_user", None), getattr(request, "_auth", None)
    if user is None or not user.is_authenticated:
        rate = Rate("requests", settings.ANONYMOUS_REQUESTS_PER_MINUTE)
        return f"address:{neighbourhood_of(request._request)}", [rate]
    rates = [Rate("requests", settings.API_REQUESTS_PER_MINUTE)]
    if request.method == "POST" and getattr(view, "action", CREATING[0]) in CREATING:
        rates.append(Rate("uploads", settings.API_UPLOADS_PER_MINUTE))
    return f"key:{key.pk}" if isinstance(key, ApiKey) else f"user:{user.pk}", rates


def guesses_of(request: HttpRequest, username: str) -> tuple[str, Rate]:
    """Return where the wrong passwords for a user name from an address are counted."""
    name = sha256(username.casefold().encode(errors="replace")).hexdigest()[:32]
    rate = Rate("failures", settings.LOGIN_FAILURES, LOGIN_PERIOD)
    return f"password:{neighbourhood_of(request)}:{name}", rate
