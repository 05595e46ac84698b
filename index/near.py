"""Pairs of rows that are near enough to be one style: for each row its nearest others that do not contradict it."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalogue.variant_table import Variants
from catalogue.variants import MODES, SameFrom
from index.exact import FlatIndex
from index.search import ShardedIndex, VectorIndex
from index.workers import shared_workers

K: Final = 16
"""Styles of so many listings are seen whole; greater ones hold together through those that are nearest to many."""
NEAR_IDENTICAL: Final = 0.95
"""From here on two listings of one supplier are one listing twice. Chosen by `bench.tabs`: docs/benchmarks.md."""
_FEW: Final = 1 / 40
_ENOUGH: Final = 200
_RANDOM_PAIRS: Final = 100_000
_CROWD: Final = 16 * K
"""Looked at where equal rows or other variants of the style leave fewer than `K`."""
_EFFORT: Final = 48
"""Enough to find what is so near: an index is tuned on queries that lie between the vectors."""
_BLOCK: Final = 1_024
_CHUNK: Final = 16_384
_ROUNDING: Final = 1e-5
"""What is summed in another order may differ by so much."""

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""A row each, and another that is near it."""


@dataclass(frozen=True, slots=True)
class Floors:
    """From which score on rows are alike: `of_modes` [mode, mode], float32, by the `modes` of the rows, uint8."""

    modes: NDArray[np.uint8]
    of_modes: NDArray[np.float32]

    @classmethod
    def of(cls, same: SameFrom, modes: NDArray[np.uint8]) -> "Floors":
        """For rows whose modes are places in `MODES`."""
        return cls(modes, np.array([[same.of(one, other) for other in MODES] for one in MODES], np.float32))

    def between(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.float32]:
        """For each row and the one beside it."""
        floors: NDArray[np.float32] = self.of_modes[self.modes[rows], self.modes[others]]
        return floors

    @property
    def least(self) -> float:
        """The lowest for any two rows there are."""
        present = np.unique(self.modes)
        return float(self.of_modes[np.ix_(present, present)].min(initial=np.inf))


def near_pairs(
    index: VectorIndex,
    vectors: NDArray[np.float16],
    rows: NDArray[np.int64],
    variants: Variants,
    floors: Floors,
) -> Pairs:
    """For each of some `rows` (ascending) the at most `K` nearest of them that are alike.

    Ordered by row, then the nearest first. Exact where the index is; the same on any number of threads.
    """
    if isinstance(index, FlatIndex):
        parts = _scanned(vectors, rows, variants, floors)
    else:
        parts = _searched(index, vectors, rows, variants, floors)
    return _joined(parts)


def pairs_of_one_gtin(
    vectors: NDArray[np.float16], rows: NDArray[np.int64], variants: Variants, threshold: float
) -> Pairs:
    """Of some `rows` (ascending) those that have one GTIN, are at least so similar, and do not contradict each other.

    Both ways; each with the `K` next ones of its GTIN, those first that say the same.
    """
    having, code = variants.gtins()
    asked = np.isin(having, rows)
    having, code = having[asked], code[asked]
    order = np.lexsort((variants.hashes()[having], code))
    having, code = having[order], code[order]
    ahead = ((np.flatnonzero(code[:-by] == code[by:]), by) for by in range(1, min(K + 1, len(code))))
    one, other = _joined((having[at], having[at + by]) for at, by in ahead)
    there = (similarities(vectors, one, other) >= threshold) & ~variants.contradict(one, other)
    return _joined([(one[there], other[there]), (other[there], one[there])])


def background(vectors: NDArray[Any]) -> float | None:
    """More alike than so are few pairs of unlike products: the `_FEW` most alike of random pairs of rows.

    None for so few rows that pairs of the same product are many among those.
    """
    if len(vectors) < _ENOUGH:
        return None
    random = np.random.default_rng(0)
    one, other = random.integers(0, len(vectors), (2, _RANDOM_PAIRS))
    differ = one != other
    return float(np.quantile(similarities(vectors, one[differ], other[differ]), 1 - _FEW))


