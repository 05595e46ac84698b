"""The order of the two tabs: the same variant first and no listing twice; similar ones that differ from each other.

An arrangement is of the best hits by score, and the same for every page: what comes first never depends on how much
is asked for.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import Final, Literal

import numpy as np

from catalogue.gtin import shares_gtin
from catalogue.titles import telling
from catalogue.variants import Described, agree, contradict
from index import LiveView
from index.near import NEAR_IDENTICAL
from service.deadlines import check_deadline
from service.ranking import WINDOW, Arrange, Group, Ranked, Vector

DIVERSITY: Final = 0.4
"""How much a similar product's likeness to those before it counts against its likeness to the product.

Chosen by `bench.tabs`: docs/benchmarks.md.
"""
DIVERSE: Final = 100
"""Of so many hits those that differ come first; whoever reads further reads by score."""
PriceSort = Literal["price", "-price"]
"""Of those that a catalogue is sorted by."""
_MOST_DECLARATIONS: Final = 16
"""Different sets of attributes and facts that one listing stands for; more would take long to compare."""
_MOST_COMPARED: Final = WINDOW
"""Pairs of near-identical listings that are read for contradictions; those that come later stand by themselves."""
_Key = tuple[frozenset[Hashable], frozenset[tuple[str, str]]]


def same_style(own: Described, gtins: Collection[str], *, collapse: bool, sort: PriceSort | None = None) -> Arrange:
    """Those with one of the GTINs of `own` first, then those that declare its variant.

    Of near-identical listings of one supplier only the best; what stands for several has a group, of its supplier and
    their number. With `sort` they come by price instead, those without one last, and equal ones in that order.
    """

    def arrange(view: LiveView, hits: Sequence[Ranked], _: int) -> list[Ranked]:
        listings = {hit.row: view.listing(hit.row) for hit in hits}

        def further(hit: Ranked) -> tuple[bool, bool]:
            listing = listings[hit.row]
            return not (gtins and shares_gtin(listing.attributes, gtins)), not agree(own, listing)

        def costs(hit: Ranked) -> tuple[bool, float]:
            price = listings[hit.row].fields.get("price")
            return price is None, (price or 0.0) * (-1 if sort == "-price" else 1)

        ordered = sorted(hits, key=further)  # stable: by score within each
        if sort is not None:
            ordered.sort(key=costs)
        return _collapsed(view, ordered, [listings[hit.row] for hit in ordered]) if collapse else ordered

    return arrange


def similar(diversity: float) -> Arrange:
    """Each next one by its score, less its likeness to the nearest before it (maximal marginal relevance)."""

    def arrange(view: LiveView, hits: Sequence[Ranked], needed: int) -> list[Ranked]:
        vectors = view.vectors("fusion", np.array([hit.row for hit in hits], np.int64))
        scores = np.array([hit.score for hit in hits], np.float32)
        nearest = np.full(len(hits), -1.0, np.float32)
        left = np.ones(len(hits), bool)
        chosen: list[Ranked] = []
        while len(chosen) < min(needed, len(hits)):
            worth = (1 - diversity) * scores - (diversity * nearest if chosen else 0)
            at = int(np.argmax(np.where(left, worth, -np.inf)))
            left[at] = False
            chosen.append(hits[at])
            # Not `@`: what BLAS makes of a row differs with the rows beside it, and pages must agree.
            np.maximum(nearest, np.einsum("ij,j->i", vectors, vectors[at]), out=nearest)
        return chosen

    return arrange


class _Twins:
    """A listing, and those of its supplier that it stands for: none of them contradicts another."""

    def __init__(self, key: _Key, listing: Described) -> None:
        self.size = 1
        self._declared = {key: listing}

    def takes(self, key: _Key, listing: Described, compare: Callable[[Described, Described], bool]) -> bool:
        """Whether one more is of the same variant as all there are; so it is one of them."""
        if key not in self._declared:
            several = len(self._declared) >= _MOST_DECLARATIONS
            if several or not all(compare(other, listing) for other in self._declared.values()):
                return False
            self._declared[key] = listing
        self.size += 1
        return True


class _OfSupplier:
    """Those of one supplier's `count` listings that are kept so far."""

    def __init__(self, count: int, dim: int) -> None:
        self._kept: list[_Twins] = []
        self._vectors = np.empty((count, dim), np.float32)

    def keep(self, twins: _Twins, vector: Vector) -> None:
        """One more."""
        self._vectors[len(self._kept)] = vector
        self._kept.append(twins)

    def near(self, vector: Vector) -> Iterator[_Twins]:
        """Those that are near-identical, the first kept first."""
        # Not `@`: what BLAS makes of a row differs with the rows beside it, and its threads spin.
        alike = np.einsum("ij,j->i", self._vectors[: len(self._kept)], vector)
        return (self._kept[number] for number in np.flatnonzero(alike >= NEAR_IDENTICAL).tolist())


def _collapsed(view: LiveView, hits: Sequence[Ranked], listings: Sequence[Described]) -> list[Ranked]:
    """Of one supplier's listings that are near-identical and do not contradict each other, the first."""
    if not hits:
        return []
    rows = np.array([hit.row for hit in hits], np.int64)
    vectors, suppliers = view.vectors("fusion", rows), view.suppliers(rows)
    counts = Counter(filter(None, suppliers))
    of_supplier = {name: _OfSupplier(count, vectors.shape[1]) for name, count in counts.items() if count > 1}
    left = _MOST_COMPARED

    def compare(one: Described, other: Described) -> bool:
        nonlocal left
        left -= 1
        check_deadline()
        return left >= 0 and not contradict(one, other)

    kept: dict[int, _Twins] = {}
    for at, (vector, listing) in enumerate(zip(vectors, listings, strict=True)):
        key, own = _key(listing), of_supplier.get(suppliers[at])
        if own is not None and left > 0 and any(twins.takes(key, listing, compare) for twins in own.near(vector)):
            continue
        kept[at] = _Twins(key, listing)
        if own is not None:
            own.keep(kept[at], vector)
    return [_standing_for(hits[at], suppliers[at], twins.size) for at, twins in kept.items()]


def _key(listing: Described) -> _Key:
    """What tells its variant."""
    told = frozenset((fact.kind, fact.size, fact.plain) for fact in telling(listing.title))
    return told, frozenset(listing.attributes.items())


def _standing_for(hit: Ranked, supplier: str, size: int) -> Ranked:
    return hit if size == 1 else Ranked(hit.row, hit.score, Group(supplier, size))
