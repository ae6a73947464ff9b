"""How long the chunks of a recording should be."""

import math
from dataclasses import dataclass

from processing.audio.flac import seconds_within
from processing.audio.splitter import MIN_TARGET_SECONDS, longest_target_seconds
from processing.engines.base import EngineLimits

#: No chunk is longer, whatever the engine: what is held of a recording is a few of them.
MAX_SECONDS = 600.0

#: A chunk is no less work than this where it could be longer: beside it, what a chunk costs to
#: store and to claim (some 20 ms) and the last worker's being alone with it are nothing.
MIN_WORK_SECONDS = 1.0

#: Nor is it more work, where it could be shorter: so much is lost with a worker, or to a
#: time-out.
MAX_WORK_SECONDS = 120.0

#: What a request has beside the file: the parts of a form, their names, a long prompt.
REQUEST_BYTES = 16_384

UNLIMITED = EngineLimits()

#: Limits of providers are kept by so much: they round, and count from other ends.
MARGIN = 0.05


@dataclass(frozen=True)
class ChunkBounds:
    """What is usual for a kind of engine.

    Chunks are ``min_seconds`` to ``max_seconds`` long, and down to ``least_seconds`` where a
    worker would have nothing to do otherwise; ``unknown_seconds`` when the duration is not
    known. ``chunks_per_worker`` evens out the end of a run: with 4, the last worker waits for
    at most about a quarter of its share.
    """

    least_seconds: float
    min_seconds: float
    max_seconds: float
    unknown_seconds: float
    chunks_per_worker: int


#: The processors are busy anyway, so only the end of a run matters, and how soon there is
#: something to see: 10 minutes on 2 workers took 1.03 times what a bare process pool took.
LOCAL = ChunkBounds(5.0, 10.0, 30.0, unknown_seconds=30.0, chunks_per_worker=4)

#: Each call waits on the network, may be charged for, and counts against a rate limit, and each
#: seam is a risk: 600 s make 20 times fewer of them than 30 s.
REMOTE = ChunkBounds(20.0, 60.0, MAX_SECONDS, unknown_seconds=120.0, chunks_per_worker=2)


@dataclass(frozen=True)
class ChunkSizeRecommendation:
    """A target length in seconds and what comes of it when all cuts are at the target.

    ``chunk_count`` is None when the duration is not known; ``estimate_seconds``, the time from
    the first chunk begun to the last one done, also when the engine's speed is not.
    ``reason`` is for people.
    """

    target_seconds: float
    chunk_count: int | None
    estimate_seconds: float | None
    reason: str


@dataclass(frozen=True)
class DynamicChunkSizer:
    """Chunks short enough to keep all workers busy to the end, long enough to have few seams."""

    local: ChunkBounds = LOCAL
    remote: ChunkBounds = REMOTE

    def recommend(
        self,
        *,
        duration_seconds: float | None,
        worker_count: int,
        real_time_factor: float | None = None,
        limits: EngineLimits = UNLIMITED,
        is_remote: bool = False,
    ) -> ChunkSizeRecommendation:
        """Return the target length for a recording and the workers that are there for it.

        ``worker_count`` is how many chunks can be heard at once; none counts as one.
        ``real_time_factor`` is seconds of work per second of audio, None when not known.
        Raises ``ValueError`` for a duration that is none, a factor that is none, and limits
        that leave no room for a chunk.
        """
        if duration_seconds is not None and not 0 < duration_seconds < math.inf:
            raise ValueError(f"{duration_seconds} is no duration in seconds")
        if real_time_factor is not None and not 0 <= real_time_factor < math.inf:
            raise ValueError(f"{real_time_factor} is no real-time factor")
        bounds = self.remote if is_remote else self.local
        longest, why = min([_longest(bounds, real_time_factor), *_caps(limits)])
        if longest < 2 * MIN_TARGET_SECONDS:  # so that the halves of what is longer are chunks
            raise ValueError(f"{why}, which leaves no room for overlaps")
        if duration_seconds is None:
            target = min(bounds.unknown_seconds, longest)
            return ChunkSizeRecommendation(target, None, None, "the duration is not known")
        workers = max(min(worker_count, limits.max_concurrency or worker_count), 1)
        count, reason = _count(duration_seconds, workers, bounds, longest, why)
        target = duration_seconds / count
        estimate = None
        if real_time_factor is not None:
            estimate = math.ceil(count / workers) * target * real_time_factor
        if count == 1:  # and it stays one when the file is not as short as it says
            target = max(target, min(bounds.min_seconds, longest))
        return ChunkSizeRecommendation(target, count, estimate, reason)


def _longest(bounds: ChunkBounds, factor: float | None) -> tuple[float, str]:
    """Return the longest target for an engine of that speed, and what is said of it."""
    longest = bounds.max_seconds
    if factor is not None:
        factor = max(factor, MIN_WORK_SECONDS / MAX_SECONDS)
        longest = min(max(longest, MIN_WORK_SECONDS / factor), MAX_WORK_SECONDS / factor)
    longest = min(max(longest, bounds.min_seconds), MAX_SECONDS)
    return longest, f"chunks of at most {longest:.3g} s"


def _caps(limits: EngineLimits) -> list[tuple[float, str]]:
    """Return the longest targets that the limits of one call allow, and what limits them.

    A window is ours to keep, so there is no margin to it.
    """
    caps = []
    if limits.max_clip_seconds is not None:
        seconds = limits.max_clip_seconds * (1 - MARGIN)
        words = f"the engine takes at most {limits.max_clip_seconds:g} s a call"
        caps.append((longest_target_seconds(seconds), words))
    if limits.window_seconds is not None:
        words = f"the engine hears {limits.window_seconds:g} s at once"
        caps.append((longest_target_seconds(limits.window_seconds), words))
    if limits.max_clip_bytes is not None:
        seconds = seconds_within(int(limits.max_clip_bytes * (1 - MARGIN)) - REQUEST_BYTES)
        words = f"the engine takes at most {limits.max_clip_bytes / 1024**2:.3g} MiB a call"
        caps.append((longest_target_seconds(seconds), words))
    return caps


def _count(
    duration: float, workers: int, bounds: ChunkBounds, longest: float, why: str
) -> tuple[int, str]:
    """Return how many chunks to make, and why so many.

    As many for each worker, so that all end together, wherever the bounds leave the choice.
    """
    least = min(bounds.least_seconds, longest)
    people = "one worker" if workers == 1 else f"{workers} workers"
    wanted = workers * bounds.chunks_per_worker
    count = min(wanted, int(duration / bounds.min_seconds)) // workers * workers
    reason = f"{count} chunks for {people}"
    if count < wanted:
        reason = f"chunks of at least {bounds.min_seconds:g} s for {people}"
    if not count:
        count = max(min(workers, int(duration / least)), 1)
        reason = f"too short for {people}: chunks of at least {least:.3g} s"
        if count == workers:
            reason = f"a chunk for each of {people}"
    fewest = math.ceil(duration / longest)
    if count < fewest:
        count = max(min(-(-fewest // workers) * workers, int(duration / least)), fewest)
        reason = why
    return count, "one chunk: too short to share" if count == 1 else reason
