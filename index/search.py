"""Nearest neighbours by inner product of unit vectors, over shards, re-scored exactly."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from index.exact import FlatIndex, Neighbours, best_of
from index.outline import Outline
from index.timing import RESCORE, timed
from index.workers import set_faiss_threads, shared_workers

__all__ = ["FlatIndex", "Neighbours", "Shard", "ShardedIndex", "VectorIndex", "set_faiss_threads"]

_SAME: Final = 1e-5
_FEW: Final = 100
"""More than one row in so many is no neighbourhood: it is scanned for."""
_LEAST_LOOK: Final = 32
_MOST_LOOK: Final = 1_024
_EVIDENCE: Final = 4
"""Fewer that pass say nothing about the share that does."""
_PICKED: Final = 8
"""Scoring one row here and there takes as long as so many of a scan that leaves none out."""
_SKIPPING: Final = 2
"""And a scan that leaves rows out takes at most so many times as long as one that does not."""


class VectorIndex(Protocol):
    """One field of a snapshot, searched."""

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        """The `k` best rows for a unit `query` [dim]; fewer only if fewer are `allowed` (bool [rows])."""
        ...


class Shard(Protocol):
    """A stretch of rows behind a FAISS index. `effort` is what recall costs: lists probed, candidates kept."""

    rows: int
    most: int
    """The largest number of rows one search gives."""
    filters: bool
    """Whether `allowed` is looked at."""
    exact: bool
    """Whether what is found is always the best, but for the order of ties."""

    @property
    def busy(self) -> bool:
        """Whether a search would wait for long, or in vain; a scan does not."""
        ...

    def search(
        self, query: NDArray[np.float32], fetch: int, effort: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """At most `fetch` row numbers within the shard, each once, in any order."""
        ...

    @property
    def hardest(self) -> int:
        """The effort beyond which nothing more is found, or nothing more may be asked."""
        ...

    def effort(self, tuned: int, k: int) -> int:
        """The effort that gives `k` rows the recall that `tuned` gives ten."""
        ...

    def cost(self, effort: int) -> float:
        """A search's time in rows that an exact scan would score meanwhile."""
        ...


