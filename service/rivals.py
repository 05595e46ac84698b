"""Rivals of a listing: what else of its supplier might be the product in its place.

A supplier lists a product once, as a rule. So of what one supplier has, that which is most like a product is it, and
the rest are look-alikes: the same bag with other prints, which no threshold tells apart. And a listing that is more
like another product of the first one's supplier belongs to that one. (Entity resolution: one-to-one, reciprocal
matching.) What has the product's GTIN is it, however alike the others are. What is near-identical to a
listing does not rival it, nor does what contradicts the other one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from catalogue.gtin import gtins_of
from catalogue.variants import contradict
from index import LiveView, Neighbours
from index.filters import OPEN
from index.near import NEAR_IDENTICAL
from index.products import Listing

LEAD: Final = 0.02
"""More ahead of its rivals than so counts no more."""
WEIGHT: Final = 2.0
"""What a lead adds to the likeness, and being behind takes from it. This and `LEAD`: docs/benchmarks.md."""
REACH: Final = 0.1
"""What is so far below the threshold rivals nobody: a supplier's other goods say nothing."""
_NEAR: Final = 64
_MOST_COMPARED: Final = 16
"""Rivals of one listing that are compared. A bound for a whole answer would let filters and pages say who has any."""
_SAME: Final = 1e-5
"""Vectors of one length that differ by less, component by component, were stored as the same one."""
_Seen = tuple[Listing, NDArray[np.float32]]
"""A listing and its vector."""


@dataclass(frozen=True, slots=True)
class Near:
    """The nearest of a product: rows, vectors float32 [n, dim], likeness to it, and places in these by supplier.

    `own` is the vector of the product itself, `at` the place of each row; `is_all` says that there are no others.
    """

    own: NDArray[np.float32]
    rows: NDArray[np.int64]
    at: dict[int, int]
    vectors: NDArray[np.float32]
    scores: list[float]
    of_supplier: dict[str, list[int]]
    is_all: bool

    @classmethod
    def of(cls, view: LiveView, product_id: str) -> Self:
        """Raises NotFound."""
        row = view.row_of(product_id)
        own = view.vectors("fusion", np.array([row], np.int64))[0]
        found = view.search("fusion", own, _NEAR + 1, view.select(OPEN))
        others = found.rows != row
        rows, scores = found.rows[others], found.scores[others].tolist()
        at = {row: at for at, row in enumerate(rows.tolist())}
        places = _by_supplier(view, rows, at.values())
        return cls(own, rows, at, view.vectors("fusion", rows), scores, places, len(found.rows) <= _NEAR)

    def from_score(self, query: NDArray[np.float32], least: float) -> Neighbours | None:
        """All other products with this likeness to a query; None where they may be more, or it is not of the product.

        A query that was embedded for a page before may be of what the product was then.
        """
        if not np.allclose(query, self.own / np.linalg.norm(self.own), rtol=_SAME, atol=0):
            return None
        # Not `@`: what BLAS makes of a row differs with the rows beside it, and pages must agree.
        scores = np.einsum("ij,j->i", self.vectors, query).clip(-1, 1)
        if not self.is_all and scores.min() >= least:
            return None
        best = np.lexsort((self.rows, -scores))
        best = best[: np.count_nonzero(scores >= least)]
        return Neighbours(self.rows[best], scores[best])


def _by_supplier(view: LiveView, rows: NDArray[np.int64], named: Iterable[int]) -> dict[str, list[int]]:
    """What some rows are called here, by the supplier of each."""
    by_supplier: dict[str, list[int]] = {}
    for name, supplier in zip(named, view.suppliers(rows), strict=True):
        by_supplier.setdefault(supplier, []).append(name)
    return by_supplier


def most_gained() -> float:
    """So far below the threshold a listing may be the same product."""
    return WEIGHT * LEAD


