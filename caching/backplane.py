"""Telling the other processes what they must not serve from memory any more."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
from uuid import uuid4

import ormsgpack
from redis.client import PubSub
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

#: The connection is asked for a sign of life this often ...
PING_SECONDS = 1.0
#: ... and given up when it has given none for so long.
SILENCE_SECONDS = 2.5
RECONNECT_SECONDS = 0.25


class Listener(Protocol):
    """What is told of the writes of other processes."""

    def keys_written(self, versions: dict[str, int]) -> None:
        """These keys have these versions now, 0 for none."""

    def tags_bumped(self, versions: dict[str, int]) -> None:
        """These tags have these versions now."""

    def matching_deleted(self, pattern: str) -> None:
        """The complete keys that match were deleted."""

    def cleared(self) -> None:
        """Everything was forgotten."""

    def connected(self) -> None:
        """From now on every write is told; of those before, some may not have been."""

    def disconnected(self) -> None:
        """From now on, some writes may not be told."""


class Backplane:
    """One process's ear: a thread that listens until ``stop``, and reconnects for ever."""

    def __init__(self, connect: Callable[[], PubSub], listener: Listener) -> None:
        self.origin = uuid4().bytes
        self.is_connected = False
        self._connect = connect
        self._listener = listener
        self._is_over = threading.Event()
        self._heard_at = 0.0
        self._thread = threading.Thread(target=self._run, name="cache-backplane", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._is_over.set()

    def keys_written(self, versions: dict[str, int]) -> bytes:
        """Return the message that says so."""
        return self._message("keys", versions)

    def tags_bumped(self, versions: dict[str, int]) -> bytes:
        """Return the message that says so."""
        return self._message("tags", versions)

    def matching_deleted(self, pattern: str) -> bytes:
        """Return the message that says so."""
        return self._message("pattern", {pattern: 0})

    def cleared(self) -> bytes:
        """Return the message that says so."""
        return self._message("clear", {})

    def _message(self, kind: str, versions: dict[str, int]) -> bytes:
        return ormsgpack.packb([self.origin, kind, versions])

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                pubsub = self._connect()
                try:
                    self._listen(pubsub)
                finally:
                    pubsub.close()
            except (RedisError, OSError) as error:
                logger.debug("the backplane of the cache is away: %s", error)
            if self.is_connected:
                self.is_connected = False
                self._listener.disconnected()
            self._is_over.wait(RECONNECT_SECONDS)

    def _listen(self, pubsub: PubSub) -> None:
        self._heard_at = pinged_at = time.monotonic()
        while not self._is_over.is_set():
            message = pubsub.get_message(timeout=PING_SECONDS / 2)
            now = time.monotonic()
            if message is not None:
                self._heard_at = now
                self._hear(message)
            elif now - self._heard_at > SILENCE_SECONDS:
                return
            if now - pinged_at >= PING_SECONDS:
                pubsub.ping()
                pinged_at = now

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "subscribe":
            self.is_connected = True
            self._listener.connected()
        elif message["type"] == "message":
            try:
                origin, kind, versions = ormsgpack.unpackb(message["data"])
                if origin != self.origin:
                    self._tell(kind, versions)
            except (ormsgpack.MsgpackDecodeError, TypeError, ValueError, AttributeError):
                logger.warning("the backplane of the cache carried what nobody of ours wrote")

    def _tell(self, kind: str, versions: dict[str, int]) -> None:
        if kind == "keys":
            self._listener.keys_written(versions)
        elif kind == "tags":
            self._listener.tags_bumped(versions)
        elif kind == "pattern":
            for pattern in versions:
                self._listener.matching_deleted(pattern)
        elif kind == "clear":
            self._listener.cleared()
