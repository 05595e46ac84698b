"""Style groups: what every group keeps to, and that they are made in bounded time whatever the catalogue."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalogue import Product, variant_table
from catalogue.gtin import gtins_of
from catalogue.variant_table import Variants
from catalogue.variants import MODES, Mode, SameFrom
from index import groups as module
from index import near
from index.exact import FlatIndex, Neighbours
from index.groups import Groups, group, join
from index.near import background, similarities
from index.plan import Choice, make_plan
from index.products import Listing
from index.search import VectorIndex, set_faiss_threads
from index.shards import open_index, write_shards
from tests.index.builders import item, unit, unit_rows

THRESHOLD = 0.9
Vectors = NDArray[np.float16]


def variants(said: Sequence[dict[str, str]]) -> Variants:
    return Variants.of([Product(product_id="a", title="a", attributes=one) for one in said])


def grouped(
    vectors: NDArray[Any],
    said: Sequence[dict[str, str]] | None = None,
    index: VectorIndex | None = None,
    with_gtin: float = THRESHOLD,
    modes: Sequence[Mode] | None = None,
    by_modes: Mapping[str, float] = MappingProxyType({}),
    suppliers: Sequence[int] | None = None,
) -> Groups:
    stored = vectors.astype(np.float16)
    own = variants(said if said is not None else [{}] * len(stored))
    had = np.array([MODES.index(mode) for mode in modes or ["m"] * len(stored)], np.uint8)
    whose = np.array(suppliers or [-1] * len(stored), np.int32)
    return group(index or FlatIndex(stored), stored, own, SameFrom(THRESHOLD, with_gtin, by_modes), had, whose)


def partition(medoid: NDArray[np.int64]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(medoid == one).tolist()) for one in np.unique(medoid).tolist()}


def graph(vectors: NDArray[Any], folder: Path, shards: int = 1) -> VectorIndex:
    """An approximate index that finds nearly everything."""
    stored = vectors.astype(np.float16)
    files = [folder / f"{shard}.faiss" for shard in range(shards)]
    plan = make_plan(len(stored), stored.shape[1], shards, Choice(0.99, "hnsw"))
    sizes = [len(part) for part in np.array_split(stored, shards)]
    write_shards(files, "hnsw", plan.parameters, stored, sizes)
    return open_index(files, "hnsw", plan.parameters, 64, stored)


def styles(count: int, listings: int, spread: float, dim: int = 32) -> NDArray[np.float32]:
    """So many listings each of so many styles that have nothing to do with each other, style by style."""
    noise = np.random.default_rng(1).normal(size=(count * listings, dim)) * spread / np.sqrt(dim)
    return unit(np.repeat(unit_rows(count, dim), listings, axis=0) + noise)


some_vectors = st.builds(
    lambda seed, spread, rows: unit(
        unit_rows(4, 8, seed)[np.random.default_rng(seed).integers(0, 4, rows)]
        + np.random.default_rng(seed + 1).normal(size=(rows, 8)) * spread
    ),
    st.integers(0, 10_000),
    st.sampled_from([0.0, 0.05, 0.15, 0.3]),
    st.integers(1, 15),
)
some_said = st.lists(
    st.sampled_from([{}, {"colour": "red"}, {"colour": "blue"}, {"size": "M"}, {"colour": "red", "size": "L"}]),
    min_size=15,
    max_size=15,
)


@given(some_vectors, some_said)
def test_every_member_meets_the_threshold_with_the_medoid_and_does_not_contradict_it(
    vectors: NDArray[np.float32], said: list[dict[str, str]]
) -> None:
    said = said[: len(vectors)]
    found = grouped(vectors, said)
    rows = np.arange(len(vectors))
    stored = vectors.astype(np.float16).astype(np.float32)
    assert (found.medoid[found.medoid] == found.medoid).all()
    assert (found.score[found.medoid == rows] == 1).all()
    others = found.medoid != rows
    np.testing.assert_allclose(found.score, np.einsum("ij,ij->i", stored, stored[found.medoid]), atol=1e-3)
    assert (found.score[others] >= THRESHOLD).all()
    assert not variants(said).contradict(rows, found.medoid).any()


EAN, OTHER_EAN = "4006381333931", "9783161484100"


@given(
    some_vectors,
    st.lists(
        st.sampled_from([{}, {"EAN": EAN}, {"upc": EAN}, {"EAN": OTHER_EAN}, {"EAN": EAN, "colour": "red"}]),
        min_size=15,
        max_size=15,
    ),
)
def test_one_gtin_needs_less_likeness(vectors: NDArray[np.float32], said: list[dict[str, str]]) -> None:
    groups = grouped(vectors, said[: len(vectors)], with_gtin=0.5)
    stored, own = vectors.astype(np.float16), variants(said[: len(vectors)])
    rows = np.arange(len(vectors))
    scores = similarities(stored, rows, groups.medoid)
    shared = own.share_gtin(rows, groups.medoid)
    assert ((scores >= np.where(shared, np.float32(0.5), np.float32(THRESHOLD))) | (rows == groups.medoid)).all()
    assert not own.contradict(rows, groups.medoid).any()
    assert (groups.medoid[groups.medoid] == groups.medoid).all()


@pytest.mark.parametrize("approximate", [False, True])
def test_listings_with_one_gtin_are_one_group(tmp_path: Path, approximate: bool) -> None:
    vectors = np.zeros((6, 4), np.float32)
    vectors[:3, 0] = vectors[5, 1] = 1
    vectors[1, 1] = 1.2  # 0.64 like the first
    vectors[2, 2] = 5  # 0.2 like the first
    vectors[3:5, 3] = 1
    vectors = unit(vectors)
    said = [{"EAN": EAN}, {"gtin": f"0{EAN}"}, {"EAN": EAN}, {"EAN": EAN, "size": "M6"}, {"EAN": EAN, "size": "M8"}, {}]
    index = graph(vectors, tmp_path) if approximate else None
    assert partition(grouped(vectors, said, index).medoid) == {frozenset({row}) for row in range(6)}
    found = partition(grouped(vectors, said, index, with_gtin=0.6).medoid)
    assert found == {frozenset({0, 1}), *(frozenset({row}) for row in range(2, 6))}


def test_who_has_the_gtin_comes_before_who_is_more_alike() -> None:
    """Row 2 is 0.93 like rows 0 and 1, and 0.71 like the others, whose number it has."""
    angles = np.array([0.0, 0.0, 0.38, 1.16, 1.16, 1.16, 1.16, 1.16])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    said = [{}, {}, *[{"EAN": EAN}] * 6]
    assert partition(grouped(vectors, said).medoid) == {frozenset({0, 1, 2}), frozenset(range(3, 8))}
    assert partition(grouped(vectors, said, with_gtin=0.6).medoid) == {frozenset({0, 1}), frozenset(range(2, 8))}


def test_how_alike_products_usually_are() -> None:
    few = styles(40, 5, 0.5).astype(np.float16)
    assert background(few[:199]) is None
    usual = background(few)
    assert usual is not None
    scores = (few.astype(np.float32) @ few.astype(np.float32).T)[np.triu_indices(len(few), 1)]
    assert (scores >= usual).mean() == pytest.approx(1 / 40, abs=2e-3)
    assert background(few) == usual


def test_one_gtin_of_many_variants() -> None:
    """Each of 40 sizes at three suppliers, row by row: the next ones of its number are other sizes."""
    said = [{"EAN": EAN, "size": str(at)} for _ in range(3) for at in range(40)]
    found = partition(grouped(styles(1, len(said), 1.0), said, with_gtin=0.0).medoid)
    assert found == {frozenset({at, at + 40, at + 80}) for at in range(40)}


def test_many_listings_with_one_gtin_hold_together_and_too_many_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = styles(1, 3 * near.K, 1.0)
    said = [{"EAN": EAN}] * len(vectors)
    alone = grouped(vectors, said, with_gtin=0.0)
    assert len(np.unique(alone.medoid)) == 1
    monkeypatch.setattr(variant_table, "MOST_OF_ONE_GTIN", len(vectors) - 1)
    assert len(np.unique(grouped(vectors, said, with_gtin=0.0).medoid)) > 1


@given(some_vectors, some_said, st.integers(0, 10_000))
def test_groups_do_not_depend_on_products_that_are_like_none_of_them(
    vectors: NDArray[np.float32], said: list[dict[str, str]], seed: int
) -> None:
    own = len(vectors)
    said = said[:own]
    kept = np.sort(np.random.default_rng(seed).choice(2 * own, own, replace=False))
    among = np.zeros((2 * own, 16))
    among[:, 8:] = unit_rows(2 * own, 8, seed)
    among[kept] = np.pad(vectors, ((0, 0), (0, 8)))
    all_said: list[dict[str, str]] = [{}] * len(among)
    for row, one in zip(kept.tolist(), said, strict=True):
        all_said[row] = one
    alone, between = grouped(vectors, said), grouped(among, all_said)
    assert np.array_equal(kept[alone.medoid], between.medoid[kept])
    assert np.array_equal(alone.score, between.score[kept])


@given(some_vectors)
def test_what_is_all_alike_is_one_group_and_what_is_not_like_anything_stands_alone(
    vectors: NDArray[np.float32],
) -> None:
    stored = vectors.astype(np.float16).astype(np.float32)
    scores = stored @ stored.T
    found = grouped(vectors)
    if (scores >= THRESHOLD + 1e-3).all():
        assert len(np.unique(found.medoid)) == 1
    np.fill_diagonal(scores, -1)
    lonely = np.flatnonzero((scores < THRESHOLD - 1e-3).all(axis=1))
    assert (np.bincount(found.medoid, minlength=len(stored))[found.medoid[lonely]] == 1).all()


def test_the_medoid_is_the_one_most_like_all_others() -> None:
    angles = np.radians([0, 5, 10, 15, 24])
    found = grouped(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert found.medoid.tolist() == [2] * 5
    np.testing.assert_allclose(found.score, np.cos(angles - angles[2]), atol=1e-3)


@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing(count: int) -> None:
    found = grouped(unit_rows(count))
    assert found.medoid.tolist() == list(range(count))
    assert found.score.tolist() == [1.0] * count


# Variants.


@pytest.mark.parametrize("approximate", [False, True])
def test_a_group_is_one_variant_however_many_there_are(tmp_path: Path, approximate: bool) -> None:
    """The nearest of a listing are nearly all of other sizes, and more of them than it looks at."""
    vectors = styles(3, 200, 0.1)
    size = np.arange(len(vectors)) % 200 // 10
    index = graph(vectors, tmp_path) if approximate else None
    found = grouped(vectors, [{"size": f"M{number}"} for number in size], index)
    expected = {frozenset(range(first, first + 10)) for first in range(0, len(vectors), 10)}
    assert len(expected & partition(found.medoid)) >= 0.9 * len(expected)
    assert (size[found.medoid] == size).all()


def test_equal_vectors_of_several_variants() -> None:
    said = [{"thread": "M6"}, {"thread": "M8"}, {"Thread": "m 6"}, {}, {"thread": "M8"}]
    found = grouped(np.repeat(unit_rows(1), 5, axis=0), said)
    one, other = found.medoid[0], found.medoid[1]
    assert one != other
    assert found.medoid.tolist() in ([one, other, one, one, other], [one, other, one, other, other])
    np.testing.assert_allclose(found.score, 1, atol=1e-3)


# Shapes that take long or go wrong where they are not thought of.


def chain(length: int) -> NDArray[np.float32]:
    """Each at 0.93 from the next; the one after that at 0.86, too far."""
    random = np.random.default_rng(3)
    links = [unit_rows(1, 64)[0]]
    for step in unit(random.normal(size=(length - 1, 64))):
        across = step - (step @ links[-1]) * links[-1]
        links.append(0.93 * links[-1] + np.sqrt(1 - 0.93**2) * across / np.linalg.norm(across))
    return np.stack(links).astype(np.float32)


@pytest.mark.parametrize("rounds", [module.ROUNDS, 2])
def test_a_chain_is_cut_where_its_ends_are_too_far(monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    monkeypatch.setattr(module, "ROUNDS", rounds)
    found = grouped(chain(6_000))
    sizes = np.bincount(found.medoid)
    assert sizes.max() <= 5
    assert (sizes[found.medoid] == 1).mean() < 0.25
    assert (found.score >= THRESHOLD).all()


def test_a_hundred_thousand_equal_vectors_are_one_group() -> None:
    others = unit_rows(50, 8, seed=1)
    equal = np.repeat(unit_rows(1, 8), 100_000, axis=0)
    found = grouped(np.concatenate([others, equal]), [{}] * 100_050)
    sizes = np.bincount(found.medoid)
    assert sizes.max() >= 100_000
    assert (found.score[50:] >= THRESHOLD).all()


@pytest.mark.parametrize("approximate", [False, True])
def test_a_hairball_is_one_group(tmp_path: Path, approximate: bool) -> None:
    """In many dimensions hardly any of them is among the nearest of another."""
    vectors = np.concatenate([styles(1, 2_000, 0.1, dim=128), styles(200, 2, 0.1, dim=128)])
    found = grouped(vectors, index=graph(vectors, tmp_path) if approximate else None)
    assert np.bincount(found.medoid).max() >= 1_950


def test_copies_do_not_crowd_out_who_is_near_them(tmp_path: Path) -> None:
    style = styles(1, 40, 0.1)
    vectors = np.concatenate([np.repeat(style[:1], 500, axis=0), style[1:], unit_rows(3_000, 32, seed=5)])
    for index in (None, graph(vectors, tmp_path)):
        found = grouped(vectors, index=index)
        assert (found.medoid[:539] == found.medoid[0]).all()
        assert np.bincount(found.medoid).max() == 539


# Approximate indexes.


@pytest.mark.parametrize("shards", [1, 3])
def test_an_approximate_index_gives_nearly_the_same_groups_on_any_number_of_threads(
    tmp_path: Path, shards: int
) -> None:
    vectors = np.concatenate([styles(200, 5, 0.25), unit_rows(500, 32, seed=9)])
    vectors = vectors[np.random.default_rng(0).permutation(len(vectors))]
    exact = partition(grouped(vectors).medoid)
    index = graph(vectors, tmp_path, shards)
    found = []
    for threads in (1, 3):
        set_faiss_threads(threads)
        found.append(grouped(vectors, index=index))
    assert np.array_equal(found[0].medoid, found[1].medoid)
    assert len(exact & partition(found[0].medoid)) >= 0.98 * len(exact)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_what_rows_must_reach_depends_on_what_each_has(tmp_path: Path, kind: str) -> None:
    """Rows without a photo are in a group from a lower score on; those that have one are not let in by it."""
    angles = np.array([0.0, 0.1, 0.65, 0.0, 1.2, -0.9])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).repeat(4, axis=1) / 2
    modes: list[Mode] = ["m", "m", "m", "m", "t", "t"]
    index = graph(vectors, tmp_path) if kind == "hnsw" else None
    assert partition(grouped(vectors, index=index, modes=modes).medoid) >= {frozenset({4}), frozenset({5})}
    found = grouped(vectors, index=index, modes=modes, by_modes={"t-m": 0.8, "m-t": 0.8}).medoid
    assert frozenset({2, 4}) in partition(found)
    assert found[2] != found[0]
    assert frozenset({5}) in partition(found)


# Products that come later.


def listing(product_id: str, photo: str | None = "0", **fields: Any) -> Listing:
    return Listing(item(product_id, **fields).product.model_dump(), photo)


class Shop:
    """Three products at angles from the first: g is near, of another colour; h is farther; i is a stranger."""

    products = (
        listing("g", attributes={"colour": "red"}),
        listing("h", attributes={"colour": "blue"}),
        listing("i", photo=None),
    )
    scores = (0.97, 0.92, 0.5)
    vectors = unit_rows(3)

    def __init__(self) -> None:
        self.asked: list[int] = []

    def search(self, vector: NDArray[np.float32], k: int) -> Neighbours:
        self.asked.append(k)
        return Neighbours(np.arange(3), np.array(self.scores, np.float32))

    def join(self, own: Listing, threshold: float = THRESHOLD, **by_modes: float) -> int | None:
        same = SameFrom(threshold, threshold, {name.replace("_", "-"): score for name, score in by_modes.items()})
        return join(
            self.search, self.products.__getitem__, self.vectors.__getitem__, lambda one: gtins_of(one.attributes),
            self.vectors[0], own, same,
        )  # fmt: skip


def test_a_product_joins_the_nearest_it_does_not_contradict() -> None:
    shop = Shop()
    assert shop.join(listing("new")) == 0
    assert shop.join(listing("new", attributes={"colour": "blue"})) == 1
    assert shop.join(listing("new", attributes={"colour": "green"})) is None
    assert shop.join(listing("new"), 0.98) is None
    assert len(shop.asked) == 4


def test_what_a_product_must_reach_depends_on_what_each_has() -> None:
    shop, green = Shop(), {"colour": "green"}
    assert shop.join(listing("new", attributes=green), m_t=0.5) == 2
    assert shop.join(listing("new", attributes=green, photo=None), m_t=0.4) is None
    assert shop.join(listing("new", photo=None), 0.98, t_m=0.95) == 0
    assert shop.join(listing("new"), t_m=0.99) == 0


def test_a_product_does_not_join_itself() -> None:
    assert Shop().join(listing("g")) == 1
