"""What a query is to be unlike: only that in which it differs from what else the query finds.

A mug that is not wanted is still a mug, as nearly all of its vector says. Taken away as it is, it takes all mugs along:
over the 33 kinds of the demo shop, 0.95 of ten hits by words were of the kind asked for, and 0.28 less like the first
(`python -m bench.unlike` says what it is now).
So of each negative only what is at right angles to the others found counts.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from index import LiveView
from service.ranking import Scope, Term, Vector, combined

_PRODUCT: Final = 1.0
"""What the negatives together weigh, if they are products: little is left of them."""
_WORDS: Final = 0.5
"""Words are far from all products, so most is left of them."""
_OTHERS: Final = 15
_NONE: Final = 1e-6


def unlike(
    view: LiveView, wanted: Sequence[Term], negatives: Sequence[tuple[Vector, int | None]], scope: Scope, own: set[int]
) -> list[Term]:
    """A term for each negative, given as a unit vector and the row where it is a product's.

    `own` rows are not among what the query finds. Reads the index: not for the event loop.
    """
    avoided = {row for _, row in negatives if row is not None}
    common = _common(view, combined(wanted), scope, avoided | own)
    terms = []
    for number, (vector, row) in enumerate(negatives, 1):
        weight = (_WORDS if row is None else _PRODUCT) / len(negatives)
        own_part = vector if common is None else vector - np.float32(vector @ common) * common
        terms.append(Term(f"negative {number}", -weight, own_part))
    return terms


def _common(view: LiveView, query: Vector, scope: Scope, without: set[int]) -> Vector | None:
    """The unit vector of what the query finds, or None where it finds too little to tell.

    Each counts by how much better it fits than the first that is left out: whether one comes in or goes out at that end
    then changes nothing.
    """
    length = np.linalg.norm(query)
    if length < _NONE:
        return None
    found = view.search(scope.target, query / length, _OTHERS + 1 + len(without), view.select(scope.filters))
    keep = [at for at, row in enumerate(found.rows.tolist()) if row not in without][: _OTHERS + 1]
    if not keep:
        return None
    scores = found.scores[keep]
    total: Vector = (scores - scores[-1]) @ view.vectors("fusion", found.rows[keep])
    size = np.linalg.norm(total)
    return total / size if size > _NONE else None
