from collections.abc import Sequence

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.search import FlatIndex
from tests.index.builders import unit, unit_rows


def flat_index(vectors: NDArray[np.float32], cuts: Sequence[int] = ()) -> FlatIndex:
    """Shards as `write_snapshot` cuts them: the stored float16 vectors, widened."""
    stored = vectors.astype(np.float16)
    shards = []
    for part in np.split(stored.astype(np.float32), cuts):
        shard = faiss.IndexFlatIP(vectors.shape[1])
        shard.add(np.ascontiguousarray(part))
        shards.append(shard)
    return FlatIndex(shards, stored)


def check(
    vectors: NDArray[np.float32],
    query: NDArray[np.float32],
    k: int,
    allowed: NDArray[np.bool_] | None = None,
    cuts: Sequence[int] = (),
) -> None:
    """The answer is the one of brute force over the stored vectors, ties by row included."""
    found = flat_index(vectors, cuts).search(query, k, allowed)
    scores = np.clip(vectors.astype(np.float16).astype(np.float32) @ query, -1, 1)
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    best = rows[np.lexsort((rows, -scores[rows]))][:k]
    assert found.rows.dtype == np.int64
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores, scores[best], atol=1e-6)
    assert len(set(found.rows.tolist())) == len(found.rows)
    if allowed is not None:
        assert allowed[found.rows].all()
    if len(np.unique(scores.round(5))) == len(scores):  # else rounding may decide between the nearly equal
        assert found.rows.tolist() == best.tolist()


@settings(deadline=None)
@given(
    st.integers(0, 70),
    st.integers(1, 80),
    st.lists(st.floats(0, 1), max_size=2),
    st.none() | st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_search_is_brute_force(count: int, k: int, cuts: list[float], share: float | None, seed: int) -> None:
    random = np.random.default_rng(seed)
    allowed = None if share is None else random.random(count) < share
    query = unit_rows(1, 16, seed ^ 1)[0]
    check(unit_rows(count, 16, seed), query, k, allowed, sorted(int(cut * count) for cut in cuts))


@pytest.mark.parametrize("cuts", [(), (700,), (1, 1, 1999)])
def test_larger_shards(cuts: tuple[int, ...]) -> None:
    vectors = unit_rows(2000, 32)
    allowed = np.random.default_rng(1).random(2000) < 0.3
    for k in (1, 10, 100, 1000, 2000, 5000):
        check(vectors, vectors[5], k, cuts=cuts)
        check(vectors, vectors[5], k, allowed, cuts)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_as_many_as_are_allowed_are_found(share: float) -> None:
    allowed = np.random.default_rng(1).random(3000) < share
    found = flat_index(unit_rows(3000), (1000, 1000)).search(unit_rows(1, seed=9)[0], 3000, allowed)
    assert sorted(found.rows.tolist()) == np.flatnonzero(allowed).tolist()


@pytest.mark.parametrize("copies", [5, 50, 500])
@pytest.mark.parametrize("k", [1, 10, 90, 400])
@pytest.mark.parametrize("cuts", [(), (30,)])
def test_equal_vectors_come_by_row(copies: int, k: int, cuts: tuple[int, ...]) -> None:
    vectors = np.concatenate([unit_rows(20), np.repeat(unit_rows(1, seed=7), copies, axis=0)])
    shuffled = np.random.default_rng(3).permutation(len(vectors))
    found = flat_index(vectors[shuffled], cuts).search(unit_rows(1, seed=7)[0], min(k, copies))
    assert found.rows.tolist() == np.flatnonzero(shuffled >= 20)[: min(k, copies)].tolist()


@pytest.mark.parametrize("noise", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("k", [10, 200])
def test_near_duplicates_come_by_their_stored_score(noise: float, k: int) -> None:
    """A crowd whose order float16 changes: the best of the stored scores must be among the fetched."""
    random = np.random.default_rng(0)
    vectors = unit(unit_rows(1, 64) + noise * random.normal(size=(1000, 64)))
    query = unit(vectors[0] + 0.3 * random.normal(size=64))
    scores = np.sort(vectors.astype(np.float16).astype(np.float32) @ query)[::-1]
    found = flat_index(vectors, (400,)).search(query, k)
    np.testing.assert_allclose(found.scores, scores[:k], atol=1e-6)


def test_scores_stay_within_one() -> None:
    vectors = np.concatenate([unit_rows(50, 64), -unit_rows(50, 64)])
    for query in vectors[:50]:
        found = flat_index(vectors).search(query, 100)
        assert found.scores.max() <= 1
        assert found.scores.min() >= -1


@pytest.mark.parametrize("cuts", [(), (0,), (0, 10), (10, 10)])
def test_empty_shards_are_passed_over(cuts: tuple[int, ...]) -> None:
    check(unit_rows(10), unit_rows(1, seed=4)[0], 5, cuts=cuts)
    check(unit_rows(10), unit_rows(1, seed=4)[0], 5, np.arange(10) % 2 == 0, cuts)


@pytest.mark.parametrize("allowed", [None, np.zeros(0, np.bool_)])
def test_an_empty_index_finds_nothing(allowed: NDArray[np.bool_] | None) -> None:
    for index in (flat_index(np.empty((0, 8), np.float32)), FlatIndex([], np.empty((0, 8), np.float16))):
        found = index.search(unit_rows(1)[0], 5, allowed)
        assert (found.rows.tolist(), found.scores.tolist()) == ([], [])


def test_where_nothing_is_allowed_nothing_is_found() -> None:
    assert flat_index(unit_rows(100), (50,)).search(unit_rows(1)[0], 5, np.zeros(100, np.bool_)).rows.tolist() == []


def test_nothing_is_asked_for_nothing_is_found() -> None:
    assert flat_index(unit_rows(100)).search(unit_rows(1)[0], 0).rows.tolist() == []


def test_one_allowed_row_is_found_wherever_it_is() -> None:
    index = flat_index(unit_rows(100), (33, 64))
    for row in range(100):
        found = index.search(-unit_rows(100)[row], 10, np.arange(100) == row)  # the worst of all
        assert found.rows.tolist() == [row]
