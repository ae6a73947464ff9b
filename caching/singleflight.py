"""One loader at a time for a key: in this process by flights, across processes by leases."""

import threading
from dataclasses import dataclass, field

from caching.entries import Entry


@dataclass(eq=False)
class Flight:
    """One loading of a key, which many may wait for."""

    key: str
    is_over: threading.Event = field(default_factory=threading.Event)
    #: Set when another process may have stored what this one waits for.
    is_woken: threading.Event = field(default_factory=threading.Event)
    entry: Entry | None = None
    error: BaseException | None = None
    waiter_count: int = 0

    def land(self, entry: Entry | None = None, error: BaseException | None = None) -> None:
        """Tell those who wait how it ended."""
        self.entry, self.error = entry, error
        self.is_over.set()

    def is_abandoned(self) -> bool:
        """Whether its maker was interrupted, and somebody else has to make another."""
        self.is_over.wait()
        return self.error is not None and not isinstance(self.error, Exception)

    def wait(self, seconds: float | None) -> Entry | None:
        """Return what was loaded, or None when that takes longer; raise what the loader raised."""
        if not self.is_over.wait(seconds):
            return None
        if self.error is not None:
            raise self.error
        return self.entry


class SingleFlight:
    """The flights of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[str, Flight] = {}

    def join(self, key: str) -> tuple[Flight, bool]:
        """Return the flight for ``key``, and whether the caller is the one to make it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                flight.waiter_count += 1
                return flight, False
            self._flights[key] = flight = Flight(key)
            return flight, True

    def end(self, flight: Flight) -> None:
        """Let nobody join ``flight`` any more."""
        with self._lock:
            if self._flights.get(flight.key) is flight:
                del self._flights[flight.key]

    def keys_loading(self) -> list[str]:
        """Return the keys that are being loaded."""
        with self._lock:
            return list(self._flights)

    def wake(self, key: str) -> None:
        """Have the flight for ``key`` look whether another process has landed."""
        flight = self._flights.get(key)
        if flight is not None:
            flight.is_woken.set()

    def invalidate(self, *keys: str) -> None:
        """What flights for these keys will bring is out of date: nobody joins them any more."""
        with self._lock:
            if self._flights:
                for key in keys:
                    self._flights.pop(key, None)

    def invalidate_all(self) -> None:
        """What any flight will bring is out of date."""
        with self._lock:
            self._flights.clear()
