"""The libraries that are compared, each behind the same few calls, with the parameters that are its best here.

All graphs have up to 32 links a node (64 at the bottom) and were built with 200 candidates; 16 links were compared in
FAISS alone, at 200,000 vectors, where they were slower at the recall asked for. Vectors are kept as each library keeps
them fastest at that recall.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.index.data import K, Vectors

LINKS: Final = 32
CONSTRUCTION: Final = 200
EFFORTS: Final = tuple(dict.fromkeys(round(10 * 1.05**step) for step in range(90)))
_CHUNK: Final = 65_536


class Library(Protocol):
    """One library; an effort is whatever it takes to search harder."""

    @property
    def ladders(self) -> Sequence[Sequence[Any]]:
        """Efforts that may be tried, each ladder from the least to the greatest."""
        ...

    def build(self, base: NDArray[np.float16], place: Path, threads: int) -> None:
        """Index `base` [rows, dim] and write it to `place`, a file or a folder."""
        ...

    def open(self, place: Path, dim: int) -> None:
        """Take up what `build` wrote."""
        ...

    def asker(self, effort: Any) -> Callable[[Vectors], Any]:
        """What gives the ten nearest rows to one query [dim], best first."""
        ...

    def batch(self, effort: Any, threads: int) -> Callable[[Vectors], Any] | None:
        """What answers many queries [n, dim] at once on so many threads, if the library can."""
        ...

    def theory(self, dim: int) -> float:
        """Bytes a product needs at least: its vector and its links, or its codes."""
        ...


def links_bytes() -> float:
    """Bytes of links per node: 64 at the bottom, 32 on each level that a 32nd of those below reach."""
    return 4 * (2 * LINKS + LINKS / (LINKS - 1))


class Hnswlib:
    """hnswlib keeps float32 and nothing else."""

    package = "hnswlib"
    ladders = (EFFORTS,)

    def build(self, base: NDArray[np.float16], place: Path, threads: int) -> None:
        """See `Library.build`."""
        index = import_module(self.package).Index("ip", base.shape[1])
        index.init_index(len(base), M=LINKS, ef_construction=CONSTRUCTION)
        for start in range(0, len(base), _CHUNK):
            index.add_items(base[start : start + _CHUNK].astype(np.float32), num_threads=threads)
        index.save_index(str(place))

    def open(self, place: Path, dim: int) -> None:
        """See `Library.open`."""
        self.index = import_module(self.package).Index("ip", dim)
        self.index.load_index(str(place))
        self.index.set_num_threads(1)

    def asker(self, effort: int) -> Callable[[Vectors], Any]:
        """See `Library.asker`."""
        self.index.set_ef(effort)
        knn = self.index.knn_query
        return lambda query: knn(query, K)[0][0]

    def batch(self, effort: int, threads: int) -> Callable[[Vectors], Any] | None:
        """See `Library.batch`."""
        self.index.set_ef(effort)
        return lambda queries: self.index.knn_query(queries, K, num_threads=threads)[0]

    def theory(self, dim: int) -> float:
        """See `Library.theory`."""
        return 4 * dim + links_bytes()


class Usearch:
    """usearch keeps float16, which halves what is read."""

    package = "usearch"
    ladders = (EFFORTS,)

    def build(self, base: NDArray[np.float16], place: Path, threads: int) -> None:
        """See `Library.build`."""
        index = self._empty(base.shape[1])
        for start in range(0, len(base), _CHUNK):
            part = base[start : start + _CHUNK]
            index.add(np.arange(start, start + len(part)), np.ascontiguousarray(part), threads=threads)
        index.save(str(place))

    def open(self, place: Path, dim: int) -> None:
        """See `Library.open`."""
        self.index = self._empty(dim)
        self.index.load(str(place))

    def asker(self, effort: int) -> Callable[[Vectors], Any]:
        """See `Library.asker`."""
        self.index.expansion_search = effort
        return lambda query: self.index.search(query, K, threads=1).keys

    def batch(self, effort: int, threads: int) -> Callable[[Vectors], Any] | None:
        """See `Library.batch`."""
        self.index.expansion_search = effort
        return lambda queries: self.index.search(queries, K, threads=threads).keys

    def theory(self, dim: int) -> float:
        """See `Library.theory`."""
        return 2 * dim + links_bytes()

    def _empty(self, dim: int) -> Any:
        make = import_module("usearch.index").Index
        return make(ndim=dim, metric="ip", dtype="f16", connectivity=LINKS, expansion_add=CONSTRUCTION)


class Voyager:
    """Voyager's 8-bit kinds do not reach the recall, so it keeps float32."""

    package = "voyager"
    ladders = (EFFORTS,)

    def build(self, base: NDArray[np.float16], place: Path, threads: int) -> None:
        """See `Library.build`."""
        voyager = import_module(self.package)
        space = voyager.Space.InnerProduct
        index = voyager.Index(space, base.shape[1], M=LINKS, ef_construction=CONSTRUCTION, max_elements=len(base))
        for start in range(0, len(base), _CHUNK):
            index.add_items(base[start : start + _CHUNK].astype(np.float32), num_threads=threads)
        index.save(str(place))

    def open(self, place: Path, dim: int) -> None:
        """See `Library.open`."""
        self.index = import_module(self.package).Index.load(str(place))
        assert self.index.num_dimensions == dim

    def asker(self, effort: int) -> Callable[[Vectors], Any]:
        """See `Library.asker`."""
        return lambda query: self.index.query(query, K, num_threads=1, query_ef=effort)[0]

    def batch(self, effort: int, threads: int) -> Callable[[Vectors], Any] | None:
        """See `Library.batch`."""
        return lambda queries: self.index.query(queries, K, num_threads=threads, query_ef=effort)[0]

    def theory(self, dim: int) -> float:
        """See `Library.theory`."""
        return 4 * dim + links_bytes()


