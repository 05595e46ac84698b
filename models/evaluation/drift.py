"""How far a variant's vectors are from the reference's."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from models.bundle import Drift
from models.embedder import Vectors
from models.evaluation.modes import Mode

_FEWEST: Final = 12
"""Products that drift can be told from."""
_TIED: Final = 1e-3
"""Which of two products with scores so near is the more alike, no model knows."""


def drift_of(reference: Mapping[Mode, Vectors], variant: Mapping[Mode, Vectors]) -> Drift:
    """The worst of all inputs; as far as can be where there is too little to tell, or no number."""
    rows = {mode: made.any(axis=1) for mode, made in reference.items()}
    rows = {mode: there for mode, there in rows.items() if there.sum() >= _FEWEST}
    if not rows or not all(np.isfinite(made).all() for made in variant.values()):
        return Drift(cosine_p999=2, recall_at_10_lost=1)
    return Drift(
        cosine_p999=max(0.0, *(cosine_drift(reference[mode][at], variant[mode][at]) for mode, at in rows.items())),
        recall_at_10_lost=max(recall_lost(reference[mode][at], variant[mode][at]) for mode, at in rows.items()),
    )


def recall_lost(reference: Vectors, variant: Vectors, k: int = 10) -> float:
    """The share of the `k` reference rows that a variant's row finds nearest that are none of its nearest.

    Rows that tie with the last of these (`_TIED`) are as good: which of them comes first is chance.
    """
    exact, found = reference @ reference.T, variant @ reference.T
    for scores in (exact, found):
        np.fill_diagonal(scores, -np.inf)
    least = -np.sort(-exact, axis=1)[:, :k][:, -1:]
    nearest = np.argsort(-found, axis=1, kind="stable")[:, :k]
    return float(1 - np.mean(np.take_along_axis(exact, nearest, axis=1) >= least - _TIED))


def cosine_drift(reference: Vectors, variant: Vectors) -> float:
    """The 99.9th percentile of 1 - cos between the same rows."""
    return float(np.quantile(1 - (reference.astype(np.float64) * variant).sum(axis=1), 0.999))
