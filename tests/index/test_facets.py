from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from catalogue import Product
from index import Filters, IndexedProduct, ProductTable, facets
from index.facets import FacetName, count
from index.grammar import quoted
from tests.index.builders import item, table
from tests.index.shops import FACETS, passes, some_products


def values_of(facet: str, product: Product) -> Iterable[str]:
    """The values of a product that a facet but price counts."""
    kind, _, detail = facet.partition(":")
    levels = product.category.split(" > ")
    if kind == "category":
        return [" > ".join(levels[: int(detail or len(levels))])] if len(levels) >= int(detail or 0) else []
    if kind == "attribute":
        return {value for name, value in product.attributes.items() if name.casefold() == detail}
    value = {"supplier": product.supplier_id, "currency": product.currency, "in_stock": product.in_stock}[kind]
    return [] if value is None else [str(value).lower() if kind == "in_stock" else str(value)]


@settings(deadline=None)
@given(some_products, st.data(), st.integers(1, 5))
def test_facets_are_what_python_counts_over_any_parts(
    entries: list[IndexedProduct], data: st.DataObject, most: int
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(entries)), max_size=3)))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(entries), max_size=len(entries))), dtype=np.bool_)
    parts = [
        (table(entries[low:high]), mask[low:high]) for low, high in zip([0, *cuts], [*cuts, len(entries)], strict=True)
    ]
    chosen = [entry.product for entry, taken in zip(entries, mask, strict=True) if taken]
    for facet, values in count(parts, FACETS, most).items():
        if facet != "price":
            counted = Counter(value for product in chosen for value in values_of(facet, product))
            assert values == sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:most], facet


@settings(deadline=None)
@given(some_products)
def test_a_value_put_into_a_filter_gives_what_was_counted(entries: list[IndexedProduct]) -> None:
    products = table(entries)
    everything = [(products, products.mask(Filters()))]
    for facet, values in count(everything, [facet for facet in FACETS if facet != "category"]).items():
        name = facet.partition(":")[0] if facet.startswith("category") else facet
        for value, found in values:
            filters = Filters.parse(f"{name}={quoted(value)}")
            assert products.mask(filters).sum() == found
            assert sum(passes(entry.product, filters) for entry in entries) == found


@settings(deadline=None)
@given(
    st.lists(st.none() | st.integers(0, 6) | st.floats(0, 1e300), max_size=30),
    st.integers(1, 9),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_price_ranges_hold_every_price_once(prices: list[float | None], most: int, cut: int, many: int) -> None:
    parts = [(part, np.ones(len(part), dtype=np.bool_)) for part in map(priced, (prices[:cut], prices[cut:]))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facets, "_MANY", many)  # of as many the order of pages is used
        ranges = count(parts, ["price"], most)["price"]
    declared = sorted(price for price in prices if price is not None)
    ends = [[float(end) for end in value.split("..")] for value, _ in ranges]
    assert len(ranges) <= most
    assert bool(ranges) == bool(declared)
    assert sum(found for _, found in ranges) == len(declared)
    assert all(low <= high for low, high in ends)
    assert all(before[1] < after[0] for before, after in pairwise(ends))
    for (low, high), (_, found) in zip(ends, ranges, strict=True):
        assert found == sum(low <= price <= high for price in declared)


def priced(prices: list[float | None]) -> ProductTable:
    return table([item(str(at), price=price) for at, price in enumerate(prices)])


def test_price_ranges_are_of_one_size() -> None:
    products = table([item(str(n), price=n) for n in range(100)])
    ranges = count([(products, products.mask(Filters()))], ["price"])["price"]
    assert ranges == [("0..19", 20), ("20..39", 20), ("40..59", 20), ("60..79", 20), ("80..99", 20)]


@pytest.mark.parametrize("name", [*FACETS, "attribute:Tall mug", "category:9"])
def test_names_of_facets(name: str) -> None:
    assert TypeAdapter(FacetName).validate_python(name) == name.casefold()


@pytest.mark.parametrize("name", ["", "colour", "category:0", "category:10", "attribute:", "title", "Price", "price\n"])
def test_names_of_no_facet(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FacetName).validate_python(name)
