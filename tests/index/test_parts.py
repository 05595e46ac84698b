import math
from itertools import pairwise
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalogue import Product
from index import Filters, IndexedProduct, ProductTable
from index.facets import count
from index.parts import GrowingTable, page
from index.products import Place, Sort
from tests.index.builders import item, table
from tests.index.shops import FACETS, passes, some_filters, some_products


def key(product: Product, sort: Sort) -> tuple[object, str]:
    """What Python sorts a product by."""
    price = math.inf if product.price is None else product.price * (-1 if sort == "-price" else 1)
    first: object = {"product_id": "", "title": product.title}.get(sort, price)
    return first, product.product_id


def first_of(product: Product, sort: Sort) -> str | float | None:
    return {"product_id": product.product_id, "title": product.title}.get(sort, product.price)


@settings(deadline=None)
@given(some_products, some_filters, st.sampled_from(get_args(Sort)), st.data())
def test_pages_of_parts_are_those_of_one_list(
    entries: list[IndexedProduct], filters: Filters, sort: Sort, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(entries)), max_size=2)))
    bounds = list(zip([0, *cuts], [*cuts, len(entries)], strict=True))
    tables = [table(entries[low:high]) for low, high in bounds]
    after, limit = data.draw(st.sampled_from([None, *entries])), data.draw(st.integers(1, 9))
    place = None if after is None else Place(first_of(after.product, sort), after.product.product_id)
    chosen = page([(products, products.mask(filters)) for products in tables], sort, place, limit)
    expected = sorted(
        (entry.product for entry in entries if passes(entry.product, filters)
         and (after is None or key(entry.product, sort) > key(after.product, sort))),
        key=lambda p: key(p, sort),
    )  # fmt: skip
    found = [tables[part].get(row).product for part, row in chosen]
    assert found == expected[:limit]
    for (part, row), product in zip(chosen, found, strict=True):
        assert tables[part].place(row, sort) == (first_of(product, sort), product.product_id)


@pytest.mark.parametrize("changed", [0, 3])
def test_a_deep_page_is_no_more_work_than_the_first(monkeypatch: pytest.MonkeyPatch, changed: int) -> None:
    merged: list[int] = []
    sort_keys = ProductTable.sort_keys

    def counted(self: ProductTable, rows: NDArray[np.uint32], sort: Sort) -> pa.Table:
        merged.append(len(rows))
        return sort_keys(self, rows, sort)

    monkeypatch.setattr(ProductTable, "sort_keys", counted)
    tables = [table([item(f"p{n:04d}") for n in range(1_000)]), table([item(f"p0{n}00x") for n in range(changed)])]
    parts = [(products, np.ones(len(products), np.bool_)) for products in tables]
    chosen = page(parts, "product_id", Place("p0899", "p0899"), 10)
    assert [tables[part].id_of(row) for part, row in chosen] == [f"p{n:04d}" for n in range(900, 910)]
    assert sum(merged) <= 10 + changed


@settings(deadline=None)
@given(st.lists(some_products, max_size=6), some_filters, st.data())
def test_a_table_that_grew_is_the_table_of_all(
    batches: list[list[IndexedProduct]], filters: Filters, data: st.DataObject
) -> None:
    growing = GrowingTable()
    for batch in batches:
        growing.extend(batch)
    everything = [entry for batch in batches for entry in batch]
    assert len(growing) == len(everything)
    rows = data.draw(st.integers(0, len(everything)))  # a reader that came earlier sees fewer
    mask = growing.mask(filters, rows)
    assert mask.tolist() == [passes(entry.product, filters) for entry in everything[:rows]]
    parts = growing.parts(mask)
    assert [len(products) for products, _ in parts] == [len(mask) for _, mask in parts]
    whole = table(everything)
    passed = np.pad(mask, (0, len(everything) - rows))
    assert count(parts, FACETS) == count([(whole, passed)], FACETS)
    listed = [parts[part][0].get(row) for part, row in page(parts, "title", None, 100)]
    assert sorted(listed, key=repr) == sorted((everything[row] for row in np.flatnonzero(passed)), key=repr)


@pytest.mark.parametrize("batch", [1, 7])
def test_a_growing_table_has_few_parts(batch: int) -> None:
    growing = GrowingTable()
    entries = [item(str(n), attributes={"n": str(n % 5)}) for n in range(301)]
    for first in range(0, len(entries), batch):
        growing.extend(entries[first : first + batch])
        lengths = [len(products) for products, _ in growing.parts(np.zeros(0, np.bool_))]
        assert all(before >= 2 * after for before, after in pairwise(lengths))
    assert growing.mask(Filters.parse("n=3"), 301).tolist() == [n % 5 == 3 for n in range(301)]
