"""Style groups: which listings are one style, in one variant.

Rows that are among each other's nearest, at or above the threshold, and do not say they are different variants are
tied together; so are rows with one GTIN, which need to be less alike. What hangs together is split until it is alike:
the row most like all others (the medoid) keeps those that meet the threshold with it and do not contradict it; the
others form groups anew through the ties among them. So a chain of listings, each like the next, does not become one
group. At last every row settles with the most similar medoid among those of the rows it is near: the first to choose
may have taken what is more like another, and a row may be near a large group without being among the nearest of anyone
in it.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from catalogue.variant_table import Variants
from catalogue.variants import SameFrom, contradict
from index.near import Floors, Pairs, near_pairs, pairs_of_one_gtin, similarities
from index.rivals import Rivals, needed
from index.search import Neighbours, VectorIndex

if TYPE_CHECKING:
    from index.products import Listing

ROUNDS: Final = 32
"""Each takes one group out of everything that hangs together; what is left after so many is cut small at once."""
JOIN_K: Final = 32
"""How many neighbours a changed product looks at for one it does not contradict."""
_CHUNK: Final = 16_384

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """By row: the medoid of its group, int64 [rows], and the similarity to it, float32 [rows].

    A medoid is its own, and so is a row that is alone.
    """

    medoid: Rows
    score: NDArray[np.float32]


def group(
    index: VectorIndex,
    vectors: NDArray[np.float16],
    variants: Variants,
    same: SameFrom,
    modes: NDArray[np.uint8],
    suppliers: NDArray[np.int32],
) -> Groups:
    """The style groups of float16 unit `vectors` [rows, dim] that are searched by `index`.

    `variants`, `modes` (places in `catalogue.variants.MODES`) and `suppliers` (numbers, -1 without) are those of the
    rows. The same on any number of threads.
    """
    floors = Floors.of(same, modes)
    original = _originals(vectors, variants)
    rows = np.flatnonzero(original == np.arange(len(original)))
    copies = np.bincount(original, minlength=len(original))
    near = near_pairs(index, vectors, rows, variants, floors)
    pairs = _together(near, pairs_of_one_gtin(vectors, rows, variants, same.with_gtin), len(vectors))
    scores = similarities(vectors, *pairs)
    rivals = Rivals(vectors, suppliers, modes, variants, original, pairs, scores)
    alike = _Alike(vectors, copies, variants, floors, same.with_gtin, rivals)
    pairs = alike.enough_of(pairs, scores)
    medoid = _settle(_split(_mutual(pairs, len(vectors)), alike), pairs, alike)[original]
    score = similarities(vectors, np.arange(len(vectors)), medoid)
    score[original == medoid] = 1.0  # equal vectors are not quite of length 1, having been rounded
    return Groups(medoid, score)


def join(
    search: Callable[[NDArray[np.float32], int], Neighbours],
    listing_of: "Callable[[int], Listing]",
    vectors_of: Callable[[Rows], NDArray[np.float32]],
    gtins: "Callable[[Listing], Collection[str]]",
    vector: NDArray[np.float32],
    own: "Listing",
    same: SameFrom,
) -> int | None:
    """The row of the nearest other listing that is alike enough and of no other variant, if any.

    Its group is that of `own` too. `search` gives the rows nearest to a unit vector, best first, `vectors_of` theirs,
    float32 [rows, dim], and `gtins` those of a listing that count; what shares one with `own` is looked for before.
    """
    found = search(vector, JOIN_K + 1)
    if not (found.scores >= same.least(own.mode)).any():
        return None
    scores, vectors = found.scores.tolist(), vectors_of(found.rows)
    near = [listing_of(row) for row in found.rows.tolist()]
    for at, other in enumerate(near):
        floor = same.of(own.mode, other.mode)
        if scores[at] < floor or other.product_id == own.product_id or contradict(own, other):
            continue
        to_other = (vectors @ vectors[at]).tolist()
        if scores[at] >= needed(own, at, near, scores, to_other, floor, gtins, same.with_gtin):
            return int(found.rows[at])
    return None


@dataclass(frozen=True, slots=True)
class _Alike:
    """When a row may be in a medoid's group; `copies` is how often each row counts."""

    vectors: NDArray[np.float16]
    copies: Rows
    variants: Variants
    floors: Floors
    with_gtin: float
    rivals: Rivals

    def fits(self, rows: Rows, medoids: Rows) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Whether each row may be in the group of the medoid beside it, and its score."""
        scores = similarities(self.vectors, rows, medoids)
        fitting = self._are_enough(rows, medoids, scores)
        fitting[fitting] = ~self.variants.contradict(rows[fitting], medoids[fitting])
        return fitting | (rows == medoids), scores

    def enough_of(self, pairs: Pairs, scores: NDArray[np.float32]) -> Pairs:
        """Those that are alike enough to be one style, of pairs that do not contradict each other."""
        source, target = pairs
        enough = np.empty(len(scores), np.bool_)
        for part in _chunks(len(scores)):
            enough[part] = self._are_enough(source[part], target[part], scores[part])
        return source[enough], target[enough]

    def _are_enough(self, rows: Rows, others: Rows, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        floor = self.floors.between(rows, others)
        floor = np.where(self.variants.share_gtin(rows, others), floor.clip(max=np.float32(self.with_gtin)), floor)
        enough = scores >= floor
        needed = self.rivals.needed(rows[enough], others[enough], scores[enough], floor[enough])
        enough[enough] = scores[enough] >= needed
        return enough

    def medoids(self, rows: Rows, starts: Rows) -> Rows:
        """Of each stretch of rows, begun at `starts`, the one most like all of it; of several the first."""
        best = np.empty(len(starts), np.int64)
        sizes = np.diff(starts, append=len(rows))
        for first, last in _batches(sizes):
            inside = slice(starts[first], starts[first] + sizes[first:last].sum())
            label = np.repeat(np.arange(last - first), sizes[first:last])
            score = self._centrality(rows[inside], label, last - first)
            order = np.lexsort((-score, label))
            best[first:last] = rows[inside][order[starts[first:last] - starts[first]]]
        return best

    def _centrality(self, rows: Rows, label: Rows, labels: int) -> NDArray[np.float32]:
        """The sum of each row's similarities to all rows with its label; labels ascend from 0."""
        sums = np.zeros((labels, self.vectors.shape[1]), np.float32)
        for part in _chunks(len(rows)):
            own = self.vectors[rows[part]].astype(np.float32)
            own *= self.copies[rows[part], np.newaxis]
            firsts = np.flatnonzero(np.diff(label[part], prepend=-1))
            sums[label[part][firsts]] += np.add.reduceat(own, firsts, axis=0)
        scores = np.empty(len(rows), np.float32)
        for part in _chunks(len(rows)):
            scores[part] = np.einsum("ij,ij->i", self.vectors[rows[part]].astype(np.float32), sums[label[part]])
        return scores


