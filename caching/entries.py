"""What is kept for a key, the same at every level."""

from dataclasses import dataclass, replace

#: A tag and the version that it had when an entry was made: another version, and it is invalid.
Tag = tuple[str, int]


@dataclass(slots=True)
class Entry:
    """A value and how long it is good for. All times are Unix times in seconds.

    Nobody changes one; that this is not enforced saves a third of making one.

    ``payload`` is the encoded value (``caching.codec``), None for a tombstone: what was here was
    deleted, and what was read from elsewhere before that must not be put in its place.
    ``version`` numbers the writes of a key: a later write has a larger one, 0 is none at all.
    From ``expires_at`` on it is stale; from ``discard_at`` on, which is not earlier, it is gone.
    None is never. ``prefix`` is the part of the caller's key by which statistics are grouped.
    """

    payload: bytes | None
    version: int = 0
    stored_at: float = 0.0
    expires_at: float | None = None
    discard_at: float | None = None
    tags: tuple[Tag, ...] = ()
    prefix: str = ""

    @property
    def is_tombstone(self) -> bool:
        """Whether it says only that there is nothing."""
        return self.payload is None

    def tagged(self, tags: tuple[Tag, ...]) -> "Entry":
        """Return the same with these tags."""
        return replace(self, tags=tags)

    def with_payload(self, payload: bytes) -> "Entry":
        """Return the same with another value."""
        return replace(self, payload=payload)

    def is_fresh(self, now: float) -> bool:
        """Whether there is a value that has not expired at ``now``."""
        return self.payload is not None and (self.expires_at is None or now < self.expires_at)

    def is_kept(self, now: float) -> bool:
        """Whether it is to be remembered at ``now``, be it stale."""
        return self.discard_at is None or now < self.discard_at
