"""Which products are the same as one, and which are like it: the two tabs beside a product."""

import math
from collections.abc import Callable, Collection
from functools import cache
from typing import cast

from catalogue.gtin import shares_gtin
from catalogue.variants import MODES, Mode, SameFrom, contradict
from index import Filters, LiveView
from index.filters import OPEN
from index.products import Listing
from models import Embedder
from models.bundle import ModePair
from service import arranging, rivals
from service.models import same_from as calibrated
from service.models import threshold
from service.query import Hits, Query
from service.ranking import Keep, Scope, Start
from service.retrieval import Retrieval

_Nearest = Callable[[LiveView], rivals.Near]


async def same_style(
    retrieval: Retrieval,
    product_id: str,
    k: int,
    filters: Filters = OPEN,
    *,
    other_suppliers: bool = True,
    collapse: bool = True,
    sort: arranging.PriceSort | None = None,
    start: Start | None = None,
) -> Hits:
    """The same product, by default from other suppliers only; and how many hits there are.

    Products at or above the calibrated threshold, less those that contradict the product (`catalogue.variants`): with
    its GTIN from a lower one; without, from a little lower what leads its rivals (`service.rivals`), from higher what
    is behind one. Those with its GTIN come first, then those that declare its variant, and
    near-identical listings of one supplier stand once. With `sort` the cheapest (or dearest) come first instead.
    """
    own, same = retrieval.listing(product_id), same_from(retrieval)
    if other_suppliers and own.supplier_id:
        filters = filters.model_copy(update={"not_suppliers": (*filters.not_suppliers, own.supplier_id)})
    codes = retrieval.view.gtins(own.attributes)
    near, least = _nearest(own), _least(same, own)
    scope = Scope(
        k=k,
        filters=filters,
        min_score=least,
        near=lambda view, query: near(view).from_score(query, least),
        keep=lambda view: _judge(view, near, same, own, codes),
        also=(lambda view, *_: view.of_gtins(codes)) if codes else None,
        also_from=min(same.least(own.mode), same.with_gtin),
        arrange=arranging.same_style(own, codes, collapse=collapse, sort=sort),
        counted=True,
    )
    return await retrieval.search(Query(product_id=product_id), scope, start)


async def similar(
    retrieval: Retrieval,
    product_id: str,
    k: int,
    filters: Filters = OPEN,
    *,
    diversity: float = arranging.DIVERSITY,
    start: Start | None = None,
) -> Hits:
    """Products that are alike but not the same: other variants, and whatever else is not on the tab of the same style.

    With a `diversity` from 0 (by score) to 1 they differ from one another.
    """
    own = retrieval.listing(product_id)
    same = same_from(retrieval)
    codes = retrieval.view.gtins(own.attributes)
    floors = _similar_from(retrieval.embedder, own.mode)
    near, least = _nearest(own), min(floors.values())

    def keep(view: LiveView) -> Keep:
        is_same = _judge(view, near, same, own, codes)
        return lambda row, other, score: score >= floors[other.mode] and not is_same(row, other, score)

    scope = Scope(
        k=k,
        filters=filters,
        min_score=least,
        near=lambda view, query: near(view).from_score(query, least),
        keep=keep,
        judged_from=_least(same, own),  # below, hardly any is compared
        arrange=arranging.similar(diversity) if diversity else None,
        arranged=arranging.DIVERSE,
    )
    return await retrieval.search(Query(product_id=product_id), scope, start)


def same_from(retrieval: Retrieval) -> SameFrom:
    """From which scores on two products are the same one; without a calibrated threshold none are."""
    same, floor = calibrated(retrieval.embedder), retrieval.live.snapshot.manifest.same_gtin
    if same is None:
        return SameFrom(math.inf, math.inf)
    return same if floor is None else same._replace(with_gtin=min(same.score, floor))


def _similar_from(embedder: Embedder, own: Mode) -> dict[Mode, float]:
    """From which scores on listings are like one, by what they have; whatever the score without a threshold."""
    usual = threshold(embedder, "similar")
    if usual is None:
        return dict.fromkeys(MODES, -math.inf)
    by_modes = {mode: threshold(embedder, "similar", cast("ModePair", f"{own}-{mode}")) for mode in MODES}
    return {mode: usual if floor is None else floor for mode, floor in by_modes.items()}


def _least(same: SameFrom, own: Listing) -> float:
    """From where on a listing may be the same product as one."""
    return same.least(own.mode) - (rivals.most_gained() if own.supplier_id else 0)


def _nearest(own: Listing) -> _Nearest:
    """The nearest of a product, searched for once in a view: for the tab itself, and for rivals."""
    return cache(lambda view: rivals.Near.of(view, own.product_id))


def _judge(view: LiveView, near: _Nearest, same: SameFrom, own: Listing, gtins: Collection[str]) -> Keep:
    """Whether a listing with a score is the same product as one with those GTINs."""
    its_rivals = rivals.Rivals(view, near, own, same.with_gtin)

    def judge(row: int, other: Listing, score: float) -> bool:
        floor = same.of(own.mode, other.mode)
        if gtins and shares_gtin(other.attributes, gtins):
            return score >= min(floor, same.with_gtin) and not contradict(own, other)
        if score < floor - rivals.most_gained() or contradict(own, other):
            return False
        return score + its_rivals.gain(row, other, score, floor) >= floor

    return judge
