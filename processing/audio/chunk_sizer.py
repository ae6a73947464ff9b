"""How long the chunks of a recording should be."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ChunkSizeRecommendation:
    """A target length in seconds, the number of chunks it makes (None when the duration is
    not known), and why."""

    target_seconds: float
    chunk_count: int | None
    reason: str


@dataclass(frozen=True)
class DynamicChunkSizer:
    """Chunks short enough to keep all workers busy to the end, long enough to have few seams.

    ``chunks_per_worker`` evens out the end of a run: with 4, the last worker waits for at most
    about a quarter of its share.
    """

    min_seconds: float = 10.0
    max_seconds: float = 30.0
    chunks_per_worker: int = 4

    def recommend(
        self, *, duration_seconds: float | None, worker_count: int
    ) -> ChunkSizeRecommendation:
        """Return the target length for a recording and the workers that are there for it."""
        if duration_seconds is None:
            return ChunkSizeRecommendation(self.max_seconds, None, "the duration is not known")
        wanted = max(worker_count, 1) * self.chunks_per_worker
        target = duration_seconds / wanted
        if target > self.max_seconds:
            reason = f"chunks of at most {self.max_seconds:g} s"
        elif target < self.min_seconds:
            reason = f"chunks of at least {self.min_seconds:g} s"
        else:
            reason = f"{wanted} chunks for {worker_count} workers"
        target = min(max(target, self.min_seconds), self.max_seconds)
        return ChunkSizeRecommendation(target, max(math.ceil(duration_seconds / target), 1), reason)
