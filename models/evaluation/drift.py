"""How far a variant's vectors are from the reference's."""

import numpy as np
from numpy.typing import NDArray

from models.embedder import Vectors


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
