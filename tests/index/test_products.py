import math
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import Product
from catalogue.errors import NotFound, SnapshotDamaged
from index import Filters, IndexedProduct, ProductTable
from index import products as module
from index.columns import _sorted_pairs
from index.facets import count as count_facets
from index.products import SCHEMA, Sort, id_hash, packed, suppliers_of, to_table
from tests.index.builders import item, items, table
from tests.index.shops import FACETS, passes, some_filters, some_products


@settings(deadline=None)
@given(some_products, some_filters)
def test_the_mask_is_what_python_says(entries: list[IndexedProduct], filters: Filters) -> None:
    mask = table(entries).mask(filters)
    assert mask.dtype == np.bool_
    assert mask.tolist() == [passes(entry.product, filters) for entry in entries]


@pytest.mark.parametrize(
    "text",
    [
        'category="A > B"',
        "supplier=acme",
        "supplier!=acme",
        "price>=1",
        "price<=1",
        "currency=EUR",
        "in_stock=true",
        "in_stock=false",
        "colour=red",
        "colour=blue,white",
        "COLOUR=red size=M",
        "id=1,9",
        "id!=2,9",
    ],
)
def test_every_filter_takes_some_and_leaves_some(text: str) -> None:
    entries = [
        item(
            "1",
            category="A > B",
            supplier_id="acme",
            price=0.5,
            currency="EUR",
            in_stock=True,
            attributes={"Colour": "red", "SIZE": "M"},
        ),
        item("2", category="A > BC", supplier_id="orion", price=2, in_stock=False, attributes={"colour": "blue"}),
        item("3", attributes={"hue": "red"}),
    ]
    filters = Filters.parse(text)
    mask = table(entries).mask(filters)
    assert mask.tolist() == [passes(entry.product, filters) for entry in entries]
    assert 0 < mask.sum() < 3


def test_a_mask_belongs_to_its_caller() -> None:
    products = table(items(3))
    for filters in map(Filters.parse, ("", "in_stock=true", "price>=0", 'category=""', "supplier=s0", "id=p1")):
        before = products.mask(filters)
        products.mask(filters)[:] = ~before
        assert products.mask(filters).tolist() == before.tolist()


@settings(deadline=None)
@given(some_products, st.sampled_from(["product_id", "price", "-price", "title"]), st.data())
def test_rows_are_ordered_as_python_would(entries: list[IndexedProduct], sort: Sort, data: st.DataObject) -> None:
    mask = data.draw(st.lists(st.booleans(), min_size=len(entries), max_size=len(entries)))

    def key(row: int) -> tuple[object, str]:
        product = entries[row].product
        price = math.inf if product.price is None else product.price * (-1 if sort == "-price" else 1)
        first: object = {"product_id": "", "title": product.title}.get(sort, price)
        return first, product.product_id

    ranked = table(entries).ordered(np.array(mask, dtype=np.bool_), sort)
    assert ranked.tolist() == sorted(np.flatnonzero(mask).tolist(), key=key)