class Rivals:
    """Those of a product and of what may be the same, in one view; what is near is looked up when it is asked for."""

    def __init__(self, view: LiveView, near: Callable[[LiveView], Near], own: Listing, with_gtin: float) -> None:
        """`with_gtin` is from where on two with one GTIN are the same product."""
        self._view = view
        self._look = near
        self._own = own
        self._with_gtin = with_gtin
        self._read: dict[int, Listing] = {}
        self._numbers: dict[tuple[str, ...], dict[str, list[int]]] = {}

    def gain(self, row: int, other: Listing, score: float, floor: float) -> float:
        """What is added to the likeness of another supplier's listing for its lead; less than 0 where it is behind.

        `floor` is from where on the two are the same product without; 0 where no rival is near enough.
        """
        if not self._own.supplier_id or not other.supplier_id or self._own.supplier_id == other.supplier_id:
            return 0.0
        near = self._near
        vector = near.vectors[near.at[row]] if row in near.at else self._vectors([row])[0]
        mine, theirs = (self._own, near.own), (other, vector)
        if self._numbered(mine, theirs) or self._numbered(theirs, mine):
            return WEIGHT * (score - 1.0)
        best = self._best(row, other, vector, floor - REACH)
        return 0.0 if best is None else WEIGHT * min(score - best, LEAD)

    def _numbered(self, product: _Seen, rivalled: _Seen) -> bool:
        """Whether the supplier of a listing without the GTIN of a product has another one with it, which is it then."""
        (like, to), (listing, apart_from) = product, rivalled
        codes = gtins_of(like.attributes)
        rows = self._having(codes).get(listing.supplier_id, [])[:_MOST_COMPARED] if codes else []
        if not rows:
            return False
        vectors = self._vectors(rows)
        likeness, twins = (np.einsum("ij,j->i", vectors, vector).tolist() for vector in (to, apart_from))
        return any(
            score >= self._with_gtin and twin < NEAR_IDENTICAL and not contradict(self._listing(row), like)
            for row, score, twin in zip(rows, likeness, twins, strict=True)
        )

    def _having(self, codes: tuple[str, ...]) -> dict[str, list[int]]:
        """The rows with these GTINs by supplier."""
        if codes not in self._numbers:
            rows = self._view.of_gtins(codes)
            self._numbers[codes] = _by_supplier(self._view, rows, rows.tolist())
        return self._numbers[codes]

    def _best(self, row: int, other: Listing, vector: NDArray[np.float32], least: float) -> float | None:
        """How like one of the two the best rival of the other is; None without one.

        Likeness depends on what there is of a listing, so a rival has the same as what it rivals.
        """
        own, near = self._own, self._near
        of_other, of_own = (near.of_supplier.get(listing.supplier_id, []) for listing in (other, own))
        places = of_other + of_own
        # Not `@`: what BLAS makes of a row differs with the rows beside it, and pages must agree.
        alike = np.einsum("ij,j->i", near.vectors[places], vector).tolist()
        likeness: dict[int, float] = dict(zip(places, alike, strict=True))
        theirs = ((near.scores[at], likeness[at], at, other, own) for at in of_other)
        mine = ((likeness[at], near.scores[at], at, own, other) for at in of_own)
        compared = 0
        for score, to_rivalled, at, rivalled, like in sorted(chain(theirs, mine), key=lambda rival: -rival[0]):
            if score < least or compared == _MOST_COMPARED:
                break
            if at == near.at.get(row) or to_rivalled >= NEAR_IDENTICAL:
                continue
            rival = self._listing(int(near.rows[at]))
            if rival.mode != rivalled.mode:
                continue
            if not contradict(rival, like):
                return score
            compared += 1
        return None

    def _vectors(self, rows: list[int]) -> NDArray[np.float32]:
        return self._view.vectors("fusion", np.array(rows, np.int64))

    def _listing(self, row: int) -> Listing:
        if row not in self._read:
            self._read[row] = self._view.listing(row)
        return self._read[row]

    @cached_property
    def _near(self) -> Near:
        return self._look(self._view)
