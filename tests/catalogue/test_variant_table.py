"""Contradicting variants, many pairs at once."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import Product, variant_table
from catalogue.gtin import gtins_of
from catalogue.variant_table import Variants, as_pairs
from catalogue.variants import contradict

some_attributes = st.dictionaries(
    st.sampled_from(["colour", "Color", "Size", "taille", "size.", "itemNo", "thread", "volume", "material"]),
    st.sampled_from(
        [
            *(
                "red",
                "Red",
                "blue",
                "navy",
                "hellblau",
                "light blue",
                "rot/blau",
                "XL",
                "x-large",
                "eu 42",
                "42",
                "M6",
                "m 6",
                "M8",
                "steel",
                "steel 2",
                "",
            ),
            *("500 ml", "0.5 l", "505 ml", "750ml", "500 g", "0 mm", "1 mm", "1.2.3 mm"),
            *(f"{'9' * 400} mm", f"{'9' * 401} mm"),
        ]
    ),
    max_size=4,
)
some_titles = st.lists(
    st.sampled_from(
        [
            *("128GB", "256 GB", "0.128 TB", "40 x 60 cm", "40x40cm", "16 in.", "14-15 inch", "pack of 10", "10 pcs"),
            *("M6x30", "m8 X 30", "iPhone 13", "iPhone 11, 12", "12", "2 in 1", "module 1.5", "0 mm", "USB 3.0"),
            *(
                "19 mm",
                "20 m",
                "5-9 V",
                "6 x 0.5 l",
                "3 l",
                "10.000 mAh",
                "navy",
                "rot",
                "iPhone14",
                "iPhone 13 Pro",
                "12 mini",
                "S23",
                "S23 Ultra",
                " ".join(map(str, range(99))),
            ),
        ]
    ),
    max_size=4,
).map(" ".join)
some_shop = st.lists(
    st.builds(
        lambda title, attributes: Product(product_id="a", title=title, images=("a",), attributes=attributes),
        some_titles,
        st.one_of(some_attributes, some_attributes.map(lambda one: one | {"module": "1.5", "length": "400 mm"})),
    ),
    max_size=6,
)


@given(some_shop)
def test_it_is_as_said_of_two_products(shop: list[Product]) -> None:
    rows = np.arange(len(shop))
    one, other = np.repeat(rows, len(shop)), np.tile(rows, len(shop))
    said = [contradict(shop[left], shop[right]) for left, right in zip(one.tolist(), other.tolist(), strict=True)]
    assert Variants.of(shop).contradict(one, other).tolist() == said


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["EAN", "ean", "gtin", "UPC", "sku"]),
            st.sampled_from(["4006381333931", "04006381333931", "36000291452", "n/a", "36000291452;96385074"]),
        ),
        max_size=5,
    )
)
def test_gtins_are_as_said_of_two_products(said: list[dict[str, str]]) -> None:
    shop = [Product(product_id="a", title="a", attributes=one) for one in said]
    rows = np.arange(len(shop))
    one, other = np.repeat(rows, len(shop)), np.tile(rows, len(shop))
    codes = [set(gtins_of(product.attributes)) for product in shop]
    shared = [bool(codes[a] & codes[b]) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
    variants = Variants.of(shop)
    assert variants.share_gtin(one, other).tolist() == shared
    assert not variants.contradict(one, other).any()


def test_a_row_is_found_by_each_of_its_gtins() -> None:
    cell = "4006381333931; 36000291452"
    assert as_pairs({"EAN": cell}) == [("ean", cell), ("gtin", "0036000291452"), ("gtin", "4006381333931")]


def test_a_gtin_of_too_many_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variant_table, "MOST_OF_ONE_GTIN", 2)
    shop = shop_of(*[{"EAN": "4006381333931"}] * 3, *[{"EAN": "9783161484100"}] * 2)
    rows, _ = Variants.of(shop).gtins()
    assert rows.tolist() == [3, 4]


def test_a_gtin_is_kept_in_one_way() -> None:
    assert as_pairs({"EAN": "0-36000-29145-2", "GTIN": "none"}) == [
        ("ean", "0-36000-29145-2"),
        ("gtin", "0036000291452"),
    ]
    assert as_pairs({"Size": "M", "size": "L"}) == [("size", "L"), ("size", "M")]


@given(some_shop)
def test_rows_with_one_hash_contradict_the_same_rows(shop: list[Product]) -> None:
    rows = np.arange(len(shop))
    table = Variants.of(shop)
    hashes = table.hashes()
    for one in rows.tolist():
        for other in np.flatnonzero(hashes == hashes[one]).tolist():
            left, right = (table.contradict(np.full(len(shop), row), rows).tolist() for row in (one, other))
            assert left == right


def shop_of(*attributes: dict[str, str]) -> list[Product]:
    return [Product(product_id="a", title="a", attributes=one) for one in attributes]


def test_what_tells_no_variants_apart_is_not_in_the_hash() -> None:
    plain, steel, red, scarlet, large = Variants.of(
        shop_of({}, {"material": "steel"}, {"colour": "red"}, {"Colour": "RED", "material": "wood"}, {"size": "red"})
    ).hashes()
    assert plain == steel
    assert red == scarlet
    assert len({plain, red, large}) == 3


def test_a_stretch_of_longer_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalogue.variant_table._CHUNK", 3)
    attributes = pa.array([[("size", f"M{n // 2}")] for n in range(10)], pa.map_(pa.large_string(), pa.large_string()))
    titles = pa.array([f"{n // 4} GB" for n in range(10)], pa.large_string())
    one, other = np.repeat(np.arange(6), 6), np.tile(np.arange(6), 6)
    for columns, group in ((attributes, titles.take(pa.array([0] * 10))), 2), ((attributes.take([0] * 10), titles), 4):
        table = Variants(*(column.slice(3, 6) for column in columns))
        assert (table.contradict(one, other) == ((one + 3) // group != (other + 3) // group)).all()