def _originals(vectors: NDArray[np.float16], variants: Variants) -> Rows:
    """For each row the first one with the same vector that says the same; a thousand of them are as good as one."""
    factors = np.random.default_rng(0).integers(0, 2**64, vectors.shape[1], np.uint64)
    said = variants.hashes()
    hashes = said.copy()
    for part in _chunks(len(vectors)):
        hashes[part] += vectors[part].view(np.uint16).astype(np.uint64) @ factors
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    original = first[inverse]
    copies = np.flatnonzero(original != np.arange(len(original)))
    for part in _chunks(len(copies)):
        rows = copies[part]
        same = (vectors[rows] == vectors[original[rows]]).all(axis=1) & (said[rows] == said[original[rows]])
        original[rows[~same]] = rows[~same]
    return original


def _together(one: Pairs, other: Pairs, rows: int) -> Pairs:
    """The pairs of both, each once."""
    if not len(other[0]):
        return one
    source, target = (np.concatenate(ends) for ends in zip(one, other, strict=True))
    return np.divmod(np.unique(source * rows + target), rows)


def _mutual(pairs: Pairs, rows: int) -> Pairs:
    """The pairs that stand in both directions, once each."""
    source, target = pairs
    there = source < target
    forth = source[there] * rows + target[there]
    back = target[~there] * rows + source[~there]
    both = np.intersect1d(forth, back, assume_unique=True)
    return both // rows, both % rows


