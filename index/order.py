"""The order of a snapshot's rows: what is alike lies side by side.

A graph's search goes from neighbour to neighbour. Where these are neighbours in memory too, many of them share a page
and are in the cache already.
"""

from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from index.workers import shared_workers

_ROWS_PER_CELL: Final = 512
_MOST_CELLS: Final = 2_048
_SEEN_PER_CELL: Final = 48
"""Rows that are looked at to place a cell."""
_ROUNDS: Final = 8
_CHUNK: Final = 65_536


def by_likeness(vectors: NDArray[Any]) -> NDArray[np.int64]:
    """A number for each of `vectors` [rows, dim], the same for those of one cell of k-means: int64 [rows]."""
    rows, dim = vectors.shape
    cells = min(_MOST_CELLS, rows // _ROWS_PER_CELL)
    if cells < 2:
        return np.zeros(rows, np.int64)
    faiss.omp_set_num_threads(shared_workers().threads)  # searches of this thread may have set it to 1
    seen = np.random.default_rng(0).permutation(rows)[: _SEEN_PER_CELL * cells]
    means = faiss.Kmeans(dim, cells, niter=_ROUNDS, seed=1)
    means.train(vectors[np.sort(seen)].astype(np.float32))
    index: faiss.Index = means.index
    starts = range(0, rows, _CHUNK)
    nearest = [index.search(vectors[start : start + _CHUNK].astype(np.float32), 1)[1] for start in starts]
    cell_of: NDArray[np.int64] = np.concatenate(nearest)[:, 0]
    return cell_of