@dataclass(frozen=True)
class ShardedIndex:
    """Approximate search of all shards side by side, merged and re-scored from the stored float16 `vectors`.

    Rows are numbered through the shards in their order, so a shard's rows are one contiguous range. What the shards
    do not find, or would find no sooner than a scan does, is found by the scan `flat`.
    """

    shards: Sequence[Shard]
    vectors: NDArray[np.float16]
    flat: FlatIndex
    tuned: int
    """The effort that gives ten neighbours the recall asked for."""
    refine: int = 1
    """Rows fetched for each one wanted, where shards hold only an outline of the vectors."""
    outline: Outline | None = None
    """What scans of many rows that pass a filter begin with, where there is one."""
    _costs: dict[int, float] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What an unfiltered search for so many rows costs, as far as one has been asked for."""

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        """See `VectorIndex.search`."""
        if any(shard.busy for shard in self.shards):
            return self.flat.search(query, k, allowed)
        if allowed is None:
            return self._unfiltered(query, k) or self.flat.search(query, k)
        found, near = self._filtered(query, k, allowed)
        if found is None and self.outline is not None and k > 0 and not self._exact:
            found = self.outline.search(query, k, allowed)
            if found is not None and _lacks(found, near or self._near(query, _LEAST_LOOK, allowed)):
                found = None  # rows that the coarse copy has nothing of
        return found or self.flat.search(query, k, allowed)

    def with_effort(self, tuned: int) -> "ShardedIndex":
        """The same index, searched harder or less so."""
        return dataclasses.replace(self, tuned=tuned)

    def _unfiltered(self, query: NDArray[np.float32], k: int) -> Neighbours | None:
        """None where a scan is as cheap, or finds more."""
        cost = self._costs.get(k)
        if cost is None:
            cost = self._costs[k] = self._cost(self.tuned, k)
        if k <= 0 or cost >= len(self.vectors):
            return None
        # Shards of an exact kind cut ties in any order: one more than asked for tells whether one was cut.
        wanted = k + 1 if self._exact else k
        found = self._ask(query, wanted, self.tuned, None)
        if len(found.rows) < min(wanted, len(self.vectors)) or (self._exact and _cuts_a_tie(found, k)):
            return None
        return Neighbours(found.rows[:k], found.scores[:k])

    def _filtered(
        self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_]
    ) -> tuple[Neighbours | None, Neighbours | None]:
        """None where a scan of the allowed rows is as cheap, or finds more; and what passes near the query, if seen.

        How many rows pass overall says little about how many pass near the query. So the neighbourhood is looked at
        first, without the filter. Often enough of it passes; if not, the share that does says how far to go. Where next
        to nothing passes there, what does may lie anywhere, and a graph would stop at the first of it.
        """
        count = int(np.count_nonzero(allowed))
        share = count / max(1, len(allowed))
        most = min([max(_MOST_LOOK, 2 * k), *(shard.most - 1 for shard in self.shards)])
        look = math.ceil(min(max(2 * k / max(share, 1e-9), _LEAST_LOOK), most))
        scan: float = min(_PICKED * count, _SKIPPING * len(allowed))
        if self.outline is not None and not self._exact:
            scan = min(scan, self.outline.cost(count))
        if k <= 0 or self._cost(self.tuned, look) >= scan:
            return None, None
        nearest = self._ask(query, look, self.tuned, None)
        near = _passing(nearest, allowed)
        if len(near.rows) >= k and not (self._exact and near.scores[k - 1] <= nearest.scores[-1] + _SAME):
            return Neighbours(near.rows[:k], near.scores[:k]), near
        if len(near.rows) < _EVIDENCE or not all(shard.filters for shard in self.shards):
            return None, near
        effort = math.ceil(self.tuned * look / len(near.rows))
        if self._cost(effort, k) >= scan:
            return None, near
        found = self._ask(query, k, effort, allowed)
        return (found if len(found.rows) >= min(k, count) else None), near

    def _near(self, query: NDArray[np.float32], look: int, allowed: NDArray[np.bool_]) -> Neighbours:
        """What passes of the nearest."""
        return _passing(self._ask(query, look, self.tuned, None), allowed)

    def _ask(self, query: NDArray[np.float32], k: int, tuned: int, allowed: NDArray[np.bool_] | None) -> Neighbours:
        """The k best of what all shards find."""
        search = partial(self._search_shard, query, k, tuned, allowed)
        found = shared_workers().map(search, range(len(self.shards)))
        with timed(RESCORE):
            return best_of(self.vectors, query, found[0] if len(found) == 1 else np.concatenate(found), k)

    def _search_shard(
        self, query: NDArray[np.float32], k: int, tuned: int, allowed: NDArray[np.bool_] | None, number: int
    ) -> NDArray[np.int64]:
        """Rows of the whole index that one of the shards finds."""
        shard, first = self.shards[number], self._firsts[number]
        fetch = min(k * self.refine, shard.rows, shard.most)
        if fetch == 0:
            return np.empty(0, np.int64)
        part = None if allowed is None else allowed[first : first + shard.rows]
        with timed(str(number)):
            return np.add(shard.search(query, fetch, shard.effort(tuned, k), part), first, dtype=np.int64)

    def _cost(self, tuned: int, k: int) -> float:
        """Infinite for more rows than a shard gives at once, or than are still a neighbourhood."""
        if k * _FEW > len(self.vectors) or any(min(k + 1, shard.rows) > shard.most for shard in self.shards):
            return math.inf
        return sum(shard.cost(shard.effort(tuned, k)) for shard in self.shards)

    @cached_property
    def _firsts(self) -> list[int]:
        """The first row of each shard."""
        return list(itertools.accumulate((shard.rows for shard in self.shards), initial=0))

    @cached_property
    def _exact(self) -> bool:
        return all(shard.exact for shard in self.shards)


@dataclass(frozen=True, slots=True)
class Findable:
    """An index of which only some rows, bool [rows], can be found: the others have no vector."""

    index: VectorIndex
    rows: NDArray[np.bool_]

    def search(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        """See `VectorIndex.search`."""
        return self.index.search(query, k, self.rows if allowed is None else self.rows & allowed)


def _passing(nearest: Neighbours, allowed: NDArray[np.bool_]) -> Neighbours:
    passed = allowed[nearest.rows]
    return Neighbours(nearest.rows[passed], nearest.scores[passed])


def _lacks(found: Neighbours, near: Neighbours) -> bool:
    """Whether one of `near` is better than the last found, and yet not among them."""
    better = near.rows[near.scores > found.scores[-1] + _SAME]
    return not np.isin(better, found.rows).all()


def _cuts_a_tie(found: Neighbours, k: int) -> bool:
    """Whether a row beyond the k-th may be as good as it and yet unseen."""
    return len(found.rows) > k and found.scores[-1] >= found.scores[k - 1] - _SAME
