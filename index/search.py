"""Nearest neighbours by inner product of unit vectors, over shards, re-scored exactly."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The best rows of one query, best first, ties by row: `rows` int64 [n], `scores` float32 [n] in -1..1."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


_MARGIN: Final = 16
"""Fetched beyond k at first; more as long as a tie with the k-th may have been cut off."""
_SAME: Final = 1e-5
"""Scores nearer than this may be equal but for the order of summation."""


class VectorIndex(Protocol):
    """One field of a snapshot, searched."""

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        """The `k` best rows for a unit `query` [dim]; fewer only if fewer are `allowed` (bool [rows])."""
        ...


class FlatIndex:
    """Exact search: every shard is scanned.

    Rows are numbered through the shards in their order, so a shard's rows are one contiguous range. FAISS scans in
    float32; the answer's scores come from the stored float16 `vectors` [rows, dim], the same whatever the index type.
    """

    def __init__(self, shards: Sequence[faiss.Index], vectors: NDArray[np.float16]) -> None:
        self._shards = shards
        self._vectors = vectors

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        """See `VectorIndex.search`."""
        found: list[NDArray[np.int64]] = []
        first = 0
        for shard in self._shards:
            rows = None if allowed is None else allowed[first : first + shard.ntotal]
            found.append(first + _search_shard(shard, query, k, rows))
            first += shard.ntotal
        candidates = np.concatenate(found) if found else np.empty(0, np.int64)
        scores = np.clip(self._vectors[candidates].astype(np.float32) @ query, -1.0, 1.0)
        best = np.lexsort((candidates, -scores))[:k]
        return Neighbours(candidates[best], scores[best])


def set_faiss_threads(count: int) -> None:
    """How many threads FAISS uses for searches begun on the calling thread: OpenMP keeps the number per thread."""
    faiss.omp_set_num_threads(count)


def _search_shard(
    shard: faiss.Index, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    """Row numbers within the shard: the k best and every row that ties with the last of them."""
    k = min(k, shard.ntotal)
    if k == 0:
        return np.empty(0, np.int64)
    parameters = None
    if allowed is not None:
        bits = np.packbits(allowed, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(bits))
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # made by SWIG from keywords
    fetch = min(k + _MARGIN, shard.ntotal)
    while True:
        scores, rows = shard.search(query[np.newaxis], fetch, params=parameters)
        exhausted = fetch == shard.ntotal or rows[0, -1] < 0  # fewer than that are allowed
        if exhausted or scores[0, -1] < min(scores[0, k - 1], 1.0) - _SAME:
            found: NDArray[np.int64] = rows[0][rows[0] >= 0]
            return found
        fetch = min(8 * fetch, shard.ntotal)
