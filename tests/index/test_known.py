"""Conditions that were asked for before."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from index import Filters, known
from index.known import Known
from tests.index.builders import item, items, table


def test_a_condition_is_looked_up_once_however_it_is_combined() -> None:
    asked: list[str] = []

    def rows() -> NDArray[np.bool_]:
        asked.append("rows")
        return np.arange(20) < 7

    conditions = Known()
    first = conditions.bits(("in stock", True), rows)
    assert conditions.bits(("in stock", True), rows) is first
    assert asked == ["rows"]
    conditions.bits(("in stock", False), rows)
    assert asked == ["rows", "rows"]


def test_what_does_not_fit_is_not_kept_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_BYTES", 2 * (known._OVERHEAD + 10))
    conditions = Known()
    made: list[int] = []

    def ask(number: int, rows: int = 80) -> None:
        def passed() -> NDArray[np.bool_]:
            made.append(number)
            return np.ones(rows, np.bool_)

        conditions.bits(("min price", number), passed)

    for number in (1, 2, 1, 3, 1, 2):
        ask(number)
    assert made == [1, 2, 3, 2]
    ask(4, rows=80_000)
    ask(4, rows=80_000)
    assert made == [1, 2, 3, 2, 4, 4]


def test_a_mask_is_the_callers_own() -> None:
    products = table(items(30))
    filters = Filters(max_price=9)
    mask = products.mask(filters)
    assert mask.sum() == 10
    mask[:] = False
    assert products.mask(filters).sum() == 10
    products.mask(Filters(max_price=9, not_ids=("p3",)))
    assert products.mask(filters)[3]


def test_conditions_that_read_alike_are_told_apart() -> None:
    products = table(
        [item("a", attributes={"x": "1"}), item("b", attributes={"x": "1, 'y"}), item("c", supplier_id="1")]
    )
    for filters, row in (
        (Filters(attributes={"x": ("1",)}), 0),
        (Filters(attributes={"x": ("1, 'y",)}), 1),
        (Filters(suppliers=("1",)), 2),
    ):
        for _ in range(2):
            assert np.flatnonzero(products.mask(filters)).tolist() == [row]


def test_many_threads_ask_at_once() -> None:
    products = table(items(500))
    asked = [Filters(min_price=float(low), max_price=float(low + 99)) for low in range(0, 400, 20)] * 10
    with ThreadPoolExecutor(8) as pool:
        masks = list(pool.map(products.mask, asked))
    for filters, mask in zip(asked, masks, strict=True):
        assert filters.min_price is not None
        assert np.flatnonzero(mask).tolist() == list(range(int(filters.min_price), int(filters.min_price) + 100))
