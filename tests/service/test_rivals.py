"""What one supplier's listings say of each other, on vectors made for it."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index import IndexedProduct, LiveIndex, LiveView, write_snapshot
from index.filters import OPEN
from index.products import to_table
from service import rivals
from service.rivals import LEAD, REACH, WEIGHT, Near, Rivals
from tests.index.builders import FINGERPRINT, item, reopen

FLOOR, WITH_GTIN = 0.85, 0.6
EAN, OTHER_EAN = {"ean": "4006381333931"}, {"ean": "4003994155486"}
OWN = np.array([1.0, 0.0, 0.0, 0.0])


def at(likeness: float, direction: Sequence[float] = (1, 0, 0)) -> NDArray[np.float64]:
    """A unit vector that is so like `OWN`, and off it in a direction."""
    off = np.array(direction) / np.linalg.norm(direction)
    return np.concatenate([[likeness], np.sqrt(1 - likeness**2) * off])


def view_of(root: Path, listings: Sequence[tuple[IndexedProduct, Any]]) -> LiveView:
    vectors = np.array([vector for _, vector in listings], np.float32)
    path = write_snapshot(
        root, "snap", to_table([product for product, _ in listings]), {"fusion": vectors},
        model="stand-in", fingerprint=FINGERPRINT, variant="v",
    )  # fmt: skip
    return LiveIndex(reopen(path)).view


def gain(view: LiveView, own: str, other: str) -> float:
    """As the tab asks for it."""
    rows = np.array([view.row_of(own), view.row_of(other)])
    one, two = view.vectors("fusion", rows)
    return Rivals(view, lambda view: Near.of(view, own), view.listing(int(rows[0])), WITH_GTIN).gain(
        int(rows[1]), view.listing(int(rows[1])), float(one @ two), FLOOR
    )


def of_acme(name: str, **more: Any) -> IndexedProduct:
    return item(name, supplier_id="acme", **more)


def of_orion(name: str, **more: Any) -> IndexedProduct:
    return item(name, supplier_id="orion", **more)


def test_of_what_a_supplier_has_the_most_alike_leads_and_the_others_are_behind(tmp_path: Path) -> None:
    best, second = at(0.92), at(0.91, (0, 1, 0))
    view = view_of(tmp_path, [(of_acme("own"), OWN), (of_orion("best"), best), (of_orion("second"), second)])
    assert gain(view, "own", "best") == pytest.approx(WEIGHT * 0.01, abs=2e-3)
    assert gain(view, "own", "second") == pytest.approx(-WEIGHT * 0.01, abs=2e-3)


def test_what_is_more_like_another_product_of_the_supplier_belongs_to_that(tmp_path: Path) -> None:
    other = at(0.90)
    nearer = at(0.80)  # to what the other supplier has, 0.98
    view = view_of(tmp_path, [(of_acme("own"), OWN), (of_acme("nearer"), nearer), (of_orion("other"), other)])
    assert gain(view, "own", "other") == pytest.approx(WEIGHT * (0.90 - 0.981), abs=3e-3)
    assert gain(view, "nearer", "other") == pytest.approx(WEIGHT * LEAD, abs=1e-6)  # however far it leads


@pytest.mark.parametrize(
    "rival",
    [
        (of_orion("rival"), at(0.93, (1, 0.1, 0))),  # near-identical with the listing
        (of_orion("rival", attributes={"thread": "M8"}), at(0.95, (0, 1, 0))),
        (of_orion("rival", photo="0" * 64), at(0.95, (0, 1, 0))),
        (of_orion("rival"), at(FLOOR - REACH - 0.01, (0, 1, 0))),
        (item("rival", supplier_id="kestrel"), at(0.95, (0, 1, 0))),
        (item("rival"), at(0.95, (0, 1, 0))),
    ],
)
def test_twins_variants_other_modes_other_goods_and_other_suppliers_rival_nobody(tmp_path: Path, rival: Any) -> None:
    own = (of_acme("own", attributes={"thread": "M6"}), OWN)
    view = view_of(tmp_path, [own, (of_orion("other"), at(0.90)), rival])
    assert gain(view, "own", "other") == 0


@pytest.mark.parametrize(("one", "other"), [("acme", "acme"), ("", "orion"), ("acme", ""), ("", "")])
def test_only_of_two_suppliers_anything_is_said(tmp_path: Path, one: str, other: str) -> None:
    listings = [
        (item("own", supplier_id=one), OWN),
        (item("other", supplier_id=other), at(0.90)),
        (item("rival", supplier_id=other), at(0.92, (0, 1, 0))),
        (item("nearer", supplier_id=one), at(0.91, (1, 0.5, 0))),
    ]
    assert gain(view_of(tmp_path, listings), "own", "other") == 0


@pytest.mark.parametrize(
    ("likeness", "attributes", "is_it"),
    [
        (0.7, EAN, True),
        (0.7, OTHER_EAN, False),
        (0.7, {**EAN, "thread": "M8"}, False),
        (WITH_GTIN - 0.02, EAN, False),
    ],
)
def test_who_has_the_products_gtin_is_it(
    tmp_path: Path, likeness: float, attributes: dict[str, str], is_it: bool
) -> None:
    """However much more alike another listing of that supplier is, and both say so."""
    view = view_of(
        tmp_path,
        [
            (of_acme("own", attributes={**EAN, "thread": "M6"}), OWN),
            (of_orion("other"), at(0.93)),
            (of_orion("numbered", attributes=attributes), at(likeness, (0, 1, 0))),
        ],
    )
    for one, two in (("own", "other"), ("other", "own")):
        assert (gain(view, one, two) < -0.1) == is_it


def test_a_twin_of_what_has_the_products_gtin_is_it_too(tmp_path: Path) -> None:
    numbered = (of_orion("numbered", attributes=EAN), at(0.88))
    view = view_of(tmp_path, [(of_acme("own", attributes=EAN), OWN), (of_orion("twin"), at(0.91)), numbered])
    assert gain(view, "own", "twin") == gain(view, "twin", "own") == 0


def test_of_very_many_rivals_not_all_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variants = [(of_orion(f"v{n}", attributes={"thread": "M8"}), at(0.95, (0, 1, n / 10))) for n in range(20)]
    own = (of_acme("own", attributes={"thread": "M6"}), OWN)
    view = view_of(tmp_path, [own, (of_orion("other"), at(0.90)), *variants])
    monkeypatch.setattr(rivals, "_MOST_COMPARED", 5)
    compared: list[Any] = []

    def contradict(one: Any, other: Any) -> bool:
        compared.append(one)
        return True

    monkeypatch.setattr(rivals, "contradict", contradict)
    assert gain(view, "own", "other") == 0
    assert len(compared) == 5


@pytest.mark.parametrize("count", [3, 64, 65, 80])
def test_what_is_near_is_all_there_is_from_a_score_on_or_cannot_tell(tmp_path: Path, count: int) -> None:
    likeness = np.linspace(0.5, 0.99, count)[::-1]
    listings = [(of_orion(f"p{n}"), at(score, (0, 1, n))) for n, score in enumerate(likeness)]
    view = view_of(tmp_path, [(of_acme("own"), OWN), *listings])
    near, query = Near.of(view, "own"), OWN.astype(np.float32)
    for least in (0.4, 0.55, 0.8, 2.0):
        every = view.search("fusion", query, count + 1, view.select(OPEN))
        asked = (every.scores >= least) & (every.rows != view.row_of("own"))
        found = near.from_score(query, least)
        if found is None:
            assert len(near.rows) == 64
            assert np.count_nonzero(asked) >= 64
        else:
            assert found.rows.tolist() == every.rows[asked].tolist()
            assert found.scores.tolist() == every.scores[asked].tolist()
    assert near.from_score(at(0.999).astype(np.float32), 0.8) is None  # what the product was before


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rivals")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), suppliers=st.integers(1, 4), count=st.integers(2, 30))
def test_two_listings_say_the_same_of_each_other(folders: Path, seed: int, suppliers: int, count: int) -> None:
    """So who finds one on the tab of the other finds the other on that of the one."""
    random = np.random.default_rng(seed)
    vectors = OWN + random.normal(0, 0.25, (count, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    named = [
        item(f"p{n}", supplier_id=f"s{random.integers(suppliers)}", attributes={"thread": f"M{random.integers(2) + 5}"})
        for n in range(count)
    ]
    with TemporaryDirectory(dir=folders) as folder:
        view = view_of(Path(folder), list(zip(named, vectors, strict=True)))
        for one in range(count):
            for other in range(one):
                assert gain(view, f"p{one}", f"p{other}") == pytest.approx(gain(view, f"p{other}", f"p{one}"), abs=1e-5)
