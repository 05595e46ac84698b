"""A coarse copy of the vectors: it finds what a scan of the vectors does, or says that it cannot."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index import Filters, Snapshot, outline
from index.exact import FlatIndex, Neighbours, best_of
from index.outline import Outline, write_outline
from index.plan import Choice
from index.search import ShardedIndex
from tests.index.builders import FINGERPRINT, build, items, unit
from tests.index.test_search import Straying

ROWS, DIM = 20_000, 128


def falling(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Directions that matter less and less, as in embeddings."""
    weights = 1 / np.arange(1, DIM + 1)
    return unit(np.random.default_rng(seed).normal(size=(count, DIM)) * weights)


VECTORS = falling(ROWS).astype(np.float16)
FLAT = FlatIndex(VECTORS)


@pytest.fixture(autouse=True)
def for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "FROM_ROWS", 1_000)
    monkeypatch.setattr(outline, "_LEAST", 500)


def outlined(folder: Path, vectors: NDArray[np.float16] = VECTORS) -> Outline:
    write_outline(folder, "fusion", vectors)
    return Outline.open(folder, "fusion", vectors)


def far(query: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """Those farthest from the query, and no others."""
    scores = VECTORS.astype(np.float32) @ query
    passed: NDArray[np.bool_] = scores <= np.quantile(scores, share)
    return passed


@pytest.mark.parametrize("share", [0.1, 0.15, 0.3, 0.9])
@pytest.mark.parametrize("k", [1, 10])
def test_the_best_of_many_that_lie_far_are_found(tmp_path: Path, share: float, k: int) -> None:
    coarse = outlined(tmp_path)
    for query in falling(20, seed=1):
        allowed = far(query, share)
        found, truth = coarse.search(query, k, allowed), FLAT.search(query, k, allowed)
        assert found is not None
        np.testing.assert_array_equal(found.rows, truth.rows)
        np.testing.assert_array_equal(found.scores, truth.scores)


def test_what_the_coarse_copy_has_nothing_of_is_found_all_the_same(tmp_path: Path) -> None:
    """A few products lie where the directions of all others say nothing, and the query's own kind does not pass."""
    random = np.random.default_rng(0)
    rows, dim = 6_000, 128
    vectors = 0.06 * random.normal(size=(rows, dim))
    vectors[:, 64:] /= 2
    vectors[:500, 0] += 0.8
    vectors[500:, 1] += 0.8
    apart = unit(random.normal(size=(1, 64)))[0]
    query = np.concatenate([[0.65, 0.15], 0.06 * random.normal(size=62), 0.65 * apart])
    vectors[100:103] = np.concatenate([np.zeros(64), apart]) + 0.03 * random.normal(size=(3, dim))
    stored, asked = unit(vectors).astype(np.float16), unit(query[np.newaxis])[0]
    allowed = np.ones(rows, np.bool_)
    allowed[:500] = False
    allowed[100:103] = True
    flat = FlatIndex(stored)
    index = ShardedIndex([Straying(stored, rows)], stored, flat, 96, outline=outlined(tmp_path, stored))
    np.testing.assert_array_equal(index.search(asked, 10, allowed).rows, flat.search(asked, 10, allowed).rows)
    assert {100, 101, 102} <= set(index.search(asked, 10, allowed).rows.tolist())


def test_where_coarse_scores_say_little_there_is_no_answer(tmp_path: Path) -> None:
    """Of vectors that fill all directions alike, half of them tell too little."""
    vectors = unit(np.random.default_rng(2).normal(size=(ROWS, DIM))).astype(np.float16)
    coarse = outlined(tmp_path, vectors)
    for query in unit(np.random.default_rng(3).normal(size=(10, DIM))):
        assert coarse.search(query, 10, np.ones(ROWS, np.bool_)) is None


@pytest.mark.parametrize(("hopeless", "looks"), [(0.0, 2), (0.5, 1)])
def test_where_more_would_not_help_none_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hopeless: float, looks: int
) -> None:
    monkeypatch.setattr(outline, "_HOPELESS", hopeless)
    kept: list[int] = []

    def counted(vectors: Any, query: Any, rows: Any, k: int) -> Neighbours:
        kept.append(k)
        return best_of(vectors, query, rows, k)

    monkeypatch.setattr(outline, "best_of", counted)
    vectors = unit(np.random.default_rng(2).normal(size=(ROWS, DIM))).astype(np.float16)
    coarse = outlined(tmp_path, vectors)
    query = unit(np.random.default_rng(3).normal(size=(1, DIM)))[0]
    assert coarse.search(query, 100, np.ones(ROWS, np.bool_)) is None
    assert len(kept) == looks


