"""Exact search: a scan of the stored float16 vectors, in place."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from index.timing import EXACT, RESCORE, timed
from index.workers import shared_workers

_MARGIN: Final = 16
"""Fetched beyond k at first; more as long as a tie with the k-th may have been cut off."""
_SAME: Final = 1e-5
"""Scores nearer than this may be equal but for the order of summation."""
_PART: Final = 16_384
"""Fewest rows worth a thread, and most that are gathered at once (8 MB at 256 dimensions)."""
_METRIC: Final = faiss.METRIC_INNER_PRODUCT
_Numbers = NDArray[np.int64]
"""By name, as types of a function inside another one are made anew at each call."""
_SPARSE: Final = 32
"""Below one row in so many, allowed rows are gathered; above, the rest is skipped while scanning."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The best rows of one query, best first, ties by row: `rows` int64 [n], `scores` float32 [n] in -1..1."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


def best_of(
    vectors: NDArray[np.float16], query: NDArray[np.float32], candidates: NDArray[np.int64], k: int
) -> Neighbours:
    """The k best of some rows (no row twice), by scores that depend on nothing but the row and the query."""
    scores = np.empty(len(candidates), np.float32)
    for start in range(0, len(candidates), _PART):
        part = slice(start, start + _PART)
        # Not `@`: what BLAS makes of a row differs with the rows beside it, and equal vectors must tie.
        scores[part] = np.einsum("ij,j->i", vectors.take(candidates[part], 0).astype(np.float32), query)
    np.minimum(scores, 1.0, out=scores)
    np.maximum(scores, -1.0, out=scores)
    best = np.lexsort((candidates, -scores))[:k]
    return Neighbours(candidates[best], scores[best])


def stored_view(vectors: NDArray[np.float16]) -> faiss.Index:
    """An index over float16 `vectors` [n, dim] that copies nothing; they must outlive it.

    Raises ValueError for others than it can read in place.
    """
    if vectors.ndim != 2 or vectors.dtype != np.float16 or not vectors.flags.c_contiguous:
        raise ValueError(f"the vectors are {vectors.dtype} {vectors.shape}, not rows of float16, one after the other")
    return _view(faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, _METRIC), vectors)


def bytes_view(codes: NDArray[np.uint8]) -> faiss.Index:
    """The same over vectors of whole numbers from -128 to 127, kept as uint8 [n, dim], 128 more."""
    view = faiss.IndexScalarQuantizer(codes.shape[1], faiss.ScalarQuantizer.QT_8bit_uniform, _METRIC)
    faiss.copy_array_to_vector(np.array([-128.5, 255], np.float32), view.sq.trained)  # least, and the width of 255
    return _view(view, codes)


def _view(empty: Any, codes: NDArray[Any]) -> faiss.Index:
    owned: Any = faiss.MaybeOwnedVectorUInt8  # the stubs do not know it in full
    flat = codes.view(np.uint8)
    empty.codes = owned.create_view(faiss.swig_ptr(flat), flat.nbytes, owned().owner)
    empty.ntotal = len(codes)
    empty.is_trained = True
    return empty  # type: ignore[no-any-return]


class Bitmap:
    """Allowed rows as FAISS takes them; `selector` is good as long as this lives."""

    def __init__(self, allowed: NDArray[np.bool_]) -> None:
        self._bits = np.packbits(allowed, bitorder="little")
        self.selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(self._bits))


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows `first` to `first + view.ntotal`."""

    first: int
    view: faiss.Index


class FlatIndex:
    """Every allowed row is scored: always right, in time that grows with the rows.

    FAISS scans the stored float16 `vectors` [rows, dim] in float32 where they lie, part by part on several threads.
    Whoever listens (`index.timing`) hears of scans by the index's `name`.
    """

    def __init__(self, vectors: NDArray[np.float16], name: str = EXACT) -> None:
        self._vectors = np.asarray(vectors)
        self._name = name
        self._views: dict[int, list[_Part]] = {}

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        """See `VectorIndex.search`."""
        rows = len(self._vectors)
        count = rows if allowed is None else int(np.count_nonzero(allowed))
        if count == 0 or k <= 0:
            return Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))
        with timed(self._name):
            if allowed is not None and count * _SPARSE <= rows:
                found = self._gathered(query, k, np.flatnonzero(allowed))
            else:
                found = self._scanned(query, k, allowed)
        with timed(RESCORE):
            return best_of(self._vectors, query, np.concatenate(found), k)

    def _scanned(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
    ) -> list[NDArray[np.int64]]:
        def scan(part: _Part) -> _Numbers:
            bitmap = None if allowed is None else Bitmap(allowed[part.first : part.first + part.view.ntotal])
            return part.first + _best_and_ties(part.view, query, k, bitmap)

        return shared_workers().map(scan, self._parts())

    def _gathered(self, query: NDArray[np.float32], k: int, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        def scan(part: _Numbers) -> _Numbers:
            gathered = self._vectors[part]
            return part[_best_and_ties(stored_view(gathered), query, k, None)]

        return shared_workers().map(scan, np.array_split(rows, -(-len(rows) // _PART)))

    def _parts(self) -> Sequence[_Part]:
        """As many stretches of rows as there are threads, none of them too short to be worth one."""
        rows = len(self._vectors)
        count = max(1, min(shared_workers().threads, rows // _PART))
        if count not in self._views:
            cuts = [rows * part // count for part in range(count + 1)]
            self._views[count] = [
                _Part(first, stored_view(self._vectors[first:last])) for first, last in pairwise(cuts)
            ]
        return self._views[count]


def _best_and_ties(view: faiss.Index, query: NDArray[np.float32], k: int, bitmap: Bitmap | None) -> NDArray[np.int64]:
    """Row numbers within the view: the k best and every row that ties with the last of them."""
    k = min(k, view.ntotal)
    parameters = None if bitmap is None else faiss.SearchParameters(sel=bitmap.selector)  # type: ignore[call-arg]
    fetch = min(k + _MARGIN, view.ntotal)
    while True:
        scores, rows = view.search(query[np.newaxis], fetch, params=parameters)
        exhausted = fetch == view.ntotal or rows[0, -1] < 0  # fewer than that are allowed
        if exhausted or scores[0, -1] < min(scores[0, k - 1], 1.0) - _SAME:
            found: NDArray[np.int64] = rows[0][rows[0] >= 0]
            return found
        fetch = min(8 * fetch, view.ntotal)
