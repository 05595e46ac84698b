"""The exact scan. What holds for every index stands in test_conformance.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index import exact
from index.exact import FlatIndex, stored_view
from index.search import ShardedIndex
from index.workers import Workers, set_faiss_threads, shared_workers
from tests.index.builders import unit, unit_rows


@pytest.fixture(params=[1, 3], autouse=True)
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    """One thread and three, and parts so small that even few rows are cut up."""
    monkeypatch.setattr(exact, "_PART", 16)
    before = shared_workers().threads
    set_faiss_threads(request.param)
    yield
    set_faiss_threads(before)


def check(
    vectors: NDArray[np.float32], query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None
) -> None:
    """The answer is the one of brute force over the stored vectors, ties by row included."""
    stored = vectors.astype(np.float16)
    found = FlatIndex(stored).search(query, k, allowed)
    scores = np.clip(np.einsum("ij,j->i", stored.astype(np.float32), query), -1, 1)
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    best = rows[np.lexsort((rows, -scores[rows]))][:k]
    assert found.rows.dtype == np.int64
    assert found.scores.dtype == np.float32
    np.testing.assert_array_equal(found.scores, scores[best])
    np.testing.assert_array_equal(found.rows, best)


@settings(deadline=None)
@given(
    st.integers(0, 70),
    st.integers(1, 80),
    st.none() | st.sampled_from([0.0, 0.02, 0.05, 0.5, 1.0]),
    st.integers(0, 2**32 - 1),
)
def test_search_is_brute_force(count: int, k: int, share: float | None, seed: int) -> None:
    random = np.random.default_rng(seed)
    allowed = None if share is None else random.random(count) < share
    check(unit_rows(count, 16, seed), unit_rows(1, 16, seed ^ 1)[0], k, allowed)


@pytest.mark.parametrize("share", [0.005, 0.03, 0.04, 0.3])
def test_gathered_or_skipped_over(share: float) -> None:
    vectors = unit_rows(2000, 32)
    allowed = np.random.default_rng(1).random(2000) < share
    for k in (1, 10, 100, 1000, 2000, 5000):
        check(vectors, vectors[5], k)
        check(vectors, vectors[5], k, allowed)


@pytest.mark.parametrize("dim", [1, 3, 8, 15, 33])
def test_any_width(dim: int) -> None:
    check(unit_rows(100, dim), unit_rows(1, dim, seed=3)[0], 10)


@pytest.mark.parametrize("copies", [5, 50, 500])
@pytest.mark.parametrize("k", [1, 10, 90, 400])
def test_equal_vectors_come_by_row(copies: int, k: int) -> None:
    vectors = np.concatenate([unit_rows(20), np.repeat(unit_rows(1, seed=7), copies, axis=0)])
    shuffled = np.random.default_rng(3).permutation(len(vectors))
    check(vectors[shuffled], unit_rows(1, seed=7)[0], k)
    check(vectors[shuffled], unit_rows(1, seed=7)[0], k, shuffled % 3 > 0)


@pytest.mark.parametrize("noise", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("k", [10, 200])
def test_near_duplicates_come_by_their_stored_score(noise: float, k: int) -> None:
    """A crowd whose order float16 changes: the best of the stored scores must be among the fetched."""
    random = np.random.default_rng(0)
    vectors = unit(unit_rows(1, 64) + noise * random.normal(size=(1000, 64)))
    check(vectors, unit(vectors[0] + 0.3 * random.normal(size=64)), k)


def test_scores_stay_within_one() -> None:
    vectors = np.concatenate([unit_rows(50, 64), -unit_rows(50, 64)])
    for query in vectors[:50]:
        found = FlatIndex(vectors.astype(np.float16)).search(query, 100)
        assert found.scores.max() <= 1
        assert found.scores.min() >= -1


def test_only_rows_of_float16_are_read_in_place() -> None:
    rows = unit_rows(10, 8)
    for wrong in (rows, rows.astype(np.int8), rows.astype(np.float16).T, rows.astype(np.float16)[:, ::2], rows[0]):
        with pytest.raises(ValueError, match="float16, one after the other"):
            stored_view(wrong)  # type: ignore[arg-type]


def test_no_more_parts_run_at_once_than_there_are_threads() -> None:
    import threading
    from concurrent.futures import ThreadPoolExecutor

    workers = Workers(2)
    running, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def part(number: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        if number == 0:
            both.wait(10)  # two do run at once
        with lock:
            running -= 1
        return number

    with ThreadPoolExecutor(6) as callers:
        waiting = [callers.submit(workers.map, part, parts) for parts in ([0], [0], [1], [2, 3], [4, 5, 6], [7])]
        assert [done.result(10) for done in waiting] == [[0], [0], [1], [2, 3], [4, 5, 6], [7]]
    assert most == 2


def test_what_a_part_raises_is_raised() -> None:
    def fail(part: int) -> None:
        raise ValueError(f"part {part}")

    for parts in ([1], [1, 2]):
        with pytest.raises(ValueError, match="part 1"):
            shared_workers().map(fail, parts)


class Forgetful:
    """A shard that finds less than there is: of the nearest, `gives` that are allowed."""

    filters, exact, busy, hardest = True, False, False, 1

    def __init__(self, vectors: NDArray[np.float16], gives: int) -> None:
        self._vectors = vectors.astype(np.float32)
        self._gives = gives
        self.rows = self.most = len(vectors)

    def search(
        self, query: NDArray[np.float32], fetch: int, effort: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        scores = self._vectors @ query
        if allowed is not None:
            scores[~allowed] = -2
        best = np.argsort(-scores)[: min(fetch, self._gives)]
        return best[scores[best] >= -1]

    def effort(self, tuned: int, k: int) -> int:
        return tuned

    def cost(self, effort: int) -> float:
        return 0.0


@pytest.mark.parametrize("gives", [0, 3, 9, 10, 40])
def test_what_an_index_does_not_find_is_scanned_for(gives: int) -> None:
    vectors = unit_rows(4000, 16).astype(np.float16)
    index = ShardedIndex([Forgetful(vectors, gives)], vectors, FlatIndex(vectors), 1)
    query = unit_rows(1, 16, seed=5)[0]
    far = np.argsort(np.argsort(vectors.astype(np.float32) @ query)) < 2000
    for allowed in (None, far, ~far, np.arange(4000) < 12):
        truth = FlatIndex(vectors).search(query, 10, allowed)
        np.testing.assert_array_equal(index.search(query, 10, allowed).rows, truth.rows)


class Straying(Forgetful):
    """A graph's manner: with a filter it stops at the first that pass, wherever they lie."""

    def search(
        self, query: NDArray[np.float32], fetch: int, effort: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        if allowed is None:
            return super().search(query, fetch, effort, None)
        return np.flatnonzero(allowed)[:fetch]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_what_lies_far_from_the_query_is_scanned_for(share: float) -> None:
    vectors = unit_rows(4000, 16).astype(np.float16)
    index = ShardedIndex([Straying(vectors, 4000)], vectors, FlatIndex(vectors), 1)
    query = unit_rows(1, 16, seed=5)[0]
    order = np.argsort(vectors.astype(np.float32) @ query)
    allowed = np.zeros(4000, np.bool_)
    allowed[order[: round(share * 3900)]] = True  # the nearest hundred never pass
    truth = FlatIndex(vectors).search(query, 10, allowed)
    np.testing.assert_array_equal(index.search(query, 10, allowed).rows, truth.rows)
