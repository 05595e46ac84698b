"""From which cosine on a pair counts as the same style, or as similar."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.product import Product
from catalogue.variants import contradict
from models.bundle import ModePair, Threshold, Thresholds
from models.embedder import Vectors
from models.evaluation import MODE_PAIRS, Mode, pair_modes

PRECISION: Final = 0.95
_FEWEST_PAIRS: Final = 20


@dataclass(frozen=True, slots=True)
class _Labels:
    """What is true of each pair of products, [n, n]."""

    same_style: NDArray[np.bool_]
    same_category: NDArray[np.bool_]
    contradicting: NDArray[np.bool_]


def calibrate(
    vectors: Mapping[Mode, Vectors], styles: Sequence[str], products: Sequence[Product]
) -> dict[ModePair, Thresholds]:
    """Thresholds of every mode pair over all pairs of different products.

    Same-style pairs share `styles`; pairs whose declared attributes contradict each other are left out there, because
    they are never the same style whatever their cosine. Similar pairs share the leaf category. Row r of every array
    is product r, a unit row, or zeros where it lacks that mode.
    """
    labels = _Labels(
        _equal(styles),
        _equal([product.category_levels[-1] if product.category_levels else "" for product in products]),
        np.array([[contradict(a, b) for b in products] for a in products], dtype=bool),
    )
    return {
        pair: _calibrate_pair(vectors[query], vectors[gallery], labels)
        for pair in MODE_PAIRS
        for query, gallery in [pair_modes(pair)]
        if query in vectors and gallery in vectors
    }


def threshold_at(scores: NDArray[np.float32], positive: NDArray[np.bool_], precision: float) -> Threshold | None:
    """The lowest score at and above which `precision` of the pairs are positive.

    Where no score supports that, the one with the best F0.5 (precision counts twice as much as recall) takes its
    place, and says so in its precision; None where even that is wrong more often than right.
    """
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], np.cumsum(positive[order])
    counts = np.arange(1, len(scores) + 1)
    last_of_ties = np.append(ordered[1:] < ordered[:-1], np.ones(min(1, len(ordered)), dtype=bool))
    eligible = np.flatnonzero(last_of_ties & (counts >= _FEWEST_PAIRS))
    good = eligible[hits[eligible] >= precision * counts[eligible]]
    if len(good):
        chosen = good[-1]
    elif len(eligible):
        chosen = eligible[np.argmax(hits[eligible] / (counts[eligible] + 0.25 * positive.sum()))]  # F0.5 / 1.25
    else:
        return None
    found, total = int(hits[chosen]), int(counts[chosen])
    if found <= 0.5 * total:
        return None
    return Threshold(
        score=math.floor(float(ordered[chosen]) * 1e4) / 1e4,  # rounded so that the pair itself still counts
        precision=round(found / total, 4),
        interval=wilson_interval(found, total),
        pairs=total,
    )


def wilson_interval(found: float, total: float) -> tuple[float, float]:
    """The 95 % interval of a share."""
    z = 1.96
    middle = (found + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * math.sqrt(found * (total - found) / total + z * z / 4)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


def _calibrate_pair(queries: Vectors, gallery: Vectors, labels: _Labels) -> Thresholds:
    pairs = np.outer(queries.any(axis=1), gallery.any(axis=1))
    np.fill_diagonal(pairs, val=False)
    if queries is gallery:
        pairs = np.triu(pairs)  # each pair once
    scores = queries @ gallery.T
    judged = pairs & ~labels.contradicting
    return Thresholds(
        same_style=threshold_at(scores[judged], labels.same_style[judged], PRECISION),
        similar=threshold_at(scores[pairs], labels.same_category[pairs], PRECISION),
    )


def _equal(names: Sequence[str]) -> NDArray[np.bool_]:
    """Which pairs of names are equal, [n, n]."""
    codes = np.unique(np.asarray(names, dtype=str), return_inverse=True)[1]
    equal: NDArray[np.bool_] = codes[:, None] == codes[None, :]
    return equal
