"""What holds for every implementation of `VectorIndex`, exact or approximate, on the CPU or a GPU.

The GPU is real with `--gpu`, else FAISS on the CPU has its manners.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index import gpu, search
from index import plan as plan_module
from index import shards as shards_module
from index.exact import FlatIndex
from index.gpu import Device, open_on_gpus
from index.plan import Choice, IndexType, make_plan, recall, tune
from index.search import Neighbours, ShardedIndex, VectorIndex, set_faiss_threads
from index.shards import open_index, write_shards
from index.workers import shared_workers
from tests.index.builders import unit
from tests.index.standin_gpu import put_faiss_on_gpus
from tests.real_gpu import cuda_devices

ROWS, DIM = 4_000, 32
SMALL = {
    "flat": {},
    "hnsw": {"m": 8, "ef_construction": 60},
    "ivf-flat": {"nlist": 64},
    "ivf-sq8": {"nlist": 64},
    "ivf-pq": {"nlist": 64, "pq_m": 16, "refine": 10},
}
CPU = [f"{kind}/{shards}" for kind in SMALL for shards in (1, 3)]
GPU = ["gpu-flat/1", "gpu-ivf-pq/1", "gpu-cagra/1", "gpu-flat/2", "gpu-cagra/3"]
EXACT = ("flat", "gpu-flat")
SHARES = (0.0, 1 / ROWS, 0.001, 0.01, 0.1, 0.5, 0.9, 1.0)

Make = Callable[[NDArray[np.float32]], VectorIndex]


def clustered(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Neighbourhoods, as embeddings of products have them: unit float32 [count, DIM]."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(max(1, count // 30), DIM))
    return unit(centres[random.integers(0, len(centres), count)] + 0.5 * random.normal(size=(count, DIM)))


@dataclass(frozen=True)
class Implementation:
    """One of them, over `vectors` float16; `make` gives another over others."""

    name: str
    vectors: NDArray[np.float16]
    index: VectorIndex
    make: Make
    repeats_itself: bool = True
    """Whether it gives the same for the same. The real CAGRA does not: its threads share what they have seen."""

    @property
    def exact(self) -> bool:
        return self.name.startswith(EXACT)

    def truth(self, query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None = None) -> Neighbours:
        return brute_force(self.vectors, query, k, allowed)


def brute_force(
    vectors: NDArray[np.float16], query: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None
) -> Neighbours:
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    scores = np.clip(np.einsum("ij,j->i", vectors[rows].astype(np.float32), query), -1, 1)
    best = np.lexsort((rows, -scores))[:k]
    return Neighbours(rows[best], scores[best])


def on_cpu(folder: Path, kind: IndexType, shards: int, vectors: NDArray[np.float32]) -> VectorIndex:
    stored = vectors.astype(np.float16)
    set_faiss_threads(1)  # OpenMP would wait for cores that others are using
    plan = make_plan(len(stored), DIM, shards, Choice(0.99, kind, SMALL[kind]))
    sizes = np.diff(np.linspace(0, len(stored), shards + 1).astype(int) ** 2 // max(1, len(stored))).tolist()  # uneven
    place = folder / str(len(list(folder.iterdir())))
    place.mkdir()
    files = [place / f"{number}.faiss" for number in range(shards)]
    if plan.index_type != "flat":
        write_shards(files, plan.index_type, plan.parameters, stored, sizes)
    set_faiss_threads(2)
    index = open_index(files, plan.index_type, plan.parameters, 1, stored)
    return index.with_effort(tune(index, index.flat, plan).value) if isinstance(index, ShardedIndex) else index


def devices_for(shards: int, patch: pytest.MonkeyPatch, *, real: bool) -> list[Device]:
    """A device for each shard; where there are fewer real ones, several of one: each has FAISS for itself."""
    if real:
        patch.setattr(gpu, "FLAT_UP_TO", 0)
    else:
        put_faiss_on_gpus(patch)
    return [Device(number % cuda_devices() if real else number, deadline_s=60) for number in range(shards)]


@pytest.fixture(scope="module", params=[*CPU, *(pytest.param(name, marks=pytest.mark.gpu) for name in GPU)])
def implementation(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, real_gpu: bool
) -> Iterator[Implementation]:
    threads = shared_workers().threads
    set_faiss_threads(2)
    faiss.omp_set_num_threads(1)
    vectors = clustered(ROWS)
    devices = list[Device]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "_WORTH", 100.0)  # as against so few rows
        patch.setattr(plan_module, "_QUERIES", 120)
        patch.setattr(shards_module, "_SEEDED", 1_000)
        kind, _, shards = request.param.partition("/")
        if request.param in GPU:
            devices = devices_for(int(shards), patch, real=real_gpu)
            on_cpus: IndexType = {"gpu-flat": "flat", "gpu-ivf-pq": "ivf-pq", "gpu-cagra": "hnsw"}[kind]  # type: ignore[assignment]

            def make(vectors: NDArray[np.float32]) -> VectorIndex:
                return open_on_gpus(devices, on_cpus, vectors.astype(np.float16), 0.99)
        else:
            folder = tmp_path_factory.mktemp("shards")

            def make(vectors: NDArray[np.float32]) -> VectorIndex:
                return on_cpu(folder, kind, int(shards), vectors)

        repeats_itself = not (real_gpu and kind == "gpu-cagra")
        yield Implementation(request.param, vectors.astype(np.float16), make(vectors), make, repeats_itself)
        for device in devices:
            device.close()
    set_faiss_threads(threads)


def queries(count: int, seed: int = 1) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    vectors = clustered(ROWS)
    return unit(vectors[random.integers(0, ROWS, count)] + 0.05 * random.normal(size=(count, DIM)))


def masks(query: NDArray[np.float32], share: float, vectors: NDArray[np.float16]) -> Sequence[NDArray[np.bool_]]:
    """So many rows at random, mostly near the query, and mostly far from it."""
    random = np.random.default_rng(5)
    near = vectors.astype(np.float32) @ query + 0.1 * random.normal(size=len(vectors))
    keys = (random.random(len(vectors)), near, -near)
    return [np.argsort(np.argsort(-key)) < round(share * len(vectors)) for key in keys]


def check_shape(found: Neighbours, implementation: Implementation, query: NDArray[np.float32], count: int) -> None:
    """As many rows as there must be, each once, best first, ties by row, with the scores of the stored vectors."""
    assert found.rows.dtype == np.int64
    assert found.scores.dtype == np.float32
    assert len(found.rows) == len(found.scores) == count
    assert len(np.unique(found.rows)) == count
    scores = np.clip(np.einsum("ij,j->i", implementation.vectors[found.rows].astype(np.float32), query), -1, 1)
    np.testing.assert_array_equal(found.scores, scores)
    assert np.lexsort((found.rows, -found.scores)).tolist() == list(range(count))


@pytest.mark.parametrize("k", [1, 2, 10, 30, 40, 100, 1000, 2048, 2049, ROWS, ROWS + 50])
def test_any_number_of_neighbours(implementation: Implementation, k: int) -> None:
    shares = []
    for query in queries(5):
        found, truth = implementation.index.search(query, k), implementation.truth(query, k)
        check_shape(found, implementation, query, min(k, ROWS))
        shares.append(recall(found.scores, truth.scores))
        if implementation.exact:
            np.testing.assert_array_equal(found.rows, truth.rows)
    assert np.mean(shares) >= 0.95


def test_recall_is_what_it_was_tuned_for(implementation: Implementation) -> None:
    found = [
        recall(implementation.index.search(query, 10).scores, implementation.truth(query, 10).scores)
        for query in queries(100)
    ]
    assert np.mean(found) >= (1.0 if implementation.exact else 0.97)


def test_it_is_the_index_that_answers(implementation: Implementation) -> None:
    """Else the tests of approximate search would be tests of the scan behind it."""
    if implementation.name.startswith("flat"):
        assert isinstance(implementation.index, FlatIndex)
        return
    assert isinstance(implementation.index, ShardedIndex)
    query = queries(1)[0]
    most = np.random.default_rng(0).random(ROWS) < 0.9
    assert implementation.index._unfiltered(query, 10) is not None
    if implementation.name != "hnsw/3":  # three graphs of so few rows are no faster than the scan
        assert implementation.index._filtered(query, 10, most) is not None


@pytest.mark.parametrize("share", SHARES)
def test_filters_hold_and_never_cost_a_hit(implementation: Implementation, share: float) -> None:
    shares = []
    for query in queries(3):
        for allowed in masks(query, share, implementation.vectors):
            for k in (1, 10, 300):
                found, truth = implementation.index.search(query, k, allowed), implementation.truth(query, k, allowed)
                check_shape(found, implementation, query, min(k, int(allowed.sum())))
                assert allowed[found.rows].all()
                shares.append(recall(found.scores, truth.scores))
                if implementation.exact:
                    np.testing.assert_array_equal(found.rows, truth.rows)
    assert np.mean(shares) >= 0.97


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 40), start=st.floats(0, 1), length=st.floats(0, 0.3))
def test_any_stretch_of_rows_may_be_what_is_allowed(
    implementation: Implementation, seed: int, k: int, start: float, length: float
) -> None:
    """Such as one shard, part of one, or the seam of two."""
    query = queries(1, seed)[0]
    rows = np.arange(ROWS)
    allowed = (rows >= start * ROWS) & (rows < (start + length) * ROWS)
    found = implementation.index.search(query, k, allowed)
    check_shape(found, implementation, query, min(k, int(allowed.sum())))
    assert allowed[found.rows].all()
    if implementation.exact:
        np.testing.assert_array_equal(found.rows, implementation.truth(query, k, allowed).rows)


@pytest.mark.parametrize("allowed", [None, np.zeros(0, np.bool_)])
def test_an_empty_index_finds_nothing(implementation: Implementation, allowed: NDArray[np.bool_] | None) -> None:
    found = implementation.make(np.empty((0, DIM), np.float32)).search(queries(1)[0], 10, allowed)
    assert (found.rows.tolist(), found.scores.tolist()) == ([], [])


@pytest.mark.parametrize("copies", [3, 40])
def test_equal_vectors_come_by_row(implementation: Implementation, copies: int) -> None:
    """Any of the copies will do for an approximate index; which it takes, it gives in order."""
    distinct = clustered(1_600 // copies, seed=3)
    vectors = np.repeat(distinct, copies, axis=0)[np.random.default_rng(2).permutation(len(distinct) * copies)]
    index = implementation.make(vectors)
    tied = Implementation(implementation.name, vectors.astype(np.float16), index, implementation.make)
    shares = []
    for query in unit(distinct[:5] + 0.02):
        for k in (1, copies - 1, copies, copies + 1, 100):
            found, truth = index.search(query, k), tied.truth(query, k)
            check_shape(found, tied, query, k)
            shares.append(recall(found.scores, truth.scores))
            if implementation.exact:
                np.testing.assert_array_equal(found.rows, truth.rows)
    assert np.mean(shares) >= 0.8  # copies fill the links of a graph's nodes with each other


def test_eight_threads_get_what_one_gets(implementation: Implementation) -> None:
    asked = queries(40, seed=8)
    allowed = np.random.default_rng(8).random(ROWS) < 0.4

    def ask(number: int) -> list[list[int]]:
        index, query = implementation.index, asked[number % len(asked)]
        return [index.search(query, 10).rows.tolist(), index.search(query, 10, allowed).rows.tolist()]

    alone = [ask(number) for number in range(len(asked))]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, range(4 * len(asked))))
    if implementation.repeats_itself:
        assert together == alone * 4
    same = [np.isin(*rows).mean() for pair in zip(together, alone * 4, strict=True) for rows in zip(*pair, strict=True)]
    assert np.mean(same) >= 0.97


def test_the_mask_given_is_not_kept_or_changed(implementation: Implementation) -> None:
    query = queries(1)[0]
    allowed = np.random.default_rng(1).random(ROWS) < 0.3
    before = allowed.copy()
    first = implementation.index.search(query, 20, allowed)
    np.testing.assert_array_equal(allowed, before)
    allowed[first.rows[:5]] = False
    second = implementation.index.search(query, 20, allowed)
    assert not set(first.rows[:5].tolist()) & set(second.rows.tolist())


def test_the_protocol_is_met(implementation: Implementation) -> None:
    index: search.VectorIndex = implementation.index
    assert index.search(queries(1)[0], 0).rows.tolist() == []
