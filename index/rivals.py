"""Rivals of listings, for all rows at once: what else of a supplier might be the product in a listing's place.

A supplier lists a product once, as a rule. So two listings of one must be more alike to be of one style, and so must
one that is behind another listing of its supplier. (Entity resolution: one-to-one matching.) As for one product in
`service.rivals`, whose words are used here; but only among rows that are near each other anyway, and a lead adds
nothing, so it costs no searches.
"""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from catalogue.gtin import shares_gtin
from catalogue.variant_table import Variants
from catalogue.variants import contradict
from index.near import NEAR_IDENTICAL, Pairs, similarities

if TYPE_CHECKING:
    from index.products import Listing

BEHIND: Final = 4.0
"""How often a listing must make up for what it is behind its best rival. This and `AGAIN`: docs/duplicates.md."""
AGAIN: Final = 0.5
"""How far from the threshold to 1 two listings of one supplier must be: he rather has two products than one twice."""
_NONE: Final = -1.0

Rows = NDArray[np.int64]
Scores = NDArray[np.float32]


def needed(
    own: "Listing",
    at: int,
    near: "Sequence[Listing]",
    to_own: Sequence[float],
    to_other: Sequence[float],
    floor: float,
    gtins: "Callable[[Listing], Collection[str]]",
    with_gtin: float,
) -> float:
    """As `Rivals.needed`, for a listing and `near[at]`, given how like those near it are to each of the two.

    They have no GTIN in common; what has, and is like one of them `with_gtin`, is it.
    """
    other = near[at]
    if not own.supplier_id or not other.supplier_id:
        return floor
    if own.supplier_id == other.supplier_id:
        return floor + AGAIN * (1 - floor)
    best = to_own[at]
    as_own, as_other = _fit(near, to_own, gtins(own), with_gtin), _fit(near, to_other, gtins(other), with_gtin)
    for place, rival in enumerate(near):
        if place == at or rival.product_id == own.product_id:
            continue
        if as_own[place] > best and to_other[place] < NEAR_IDENTICAL and _is_rival(rival, other, own):
            best = as_own[place]
        if as_other[place] > best and to_own[place] < NEAR_IDENTICAL and _is_rival(rival, own, other):
            best = as_other[place]
    return floor + BEHIND * (best - to_own[at])


def _fit(
    near: "Sequence[Listing]", likeness: Sequence[float], codes: Collection[str], with_gtin: float
) -> Sequence[float]:
    """How like a listing with these GTINs each of those near it is; 1 for one GTIN."""
    if not codes:
        return likeness
    alike = zip(near, likeness, strict=True)
    return [1.0 if score >= with_gtin and shares_gtin(one.attributes, codes) else score for one, score in alike]


def _is_rival(listing: "Listing", rivalled: "Listing", like: "Listing") -> bool:
    """Whether one of the supplier of another may be in its place."""
    is_one = listing.supplier_id == rivalled.supplier_id and listing.mode == rivalled.mode
    return is_one and not contradict(listing, like)


class Rivals:
    """The near rows of each row by the suppliers who have them; immutable."""

    def __init__(
        self,
        vectors: NDArray[np.float16],
        suppliers: NDArray[np.int32],
        modes: NDArray[np.uint8],
        variants: Variants,
        original: Rows,
        pairs: Pairs,
        scores: Scores,
    ) -> None:
        """Of each row its supplier (a number, -1 without), mode, and the first row that is its equal; and near rows."""
        self._vectors, self._modes, self._variants = vectors, modes, variants
        self._suppliers = suppliers.astype(np.int64)
        self._count = int(suppliers.max(initial=-1)) + 1
        named = (self._suppliers[pairs[0]] >= 0) & (self._suppliers[pairs[1]] >= 0)
        source, target = pairs[0][named], pairs[1][named]
        keys, fit = self._keys_of(source, target), scores[named]
        fit[variants.share_gtin(source, target)] = 1.0
        order = np.lexsort((-fit, keys))
        self._keys, self._near, self._scores = keys[order], target[order].astype(np.int32), fit[order]
        having = np.flatnonzero(self._suppliers >= 0)
        self._copied = np.unique(self._keys_of(original[having], having))

    def needed(self, rows: Rows, others: Rows, scores: Scores, floors: Scores) -> Scores:
        """How alike each two must be to be of one style: the floor, and more behind a rival or in one supplier's list.

        Not where both have one GTIN.
        """
        named = (self._suppliers[rows] >= 0) & (self._suppliers[others] >= 0)
        named[named] = ~self._variants.share_gtin(rows[named], others[named])
        of_one = named & (self._suppliers[rows] == self._suppliers[others])
        behind = named & ~of_one
        needed = floors.copy()
        needed[of_one] += np.float32(AGAIN) * (1 - floors[of_one])
        one, other, score = rows[behind], others[behind], scores[behind]
        best = np.maximum(self._best(one, other, score), self._best(other, one, score))
        needed[behind] += np.float32(BEHIND) * (best - score).clip(min=0)
        return needed

    def _best(self, rows: Rows, others: Rows, scores: Scores) -> Scores:
        """How like each row the best is that the other's supplier has in its place, -1 without; 1 for one GTIN."""
        best = np.full(len(rows), _NONE, np.float32)
        keys = self._keys_of(rows, others)
        at, end = np.searchsorted(self._keys, keys), np.searchsorted(self._keys, keys, "right")
        left = np.flatnonzero(at < end)
        while len(left):  # as many turns as rows have near ones at most
            rival, rivalled = self._near[at[left]], others[left]
            fits = (rival != rivalled) & (self._modes[rival] == self._modes[rivalled])
            fits[fits] = similarities(self._vectors, rival[fits], rivalled[fits]) < NEAR_IDENTICAL
            best[left[fits]] = self._scores[at[left[fits]]]
            left = left[~fits]
            at[left] += 1
            left = left[at[left] < end[left]]
        if len(self._copied):
            place = np.searchsorted(self._copied, keys).clip(max=len(self._copied) - 1)
            has_it = (self._copied[place] == keys) & (self._modes[rows] == self._modes[others])
            best[has_it & (scores < NEAR_IDENTICAL)] = 1.0
        return best

    def _keys_of(self, rows: Rows, others: Rows) -> Rows:
        """A row and the supplier of the other, as one number."""
        keys: Rows = rows * self._count + self._suppliers[others]
        return keys
