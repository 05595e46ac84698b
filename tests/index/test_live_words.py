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

from catalogue.errors import SnapshotDamaged
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
    st.sampled_from([0.1, 0.5, 1.0]),
)
def test_who_says_most(
    titles: dict[int, str], changes: list[tuple[int, str | None]], words: list[str], filters: str, most: int,
    common: float,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(live_words, "_COMMON", common)
        view = shop(Path(folder), titles, changes)
        now = {**titles, **dict(changes)}
        rows = {str(n): view.row_of(str(n)) for n, title in now.items() if title is not None}
        ids = {row: name for name, row in rows.items()}
        at = np.array(list(ids), np.int64)
        says = who_says(view, numbers(words), at)
        assert says.tolist() == [[word in (now[int(name)] or "").split() for name in ids.values()] for word in words]

        having = {word: sum(len(found) for found, _ in view.saying(*numbers([word]))) for word in words}
        count = view.base_rows + view.delta.rows
        counting = [word for word in words if having[word] <= max(most, common * count)]
        weight = {word: math.log((count + 1) / (having[word] + 0.5)) for word in counting}
        selected = [n for n in now if str(n) in rows and (not filters or n % 2)]
        worth = {n: sum(weight[word] for word in counting if word in (now[n] or "").split()) for n in selected}
        ordered = sorted((value for value in worth.values() if value), reverse=True)
        found, tied = most_saying(view, numbers(words), view.select(Filters.parse(filters)), most)
        if len(ordered) <= most:
            assert tied is None
            assert {int(ids[row]) for row in found.tolist()} == {n for n in worth if worth[n]}
        else:
            assert tied is not None
            assert len(found) < most
            last = ordered[most - 1]
            among = view.among(at, tied).tolist()
            assert {int(ids[row]) for row in found.tolist()} == {n for n in worth if worth[n] > last + 1e-5}
            assert {int(ids[row]) for row in among} == {n for n in worth if abs(worth[n] - last) < 1e-5}


def test_an_earlier_view_knows_nothing_of_later_changes(tmp_path: Path) -> None:
    index = LiveIndex(reopen(build(tmp_path, products=[item("a", title="owl")])))
    index.apply(in_order([put("b", "owl"), put("c", "fox")]))
    before = index.view
    index.apply(in_order([put("d", "owl"), put("a", "fox")], 3))
    word = numbers(["owl"])
    assert [before.id_of(row) for row in most_saying(before, word, before.select(Filters()), 9)[0]] == ["a", "b"]
    after = index.view
    assert [after.id_of(row) for row in most_saying(after, word, after.select(Filters()), 9)[0]] == ["b", "d"]


def test_what_a_changed_file_says_is_lost_and_said_so(tmp_path: Path) -> None:
    view = shop(tmp_path, dict.fromkeys(range(5), "owl"))
    words = view.snapshot.products.words
    assert words is not None
    object.__setattr__(words, "rows", np.array([0, 1, 99], np.uint32))
    with pytest.raises(SnapshotDamaged, match="words of products"):
        most_saying(view, numbers(["owl"]), view.select(Filters()), 9)
