"""FAISS indexes on the CPU: how each type is trained, filled, written, mapped and asked.

A graph's nodes are the stored vectors themselves: its file holds the links alone. Beside it, every 24th node stands in
a small graph of its own, with its vectors: what is nearest there is where the search of the large one sets out. From
the one way in that HNSW has, some queries never reach their neighbours, however many near-duplicates of other things
are looked at. Lists hold their own copy of the
vectors, whole (float16, as stored) or coarser (8 bits, product quantisation scanned with SIMD shuffles), side by side
as they are read.
"""

import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, cast

import faiss
import numpy as np
from numpy.typing import NDArray

from index.exact import Bitmap, FlatIndex, stored_view
from index.outline import Outline
from index.plan import IndexType
from index.search import Shard, ShardedIndex, VectorIndex
from index.workers import shared_workers

_faiss: Any = faiss
"""FAISS beyond its stubs, which lack much of what SWIG makes."""
_SMALL: Final = 1_000_000
_reading: Final = Lock()
"""FAISS's limit is one for the whole process."""
_CHUNK: Final = 65_536
_TRAINING_ROWS_PER_LIST: Final = 64
_CODES: Final[Mapping[IndexType, str]] = {"ivf-flat": "SQfp16", "ivf-sq8": "SQ8", "ivf-pq": "PQ{pq_m}x4fsr"}
_HARDEST: Final = 2_048
_STRIDE: Final = 24
_SEEDED: Final = 20_000
"""A graph of fewer nodes is searched from its own way in."""
_SEEDS: Final = 8
_SEED_EFFORT: Final = 32
_TOGETHER: Final = 2
"""FAISS's number for one search from all seeds, not one from each."""
_QUANTISED: Final = 3
"""Lists of 8-bit vectors: so many rows are re-scored for each one wanted."""


