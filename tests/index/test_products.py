import math
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import Product
from catalogue.errors import NotFound
from index import Filters, IndexedProduct, ProductTable
from index import products as module
from index.products import SCHEMA, Sort, id_hash, to_table
from tests.index.builders import item, items, table

CATEGORIES = ("", "A", "AB", "A > B", "A > B > C", "A > BC", "B", "B > A")
SUPPLIERS = ("", "acme", "kestrel", "orion")
PRICES = (None, 0.0, 1.0, 2.5, 1e12)

some_products = st.lists(
    st.builds(
        item,
        st.integers(0, 99).map(str),
        title=st.sampled_from(["x", "mug", "Mug", "größe", "杯"]),
        category=st.sampled_from(CATEGORIES),
        supplier_id=st.sampled_from(SUPPLIERS),
        price=st.sampled_from(PRICES),
        in_stock=st.sampled_from([None, True, False]),
    ),
    max_size=8,
    unique_by=lambda entry: entry.product.product_id,
)
some_filters = st.builds(
    Filters,
    category=st.none() | st.sampled_from([*CATEGORIES, "nobody"]),
    suppliers=st.none() | st.lists(st.sampled_from([*SUPPLIERS, "nobody"]), max_size=2).map(tuple),
    not_suppliers=st.lists(st.sampled_from([*SUPPLIERS, "nobody"]), max_size=2).map(tuple),
    min_price=st.none() | st.sampled_from([0.0, 1.0, 2.0]),
    max_price=st.none() | st.sampled_from([0.0, 1.0, 3.0]),
    in_stock=st.sampled_from([None, True, False]),
)


def passes(product: Product, filters: Filters) -> bool:
    """What `ProductTable.mask` says of one product, written down once more and plainly."""
    if filters.category is not None:
        wanted = filters.category.split(" > ")
        if product.category.split(" > ")[: len(wanted)] != wanted:
            return False
    if filters.suppliers is not None and product.supplier_id not in filters.suppliers:
        return False
    if product.supplier_id in filters.not_suppliers:
        return False
    if filters.min_price is not None and (product.price is None or product.price < filters.min_price):
        return False
    if filters.max_price is not None and (product.price is None or product.price > filters.max_price):
        return False
    return filters.in_stock is None or product.in_stock is filters.in_stock


@settings(deadline=None)
@given(some_products, some_filters)
def test_the_mask_is_what_python_says(entries: list[IndexedProduct], filters: Filters) -> None:
    mask = table(entries).mask(filters)
    assert mask.dtype == np.bool_
    assert mask.tolist() == [passes(entry.product, filters) for entry in entries]


@pytest.mark.parametrize(
    "filters",
    [
        Filters(category="A > B"),
        Filters(suppliers=("acme",)),
        Filters(not_suppliers=("acme",)),
        Filters(min_price=1),
        Filters(max_price=1),
        Filters(in_stock=True),
        Filters(in_stock=False),
    ],
)
def test_every_filter_takes_some_and_leaves_some(filters: Filters) -> None:
    entries = [
        item("1", category="A > B", supplier_id="acme", price=0.5, in_stock=True),
        item("2", category="A > BC", supplier_id="orion", price=2, in_stock=False),
        item("3"),
    ]
    mask = table(entries).mask(filters)
    assert mask.tolist() == [passes(entry.product, filters) for entry in entries]
    assert 0 < mask.sum() < 3


def test_a_mask_belongs_to_its_caller() -> None:
    products = table(items(3))
    for filters in (Filters(), Filters(in_stock=True), Filters(min_price=0), Filters(category="")):
        before = products.mask(filters)
        products.mask(filters)[:] = ~before
        assert products.mask(filters).tolist() == before.tolist()


@settings(deadline=None)
@given(some_products, st.sampled_from(["product_id", "price", "-price", "title"]), st.data())
def test_rows_are_ordered_as_python_would(entries: list[IndexedProduct], sort: Sort, data: st.DataObject) -> None:
    rows = data.draw(st.permutations(range(len(entries))))[: data.draw(st.integers(0, len(entries)))]

    def key(row: int) -> tuple[object, str]:
        product = entries[row].product
        price = math.inf if product.price is None else product.price * (-1 if sort == "-price" else 1)
        first: object = {"product_id": "", "title": product.title}.get(sort, price)
        return first, product.product_id

    ranked = table(entries).ordered(np.array(rows, dtype=np.intp), sort)
    assert ranked.tolist() == sorted(rows, key=key)


