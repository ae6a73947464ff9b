"""The percentile of what was measured: the value itself, never one between two."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the smallest value that ``fraction`` of ``values`` do not exceed."""
    return sorted(values)[math.ceil(fraction * len(values)) - 1]