class Scann:
    """ScaNN scans 4-bit codes of the lists nearest to the query and re-scores the best by the whole vectors."""

    package = "scann"
    ladders = tuple(tuple((leaves, reordered) for leaves in EFFORTS) for reordered in (40, 60, 100, 160))

    def build(self, base: NDArray[np.float16], place: Path, threads: int) -> None:
        """See `Library.build`: as many lists as the root of the rows, as its guide has it; two dimensions a code."""
        scann = import_module(self.package).scann_ops_pybind
        lists = max(1, round(len(base) ** 0.5))
        builder = scann.builder(base.astype(np.float32), K, "dot_product").set_n_training_threads(threads)
        builder = builder.tree(lists, max(1, lists // 20), training_sample_size=min(len(base), 250_000))
        index = builder.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(100).build()
        place.mkdir()
        index.serialize(str(place))

    def open(self, place: Path, dim: int) -> None:
        """See `Library.open`."""
        self.index = import_module(self.package).scann_ops_pybind.load_searcher(str(place))

    def asker(self, effort: tuple[int, int]) -> Callable[[Vectors], Any]:
        """See `Library.asker`."""
        leaves, reordered = effort
        return lambda query: self.index.search(query, K, reordered, leaves)[0]

    def batch(self, effort: tuple[int, int], threads: int) -> Callable[[Vectors], Any] | None:
        """See `Library.batch`."""
        leaves, reordered = effort
        self.index.set_num_threads(threads)
        return lambda queries: self.index.search_batched_parallel(queries, K, reordered, leaves)[0]

    def theory(self, dim: int) -> float:
        """See `Library.theory`: float32 to re-score, half a byte for each two dimensions."""
        return 4 * dim + dim / 4


PEERS: Final[dict[str, Callable[[], Library]]] = {
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "voyager": Voyager,
    "scann": Scann,
}


def package_version(name: str) -> str | None:
    """The version of a peer's package, None where it cannot be imported."""
    try:
        import_module(name)
    except ImportError:
        return None
    return version(name)
