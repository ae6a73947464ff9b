"""What can go wrong in the cache; its callers meet only ``TypeError`` for a value of no use."""


class CachingError(Exception):
    """The base of this app's errors."""


class LevelIsAway(CachingError):
    """A level cannot be reached just now; its place is taken by the others."""


class RedisIsAway(LevelIsAway):
    """Redis cannot be reached."""


class DatabaseIsAway(LevelIsAway):
    """PostgreSQL cannot be reached."""


class LevelIsBusy(LevelIsAway):
    """This process asks too much of a level at once; there is nothing wrong with the level."""


class UndecodableEntry(CachingError):
    """What a level holds is no entry: of an older format, cut off, or tampered with."""


class InvalidPattern(CachingError, ValueError):
    """A pattern that is not of the one grammar, or that needs a confirmation and has none."""
