"""What else of its supplier a listing is behind of, for all rows at once and for one that came later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalogue import Product
from catalogue.gtin import gtins_of
from catalogue.variant_table import Variants
from catalogue.variants import MODES, Mode, SameFrom
from index.exact import FlatIndex
from index.groups import group
from index.near import NEAR_IDENTICAL, similarities
from index.products import Listing
from index.rivals import AGAIN, BEHIND, Rivals, needed
from tests.index.builders import item, unit

FLOOR = 0.85
OWN = np.array([1.0, 0.0, 0.0, 0.0])
EAN = {"ean": "4006381333931"}


def at(likeness: float, direction: Sequence[float] = (1, 0, 0)) -> NDArray[np.float64]:
    """A unit vector that is so like `OWN`, and off it in a direction."""
    off = np.array(direction) / np.linalg.norm(direction)
    return np.concatenate([[likeness], np.sqrt(1 - likeness**2) * off])


@dataclass(frozen=True)
class Row:
    supplier: int
    vector: NDArray[Any]
    says: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = "m"


def groups(*rows: Row) -> set[frozenset[int]]:
    stored = np.array([row.vector for row in rows]).astype(np.float16)
    medoid = group(
        FlatIndex(stored),
        stored,
        Variants.of([Product(product_id="p", title="x", attributes=dict(row.says)) for row in rows]),
        SameFrom(FLOOR, 0.5),
        np.array([MODES.index(row.mode) for row in rows], np.uint8),
        np.array([row.supplier for row in rows], np.int32),
    ).medoid
    return {frozenset(np.flatnonzero(medoid == one).tolist()) for one in np.unique(medoid).tolist()}


OTHER = Row(1, at(0.90))


def test_of_what_a_supplier_has_the_most_alike_is_of_the_style() -> None:
    look_alike = Row(2, at(0.88, (0, 1, 0)))
    assert groups(Row(1, OWN), look_alike) == {frozenset({0, 1})}
    assert groups(Row(1, OWN), look_alike, Row(2, at(0.93))) == {frozenset({0, 2}), frozenset({1})}


def test_what_is_more_like_another_product_of_the_supplier_belongs_to_that() -> None:
    nearer = Row(1, at(0.80))  # to what the other supplier has, 0.98
    assert groups(Row(1, OWN), nearer, Row(2, at(0.90))) == {frozenset({0}), frozenset({1, 2})}


def test_far_above_the_threshold_a_rival_matters_little() -> None:
    assert groups(Row(1, OWN), Row(2, at(0.94, (0, 1, 0))), Row(2, at(0.96))) == {frozenset({0, 1, 2})}


@pytest.mark.parametrize(
    "rival",
    [
        Row(2, at(0.93, (1, 0.1, 0))),  # near-identical with the listing
        Row(2, at(0.95, (0, 1, 0)), {"thread": "M8"}),
        Row(2, at(0.95, (0, 1, 0)), mode="t"),
        Row(3, at(0.95, (0, 1, 0))),
        Row(-1, at(0.95, (0, 1, 0))),
    ],
)
def test_twins_variants_other_modes_and_other_suppliers_rival_nobody(rival: Row) -> None:
    found = groups(Row(1, OWN, {"thread": "M6"}), Row(2, at(0.88)), rival)
    assert any({0, 1} <= one for one in found)


def test_two_listings_of_one_supplier_must_be_more_alike() -> None:
    needed = FLOOR + AGAIN * (1 - FLOOR)
    assert groups(Row(1, OWN), Row(1, at(needed - 0.005))) == {frozenset({0}), frozenset({1})}
    assert groups(Row(1, OWN), Row(1, at(needed + 0.005))) == {frozenset({0, 1})}
    assert groups(Row(1, OWN, EAN), Row(1, at(0.6), EAN)) == {frozenset({0, 1})}


@pytest.mark.parametrize(("one", "other"), [(-1, 2), (1, -1), (-1, -1)])
def test_only_of_two_suppliers_anything_is_said(one: int, other: int) -> None:
    found = groups(Row(one, OWN), Row(other, at(0.88)), Row(other, at(0.93, (0, 1, 0))))
    assert any({0, 1} <= style for style in found)


def test_who_has_the_gtin_is_it_however_alike_the_others_are() -> None:
    numbered, look_alike = Row(2, at(0.80), EAN), Row(2, at(0.93, (0, 1, 0)))
    assert groups(Row(1, OWN, EAN), look_alike) == {frozenset({0, 1})}
    assert groups(Row(1, OWN, EAN), look_alike, numbered) == {frozenset({0, 2}), frozenset({1})}


def test_an_exact_copy_is_a_rival_too() -> None:
    """Equal rows are one for the search of near ones, whoever has them."""
    look_alike = Row(2, at(0.88))
    assert groups(Row(1, OWN), look_alike, Row(2, OWN)) == {frozenset({0, 2}), frozenset({1})}
    assert groups(Row(1, OWN), look_alike, Row(3, OWN)) == {frozenset({0, 1, 2})}


@given(
    seed=st.integers(0, 2**32 - 1),
    suppliers=st.integers(1, 4),
    modes=st.lists(st.sampled_from(MODES), min_size=2, max_size=16),
)
def test_for_one_listing_as_for_all(seed: int, suppliers: int, modes: list[Mode]) -> None:
    """What is computed for pairs of a table is what the one that came later is told, and the same both ways."""
    random = np.random.default_rng(seed)
    count = len(modes)
    vectors = unit(OWN + random.normal(0, 0.25, (count, 4))).astype(np.float16)
    whose = random.integers(-1, suppliers, count).astype(np.int32)
    says = [{"thread": f"M{random.integers(2) + 5}", **(EAN if random.integers(4) == 0 else {})} for _ in range(count)]
    products = [
        item(f"p{n}", supplier_id="" if whose[n] < 0 else f"s{whose[n]}", attributes=says[n]).product
        for n in range(count)
    ]
    listings = [
        Listing(
            product.model_dump() | {"title": "" if mode == "i" else "x"},
            None if mode == "t" else "0" * 64,
        )
        for product, mode in zip(products, modes, strict=True)
    ]
    variants = Variants.of(products)
    one, other = np.nonzero(~np.eye(count, dtype=np.bool_))
    places = np.array([MODES.index(mode) for mode in modes], np.uint8)
    near = similarities(vectors, one, other)
    apart = variants.contradict(one, other)
    pairs = (one[~apart], other[~apart])
    rivals = Rivals(vectors, whose, places, variants, np.arange(count), pairs, near[~apart])
    floors = np.full(len(one), FLOOR, np.float32)
    found = rivals.needed(one, other, near, floors)
    assert (found >= floors).all()
    assert np.array_equal(found, rivals.needed(other, one, near, floors))
    wide = vectors.astype(np.float32)
    scores = np.einsum("id,jd->ij", wide, wide).clip(-1, 1)
    if (np.abs(scores - NEAR_IDENTICAL) < 1e-4).any():
        return
    asked = ~variants.share_gtin(one, other)  # those that have one GTIN have no rivals
    one, other, found = one[asked], other[asked], found[asked]
    for row, to, figure in zip(one.tolist(), other.tolist(), found.tolist(), strict=True):
        alike = scores[row].tolist(), scores[to].tolist()
        told = needed(listings[row], to, listings, *alike, FLOOR, lambda listing: gtins_of(listing.attributes), -1.0)
        assert told == pytest.approx(figure, abs=BEHIND * 1e-5)
