"""A coarse copy of the vectors, for scans of many rows: 64 principal directions, one byte each.

Where a filter lets a good part of the rows pass and none of them is near the query, no graph leads to the best of
them, and all must be looked at. An eighth of the bytes tells nearly all of them apart; the few that are left are
scored by the stored vectors. How far the coarse scores are off is measured on these few, for each query: where a row
that was left out may belong to the best after all, there is no answer, and the caller scans the vectors themselves.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from catalogue.array_file import write_array
from index.exact import Bitmap, Neighbours, best_of, bytes_view
from index.workers import shared_workers

FROM_ROWS: Final = 100_000
"""Fewer are scanned in a millisecond or two."""
_LEAST: Final = 32_768
"""The same of rows that pass a filter."""
_WIDTH: Final = 64
_LEVELS: Final = 127
"""A component is -127 to 127 times its scale, kept as uint8, 128 more."""
_ZERO: Final = 128
_SAMPLE: Final = 65_536
_CHUNK: Final = 65_536
_KEPT: Final = 256
_KEPT_PER_WANTED: Final = 8
_MORE: Final = 4
"""Where the rows kept do not suffice, so many times as many are, once."""
_HOPELESS: Final = 0.5
"""Nor do they where the first ones are not half as far ahead as they have to be: many hits without clusters."""
_SURE: Final = 4.0
"""A row left out would have to be off by so many times what those kept are off by (root of the mean square)."""
_GATHERED: Final = 5
"""Up to one row in so many that pass are gathered; of more, the others are skipped while scanning."""
_RESCORING: Final = 32_768
"""What goes beyond the scan, in rows of an exact scan."""

Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Outline:
    """Codes uint8 [rows, 64] and the directions they are along, float32 [64, dim], each as long as a step of it."""

    codes: Codes
    axes: NDArray[np.float32]
    vectors: NDArray[np.float16]
    """What the codes stand for, [rows, dim]."""

    @classmethod
    def open(cls, folder: Path, field: str, vectors: NDArray[np.float16]) -> "Outline":
        """Map what `write` wrote; raises ValueError for another's."""
        codes, axes = (np.lib.format.open_memmap(folder / f"{field}.{part}.npy", "r") for part in ("outline", "axes"))
        rows, dim = vectors.shape
        if codes.shape != (rows, _WIDTH) or codes.dtype != np.uint8 or not codes.flags.c_contiguous:
            raise ValueError(f"the outline of {field} is {codes.dtype} {codes.shape}, not uint8 {(rows, _WIDTH)}")
        if axes.shape != (_WIDTH, dim) or axes.dtype != np.float32 or not np.isfinite(axes).all():
            raise ValueError(f"the axes of {field} are {axes.dtype} {axes.shape}, not float32 {(_WIDTH, dim)}")
        return cls(np.asarray(codes), np.array(axes), np.asarray(vectors))

    def cost(self, count: int) -> float:
        """A search's time where `count` rows pass, in rows that an exact scan would score; infinite for too few."""
        if count < _LEAST:
            return np.inf
        return _RESCORING + min(count, (len(self.codes) + count) // 4)

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]) -> Neighbours | None:
        """The `k` best allowed rows; None where it cannot tell, or a scan of the vectors is as good."""
        count = int(np.count_nonzero(allowed))
        kept = _KEPT + _KEPT_PER_WANTED * k
        along = self.axes @ query
        for keep in (kept, _MORE * kept):
            if count < max(_LEAST, _MORE * keep):
                return None
            rows, coarse = self._scan(along, keep, allowed, count)
            found = best_of(self.vectors, query, rows, keep)
            order = np.argsort(rows)
            off = found.scores - coarse[order[np.searchsorted(rows, found.rows, sorter=order)]]
            ahead, needed = found.scores[k - 1] - coarse.min(), _SURE * float(np.sqrt(np.mean(off * off)))
            if ahead >= needed:
                return Neighbours(found.rows[:k], found.scores[:k])
            if ahead < _HOPELESS * needed:
                return None
        return None

    def _scan(
        self, along: NDArray[np.float32], keep: int, allowed: NDArray[np.bool_], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The `keep` best rows by their codes, in any order, and those scores."""
        total = len(self.codes)
        gathers = count * _GATHERED <= total

        def scan(part: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            first, last = part
            passed = allowed[first:last]
            if not gathers:
                rows, scores = _best(self.codes[first:last], along, keep, Bitmap(passed))
                return rows + first, scores
            within = np.flatnonzero(passed)
            rows, scores = _best(self.codes[first:last].take(within, 0), along, keep, None)
            return within[rows] + first, scores

        threads = shared_workers().threads
        cuts = [total * part // threads for part in range(threads + 1)]
        found = shared_workers().map(scan, list(pairwise(cuts)))
        rows, scores = (np.concatenate(side) for side in zip(*found, strict=True))
        best = np.argpartition(scores, -keep)[-keep:]
        return rows[best], scores[best]


def write_outline(folder: Path, field: str, vectors: NDArray[np.float16]) -> None:
    """Write the outline of `vectors` [rows, dim], if there are enough, and wide enough, to gain by one."""
    rows, dim = vectors.shape
    if rows < FROM_ROWS or dim < 2 * _WIDTH:
        return
    seen = np.sort(np.random.default_rng(0).permutation(rows)[:_SAMPLE])
    sample = vectors[seen].astype(np.float32)
    _, directions = np.linalg.eigh(sample.T @ sample)
    axes = directions[:, ::-1][:, :_WIDTH].T  # the greatest eigenvalues are last
    steps = np.abs(sample @ axes.T).max(axis=0).clip(1e-6) / _LEVELS

    def codes(start: int) -> NDArray[np.float32]:
        along = vectors[start : start + _CHUNK].astype(np.float32) @ (axes.T / steps)
        made: NDArray[np.float32] = np.rint(along).clip(-_LEVELS, _LEVELS) + _ZERO
        return made

    blocks = map(codes, range(0, rows, _CHUNK))
    write_array(folder / f"{field}.outline.npy", (rows, _WIDTH), np.uint8, blocks)
    write_array(folder / f"{field}.axes.npy", axes.shape, np.float32, [axes * steps[:, np.newaxis]])


def outline_files(field: str) -> tuple[str, str]:
    """The names of an outline's files inside the snapshot."""
    return f"vectors/{field}.outline.npy", f"vectors/{field}.axes.npy"


def _best(
    codes: Codes, along: NDArray[np.float32], keep: int, passed: Bitmap | None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    parameters: Any = None if passed is None else faiss.SearchParameters(sel=passed.selector)  # type: ignore[call-arg]
    scores, rows = bytes_view(codes).search(along[np.newaxis], keep, params=parameters)
    there = rows[0] >= 0
    return rows[0][there], scores[0][there]