@settings(deadline=None)
@given(some_products, st.data(), st.integers(1, 5))
def test_facets_are_counted(entries: list[IndexedProduct], data: st.DataObject, most: int) -> None:
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(entries), max_size=len(entries))), dtype=np.bool_)
    chosen = [entry.product for entry, taken in zip(entries, mask, strict=True) if taken]
    for name, values in table(entries).facets(mask, most).items():
        counted = Counter(str(getattr(product, name)) for product in chosen)
        assert values == sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def test_every_id_is_found_and_no_other() -> None:
    entries = items(500)
    products = table(entries)
    for row, entry in enumerate(entries):
        assert products.row_of(entry.product.product_id) == row
        assert products.id_of(row) == entry.product.product_id
    for product_id in ("", "p", "p500", "P1", "x" * 10_000, "a\0b", "\ud800"):
        with pytest.raises(NotFound):
            products.row_of(product_id)


@pytest.mark.parametrize("collision", [0, 7, 2**64 - 1])
def test_ids_with_the_same_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch, collision: int) -> None:
    monkeypatch.setattr(module, "id_hash", lambda product_id: collision if product_id != "p3" else 5)
    products = table(items(10))
    assert [products.row_of(f"p{n}") for n in range(10)] == list(range(10))
    with pytest.raises(NotFound):
        products.row_of("p10")


def test_the_hash_never_changes() -> None:
    assert id_hash("mug") == 87999572424904667  # shards and stored tables depend on it


def test_products_come_back_as_they_went_in(tmp_path: Path) -> None:
    full = Product(
        product_id="杯/1",
        title="Mug\n\0🟥",
        description="größe",
        category="A > B",
        supplier_id="acme",
        price=0.1,
        currency="EUR",
        in_stock=False,
        attributes={"size": "M", "": "empty"},
        images=("a.jpg", "b.jpg"),
        url="https://example.org",
        style_id="s",
    )
    entries = [IndexedProduct(product=full, photo="a" * 64), item("2"), item("3", price=0)]
    pq.write_table(to_table(entries), tmp_path / "p.parquet")
    products = ProductTable.read(tmp_path / "p.parquet")
    assert [products.get(row) for row in range(3)] == entries


def test_an_empty_table(tmp_path: Path) -> None:
    pq.write_table(to_table([]), tmp_path / "p.parquet")
    for products in (table([]), ProductTable.read(tmp_path / "p.parquet")):
        assert len(products) == 0
        nothing = products.mask(
            Filters(category="A", suppliers=("a",), not_suppliers=("b",), min_price=1, in_stock=True)
        )
        assert nothing.tolist() == []
        assert products.facets(nothing) == {"category": [], "supplier_id": []}
        assert products.ordered(np.array([], dtype=np.intp), "-price").tolist() == []
        with pytest.raises(NotFound):
            products.row_of("1")


def test_row_groups_with_dictionaries_of_their_own_are_joined(tmp_path: Path) -> None:
    entries = [item(str(n), supplier_id=f"s{n % 7}", category=f"C{n % 5}", price=n) for n in range(50)]
    pq.write_table(to_table(entries), tmp_path / "p.parquet", row_group_size=3)
    products = ProductTable.read(tmp_path / "p.parquet")
    assert np.flatnonzero(products.mask(Filters(suppliers=("s3",)))).tolist() == list(range(3, 50, 7))
    assert products.facets(products.mask(Filters()))["category"] == [(f"C{n}", 10) for n in range(5)]
    assert [products.get(row) for row in range(50)] == entries


def test_columns_that_may_pass_2_gb_have_64_bit_offsets() -> None:
    """Arrow cuts a column of 32-bit offsets into chunks there, and then rows are no longer found."""
    assert SCHEMA.field("document").type == pa.large_binary()
    assert SCHEMA.field("title").type == SCHEMA.field("product_id").type == pa.large_string()


def test_a_table_of_many_chunks_is_one(tmp_path: Path) -> None:
    parts = [to_table([item(str(n), supplier_id=f"s{n}")]) for n in range(5)]
    products = ProductTable(pa.concat_tables(parts))
    assert [products.get(row).product.product_id for row in range(5)] == list("01234")
    assert products.mask(Filters(suppliers=("s4",))).tolist() == [False] * 4 + [True]
