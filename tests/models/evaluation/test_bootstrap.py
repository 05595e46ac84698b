"""Figures and their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluation import bootstrap
from models.evaluation.bootstrap import CUTOFFS, paired, score

some_ranks = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=40)
"""Ranks by two models, and the style, of each query."""


def arrays(queries: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second, style = np.array(queries, np.int64).T
    return first, second, style


@settings(deadline=None)
@given(some_ranks)
def test_intervals_hold_the_value_and_figures_are_as_by_hand(queries: list[tuple[int, int, int]]) -> None:
    ranks, _, style = arrays(queries)
    found = score(ranks, style)
    asked = [rank for rank in ranks.tolist() if rank > 0]
    if not asked:
        assert found is None
        return
    assert found is not None
    assert found.queries == len(asked)
    assert found.mrr == pytest.approx(sum(1 / rank for rank in asked) / len(asked))
    assert found.mrr_interval[0] - 1e-9 <= found.mrr <= found.mrr_interval[1] + 1e-9
    for k in CUTOFFS:
        low, high = found.recall_interval[k]
        assert found.recall[k] == pytest.approx(sum(rank <= k for rank in asked) / len(asked))
        assert 0 <= low <= 1
        assert low <= high


@settings(deadline=None)
@given(some_ranks)
def test_a_model_gains_nothing_over_itself(queries: list[tuple[int, int, int]]) -> None:
    ranks, _, style = arrays(queries)
    gain = paired(ranks, ranks, style)
    if gain is not None:
        assert (gain.mrr, gain.mrr_interval) == (0, (0, 0))
        assert set(gain.recall_interval.values()) == {(0.0, 0.0)}


@settings(deadline=None)
@given(some_ranks)
def test_what_one_gains_the_other_loses(queries: list[tuple[int, int, int]]) -> None:
    first, second, style = arrays(queries)
    there, back = paired(first, second, style), paired(second, first, style)
    if there is None or back is None:
        assert there is back
        return
    assert there.queries == sum(a > 0 and b > 0 for a, b, _ in queries)
    assert there.mrr == pytest.approx(-back.mrr)
    assert there.mrr_interval == pytest.approx([-end for end in reversed(back.mrr_interval)])


def test_a_better_model_is_clear_of_zero() -> None:
    random = np.random.default_rng(0)
    second = random.integers(2, 10, 300)
    first = np.where(random.random(300) < 0.5, 1, second)
    gain = paired(first, second, np.arange(300) // 3)
    assert gain is not None
    assert gain.mrr_interval[0] > 0.1


def test_the_interval_is_as_wide_as_the_styles_are_few() -> None:
    """A hundred queries of five styles say as little as five do."""
    ranks = np.tile(np.array([1, 5]), 200)
    spread = {}
    for styles in (5, 400):
        found = score(np.sort(ranks), np.arange(400) * styles // 400)
        assert found is not None
        spread[styles] = found.recall_interval[1][1] - found.recall_interval[1][0]
    assert spread[5] > 4 * spread[400]
    assert spread[400] == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.2)


def test_draws_are_the_same_however_many_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks, style = np.random.default_rng(1).integers(1, 9, 90), np.arange(90) // 2
    whole = score(ranks, style)
    monkeypatch.setattr(bootstrap, "_NUMBERS_AT_ONCE", 450)
    monkeypatch.setattr(bootstrap, "_NUMBERS_KEPT", 0)
    assert score(ranks, style) == whole
