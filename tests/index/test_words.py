"""What products say, as numbers of their words."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.errors import SnapshotDamaged
from index import ProductTable
from index.arrays import read_arrays, write_arrays
from index.words import numbers_of, said, saying
from tests.index.builders import item, items, table

WORDS = st.text("abc", min_size=1, max_size=2)


def test_what_a_product_says() -> None:
    fields: dict[str, Any] = {"product_id": "id", "title": "Mugs", "category": "Home > Cups", "style_id": "s"}
    fields |= {"description": f"Keeps warm{' x' * 500} far", "attributes": {"Colour": "Blue", "size": "0,3 l"}}
    words = ["mug", "home", "cup", "blue", "0.3", "l", "keep", "warm", "x"]
    assert said(fields).tolist() == numbers_of(words).tolist()
    assert said({"product_id": "id"}).tolist() == []


@given(st.lists(WORDS, unique=True, min_size=1, max_size=6), st.lists(st.sets(WORDS), max_size=6))
def test_who_says_what(words: list[str], told: list[set[str]]) -> None:
    expected = [[word in each for each in told] for word in words]
    assert saying(numbers_of(words), [numbers_of(each) for each in told]).tolist() == expected


def test_they_are_kept_and_none_where_they_were_not(tmp_path: Path) -> None:
    products = [*items(5), item("owl", title="Owl mugs"), item("none", title="...")]
    table(products).write(tmp_path / "products.arrow")
    kept = ProductTable.map(tmp_path / "products.arrow")
    arrays = {name: array for name, array in read_arrays(tmp_path / "products.arrow").items() if name[:6] != "words."}
    write_arrays(tmp_path / "before.arrow", arrays)
    before = ProductTable.map(tmp_path / "before.arrow")
    owl = kept.row_of("owl")
    assert np.isin(numbers_of(["owl", "mug"]), kept.words(owl)).all()
    for row in range(len(kept)):
        assert kept.words(row).tolist() == said(kept.listing(row).fields).tolist()
    assert kept.has_words
    assert not before.has_words


def test_a_place_that_was_lost_is_no_million_words(tmp_path: Path) -> None:
    table([item("owl", title="Owl mugs"), item("fox", title="Fox")]).write(tmp_path / "products.arrow")
    arrays = read_arrays(tmp_path / "products.arrow")
    for first in ([0, -1, 3], [0, 5_000, 3], [0, 3, 2]):
        with pytest.raises(SnapshotDamaged):
            ProductTable({**arrays, "words.first": pa.array(first, pa.int64())}).words(1)
    with pytest.raises(SnapshotDamaged):
        ProductTable(arrays).words(2)


def test_half_of_it_is_refused(tmp_path: Path) -> None:
    table(items(3)).write(tmp_path / "products.arrow")
    arrays = {name: array for name, array in read_arrays(tmp_path / "products.arrow").items() if name != "words.first"}
    write_arrays(tmp_path / "half.arrow", arrays)
    with pytest.raises(ValueError, match=r"there is no words\.first"):
        ProductTable.map(tmp_path / "half.arrow")