def similarities(vectors: NDArray[Any], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float32]:
    """The scores of pairs of rows, float32 [pairs], each by itself: they depend on no other pair."""
    scores = np.empty(len(one), np.float32)
    for start in range(0, len(one), _CHUNK):
        part = slice(start, start + _CHUNK)
        left, right = vectors[one[part]].astype(np.float32), vectors[other[part]].astype(np.float32)
        scores[part] = np.einsum("ij,ij->i", left, right)
    return scores.clip(-1.0, 1.0)


def _scanned(
    vectors: NDArray[np.float16], rows: NDArray[np.int64], variants: Variants, floors: Floors
) -> Iterator[Pairs]:
    """All against all, block by block: 64 MB of scores at once."""
    least = floors.least
    for first in range(0, len(rows), _BLOCK):
        block = rows[first : first + _BLOCK]
        own = vectors[block].astype(np.float32)
        found: list[Pairs] = []
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK]
            source, target = _best_of_each(own @ vectors[chunk].astype(np.float32).T, least - _ROUNDING)
            found.append((block[source], chunk[target]))
        source, target = (np.concatenate(ends) for ends in zip(*found, strict=True))
        yield _nearest(vectors, source[source != target], target[source != target], variants, floors)


def _best_of_each(scores: NDArray[np.float32], floor: float) -> Pairs:
    """Line and column of what is at or above the floor, of each line not many more than the best `_CROWD`."""
    enough = scores >= floor
    crowded = np.flatnonzero(np.count_nonzero(enough, axis=1) > _CROWD)
    for line in crowded.tolist():
        last = np.partition(scores[line], -_CROWD)[-_CROWD]
        best = np.flatnonzero(scores[line] >= last - _ROUNDING)[: 2 * _CROWD]  # of a great many ties, some
        enough[line] = False
        enough[line, best] = True
    return np.divmod(np.flatnonzero(enough.ravel()), scores.shape[1])


def _searched(
    index: VectorIndex,
    vectors: NDArray[np.float16],
    rows: NDArray[np.int64],
    variants: Variants,
    floors: Floors,
) -> Iterator[Pairs]:
    """Every row is a query; queries run side by side."""
    least = floors.least
    among = np.zeros(len(vectors), np.bool_)
    among[rows] = True
    if isinstance(index, ShardedIndex):
        index = index.with_effort(min(index.tuned, _EFFORT))

    def ask(row: int, k: int, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        found = index.search(vectors[row].astype(np.float32), k, allowed)
        return found.rows[found.scores >= least]

    def block(first: int) -> Pairs:
        own = rows[first : first + _BLOCK]
        found = [ask(row, K + 1, None) for row in own.tolist()]
        source, target = _flattened(own, found)
        left_out = ~among[target] | variants.contradict(source, target) | (floors.between(source, target) > least)
        crowded = np.isin(own, source[left_out])
        for at in np.flatnonzero(crowded).tolist():
            if len(found[at]) == K + 1:
                found[at] = ask(own[at], _CROWD, None if among[found[at]].all() else among)
        source, target = _flattened(own, found)
        return _nearest(vectors, source[among[target]], target[among[target]], variants, floors)

    with ThreadPoolExecutor(shared_workers().threads, "near") as pool:
        yield from pool.map(block, range(0, len(rows), _BLOCK))


def _joined(parts: Iterable[Pairs]) -> Pairs:
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64))
    source, target = zip(nothing, *parts, strict=True)
    return np.concatenate(source), np.concatenate(target)


def _flattened(own: NDArray[np.int64], found: list[NDArray[np.int64]]) -> Pairs:
    """Pairs of each row and what was found for it, less itself."""
    source = np.repeat(own, [len(one) for one in found])
    target = np.concatenate(found)
    return source[source != target], target[source != target]


def _nearest(
    vectors: NDArray[np.float16],
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    variants: Variants,
    floors: Floors,
) -> Pairs:
    """The best `K` of each source, of those that are alike and do not contradict it."""
    fits = ~variants.contradict(source, target)
    source, target = source[fits], target[fits]
    score = similarities(vectors, source, target)
    alike = score >= floors.between(source, target)
    source, target, score = source[alike], target[alike], score[alike]
    order = np.lexsort((target, -score, source))
    source, target, score = source[order], target[order], score[order]
    place = np.arange(len(order)) - np.searchsorted(source, source)
    best = place < K
    return source[best], target[best]