@pytest.mark.parametrize("count", [1, 255, 256, 257, 70_000])
def test_any_number_of_categories_and_suppliers(count: int) -> None:
    """Codes are as narrow as their number allows; the borders are where they could overflow."""
    whole = to_table([item("1")])
    names = pa.array([f"c{n:05d}" for n in range(count)])
    columns = {
        "category": names.dictionary_encode().cast(SCHEMA.field("category").type),
        "supplier_id": names.take(pa.array(np.arange(count)[::-1])).dictionary_encode(),
    }
    arrays = [
        columns.get(field.name, pa.concat_arrays([whole[field.name].chunk(0)] * count)).cast(field.type)
        for field in SCHEMA
    ]
    products = ProductTable.of(pa.Table.from_arrays(arrays, schema=SCHEMA))
    for row in {0, count // 2, count - 1}:
        assert np.flatnonzero(products.mask(Filters(category=f"c{row:05d}"))).tolist() == [row]
        assert np.flatnonzero(products.mask(Filters(suppliers=(f"c{row:05d}",)))).tolist() == [count - 1 - row]
    many = tuple(f"c{row:05d}" for row in range(0, count, 100))
    assert products.mask(Filters(suppliers=many)).sum() == len(many)
    assert products.mask(Filters(category="c")).sum() == products.mask(Filters(suppliers=("d",))).sum() == 0
    assert count_facets([(products, products.mask(Filters()))], ["category"], 1) == {"category": [("c00000", 1)]}


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
    assert np.flatnonzero(products.mask(Filters(ids=("p7", "p3", "p11")))).tolist() == [3, 7]
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
            Filters.parse("category=A supplier=a supplier!=b price>=1 in_stock=true currency=EUR a=b id=1 id!=2")
        )
        assert nothing.tolist() == []
        assert set(map(tuple, count_facets([(products, nothing)], FACETS).values())) == {()}
        for sort in get_args(Sort):
            assert products.ordered(nothing, sort).tolist() == []
        with pytest.raises(NotFound):
            products.row_of("1")


def test_row_groups_with_dictionaries_of_their_own_are_joined(tmp_path: Path) -> None:
    entries = [
        item(str(n), supplier_id=f"s{n % 7}", category=f"C{n % 5}", price=n, attributes={"a": f"v{n % 3}"})
        for n in range(50)
    ]
    pq.write_table(to_table(entries), tmp_path / "p.parquet", row_group_size=3)
    products = ProductTable.read(tmp_path / "p.parquet")
    assert np.flatnonzero(products.mask(Filters(suppliers=("s3",)))).tolist() == list(range(3, 50, 7))
    assert np.flatnonzero(products.mask(Filters.parse("a=v1"))).tolist() == list(range(1, 50, 3))
    everything = [(products, products.mask(Filters()))]
    assert count_facets(everything, ["category"]) == {"category": [(f"C{n}", 10) for n in range(5)]}
    assert [products.get(row) for row in range(50)] == entries


def test_columns_that_may_pass_2_gb_have_64_bit_offsets() -> None:
    """Arrow cuts a column of 32-bit offsets into chunks there, and then rows are no longer found."""
    assert SCHEMA.field("document").type == pa.large_binary()
    assert SCHEMA.field("title").type == SCHEMA.field("product_id").type == pa.large_string()


def test_a_table_of_many_chunks_is_one(tmp_path: Path) -> None:
    parts = [to_table([item(str(n), supplier_id=f"s{n}")]) for n in range(5)]
    products = ProductTable.of(pa.concat_tables(parts))
    assert [products.get(row).product.product_id for row in range(5)] == list("01234")
    assert products.mask(Filters(suppliers=("s4",))).tolist() == [False] * 4 + [True]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2**20)), max_size=30), st.sampled_from([10, 2**60]))
def test_pairs_are_sorted_however_many_there_may_be(entries: list[tuple[int, int]], distinct: int) -> None:
    pairs, rows = np.array([*zip(*entries, strict=True)] or [(), ()], dtype=np.int64)
    rows.sort()  # as they come
    sorted_pairs, sorted_rows = _sorted_pairs(pairs, rows.astype(np.uint32), distinct)
    assert [*zip(sorted_pairs.tolist(), sorted_rows.tolist(), strict=True)] == sorted(
        zip(pairs.tolist(), rows.tolist(), strict=True)
    )


def test_an_attribute_that_one_product_of_many_declares_is_found() -> None:
    products = table([*items(300), item("last", attributes={"colour": "red"})])
    assert np.flatnonzero(products.mask(Filters.parse("colour=red"))).tolist() == [300]


# Files that change after they were verified.


