"""How many products have which value, among those that pass the filters."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import AfterValidator, StringConstraints

from index.columns import Mask
from index.grammar import number
from index.parts import Part
from index.products import ProductTable

MOST: Final = 50
PRICE_RANGES: Final = 5
_MANY: Final = 32_768
"""Fewer prices are sorted in a millisecond or two."""
_SORTED: Final = 8
"""To go through all rows in the order of their prices takes as long as to sort one in so many."""

FacetName = Annotated[
    str,
    StringConstraints(
        max_length=210, pattern=r"^(category(:[1-9])?|supplier|currency|in_stock|price|attribute:[\s\S]+)$"
    ),
    AfterValidator(str.casefold),  # as attributes are named in filters
]
"""`category` counts whole paths, `category:2` their first two levels, `attribute:colour` the values of an attribute."""
Facets = dict[str, list[tuple[str, int]]]


def count(parts: Sequence[Part], facets: Sequence[str], most: int = MOST) -> Facets:
    """The `most` frequent values of each facet over the rows of all parts together, ties by value.

    A value stands as in a filter: `supplier=VALUE` passes what `supplier` counted. Prices are cut into ranges such as
    `5..19.9`, in their order, each from one declared price to another and with about as many products as the others.
    Raises SnapshotDamaged where one cannot be counted any more.
    """
    return {facet: _count(parts, facet, most) for facet in facets}


def _count(parts: Sequence[Part], facet: str, most: int) -> list[tuple[str, int]]:
    try:
        return _price_ranges(parts, min(most, PRICE_RANGES)) if facet == "price" else _frequent(parts, facet, most)
    except (ValueError, IndexError):  # no UTF-8, no such row
        snapshot, _ = parts[0]
        raise snapshot.damaged(f"facet {facet}") from None


def _frequent(parts: Sequence[Part], facet: str, most: int) -> list[tuple[str, int]]:
    counts = _sums([_table(*products.columns.counts(facet, mask)) for products, mask in parts])
    order = [("count", "descending"), ("value", "ascending")]
    best = counts.take(pc.select_k_unstable(counts, k=most, sort_keys=order))
    return list(zip(best["value"].to_pylist(), best["count"].to_pylist(), strict=True))


def _table(values: Any, counts: NDArray[np.int64]) -> pa.Table:
    return pa.table({"value": pa.array(values, pa.large_string()), "count": counts})


def _sums(tables: list[pa.Table]) -> pa.Table:
    """One count a value; of the largest table only what it shares is summed up, and the rest is as it is."""
    *others, largest = sorted(tables, key=len)
    if not others:
        return largest
    shared = pc.is_in(largest["value"], pa.concat_tables(others)["value"])
    summed = pa.concat_tables([*others, largest.filter(shared)]).group_by("value").aggregate([("count", "sum")])
    return pa.concat_tables([summed.rename_columns(["value", "count"]), largest.filter(pc.invert(shared))])


def _price_ranges(parts: Sequence[Part], most: int) -> list[tuple[str, int]]:
    """Cut at quantiles, equal prices never apart."""
    some = [prices for prices in (_prices(*part) for part in parts) if len(prices)]
    if not some:
        return []
    prices = some[0] if len(some) == 1 else np.sort(np.concatenate(some), kind="stable")  # which merges what is sorted
    quantiles = prices[np.arange(most) * len(prices) // most]
    start = np.unique(np.searchsorted(prices, quantiles))
    end = np.append(start[1:], len(prices))
    return [
        (f"{number(prices[low].item())}..{number(prices[high - 1].item())}", int(high - low))
        for low, high in zip(start, end, strict=True)
    ]


def _prices(products: ProductTable, mask: Mask) -> NDArray[np.float64]:
    """The prices of the rows of a mask, sorted, where there are many by the order that pages have."""
    count = int(np.count_nonzero(mask))
    if count < _MANY or count * _SORTED < len(mask):
        prices = np.sort(products.columns.prices[mask])
    else:
        prices = products.columns.prices[products.ordered(mask, "price")]
    priced: NDArray[np.float64] = prices[: np.searchsorted(prices, np.nan)]  # either way those without one come last
    return priced
