"""From ranks to figures with intervals."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

CUTOFFS: Final = (1, 5, 10, 20)
DRAWS: Final = 1000
_NUMBERS_AT_ONCE: Final = 1_000_000
"""Of the drawn counts: 8 MB, however many styles there are."""
_NUMBERS_KEPT: Final = 4_000_000

_Name = TypeVar("_Name", bound=str)


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of one task, or differences of two, each with its 95 % interval (bootstrapped over styles)."""

    queries: int
    mrr: float
    recall: Mapping[int, float]
    mrr_interval: tuple[float, float]
    recall_interval: Mapping[int, tuple[float, float]]


def score(ranks: NDArray[np.int64], clusters: NDArray[np.int64]) -> Scores | None:
    """The figures of the queries whose rank is above 0; None where there is none.

    Both arrays are [q]. Whole clusters are drawn, because queries of one style are not independent.
    """
    asked = ranks > 0
    return _summary(_values(ranks[asked]), clusters[asked]) if asked.any() else None


def scored(ranks: Mapping[_Name, NDArray[np.int64]], clusters: NDArray[np.int64]) -> dict[_Name, Scores]:
    """The figures of each of several, but for those without any."""
    found = {name: score(own, clusters) for name, own in ranks.items()}
    return {name: scores for name, scores in found.items() if scores is not None}


def paired(first: NDArray[np.int64], second: NDArray[np.int64], clusters: NDArray[np.int64]) -> Scores | None:
    """How much better `first` is than `second` on the queries that both answer; None where there is none.

    Query by query, so an interval clear of zero means that one of them is better however the queries were chosen.
    """
    asked = (first > 0) & (second > 0)
    if not asked.any():
        return None
    return _summary(_values(first[asked]) - _values(second[asked]), clusters[asked])


def _values(ranks: NDArray[np.int64]) -> NDArray[np.float64]:
    """[q, 1 + cutoffs]: the reciprocal rank, and whether it is within each cutoff."""
    return np.stack([1 / ranks, *[(ranks <= k).astype(np.float64) for k in CUTOFFS]], axis=1)


def _summary(values: NDArray[np.float64], clusters: NDArray[np.int64]) -> Scores:
    means = values.mean(axis=0)
    low, high = _bootstrap(values, clusters)
    return Scores(
        queries=len(values),
        mrr=float(means[0]),
        recall={k: float(means[1 + i]) for i, k in enumerate(CUTOFFS)},
        mrr_interval=(float(low[0]), float(high[0])),
        recall_interval={k: (float(low[1 + i]), float(high[1 + i])) for i, k in enumerate(CUTOFFS)},
    )


def _bootstrap(
    values: NDArray[np.float64], clusters: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The 95 % interval of each column's mean."""
    _, cluster = np.unique(clusters, return_inverse=True)
    count = int(cluster.max()) + 1
    sums = np.stack([np.bincount(cluster, column, count) for column in values.T], axis=1)
    sizes = np.bincount(cluster, minlength=count).astype(np.float64)
    drawn = _kept_draws(count) if count * DRAWS <= _NUMBERS_KEPT else _draws(count)
    means = np.concatenate([(part @ sums) / (part @ sizes)[:, None] for part in drawn])
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high


@lru_cache(maxsize=4)
def _kept_draws(count: int) -> list[NDArray[np.float64]]:
    """The draws for a number of clusters: most mode pairs have the same, and drawing takes longer than using them."""
    return list(_draws(count))


def _draws(count: int) -> Iterator[NDArray[np.float64]]:
    """How often each cluster is drawn, [draws, count] in several parts, always the same ones."""
    random, shares = np.random.default_rng(0), np.full(count, 1 / count)
    step = max(1, _NUMBERS_AT_ONCE // count)
    for start in range(0, DRAWS, step):
        yield random.multinomial(count, shares, size=min(step, DRAWS - start)).astype(np.float64)