@dataclass(slots=True)
class GraphShard:
    """HNSW over the stored vectors; `effort` is efSearch."""

    index: Any
    storage: faiss.Index
    """What the graph's nodes are read from; FAISS does not keep it alive."""
    links: int
    rows: int
    most: int
    seeds: Any = None
    """A graph of every 24th node, where there is one."""
    filters: bool = True
    exact: bool = False
    busy: bool = False

    def search(
        self, query: NDArray[np.float32], fetch: int, effort: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """See `Shard.search`."""
        bitmap = None if allowed is None else Bitmap(allowed)
        parameters = (
            _graph_parameters(effort)
            if bitmap is None
            else _faiss.SearchParametersHNSW(efSearch=effort, sel=bitmap.selector)
        )
        if self.seeds is None:
            return _found(self.index, query, fetch, parameters)
        return self._from_seeds(np.ascontiguousarray(query), fetch, parameters)

    def _from_seeds(self, query: NDArray[np.float32], fetch: int, parameters: Any) -> NDArray[np.int64]:
        """Search the lowest level alone, from the nodes that the small graph finds."""
        scores, seeds = self.seeds.search(query[np.newaxis], _SEEDS, params=_graph_parameters(_SEED_EFFORT))
        nodes = np.multiply(seeds, _STRIDE, dtype=np.int64).astype(np.int32)  # none found stays below zero
        rows, ignored = np.empty(fetch, np.int64), np.empty(fetch, np.float32)
        at = faiss.swig_ptr
        self.index.search_level_0(
            1, at(query), fetch, at(nodes), at(scores), at(ignored), at(rows), _SEEDS, _TOGETHER, parameters
        )
        return rows[rows >= 0]

    @property
    def hardest(self) -> int:
        """See `Shard.hardest`; beyond, a scan is cheaper for all but enormous shards."""
        return min(_HARDEST, max(self.rows, 1))

    def effort(self, tuned: int, k: int) -> int:
        """See `Shard.effort`."""
        return min(tuned + 2 * max(0, k - 10), max(self.rows, 1))

    def cost(self, effort: int) -> float:
        """Each candidate kept has its links followed, in no order that memory likes."""
        return 4.0 * self.links * (effort + (0 if self.seeds is None else _SEED_EFFORT))


@dataclass(slots=True)
class ListShard:
    """Inverted lists of any coding; `effort` is nprobe."""

    index: Any
    lists: int
    rows: int
    most: int
    filters: bool = True
    exact: bool = False
    busy: bool = False

    def search(
        self, query: NDArray[np.float32], fetch: int, effort: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """See `Shard.search`."""
        bitmap = None if allowed is None else Bitmap(allowed)
        parameters = _faiss.SearchParametersIVF(nprobe=effort, sel=bitmap and bitmap.selector)
        return _found(self.index, query, fetch, parameters)

    @property
    def hardest(self) -> int:
        """See `Shard.hardest`: every list."""
        return self.lists

    def effort(self, tuned: int, k: int) -> int:
        """See `Shard.effort`."""
        wider = math.sqrt(max(k, 10) / 10)  # a neighbourhood of more rows reaches into more lists
        return min(math.ceil(tuned * wider + 4 * max(0, k - 10) * self.lists / max(1, self.rows)), self.lists)

    def cost(self, effort: int) -> float:
        """The rows of the lists probed, and the centroids."""
        return self.rows * effort / self.lists + self.lists


def write_shards(
    files: Sequence[Path],
    kind: IndexType,
    parameters: Mapping[str, int],
    vectors: NDArray[np.float16],
    sizes: Sequence[int],
) -> None:
    """Train once, on a sample of all rows, and write one file for each stretch of rows.

    `parameters` are those of `index.plan`; `vectors` is float16 [rows, dim], `sizes` the rows of each shard.
    """
    faiss.omp_set_num_threads(shared_workers().threads)  # searches of this thread may have set it to 1
    empty = _trained(kind, parameters, vectors)
    first = 0
    for file, size in zip(files, sizes, strict=True):
        shard, rows = faiss.clone_index(empty), vectors[first : first + size]
        if kind == "hnsw":
            _add_at_once(shard, rows, file.parent)
            _write(shard, file, faiss.IO_FLAG_SKIP_STORAGE)
            _write_seeds(file, parameters, rows)
        else:
            for start in range(0, size, _CHUNK):
                shard.add(rows[start : start + _CHUNK].astype(np.float32))
            _write(shard, file)
        first += size


def _write(index: faiss.Index, file: Path, flags: int = 0) -> None:
    """Through a file of Python's: of a full disk FAISS's own raises no OSError, or at its end nothing at all."""
    with file.open("wb") as opened:
        _faiss.write_index(index, _faiss.PyCallbackIOWriter(opened.write), flags)


def _add_at_once(graph: Any, vectors: NDArray[np.float16], folder: Path) -> None:
    """Add all nodes in one call, in which FAISS takes them in random order.

    Cell by cell, as they lie, the first ones would never get links that lead far. FAISS wants them in float32, which
    lie in a file meanwhile: the system keeps in memory what there is room for. It has all its blocks before it is
    mapped: of a full disk a mapping tells by a signal that ends the process.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        if len(vectors):
            os.posix_fallocate(file.fileno(), 0, vectors.size * np.dtype(np.float32).itemsize)
            whole = np.memmap(file, np.float32, "w+", shape=vectors.shape)
            for start in range(0, len(vectors), _CHUNK):
                whole[start : start + _CHUNK] = vectors[start : start + _CHUNK]
            graph.add(whole)


def open_index(
    files: Sequence[Path],
    kind: IndexType,
    parameters: Mapping[str, int],
    tuned: int,
    vectors: NDArray[np.float16],
    outline: Outline | None = None,
) -> VectorIndex:
    """Map the shards of a field into memory; raises ValueError for those that are not of these vectors."""
    vectors = np.asarray(vectors)  # a memmap's rows are slower to pick
    flat = FlatIndex(vectors)
    if kind == "flat":
        return flat
    shards: list[Shard] = []
    first = 0
    for file in files:
        index = _read(file)
        rows = index.ntotal
        _check(file, index, kind, vectors.shape[1])
        if kind == "hnsw":
            storage = stored_view(vectors[first : first + rows])
            index.own_fields = False
            index.storage = storage
            shards.append(GraphShard(index, storage, parameters["m"], rows, rows, _read_seeds(file, index)))
        else:
            shards.append(ListShard(index, index.nlist, rows, rows))
        first += rows
    if first != len(vectors):
        raise ValueError(f"the shards hold {first} vectors where there are {len(vectors)}")
    refine = {"ivf-pq": parameters.get("refine", 1), "ivf-sq8": _QUANTISED}.get(kind, 1)
    return ShardedIndex(shards, vectors, flat, tuned, refine, outline)


def _seeds_file(file: Path) -> Path:
    return file.with_suffix(".seeds.faiss")


def _write_seeds(file: Path, parameters: Mapping[str, int], vectors: NDArray[np.float16]) -> None:
    if len(vectors) >= _SEEDED:
        chosen = vectors[::_STRIDE]
        seeds = _trained("hnsw", parameters, chosen)
        seeds.add(chosen.astype(np.float32))
        _write(seeds, _seeds_file(file))


def _read_seeds(file: Path, graph: Any) -> Any:
    """The seeds of a graph, None where it has none; raises ValueError for those of another."""
    if not _seeds_file(file).exists():
        return None
    seeds = _read(_seeds_file(file))
    _check(_seeds_file(file), seeds, "hnsw", graph.d)
    if seeds.ntotal != -(-graph.ntotal // _STRIDE):
        raise ValueError(f"{_seeds_file(file).name} holds {seeds.ntotal} seeds of {graph.ntotal} nodes")
    return seeds


def _read(file: Path) -> Any:
    """A damaged length must not be allocated before it is found to be more than the file holds."""
    with _reading:
        _faiss.set_deserialization_vector_byte_limit(2 * file.stat().st_size + _SMALL)
        return _faiss.read_index(str(file), _faiss.IO_FLAG_MMAP_IFC)


def _trained(kind: IndexType, parameters: Mapping[str, int], vectors: NDArray[np.float16]) -> faiss.Index:
    """An empty index, its quantisers fitted."""
    dim = vectors.shape[1]
    if kind == "hnsw":
        graph = _faiss.IndexHNSWSQ(dim, faiss.ScalarQuantizer.QT_fp16, parameters["m"], faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = parameters["ef_construction"]
        return cast("faiss.Index", graph)  # float16 has nothing to fit
    coding = _CODES[kind].format(**parameters)
    lists: faiss.Index = faiss.index_factory(dim, f"IVF{parameters['nlist']},{coding}", faiss.METRIC_INNER_PRODUCT)
    most = max(_TRAINING_ROWS_PER_LIST * parameters["nlist"], _CHUNK)
    if len(vectors) > most:
        rows = np.sort(np.random.default_rng(0).choice(len(vectors), most, replace=False))
        vectors = vectors[rows]
    lists.train(vectors.astype(np.float32))
    return lists


def _check(file: Path, index: faiss.Index, kind: IndexType, dim: int) -> None:
    of_kind = isinstance(index, faiss.IndexHNSW) if kind == "hnsw" else isinstance(index, faiss.IndexIVF)
    if not of_kind:
        raise ValueError(f"{file.name} holds {type(index).__name__}, not an index of type {kind}")
    if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise ValueError(f"{file.name} does not compare vectors of {dim} dimensions by inner product")


@lru_cache
def _graph_parameters(effort: int) -> Any:
    """Searches only read them, so those without a filter share them."""
    return _faiss.SearchParametersHNSW(efSearch=effort)


def _found(
    index: faiss.Index, query: NDArray[np.float32], fetch: int, parameters: faiss.SearchParameters
) -> NDArray[np.int64]:
    _, rows = index.search(query[np.newaxis], fetch, params=parameters)
    found: NDArray[np.int64] = rows[0][rows[0] >= 0]
    return found
