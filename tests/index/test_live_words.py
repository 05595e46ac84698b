"""Which products of a view say some words, and which say most of them, against a plain count."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import Change, Filters, LiveIndex, LiveView, live_words
from index.live_words import most_saying, who_says
from index.words import numbers_of
from tests.index.builders import FINGERPRINT, build, item, reopen, unit_rows
from tests.index.test_live_view import in_order

NAMES = ["owl", "fox", "mug", "cup"]
TITLES = st.lists(st.sampled_from(NAMES), max_size=4).map(" ".join)
SHOPS = st.dictionaries(st.integers(0, 9), TITLES, min_size=1)
CHANGES = st.lists(st.tuples(st.integers(0, 12), TITLES | st.none()), max_size=12)


def put(product_id: str, title: str, **fields: Any) -> Change:
    vector = {FINGERPRINT: {"fusion": unit_rows(1)[0]}}
    return Change.upsert(item(product_id, title=title or "...", **fields), vector)


def shop(folder: Path, titles: Mapping[int, str], changes: Sequence[tuple[int, str | None]] = ()) -> LiveView:
    """Products whose supplier is the remainder of their number by two."""
    products = [item(str(n), title=title or "...", supplier_id=f"s{n % 2}") for n, title in titles.items()]
    index = LiveIndex(reopen(build(folder, products=products)))
    for number, title in changes:
        gone = Change.delete(str(number))
        change = gone if title is None else put(str(number), title, supplier_id=f"s{number % 2}")
        index.apply(in_order([change], index.view.position + 1))
    return index.view


def numbers(words: Sequence[str]) -> list[int]:
    told: list[int] = numbers_of(words).tolist()
    return told


@settings(deadline=None, max_examples=60)
@given(
    SHOPS,
    CHANGES,
    st.lists(st.sampled_from([*NAMES, "gnu"]), unique=True),
    st.sampled_from(["", "supplier=s1"]),
    st.integers(1, 6),
    st.integers(0, 30),
)
def test_who_says_most(
    titles: dict[int, str], changes: list[tuple[int, str | None]], words: list[str], filters: str, most: int, read: int
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(live_words, "_MOST_READ", 9.0)
        patched.setattr(live_words, "_MOST_ROWS", read)
        view = shop(Path(folder), titles, changes)
        now = {name: title for name, title in {**titles, **dict(changes)}.items() if title is not None}
        rows = {view.row_of(str(number)): number for number in now}
        at = np.array(list(rows), np.int64)
        says = who_says(view, numbers(words), at)
        assert says.tolist() == [[word in now[number].split() for number in rows.values()] for word in words]

        changed = {number for number, _ in changes} & now.keys()  # what the snapshot says of them counts too
        having = {
            word: sum(word in title.split() for title in (*titles.values(), *(now[number] for number in changed)))
            for word in words
        }
        worth, left = dict.fromkeys((number for number in now if not filters or number % 2), 0.0), max(most, read)
        for word in sorted(words, key=having.__getitem__):
            left -= having[word]
            if left < 0:
                break
            for number in worth:
                worth[number] += (word in now[number].split()) * math.log(1 + len(now) / (having[word] + 0.5))
        ordered = sorted((value for value in worth.values() if value), reverse=True)
        found, tied = most_saying(view, numbers(words), view.select(Filters.parse(filters)), most)
        first = {rows[row] for row in found.tolist()}
        if len(ordered) <= most:
            assert tied is None
            assert first == {number for number, value in worth.items() if value}
        else:
            assert tied is not None
            last = ordered[most - 1]
            assert first == {number for number, value in worth.items() if value > last + 1e-5}
            assert len(first) < most
            equal = {rows[row] for row in view.among(at, tied).tolist()}
            assert equal == {number for number, value in worth.items() if abs(value - last) < 1e-5}


def test_a_product_that_changes_often_does_not_make_its_words_frequent(tmp_path: Path) -> None:
    view = shop(tmp_path, dict.fromkeys(range(5), "fox"), [(1, "owl")] * 50)
    found, _ = most_saying(view, numbers(["owl"]), view.select(Filters()), 3)
    assert [view.id_of(row) for row in found.tolist()] == ["1"]


def test_an_earlier_view_knows_nothing_of_later_changes(tmp_path: Path) -> None:
    index = LiveIndex(reopen(build(tmp_path, products=[item("a", title="owl")])))
    index.apply(in_order([put("b", "owl"), put("c", "fox")]))
    before = index.view
    index.apply(in_order([put("d", "owl"), put("a", "fox")], 3))
    word = numbers(["owl"])
    assert [before.id_of(row) for row in most_saying(before, word, before.select(Filters()), 9)[0]] == ["a", "b"]
    after = index.view
    assert [after.id_of(row) for row in most_saying(after, word, after.select(Filters()), 9)[0]] == ["b", "d"]


def test_rows_that_a_changed_file_names_are_passed_over(tmp_path: Path) -> None:
    view = shop(tmp_path, dict.fromkeys(range(5), "owl"))
    words = view.snapshot.products.words
    assert words is not None
    rows = np.resize(np.array([0, 4_000_000_000, 1, 99, 5], np.uint32), len(words.rows))  # five of it hold all of them
    object.__setattr__(words, "rows", rows)
    found, tied = most_saying(view, numbers(["owl"]), view.select(Filters()), 9)
    assert (found.tolist(), tied) == ([0, 1], None)


def test_without_words_nobody_says_any(tmp_path: Path) -> None:
    index = LiveIndex(reopen(build(tmp_path, products=[item("a", title="owl")])))
    index.snapshot.products.words = None
    index = LiveIndex(index.snapshot)
    index.apply(in_order([put("b", "owl")]))
    assert index.view.saying(*numbers(["owl"])) == []
    assert most_saying(index.view, numbers(["owl"]), index.view.select(Filters()), 9)[0].tolist() == []
    assert not index.view.changed.saying(numbers(["owl"])[0], 1)[-1][0].tolist()
