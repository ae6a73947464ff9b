"""The levels of the cache, by the names their users know."""

from enum import StrEnum


class CacheLevel(StrEnum):
    """Where an answer came from, nearest first."""

    MEMORY = "L1"
    REDIS = "L2"
    DATABASE = "L3"


#: The nearest first: the order in which they are asked.
LEVELS = tuple(CacheLevel)
