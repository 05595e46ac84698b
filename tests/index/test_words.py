"""Who says which words, as numbers of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import ProductTable
from index.arrays import read_arrays, write_arrays
from index.words import RULES, Postings, foremost, numbers_of, said
from tests.index.builders import item, items, table

WORDS = st.sampled_from(["owl", "fox", "mug", "cup", "x"])
TEXTS = st.lists(st.lists(WORDS, max_size=4).map(" ".join), max_size=8)


def documents(texts: Sequence[str]) -> Any:
    return pa.array([item("p", title=text or "...").product.model_dump_json().encode() for text in texts])


def who(postings: Postings, word: str) -> list[int]:
    rows: list[int] = postings.saying(*numbers_of([word]).tolist()).tolist()
    return rows


def test_what_a_product_says() -> None:
    fields: dict[str, Any] = {"product_id": "id", "title": "Mugs", "category": "Home > Cups", "style_id": "s"}
    fields |= {"description": f"1. Keeps a mug warm{' x' * 500} far", "attributes": {"Colour": "Blue", "size": "0,3 l"}}
    for text, word in (("Set of 12. Blue", "12"), ("Glasses (set of 6) for tea", "6")):
        assert numbers_of([word])[0] in said({"description": text})
    first = numbers_of(["mug", "home", "cup", "blue", "0.3", "l", "0.3l"])
    beside = numbers_of(["keep", "warm", "x", "acme"])
    told = said(fields | {"supplier_id": "ACME"})
    assert sorted(told.tolist()) == sorted([*first.tolist(), *foremost(first).tolist(), *beside.tolist()])
    assert said({"product_id": "id"}).tolist() == []


@given(TEXTS, WORDS)
def test_who_says_a_word(texts: list[str], word: str) -> None:
    assert who(Postings.of(documents(texts)), word) == [row for row, text in enumerate(texts) if word in text.split()]


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_tables_joined_say_what_one_of_all_says(parts: list[list[str]]) -> None:
    whole = Postings.of(documents([text for texts in parts for text in texts]))
    firsts = [sum(map(len, parts[:number])) for number in range(len(parts))]
    joined = Postings.joined([Postings.of(documents(texts)) for texts in parts], firsts)
    for name in ("words", "start", "rows"):
        ours, theirs = getattr(joined, name), getattr(whole, name)
        assert ours.tolist() == theirs.tolist()
        assert ours.dtype == theirs.dtype


def test_documents_read_in_parts_are_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["owl mug", "fox", "", "owl", "mug fox owl"]
    whole = Postings.of(documents(texts))
    monkeypatch.setattr("index.words._TOGETHER", 2)
    assert Postings.of(documents(texts)).rows.tolist() == whole.rows.tolist()


def test_they_are_kept_and_none_where_they_were_not(tmp_path: Path) -> None:
    products = [*items(5), item("owl", title="Owl mugs"), item("none", title="...")]
    table(products).write(tmp_path / "products.arrow")
    kept = ProductTable.map(tmp_path / "products.arrow")
    arrays = {name: array for name, array in read_arrays(tmp_path / "products.arrow").items() if name[:6] != "words."}
    write_arrays(tmp_path / "before.arrow", arrays)
    assert ProductTable.map(tmp_path / "before.arrow").words is None
    assert kept.words is not None
    for row in range(len(kept)):
        for word in said(kept.listing(row).fields).tolist():
            assert row in kept.words.saying(word)
    assert who(kept.words, "mug") == [kept.row_of("owl")]
    assert who(kept.words, "zebra") == []


@pytest.mark.parametrize("missing", ["words.rules", "words.keys", "words.start", "words.rows"])
def test_half_of_it_is_refused(tmp_path: Path, missing: str) -> None:
    table(items(3)).write(tmp_path / "products.arrow")
    arrays = {name: array for name, array in read_arrays(tmp_path / "products.arrow").items() if name != missing}
    write_arrays(tmp_path / "half.arrow", arrays)
    with pytest.raises(ValueError, match=rf"there is no {missing}"):
        ProductTable.map(tmp_path / "half.arrow")


def test_every_number_there_is_can_be_asked_for() -> None:
    postings = Postings(np.array([5, 2**32 - 1], np.uint32), np.array([0, 1, 3]), np.array([4, 0, 9], np.uint32))
    assert [postings.saying(word).tolist() for word in (0, 5, 6, 2**32 - 1)] == [[], [4], [], [0, 9]]


def test_words_of_other_rules_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table(items(3)).write(tmp_path / "products.arrow")
    assert ProductTable.map(tmp_path / "products.arrow").words is not None
    monkeypatch.setattr("index.words.RULES", RULES + 1)
    assert ProductTable.map(tmp_path / "products.arrow").words is None


def test_rules_that_change_have_another_number() -> None:
    """If this fails, raise `RULES`: what is kept of these words is not what is looked for any more."""
    texts = [
        "Owl mugs, 0,3 l, M8x40 & 1,000 pcs",
        "Crème brûlée leaves 100 µF",
        "女士红色连衣裙",
        "The knives of 2 potatoes",
    ]
    told = [said({"title": text, "supplier_id": "ACME", "description": f"1. For {text}"}) for text in texts]
    assert (RULES, crc32(np.sort(np.concatenate(told)).astype("<u4").tobytes())) == (1, 1161303936)
