"""Contradicting variants, many pairs at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.variants import contradict
from index.products import to_table
from index.variants import Variants
from tests.index.builders import item

some_attributes = st.dictionaries(
    st.sampled_from(["colour", "Size", "thread", "volume", "material"]),
    st.sampled_from(
        [
            *("red", "Red", "blue", "M6", "m 6", "M8", "steel", "steel 2", ""),
            *("500 ml", "0.5 l", "505 ml", "750ml", "500 g", "0 mm", "1 mm", "1.2.3 mm"),
            *(f"{'9' * 400} mm", f"{'9' * 401} mm"),
        ]
    ),
    max_size=4,
)
some_shop = st.lists(some_attributes, max_size=6)


def variants(*attributes: dict[str, str]) -> Variants:
    products = [item(f"p{n}", attributes=one) for n, one in enumerate(attributes)]
    return Variants(to_table(products)["attributes"].combine_chunks())


@given(some_shop)
def test_it_is_as_said_of_two_products(shop: list[dict[str, str]]) -> None:
    rows = np.arange(len(shop))
    one, other = np.repeat(rows, len(shop)), np.tile(rows, len(shop))
    said = [
        contradict(item("a", attributes=shop[left]).product, item("b", attributes=shop[right]).product)
        for left, right in zip(one.tolist(), other.tolist(), strict=True)
    ]
    assert variants(*shop).contradict(one, other).tolist() == said


@given(some_shop)
def test_rows_with_one_hash_contradict_the_same_rows(shop: list[dict[str, str]]) -> None:
    rows = np.arange(len(shop))
    table = variants(*shop)
    hashes = table.hashes()
    for one in rows.tolist():
        for other in np.flatnonzero(hashes == hashes[one]).tolist():
            left, right = (table.contradict(np.full(len(shop), row), rows).tolist() for row in (one, other))
            assert left == right


def test_what_tells_no_variants_apart_is_not_in_the_hash() -> None:
    plain, steel, red, scarlet, large = variants(
        {}, {"material": "steel"}, {"colour": "red"}, {"Colour": "RED", "material": "wood"}, {"size": "red"}
    ).hashes()
    assert plain == steel
    assert red == scarlet
    assert len({plain, red, large}) == 3


def test_a_stretch_of_a_longer_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.variants._CHUNK", 3)
    products = [item(f"p{n}", attributes={"size": f"M{n // 2}"}) for n in range(10)]
    column = to_table(products).slice(3, 6)["attributes"].combine_chunks()
    one, other = np.repeat(np.arange(6), 6), np.tile(np.arange(6), 6)
    assert (Variants(column).contradict(one, other) == ((one + 3) // 2 != (other + 3) // 2)).all()
