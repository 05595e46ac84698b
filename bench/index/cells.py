"""Cells of neighbouring products, coarse and fine: what attributes that go along with looks are made of."""

from dataclasses import dataclass
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from bench.index.data import Vectors

LEVELS: Final = 3
_PARTS: Final = (100, 10, 10)
"""Cells at the coarsest level, and how many finer ones each of them is cut into."""
_TRAINED: Final = 256
"""Rows per cell that are looked at to place it."""


@dataclass(frozen=True)
class Cells:
    """Which cell each row lies in, level by level, from the coarsest to the finest."""

    of_row: NDArray[np.int64]
    """[rows, LEVELS]"""
    centres: list[Vectors]
    sizes: list[NDArray[np.int64]]

    @classmethod
    def of(cls, base: NDArray[np.float16]) -> "Cells":
        """Cut `base` [rows, dim] into cells, and these again, by k-means."""
        whole = base.astype(np.float32)
        of_row = np.zeros((len(base), LEVELS), np.int64)
        parent = np.zeros(len(base), np.int64)
        for level, parts in enumerate(_PARTS):
            members = np.split(np.argsort(parent, kind="stable"), np.cumsum(np.bincount(parent))[:-1])
            for number, rows in enumerate(members):
                of_row[rows, level] = parts * number + _assign(whole[rows], parts)
            parent = np.unique(of_row[:, level], return_inverse=True)[1]
            of_row[:, level] = parent
        centres = [_means(whole, of_row[:, level]) for level in range(LEVELS)]
        return cls(of_row, centres, [np.bincount(of_row[:, level]) for level in range(LEVELS)])

    def at_random(self) -> NDArray[np.int64]:
        """Cells of the same sizes that rows lie in by chance [rows, LEVELS]."""
        return self.of_row[np.random.default_rng(9).permutation(len(self.of_row))]

    def choose(self, query: Vectors, share: float, lie: str) -> tuple[int, list[int]]:
        """A level and cells of it that hold about `share` of the rows, at most 100: near the query or far from it."""
        for level in reversed(range(LEVELS)):
            order = np.argsort(-(self.centres[level] @ query))
            if lie == "anti-correlated":
                order = order[::-1]
            rows = np.cumsum(self.sizes[level][order])
            count = 1 + int(np.argmin(np.abs(rows - share * len(self.of_row))))
            if count <= 100:
                break
        return level, order[:count].tolist()


def _assign(vectors: Vectors, parts: int) -> NDArray[np.int64]:
    """The part of each row, at most `parts` of them."""
    parts = min(parts, len(vectors))
    seen = vectors[np.random.default_rng(8).permutation(len(vectors))[: _TRAINED * parts]]
    means = faiss.Kmeans(vectors.shape[1], parts, niter=6, min_points_per_centroid=1, seed=1)
    means.train(seen)
    found: NDArray[np.int64] = means.index.search(vectors, 1)[1][:, 0]
    return found


def _means(vectors: Vectors, cells: NDArray[np.int64]) -> Vectors:
    """The mean of each cell's rows."""
    order = np.argsort(cells, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(cells))[:-1]])
    sums: Vectors = np.add.reduceat(vectors[order], first, axis=0)
    sums /= np.bincount(cells)[:, np.newaxis]
    return sums
