"""One circuit breaker for all workers: a provider that fails is asked by nobody for a while."""

import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from jobs.exceptions import Postponed
from processing.exceptions import BadAnswer, BreakerIsOpen, ProviderError, ProviderUnavailable
from processing.providers import scripts
from processing.providers.circuit import Circuit, CircuitPolicy, CircuitStatus, Outcome
from processing.providers.jitter import spread
from processing.providers.shared_redis import RedisIsAway, SharedRedis

__all__ = ["BreakerState", "CircuitBreaker", "CircuitPolicy", "CircuitStatus"]

logger = logging.getLogger(__name__)

YEAR_SECONDS = 365 * 86_400.0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How a breaker stands; not ``is_shared`` when it is this process's own, without Redis.

    ``seconds`` is how long it stays open; of the calls counted lately so many failed.
    """

    status: CircuitStatus
    seconds: float
    call_count: int
    failure_count: int
    openings: int
    is_probing: bool
    is_shared: bool


@dataclass(frozen=True, slots=True)
class _Permit:
    """Leave to ask the provider; ``circuit`` when it is that of this process which gave it."""

    token: str
    is_probe: bool
    circuit: Circuit | None


class CircuitBreaker:
    """Guards the calls of all workers to one provider, under ``name``.

    When too many calls fail (``CircuitPolicy``) it opens: nobody asks. After a backoff one caller
    is let through as a probe; it closes when that succeeds, and opens for longer when it fails.
    While Redis is away each process has a breaker of its own. Safe for threads and forks.

    Ask it before a limiter, as in ``with breaker.guarding(), limiter.admitted():``, so that calls
    that nobody makes are not charged; a probe for which there is no room is then nobody's.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        policy: CircuitPolicy = CircuitPolicy(),  # noqa: B008  frozen
        timeout_seconds: float = 0.25,
    ) -> None:
        self.name = name
        self.policy = policy
        self._key = f"breaker:{{{name}}}"
        self._redis = SharedRedis(url, timeout_seconds=timeout_seconds)
        self._ask_script = self._redis.script(scripts.ASK)
        self._report_script = self._redis.script(scripts.REPORT)
        self._trip_script = self._redis.script(scripts.TRIP)
        self._circuit = Circuit()

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Call the provider; ``BreakerIsOpen`` at once where nobody should.

        ``ProviderUnavailable`` and ``BadAnswer`` count as failures. A return and every other
        ``ProviderError`` count as successes: the provider is there. What else is raised says
        nothing of it, and lets another be the probe.
        """
        permit = self._ask()
        outcome = Outcome.UNKNOWN
        try:
            yield
            outcome = Outcome.SUCCESS
        except (ProviderUnavailable, BadAnswer):
            outcome = Outcome.FAILURE
            raise
        except ProviderError as error:
            if not isinstance(error, Postponed):
                outcome = Outcome.SUCCESS
            raise
        finally:
            if permit.is_probe or outcome is not Outcome.UNKNOWN:
                self._report(permit, outcome)

    def state(self) -> BreakerState:
        """Return how it stands for all workers."""
        try:
            now, (fields,) = self._redis.read(self._key)
            circuit, now = Circuit.of(fields), now / 1e6
        except RedisIsAway:
            circuit, now = replace(self._circuit), time.monotonic()
        calls, failures = circuit.lately(self.policy, now=now)
        return BreakerState(
            circuit.status(now=now),
            max(circuit.open_until - now, 0.0),
            calls,
            failures,
            circuit.openings,
            now < circuit.probe_until,
            not self._redis.is_away,
        )

    def trip(self, seconds: float) -> None:
        """Have nobody ask the provider for so long, a year at most; then a probe decides."""
        if not 0 < seconds <= YEAR_SECONDS:
            raise ValueError("a breaker is opened for more than no time and a year at most")
        with _circuits:
            self._circuit.trip(seconds, now=time.monotonic())
        try:
            self._redis.call(self._trip_script, [self._key], ["", seconds * 1e6])
        except RedisIsAway:
            return

    def reset(self) -> None:
        """Close it and forget what was counted."""
        with _circuits:
            self._circuit.reset()
        try:
            self._redis.call(self._redis.client.delete, self._key)
        except RedisIsAway:
            return

    def _ask(self) -> _Permit:
        token, policy, circuit = secrets.token_hex(8), self.policy, None
        try:
            arguments: list[str | float] = [
                "",
                token,
                policy.probe_seconds * 1e6,
                policy.backoff_seconds * 1e6,
            ]
            wait_us, is_probe = self._redis.call(self._ask_script, [self._key], arguments)
            wait = wait_us / 1e6
        except RedisIsAway:
            circuit = self._circuit
            with _circuits:
                wait, is_probe = circuit.ask(token, policy, now=time.monotonic())
        if wait:
            seconds = spread(wait)
            message = f"{self.name} has failed too often and is left alone for {seconds:.2g} s"
            raise BreakerIsOpen(message, seconds=seconds)
        return _Permit(token, bool(is_probe), circuit)

    def _report(self, permit: _Permit, outcome: Outcome) -> None:
        """Count a call where it was allowed; here also when Redis went away meanwhile."""
        if permit.circuit is None:
            policy = self.policy
            arguments: list[str | float] = ["", permit.token, outcome]
            arguments += [policy.window_seconds * 1e6 / 2, policy.minimum_calls]
            arguments += [policy.failure_rate, policy.backoff_seconds * 1e6]
            arguments += [policy.max_backoff_seconds * 1e6]
            try:
                became = self._redis.call(self._report_script, [self._key], arguments)
            except RedisIsAway:
                pass
            else:
                self._log(became.decode())
                return
        with _circuits:
            became = self._circuit.report(permit.token, outcome, self.policy, now=time.monotonic())
        self._log(became)

    def _log(self, became: str) -> None:
        if became:
            logger.warning("the breaker of %s has %s", self.name, became)


#: Held around every use of a circuit, also while a process forks, so that no child finds it held.
_circuits = threading.Lock()
os.register_at_fork(
    before=_circuits.acquire, after_in_parent=_circuits.release, after_in_child=_circuits.release
)