def test_few_that_pass_are_left_to_a_scan_of_the_vectors(tmp_path: Path) -> None:
    coarse = outlined(tmp_path)
    query = falling(1, seed=4)[0]
    assert coarse.search(query, 10, np.arange(ROWS) < 499) is None
    assert coarse.search(query, 1_000, np.ones(ROWS, np.bool_)) is None  # and more than are kept
    assert coarse.cost(499) == np.inf
    assert coarse.cost(500) < coarse.cost(ROWS)


def test_equal_vectors_are_answered_in_the_order_of_their_rows(tmp_path: Path) -> None:
    vectors = np.repeat(VECTORS[: ROWS // 40], 40, axis=0)
    coarse = outlined(tmp_path, vectors)
    for query in falling(10, seed=5):
        found = coarse.search(query, 10, np.arange(ROWS) % 3 == 0)
        truth = FlatIndex(vectors).search(query, 10, np.arange(ROWS) % 3 == 0)
        assert found is not None
        np.testing.assert_array_equal(found.rows, truth.rows)


def test_an_index_asks_it_for_what_lies_far_and_scans_where_it_does_not_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned: list[int] = []

    def scan(self: FlatIndex, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None) -> Neighbours:
        scanned.append(k)
        return FLAT.search(query, k, allowed)

    class Counting(FlatIndex):
        search = scan  # type: ignore[assignment]

    def index(coarse: Outline) -> ShardedIndex:
        return ShardedIndex([Straying(VECTORS, ROWS)], VECTORS, Counting(VECTORS), 1, outline=coarse)

    query = falling(1, seed=6)[0]
    allowed = far(query, 0.5)
    truth = FLAT.search(query, 10, allowed)
    coarse = outlined(tmp_path)
    np.testing.assert_array_equal(index(coarse).search(query, 10, allowed).rows, truth.rows)
    assert scanned == []
    monkeypatch.setattr(outline, "_SURE", 1e9)
    np.testing.assert_array_equal(index(coarse).search(query, 10, allowed).rows, truth.rows)
    assert scanned == [10]


def test_a_snapshot_holds_one(tmp_path: Path) -> None:
    path = build(tmp_path, products=items(2_000), vectors={"fusion": VECTORS[:2_000]}, choice=Choice(0.99, "hnsw"))
    snapshot = Snapshot.open(path, fingerprint=FINGERPRINT)
    assert {"vectors/fusion.outline.npy", "vectors/fusion.axes.npy"} <= snapshot.manifest.files.keys()
    index = snapshot.index("fusion")
    assert isinstance(index, ShardedIndex)
    assert index.outline is not None
    query = falling(1, seed=7)[0]
    allowed = snapshot.products.mask(Filters(max_price=1_500))
    truth = FlatIndex(snapshot.stored("fusion")).search(query, 10, allowed)
    np.testing.assert_array_equal(index.search(query, 10, allowed).rows, truth.rows)


def test_few_or_narrow_vectors_have_none(tmp_path: Path) -> None:
    write_outline(tmp_path, "fusion", VECTORS[:999])
    write_outline(tmp_path, "fusion", np.ascontiguousarray(VECTORS[:, :127]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("outline", np.zeros((ROWS - 1, 64), np.uint8)),
        ("outline", np.zeros((ROWS, 64), np.int8)),
        ("axes", np.zeros((64, DIM + 1), np.float32)),
        ("axes", np.full((64, DIM), np.nan, np.float32)),
    ],
)
def test_another_outline_is_refused(tmp_path: Path, name: str, array: NDArray[np.generic]) -> None:
    outlined(tmp_path)
    np.save(tmp_path / f"fusion.{name}.npy", array)
    with pytest.raises(ValueError, match=f"the {name} of fusion"):
        Outline.open(tmp_path, "fusion", VECTORS)