def damaged(name: str, at: int, value: object) -> ProductTable:
    """Ten products, with another value in one of their arrays; of texts any bytes."""
    arrays = packed(to_table(items(10)))
    values = arrays[name].cast(pa.large_binary()).to_pylist() if isinstance(value, bytes) else arrays[name].to_pylist()
    values[at] = value
    kind = arrays[name].type
    array = pa.array(values, pa.large_binary()).view(kind) if isinstance(value, bytes) else pa.array(values, kind)
    return ProductTable(arrays | {name: array})


def test_an_id_that_cannot_be_read_stands_in_the_document_too() -> None:
    products = damaged("product_id", 3, b"\xff")
    assert [products.id_of(row) for row in range(10)] == [f"p{n}" for n in range(10)]
    assert products.rows_of(["p3", "p4"]) == [3, 4]


def test_a_row_that_cannot_be_read_is_still_found_by_its_id() -> None:
    products = damaged("document", 3, b"\xff")
    products._ids = damaged("product_id", 3, b"\xff")._ids
    assert products.row_of("p3") == 3
    assert np.flatnonzero(products.mask(Filters(not_ids=("p3",)))).tolist() == [0, 1, 2, *range(4, 10)]
    for read in (products.id_of, products.listing, products.get):
        with pytest.raises(SnapshotDamaged, match="product in row 3 of this snapshot"):
            read(3)


def test_an_id_whose_row_is_not_there_is_no_row() -> None:
    products = table(items(10))
    at = products._by_hash.tolist().index(3)
    products = damaged("hash.rows", at, 2**20)
    assert products.rows_of(["p3", "p4"]) == [4]
    assert products.row_of("p4") == 4
    with pytest.raises(SnapshotDamaged):
        products.row_of("p3")
    assert np.flatnonzero(products.mask(Filters(ids=("p3", "p4")))).tolist() == [4]


def test_an_order_of_rows_that_are_not_there_cannot_be_used() -> None:
    arrays = packed(to_table(items(10)))
    products = ProductTable(arrays | {"order.price": pa.array([*range(9), 2**20], pa.uint32())})
    everything = np.ones(10, np.bool_)
    with pytest.raises(SnapshotDamaged, match="order by price of this snapshot"):
        products.ordered(everything, "price")
    assert products.ordered(everything, "-price").tolist() == [*range(9, -1, -1)]


@pytest.mark.parametrize("medoid", [10, 2**31 - 1, -2])
def test_a_group_named_after_a_row_that_is_not_there_is_none(medoid: int) -> None:
    styles = damaged("style.medoids", 3, medoid).styles
    assert styles.medoid(3) is None
    assert styles.grouped(np.ones(10, np.bool_)).tolist() == []


def test_suppliers_are_numbers_whatever_the_table_was_put_together_of() -> None:
    """Each part numbers its suppliers by itself."""
    whose = [["acme", "", "orion"], ["orion", "kestrel"], [""], ["acme"]]
    parts = [
        to_table([item(f"p{part}-{n}", supplier_id=name) for n, name in enumerate(names)])
        for part, names in enumerate(whose)
    ]
    numbers = suppliers_of(pa.concat_tables(parts)).tolist()
    assert numbers[0] == numbers[6] != numbers[2] == numbers[3] != numbers[4] != numbers[0]
    assert (numbers[1], numbers[5]) == (-1, -1)
    assert min(numbers[0], numbers[2], numbers[4]) >= 0
    assert suppliers_of(to_table([])).tolist() == []
    assert suppliers_of(to_table([item("p")])).tolist() == [-1]


def test_rows_of_a_gtin_that_there_are_not_are_left_out() -> None:
    """A file that changes may name any."""
    arrays = packed(to_table([item(f"p{n}", attributes={"EAN": "4006381333931"}) for n in range(3)]))
    rows = arrays["attributes.rows"].to_numpy()
    damaged = {**arrays, "attributes.rows": pa.array(np.where(rows == 1, 250, rows), pa.uint32())}
    assert ProductTable(damaged).of_gtin("4006381333931").tolist() == [0, 2]
