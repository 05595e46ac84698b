"""Where the search of a graph sets out: at the nodes that a small graph of some of them finds."""

from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from index import shards
from index.exact import FlatIndex
from index.plan import recall
from index.search import ShardedIndex, VectorIndex
from index.shards import GraphShard, open_index, write_shards
from tests.index.builders import unit

PARAMETERS = {"m": 8, "ef_construction": 60}
ROWS, DIM = 6_000, 24


def heaps(seed: int = 0) -> NDArray[np.float16]:
    """Near-duplicates in heaps of thirty: the links of a node lead to the others of its heap first."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(ROWS // 30, DIM))
    rows = np.repeat(centres, 30, axis=0) + 0.02 * random.normal(size=(ROWS, DIM))
    return unit(rows[random.permutation(ROWS)]).astype(np.float16)


def queries(count: int = 100) -> NDArray[np.float32]:
    return unit(np.random.default_rng(1).normal(size=(count, DIM)))


@pytest.fixture(autouse=True)
def seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_SEEDED", 1_000)
    faiss.omp_set_num_threads(1)


def write(file: Path, vectors: NDArray[np.float16]) -> Path:
    write_shards([file], "hnsw", PARAMETERS, vectors, [len(vectors)])
    return file


def reopen(file: Path, vectors: NDArray[np.float16], effort: int = 10) -> VectorIndex:
    return open_index([file], "hnsw", PARAMETERS, effort, vectors)


def test_seeds_find_what_the_one_way_in_misses(tmp_path: Path) -> None:
    vectors = heaps()
    flat = FlatIndex(vectors)
    file = write(tmp_path / "graph.faiss", vectors)
    with_seeds = reopen(file, vectors)
    (tmp_path / "graph.seeds.faiss").unlink()
    without = reopen(file, vectors)

    def found(index: VectorIndex) -> float:
        assert isinstance(index, ShardedIndex)
        answers = [(index._unfiltered(query, 10), flat.search(query, 10)) for query in queries()]
        return float(np.mean([recall(some.scores, truth.scores) if some else 0 for some, truth in answers]))

    assert found(with_seeds) > found(without) + 0.1


def test_a_graph_written_before_there_were_seeds_is_still_read(tmp_path: Path) -> None:
    vectors = heaps()
    file = write(tmp_path / "graph.faiss", vectors)
    (tmp_path / "graph.seeds.faiss").unlink()
    index = reopen(file, vectors)
    assert isinstance(index, ShardedIndex)
    assert isinstance(index.shards[0], GraphShard)
    assert index.shards[0].seeds is None
    assert len(index.search(queries(1)[0], 10).rows) == 10


def test_a_small_graph_has_none(tmp_path: Path) -> None:
    write(tmp_path / "graph.faiss", heaps()[:999])
    assert [file.name for file in tmp_path.iterdir()] == ["graph.faiss"]


@pytest.mark.parametrize("rows", [ROWS - 100, ROWS + 100])
def test_seeds_of_another_graph_are_refused(tmp_path: Path, rows: int) -> None:
    vectors = heaps()
    file = write(tmp_path / "graph.faiss", vectors)
    other = np.concatenate([vectors, vectors])[:rows]
    write(tmp_path / "other.faiss", other)
    (tmp_path / "other.seeds.faiss").replace(tmp_path / "graph.seeds.faiss")
    with pytest.raises(ValueError, match="seeds of 6000 nodes"):
        reopen(file, vectors)


def test_seeds_that_do_not_pass_a_filter_are_not_found(tmp_path: Path) -> None:
    vectors = heaps()
    index = reopen(write(tmp_path / "graph.faiss", vectors), vectors)
    assert isinstance(index, ShardedIndex)
    allowed = np.arange(ROWS) % shards._STRIDE > 0
    for query in queries(20):
        rows = index.shards[0].search(query, 10, 200, allowed)
        assert len(rows) == 10
        assert allowed[rows].all()