def _split(pairs: Pairs, alike: _Alike) -> Rows:
    """The medoid of each row."""
    left, right = pairs
    medoid = np.arange(len(alike.vectors))
    open_ = np.ones(len(medoid), np.bool_)
    for _ in range(ROUNDS):
        if not len(left):
            return medoid
        rows, starts = _components(left, right)
        own = np.repeat(alike.medoids(rows, starts), np.diff(starts, append=len(rows)))
        fitting, _ = alike.fits(rows, own)
        medoid[rows[fitting]] = own[fitting]
        open_[rows[fitting]] = False
        still = open_[left] & open_[right]
        left, right = left[still], right[still]
    return _stars(left, right, medoid)


def _stars(left: Rows, right: Rows, medoid: Rows) -> Rows:
    """The row with most ties takes all it is tied to, then the next one of what is left."""
    source, target = np.concatenate([left, right]), np.concatenate([right, left])
    order = np.lexsort((target, source))
    source, target = source[order], target[order]
    rows, starts, degrees = np.unique(source, return_index=True, return_counts=True)
    taken = np.zeros(len(medoid), np.bool_)
    for at in np.lexsort((rows, -degrees)).tolist():
        if not taken[rows[at]]:
            tied = target[starts[at] : starts[at] + degrees[at]]
            star = np.append(tied[~taken[tied]], rows[at])
            medoid[star] = rows[at]
            taken[star] = True
    return medoid


def _settle(medoid: Rows, pairs: Pairs, alike: _Alike) -> Rows:
    """Every row but the medoids goes to the most similar of the medoids of the rows it is near, if there is any.

    One that has its GTIN comes before those that have not. Who is alone takes nobody in, so that a medoid stays one.
    """
    rows = len(medoid)
    alone = (np.bincount(medoid, minlength=rows)[medoid] == 1) & (alike.copies == 1)
    moving = alone | (medoid != np.arange(rows))
    source, target = pairs
    usable = moving[source] & ~alone[target]
    near = source[usable] * rows + medoid[target[usable]]
    grouped = np.flatnonzero(moving & ~alone)
    source, goal = np.divmod(np.unique(np.concatenate([near, grouped * rows + medoid[grouped]])), rows)
    fitting, score = alike.fits(source, goal)
    source, goal, score = source[fitting], goal[fitting], score[fitting]
    order = np.lexsort((goal, -score, ~alike.variants.share_gtin(source, goal), source))
    settling, first = np.unique(source[order], return_index=True)
    settled = medoid.copy()
    settled[settling] = goal[order][first]
    return settled


def _components(left: Rows, right: Rows) -> Pairs:
    """The rows of some ties, component by component, ascending in each; and where each component begins."""
    rows, ends = np.unique(np.concatenate([left, right]), return_inverse=True)
    one, other = ends[: len(left)], ends[len(left) :]
    label = np.arange(len(rows))
    while len(one):
        # Every component hooks onto the least it is tied to, then all point to the end of their chain.
        least = np.minimum(label[one], label[other])
        np.minimum.at(label, label[one], least)
        np.minimum.at(label, label[other], least)
        while not np.array_equal(label, label[label]):
            label = label[label]
        apart = label[one] != label[other]
        one, other = one[apart], other[apart]
    order = np.argsort(label, kind="stable")
    return rows[order], np.flatnonzero(np.diff(label[order], prepend=-1))


def _batches(sizes: Rows) -> Iterator[tuple[int, int]]:
    """Ranges of stretches that together have about `_CHUNK` rows, or one that has more."""
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _CHUNK, "right")))
        yield first, last
        first = last


def _chunks(length: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, length)) for start in range(0, length, _CHUNK))
