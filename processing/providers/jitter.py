"""How long to wait, so that those who are told the same do not all come back at once."""

import random

#: The most that is added to a wait: this share of it, within these bounds.
SHARE = 0.25
MIN_SPREAD_SECONDS = 0.05
MAX_SPREAD_SECONDS = 5.0


def spread(seconds: float) -> float:
    """Return ``seconds`` and a little more; never less, so that nobody comes back too early."""
    most = min(max(SHARE * seconds, MIN_SPREAD_SECONDS), MAX_SPREAD_SECONDS)
    return seconds + random.uniform(0, most)  # noqa: S311  not a secret
