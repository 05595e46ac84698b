"""How far a variant's vectors are from the reference's."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.bundle import Drift
from models.embedder import Vectors
from models.evaluation.modes import Mode

_FEWEST: Final = 12
"""Products that drift can be told from."""


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
    """The share of each row's `k` nearest reference rows that the variant's row does not find among them."""
    exact = _nearest(reference, reference, k)
    found = _nearest(variant, reference, k)
    kept = [len(np.intersect1d(a, b)) / len(a) for a, b in zip(exact, found, strict=True)]
    return float(1 - np.mean(kept))


def cosine_drift(reference: Vectors, variant: Vectors) -> float:
    """The 99.9th percentile of 1 - cos between the same rows."""
    return float(np.quantile(1 - (reference.astype(np.float64) * variant).sum(axis=1), 0.999))


def _nearest(queries: Vectors, gallery: Vectors, k: int) -> NDArray[np.int64]:
    scores = queries @ gallery.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]
