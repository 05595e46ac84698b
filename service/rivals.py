"""Rivals of a listing: what else of its supplier might be the product in its place.

A supplier lists a product once, as a rule. So of what one supplier has, that which is most like a product is it, and
the rest are look-alikes: the same bag with other prints, which no threshold tells apart. And a listing that is more
like another product of the first one's supplier belongs to that one. (Entity resolution: one-to-one, reciprocal
matching.) What is near-identical to a listing does not rival it, nor does what contradicts the other one.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from catalogue.variants import contradict
from index import LiveView
from index.filters import OPEN
from index.products import Listing
from service.arranging import NEAR_IDENTICAL
from service.ranking import Vector

LEAD: Final = 0.02
"""More ahead of its rivals than so counts no more."""
WEIGHT: Final = 2.0
"""What a lead adds to the likeness, and being behind takes from it. This and `LEAD`: docs/benchmarks.md."""
REACH: Final = 0.1
"""What is so far below the threshold rivals nobody: a supplier's other goods say nothing."""
_NEAR: Final = 64
_MOST_COMPARED: Final = 1_000
"""Rivals read for contradictions; listings that come later are judged by their likeness alone."""

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Near:
    """The nearest of a product: rows, vectors float32 [n, dim], likeness to it, and places in these by supplier."""

    rows: NDArray[np.int64]
    vectors: NDArray[np.float32]
    scores: Vector
    of_supplier: dict[str, Places]

    @classmethod
    def of(cls, view: LiveView, product_id: str) -> Self:
        """Raises NotFound."""
        row = view.row_of(product_id)
        own = view.vectors("fusion", np.array([row], np.int64))[0]
        found = view.search("fusion", own, _NEAR + 1, view.select(OPEN))
        others = found.rows != row
        rows = found.rows[others]
        suppliers = np.array(view.suppliers(rows), object)
        places = {name: np.flatnonzero(suppliers == name) for name in set(suppliers.tolist())}
        return cls(rows, view.vectors("fusion", rows), found.scores[others], places)


def most_gained() -> float:
    """So far below the threshold a listing may be the same product."""
    return WEIGHT * LEAD


class Rivals:
    """Those of a product and of what may be the same, in one view; what is near is looked up when it is asked for."""

    def __init__(self, view: LiveView, own: Listing) -> None:
        self._view = view
        self._own = own
        self._left = _MOST_COMPARED

    def gain(self, row: int, other: Listing, score: float, floor: float) -> float:
        """What is added to the likeness of another supplier's listing for its lead; less than 0 where it is behind.

        `floor` is from where on the two are the same product without; 0 where no rival is near enough.
        """
        own = self._own
        if not own.supplier_id or not other.supplier_id or own.supplier_id == other.supplier_id:
            return 0.0
        near = self._near
        theirs, mine = (near.of_supplier.get(name, _NONE) for name in (other.supplier_id, own.supplier_id))
        theirs = theirs[near.rows[theirs] != row]
        vector = self._view.vectors("fusion", np.array([row], np.int64))[0]
        # Not `@`: what BLAS makes of a row differs with the rows beside it, and pages must agree.
        likeness = np.einsum("ij,j->i", near.vectors, vector)
        best = max(
            self._best(theirs[near.scores[theirs] >= floor - REACH], near.scores, likeness, other, own),
            self._best(mine[likeness[mine] >= floor - REACH], likeness, near.scores, own, other),
        )
        return WEIGHT * min(score - best, LEAD) if best > -1 else 0.0

    def _best(self, some: Places, scores: Vector, twins: Vector, listing: Listing, like: Listing) -> float:
        """The score of the best of `some` that might be the same as `like` in a listing's place; -1 without one.

        Likeness depends on what there is of a listing, so they must have the same; `twins` is how like it they are.
        """
        for at in some[np.argsort(-scores[some], kind="stable")].tolist():
            if twins[at] >= NEAR_IDENTICAL:
                continue
            if self._left <= 0:
                break
            self._left -= 1
            rival = self._view.listing(int(self._near.rows[at]))
            if rival.mode == listing.mode and not contradict(rival, like):
                return float(scores[at])
        return -1.0

    @cached_property
    def _near(self) -> _Near:
        return _Near.of(self._view, self._own.product_id)


_NONE: Final = np.empty(0, np.int64)
