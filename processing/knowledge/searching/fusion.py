"""Several rankings of the same things as one."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

#: How little the first places count more than the next ones: what Cormack, Clarke and Büttcher
#: found best (Reciprocal rank fusion outperforms Condorcet, SIGIR 2009).
K = 60


def fused(*rankings: Sequence[T], k: int = K) -> list[tuple[T, float]]:
    """Return everything ranked with its score, the best first, by reciprocal rank fusion.

    A score is from 0 to 1: what is first everywhere has 1. Of equal ones, those of the first
    ranking come first.
    """
    scores: dict[T, float] = {}
    for ranking in rankings:
        for rank, item in enumerate(ranking, start=1):
            scores[item] = scores.get(item, 0.0) + 1 / (k + rank)
    best = len(rankings) / (k + 1)
    return [
        (item, score / best) for item, score in sorted(scores.items(), key=lambda pair: -pair[1])
    ]
