"""From which cosine on a pair counts as the same style, or as similar."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from catalogue.product import Product
from catalogue.variant_table import Variants
from models.bundle import ModePair, Threshold, Thresholds
from models.embedder import Vectors
from models.evaluation import MODE_PAIRS, Mode, pair_modes

PRECISION: Final = 0.95
_FEWEST_PAIRS: Final = 20
_BINS_PER_UNIT: Final = 100_000
_PAIRS_AT_ONCE: Final = 4_000_000

Mask: TypeAlias = NDArray[np.bool_]
Rows: TypeAlias = NDArray[np.int64]


def calibrate(
    vectors: Mapping[Mode, Vectors], styles: Sequence[str], products: Sequence[Product]
) -> dict[ModePair, Thresholds]:
    """Thresholds of every mode pair over all pairs of different products.

    Same-style pairs share `styles`; pairs that contradict each other (`catalogue.variants`) are left out there, because
    they are never the same style whatever their cosine. Similar pairs share the leaf category; where nearly all
    products do, that says nothing. A product with an empty style (or no category) is left out of the one (or the
    other). Row r of every array is product r, a unit row, or zeros where it lacks that mode. Scores are counted in
    steps of 0.00001, so memory does not grow with the pairs.
    """
    pairs = [pair for pair in MODE_PAIRS if all(mode in vectors for mode in pair_modes(pair))]
    truth = _Truth(styles, products)
    same_style = {pair: _Histogram() for pair in pairs}
    similar = {pair: _Histogram() for pair in pairs}
    for rows in _blocks(len(products)):
        judged, is_same, compared, is_similar = truth.of(rows)
        for pair in pairs:
            query, gallery = (vectors[mode] for mode in pair_modes(pair))
            there = np.outer(query[rows].any(axis=1), gallery.any(axis=1))
            if query is gallery:
                there &= np.arange(len(products)) > rows[:, None]  # each pair once
            else:
                there[np.arange(len(rows)), rows] = False
            scores = query[rows] @ gallery.T
            same_style[pair].add(scores, there & judged, is_same)
            similar[pair].add(scores, there & compared, is_similar)
    return {
        pair: Thresholds(
            same_style=same_style[pair].threshold(PRECISION),
            similar=similar[pair].threshold(PRECISION) if similar[pair].tells(PRECISION) else None,
        )
        for pair in pairs
    }


def wilson_interval(found: float, total: float) -> tuple[float, float]:
    """The 95 % interval of a share."""
    z = 1.96
    middle = (found + z * z / 2) / (total + z * z)
    half = z / (total + z * z) * math.sqrt(found * (total - found) / total + z * z / 4)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


class _Histogram:
    """How many pairs, and how many right ones, have each score."""

    def __init__(self) -> None:
        self._counts = np.zeros(2 * _BINS_PER_UNIT + 1, np.int64)
        self._hits = np.zeros_like(self._counts)

    def add(self, scores: NDArray[np.float32], judged: Mask, positive: Mask) -> None:
        """Count the judged ones of [len, n] pairs."""
        self._counts += self._count(scores[judged])
        self._hits += self._count(scores[judged & positive])

    def tells(self, precision: float) -> bool:
        """Whether fewer than that share of all pairs are right, so that a score is needed to tell them."""
        return bool(self._hits.sum() < precision * self._counts.sum())

    def threshold(self, precision: float) -> Threshold | None:
        """The lowest score at and above which `precision` of the pairs are positive; else see `_lowest`."""
        bins = np.flatnonzero(self._counts)[::-1]
        return _lowest(bins / _BINS_PER_UNIT - 1, self._hits[bins], self._counts[bins], precision)

    def _count(self, scores: NDArray[np.float32]) -> Rows:
        bins = np.floor((scores.astype(np.float64) + 1) * _BINS_PER_UNIT).astype(np.int64)
        return np.bincount(bins.clip(0, len(self._counts) - 1), minlength=len(self._counts))


class _Truth:
    """What is true of pairs of products, a block of rows at a time."""

    def __init__(self, styles: Sequence[str], products: Sequence[Product]) -> None:
        leaves = [product.category_levels[-1] if product.category_levels else "" for product in products]
        (self._styles, self._styled), (self._leaves, self._placed) = _coded(styles), _coded(leaves)
        self._variants = Variants.of(products)

    def of(self, rows: Rows) -> tuple[Mask, Mask, Mask, Mask]:
        """Masks [len, n]: judged and same style, compared and similar."""
        judged = np.outer(self._styled[rows], self._styled)
        one, other = np.nonzero(judged)
        judged[one, other] = ~self._variants.contradict(rows[one], other)
        return (
            judged,
            self._styles[rows, None] == self._styles[None, :],
            np.outer(self._placed[rows], self._placed),
            self._leaves[rows, None] == self._leaves[None, :],
        )


def _lowest(
    levels: NDArray[np.float64], hits: NDArray[np.int64], counts: NDArray[np.int64], precision: float
) -> Threshold | None:
    """The lowest of the levels (descending) at and above which the pairs are precise enough.

    Where none is, the one with the best F0.5 (precision counts twice as much as recall) takes its place, and says so in
    its precision; None where even that is wrong more often than right.
    """
    found_by, counted = np.cumsum(hits), np.cumsum(counts)
    eligible = np.flatnonzero(counted >= _FEWEST_PAIRS)
    if not len(eligible):
        return None
    good = eligible[found_by[eligible] >= precision * counted[eligible]]
    f_half = found_by[eligible] / (counted[eligible] + 0.25 * found_by[-1])  # F0.5 / 1.25
    chosen = good[-1] if len(good) else eligible[np.argmax(f_half)]
    found, total = int(found_by[chosen]), int(counted[chosen])
    if found <= 0.5 * total:
        return None
    return Threshold(
        score=max(-1.0, math.floor(float(levels[chosen]) * 1e4 + 1e-6) / 1e4),  # so that the pair itself still counts
        precision=round(found / total, 4),
        interval=wilson_interval(found, total),
        pairs=total,
    )


def _coded(names: Sequence[str]) -> tuple[Rows, Mask]:
    """Equal numbers for equal names, and which of them are not empty."""
    codes = np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].astype(np.int64)
    return codes, np.array([bool(name) for name in names], bool)


def _blocks(products: int) -> Iterator[Rows]:
    size = max(1, _PAIRS_AT_ONCE // max(1, products))
    for start in range(0, products, size):
        yield np.arange(start, min(start + size, products))
