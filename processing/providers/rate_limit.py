"""One rate limit for all workers of all hosts: together they ask a provider no more than that."""

import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from processing.exceptions import RateLimited
from processing.providers import scripts
from processing.providers.gcra import PAUSE, Charge, Meter, Note
from processing.providers.headers import Allowance, read_allowances
from processing.providers.jitter import spread
from processing.providers.limits import SECOND_US, DimensionState, LimiterState, RateLimit
from processing.providers.shared_redis import RedisIsAway, SharedRedis
from processing.providers.slots import HeldSlots

__all__ = ["DimensionState", "LimiterState", "RateLimit", "RateLimiter"]

CONCURRENCY = "concurrency"

#: How long to wait for a slot: nobody knows when one will be free.
SLOT_SECONDS = 1.0

#: How long a limit that a provider told is believed, unless it tells it again.
LEARNED_SECONDS = 600.0

#: No pause is longer, whatever a provider says; the quotas of a day are back by then.
MAX_PAUSE_SECONDS = 86_400.0


class RateLimiter:
    """Admits calls within a limit that all workers share under ``name``; it never sleeps.

    A slot of the concurrency is a lease of ``lease_seconds``, renewed in time while it is held: so
    a call may take any time, and the slot of a killed worker is free again after ``lease_seconds``
    at most. A process that is stopped for longer than that (SIGSTOP) loses its slots until it goes
    on.

    While Redis is away each process has the part of the limit that is its share among
    ``live_workers``, which is called for each decision then and must not raise, and at least one
    slot. A limiter without any limit asks no Redis: its pauses are its process's own. Make one for
    each name in a process. Safe for threads and forks.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        limit: RateLimit,
        live_workers: Callable[[], int],
        lease_seconds: float = 15.0,
        timeout_seconds: float = 0.25,
    ) -> None:
        self.name = name
        self.limit = limit
        self._live_workers = live_workers
        self._lease_us = lease_seconds * SECOND_US
        self._state_key = f"rate:{{{name}}}:state"
        self._slots_key = f"rate:{{{name}}}:slots"
        self._redis = SharedRedis(url, timeout_seconds=timeout_seconds)
        self._admit_script = self._redis.script(scripts.ADMIT)
        self._note_script = self._redis.script(scripts.NOTE)
        self._renew_script = self._redis.script(scripts.RENEW)
        self._held_script = self._redis.script(scripts.HELD)
        self._slots = HeldSlots(self._renew, renew_seconds=lease_seconds / 3)
        self._meter = Meter()
        self._learned: dict[str, tuple[float, float]] = {}

    @contextmanager
    def admitted(
        self, *, requests: float = 1, audio_seconds: float = 0.0, tokens: float = 0
    ) -> Iterator[None]:
        """Do what costs so much, within the limit; ``RateLimited`` at once where there is no room.

        What it costs is taken in all dimensions or in none, and not given back. The wait that is
        told is a little longer than needed, by chance. ValueError for a cost above the limit of a
        whole period; one above a limit that was learned is admitted when all is used up.
        """
        costs = {"requests": requests, "audio_seconds": audio_seconds, "tokens": tokens}
        charges = [self.limit.charge(name, cost) for name, cost in costs.items() if cost]
        token = secrets.token_hex(8) if self.limit.concurrency else ""
        wait, reason = self._ask(charges, token)
        if wait:
            seconds = spread(wait / SECOND_US)
            raise RateLimited(
                f"{self.name}: {_REASONS.get(reason, f'no {reason} left')}, for {seconds:.2g} s",
                seconds=seconds,
                dimension=reason,
            )
        try:
            yield
        finally:
            if token:
                self._release(token)

    def pause(self, seconds: float) -> None:
        """Have nobody admitted for so long, or until an earlier pause ends."""
        if seconds > 0:
            self._note([Note(PAUSE, min(seconds, MAX_PAUSE_SECONDS) * SECOND_US)])

    def learn(self, headers: Mapping[str, str]) -> None:
        """Honour what an answer says: of what nothing remains is paused until it is reset.

        A limit below ours holds instead of it for ``LEARNED_SECONDS``, or until another is told.
        """
        notes = []
        allowances = read_allowances(headers)
        for name, (limit, _) in self.limit.rates().items():
            said = allowances.get(name, Allowance())
            pause = (said.reset_seconds or 0) if said.remaining == 0 else 0
            news = self._news(name, said.limit, limit)
            if pause or news:
                pause = min(pause, MAX_PAUSE_SECONDS)
                notes.append(Note(name, pause * SECOND_US, news, LEARNED_SECONDS * SECOND_US))
        if notes:
            self._note(notes)

    def state(self) -> LimiterState:
        """Return how things stand in every dimension that is limited or paused."""
        try:
            if self.limit.is_none:
                raise RedisIsAway
            now, (fields,) = self._redis.read(self._state_key)
            held: int = self._redis.call(self._held_script, [self._slots_key], [""])
            meter, share = Meter({name: float(value) for name, value in fields.items()}), 1
            is_shared = True
        except RedisIsAway:
            now, held, meter, share = _now(), self._slots.count, self._meter, self._share()
            is_shared = False
        dimensions = []
        for name in self.limit.rates():
            charge = self.limit.charge(name, 0)
            usage = meter.usage(charge, now=now, share=share)
            if charge.limit or usage.paused:
                limit, left = usage.limit or None, max(usage.burst - usage.used, 0.0)
                remaining = left if charge.limit else None
                paused = usage.paused / SECOND_US
                dimensions.append(DimensionState(name, limit, usage.used, remaining, paused))
        if self.limit.concurrency:
            slots = self._slot_count(share)
            dimensions.append(DimensionState(CONCURRENCY, slots, held, max(slots - held, 0)))
        paused = meter.paused(now=now) / SECOND_US
        return LimiterState(tuple(dimensions), paused, is_shared)

    def _ask(self, charges: Sequence[Charge], token: str) -> tuple[float, str]:
        """Return how long to wait in microseconds, 0 when admitted, and for what."""
        if self.limit.is_none:
            return self._ask_here(charges, token)
        arguments: list[str | float] = ["", token, self.limit.concurrency or 0]
        arguments += [self._lease_us, SLOT_SECONDS * SECOND_US]
        for one in charges:
            arguments += [one.dimension, one.cost, one.limit, one.period, one.burst]
        keys = [self._state_key, self._slots_key]
        try:
            wait, reason = self._redis.call(self._admit_script, keys, arguments)
        except RedisIsAway:
            return self._ask_here(charges, token)
        if token and not wait:
            self._slots.hold(token)
        if reason == PAUSE.encode():
            with _meters:
                self._meter.note([Note(PAUSE, wait)], now=_now())
        return wait, reason.decode()

    def _ask_here(self, charges: Sequence[Charge], token: str) -> tuple[float, str]:
        share = self._share()
        if token and not self._slots.hold_below(self._slot_count(share), token):
            return SLOT_SECONDS * SECOND_US, CONCURRENCY
        with _meters:
            wait, reason = self._meter.admit(charges, now=_now(), share=share)
        if token and wait:
            self._slots.drop(token)
        return wait, reason

    def _release(self, token: str) -> None:
        self._slots.drop(token)
        try:
            self._redis.call(self._redis.client.zrem, self._slots_key, token)
        except RedisIsAway:
            return

    def _renew(self, tokens: Sequence[str]) -> None:
        self._redis.call(self._renew_script, [self._slots_key], ["", self._lease_us, *tokens])

    def _note(self, notes: Sequence[Note]) -> None:
        with _meters:
            self._meter.note(notes, now=_now())
        if self.limit.is_none:
            return
        arguments: list[str | float] = [""]
        for one in notes:
            arguments += [one.dimension, one.pause, one.limit, one.limit_life]
        try:
            self._redis.call(self._note_script, [self._state_key], arguments)
        except RedisIsAway:
            return

    def _news(self, name: str, said: float | None, limit: float | None) -> float:
        """Return the limit that was said when the others should hear of it, or else 0."""
        last, told_at = self._learned.get(name, (math.inf, -math.inf))
        if said is None or limit is None or min(said, last) >= limit:
            return 0
        now = time.monotonic()
        if said == last and now < told_at + LEARNED_SECONDS / 2:
            return 0
        self._learned[name] = said, now
        return said

    def _share(self) -> int:
        return 1 if self.limit.is_none else max(self._live_workers(), 1)

    def _slot_count(self, share: int) -> int:
        return max((self.limit.concurrency or 0) // share, 1)


_REASONS = {
    PAUSE: "the provider asked all to wait",
    CONCURRENCY: "as many calls are under way as are allowed",
}


def _now() -> float:
    return time.monotonic() * SECOND_US


#: Held around every use of a meter, also while a process forks, so that no child finds it held.
_meters = threading.Lock()
os.register_at_fork(
    before=_meters.acquire, after_in_parent=_meters.release, after_in_child=_meters.release
)
