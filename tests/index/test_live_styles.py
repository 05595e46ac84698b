"""Which style a product is of that changed since the snapshot was made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from catalogue.variants import SameFrom
from index import Change, Filters, IndexedProduct, LiveIndex, write_snapshot
from index.live_styles import style_groups, style_names
from index.products import to_table
from tests.index.builders import FINGERPRINT, item, reopen
from tests.index.test_live_view import in_order
from tests.index.test_rivals import EAN, FLOOR, OWN, at

BEST, LOOK_ALIKE = at(0.93), at(0.88, (0, 1, 0))


def listed(name: str, supplier: str, **more: Any) -> IndexedProduct:
    return item(name, supplier_id=supplier, **more)


def live_of(root: Path, *shop: tuple[IndexedProduct, NDArray[Any]]) -> LiveIndex:
    path = write_snapshot(
        root, "snap", to_table([product for product, _ in shop]),
        {"fusion": np.array([vector for _, vector in shop], np.float32)},
        model="stand-in", fingerprint=FINGERPRINT, variant="v", same=SameFrom(FLOOR, FLOOR),
    )  # fmt: skip
    return LiveIndex(reopen(path))


@pytest.fixture
def live(tmp_path: Path) -> LiveIndex:
    """One style of acme's and orion's, and orion's look-alike of it."""
    live = live_of(
        tmp_path,
        (listed("acme", "acme", price=1.0), OWN),
        (listed("orion", "orion", price=1.0), BEST),
        (listed("print", "orion", price=1.0), LOOK_ALIKE),
    )
    names = style_names(live.view, [0, 1, 2], lambda: None)
    assert names[0] == names[1] != names[2] == "print"
    return live


def style_of(live: LiveIndex, product: IndexedProduct, vector: NDArray[Any]) -> str:
    """After it was written."""
    name = product.product.product_id
    change = Change(name, product, {FINGERPRINT: {"fusion": vector.astype(np.float32)}})
    live.apply(in_order([change], live.view.delta.position + 1))
    return style_names(live.view, [live.view.row_of(name)], lambda: None)[0]


def test_a_price_changes_no_style(live: LiveIndex) -> None:
    assert style_of(live, listed("print", "orion", price=2.0), LOOK_ALIKE) == "print"
    style = style_names(live.view, [0], lambda: None)[0]
    assert style_of(live, listed("orion", "orion", price=2.0), BEST) == style
    assert style_of(live, listed("acme", "acme", in_stock=False), OWN) == style


def test_another_photo_title_or_supplier_does(live: LiveIndex) -> None:
    style = style_names(live.view, [0], lambda: None)[0]
    assert style_of(live, listed("print", "kestrel"), LOOK_ALIKE) == style
    assert style_of(live, listed("print", "orion"), at(0.929)) == style
    assert style_of(live, listed("orion", "orion", attributes={"thread": "M8"}), at(0.7)) == "orion"


def test_what_is_new_has_rivals_too(live: LiveIndex) -> None:
    style = style_names(live.view, [0], lambda: None)[0]
    assert style_of(live, listed("new", "orion"), at(0.88, (0, 0, 1))) == "new"
    assert style_of(live, listed("new", "kestrel"), at(0.88, (0, 0, 1))) == style
    assert style_of(live, listed("twin", "orion"), at(0.92)) == style


def test_who_has_the_gtin_is_it_however_alike_what_is_new(tmp_path: Path) -> None:
    acme, orion = (listed(name, name, attributes=EAN) for name in ("acme", "orion"))
    live = live_of(tmp_path, (acme, OWN), (orion, LOOK_ALIKE))
    style = style_names(live.view, [0], lambda: None)[0]
    assert style_of(live, listed("new", "orion"), at(0.92, (0, 0, 1))) == "new"
    assert style_of(live, listed("new", "kestrel"), at(0.92, (0, 0, 1))) == style


@pytest.mark.parametrize(
    ("supplier", "likeness", "is_one"), [("acme", 0.90, False), ("acme", 0.94, True), ("other", 0.90, True)]
)
def test_new_listings_of_one_supplier_must_be_more_alike(
    live: LiveIndex, supplier: str, likeness: float, is_one: bool
) -> None:
    """Neither is like anything in the snapshot."""
    first, second = np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, np.sqrt(1 - likeness**2), likeness])
    assert style_of(live, listed("first", "acme"), first) == "first"
    assert style_of(live, listed("second", supplier), second) == "second"
    rows = [live.view.row_of(name) for name in ("first", "second")]
    assert (len(set(style_names(live.view, rows, lambda: None))) == 1) == is_one


def test_whoever_looks_may_stop_before_each_product(live: LiveIndex) -> None:
    for name in ("one", "two"):
        style_of(live, listed(name, "acme"), np.array([0.0, 0.0, 0.0, 1.0]))
    live.apply(
        in_order([Change("three", listed("three", "acme"), {FINGERPRINT: {"fusion": OWN.astype(np.float32)}})], 3)
    )
    looked: list[int] = []

    def go_on() -> None:
        looked.append(1)
        if len(looked) == 2:
            raise TimeoutError

    view = live.view
    with pytest.raises(TimeoutError):
        style_groups(view, view.select(Filters(suppliers=("acme",))), go_on)
    assert view.row_of("three") in view.joined  # what was found is kept
