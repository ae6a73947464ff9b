"""Rankings are fused by the places in them, whatever their scores."""

import pytest

from processing.knowledge.searching.fusion import fused


def test_what_is_first_everywhere_has_the_score_1() -> None:
    [(first, score), *_] = fused(["a", "b"], ["a", "c"])

    assert first == "a"
    assert score == pytest.approx(1.0)


def test_what_both_rankings_know_is_before_what_one_has_first() -> None:
    assert [item for item, _ in fused(["a", "b"], ["c", "b"])] == ["b", "a", "c"]


def test_one_ranking_stays_as_it_is() -> None:
    assert [item for item, _ in fused(["b", "a", "c"])] == ["b", "a", "c"]


def test_nothing_is_fused_to_nothing() -> None:
    assert fused([], []) == []


def test_the_score_is_that_of_the_paper() -> None:
    [(_, score), *_] = fused(["a"], ["b", "a"])

    assert score == pytest.approx((1 / 61 + 1 / 62) / (2 / 61))
