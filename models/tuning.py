"""What a photo weighs beside a text in a `dual` bundle, chosen on labelled pairs or styles.

A weight is one number, but still it is judged on queries that it was not chosen on: one half of the styles chooses,
the other says what was gained.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import InvalidInput
from models.embedder import Vectors
from models.evaluation.bootstrap import Scores, paired, score
from models.evaluation.modes import Mode
from models.evaluation.ranking import Truth, ranks_of

WEIGHTS: Final = tuple(round(0.05 * step, 2) for step in range(1, 20))
_FEWEST: Final = 20
"""Queries with photo and text in each half."""
_MAX_RESIDUE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Tuned:
    """The photo's weight before and after, the MRR of m-m by weight on one half, the gain on the other."""

    before: float
    after: float
    tried: Mapping[float, float]
    gain: Scores
    queries: int
    """Of the half that chose."""

    @property
    def is_better(self) -> bool:
        """Whether the other half gains too, by more than chance may."""
        return self.after != self.before and self.gain.mrr_interval[0] > 0


def tune(gallery: Mapping[Mode, Vectors], truth: Truth) -> Tuned:
    """Choose the weight with which products by photo and text are found best; rows as in `Measured.gallery`.

    Raises InvalidInput for a bundle whose vectors are no weighted sum, or too few queries.
    """
    before = weight_of(gallery)
    both: NDArray[np.bool_] = np.asarray(gallery["m"].any(axis=1))
    asked = both[truth.own]
    half = _halves(truth.clusters)
    for part in (half, ~half):
        if (asked & part).sum() < _FEWEST:
            raise InvalidInput(
                f"Weights are tuned on one half of the queries and judged on the other, and each needs {_FEWEST} with "
                f"photo, text and another listing; one has {int((asked & part).sum())}. Give more pairs."
            )
    ranks = {weight: _ranks(gallery, both, truth, weight) for weight in {*WEIGHTS, before}}
    tried = {weight: _mrr(found[half], truth.clusters[half]) for weight, found in ranks.items()}
    after = max(tried, key=lambda weight: (round(tried[weight], 6), -abs(weight - before)))
    gain = paired(ranks[after][~half], ranks[before][~half], truth.clusters[~half])
    if gain is None:
        raise InvalidInput("No query of the half that judges has a right answer with photo and text. Give more pairs.")
    return Tuned(before, after, dict(sorted(tried.items())), gain, int((ranks[before][half] > 0).sum()))


def weight_of(gallery: Mapping[Mode, Vectors]) -> float:
    """What the photo weighs of 1, from vectors by photo, text and both; raises InvalidInput where they are no sum."""
    rows = np.flatnonzero(gallery["m"].any(axis=1) & gallery["i"].any(axis=1) & gallery["t"].any(axis=1))
    if not len(rows):
        raise InvalidInput("No product has both a photo and a text, so there is nothing to weigh.")
    shares = []
    for row in rows[:200]:
        parts = np.stack([gallery["i"][row], gallery["t"][row]], axis=1).astype(np.float64)
        weights, _, rank, _ = np.linalg.lstsq(parts, gallery["m"][row].astype(np.float64), rcond=1e-6)
        if rank == 2 and weights.sum() > 0:
            residue = float(np.abs(parts @ weights - gallery["m"][row]).max())
            shares.append((weights[0] / weights.sum(), residue))
    if not shares or max(residue for _, residue in shares) > _MAX_RESIDUE or np.ptp([one for one, _ in shares]) > 0.01:
        raise InvalidInput("This bundle does not add up photo and text with fixed weights, so there are none to tune.")
    return round(float(np.median([one for one, _ in shares])), 3)


def fused(gallery: Mapping[Mode, Vectors], weight: float) -> Vectors:
    """[n, dim] by photo and text with another weight; zeros where one of them is not there."""
    rows = weight * gallery["i"] + (1 - weight) * gallery["t"]
    there = gallery["m"].any(axis=1, keepdims=True)
    made: Vectors = (there * rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return made


def _ranks(gallery: Mapping[Mode, Vectors], both: NDArray[np.bool_], truth: Truth, weight: float) -> NDArray[np.int64]:
    vectors = fused(gallery, weight)
    return np.where(both[truth.own], ranks_of(vectors[truth.own], vectors, truth), 0)


def _halves(clusters: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which queries choose; those of one style stay together."""
    names, number = np.unique(clusters, return_inverse=True)
    chosen = np.random.default_rng(0).permutation(len(names)) % 2 == 0
    half: NDArray[np.bool_] = chosen[number]
    return half


def _mrr(ranks: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    scores = score(ranks, clusters)
    return scores.mrr if scores is not None else 0.0
