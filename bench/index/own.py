"""samestyle as one of the libraries: a snapshot written, opened and searched the way the service does it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.index.data import K, Vectors
from bench.index.libraries import EFFORTS, links_bytes
from index import Snapshot, write_snapshot
from index.manifest import read_manifest, shard_file
from index.outline import Outline, outline_files
from index.plan import Choice
from index.products import SCHEMA
from index.search import ShardedIndex, VectorIndex, set_faiss_threads
from index.shards import open_index

FINGERPRINT: Final = "0" * 64


class Samestyle:
    """Built for a recall of .99 with what `samestyle build` chooses for so many products."""

    package = "samestyle"
    ladders = (EFFORTS,)

    def build(self, base: NDArray[np.float16], place: Path, threads: int) -> None:
        """See `Library.build`."""
        set_faiss_threads(threads)
        products = product_table(len(base))
        write_snapshot(
            place.parent,
            place.name,
            products,
            {"fusion": base},
            model="bench",
            fingerprint=FINGERPRINT,
            variant="bench",
            choice=Choice(0.99),
        )

    def open(self, place: Path, dim: int) -> None:
        """See `Library.open`."""
        set_faiss_threads(2)
        self.snapshot = Snapshot.open(place, fingerprint=FINGERPRINT)
        assert self.snapshot.manifest.dim == dim
        self.given = order_of(place)

    def asker(self, effort: int) -> Callable[[Vectors], Any]:
        """See `Library.asker`."""
        index = self.searched(effort)
        return lambda query: self.given[index.search(query, K).rows]

    def batch(self, effort: int, threads: int) -> Callable[[Vectors], Any] | None:
        """See `Library.batch`; None, as a query comes alone in the service."""
        del effort, threads
        return None  # one that says so

    def theory(self, dim: int) -> float:
        """See `Library.theory`: float16 vectors and links, and those of every 24th in the graph of seeds."""
        return (2 * dim + links_bytes()) * 25 / 24

    def searched(self, effort: int) -> VectorIndex:
        """The index at some effort; a scan has none."""
        index = self.snapshot.index("fusion")
        return index.with_effort(effort) if isinstance(index, ShardedIndex) else index


class IndexAlone(Samestyle):
    """What a snapshot maps to search its vectors, without the products."""

    def open(self, place: Path, dim: int) -> None:
        """See `Library.open`."""
        manifest = read_manifest(place)
        vectors = np.load(place / "vectors" / "fusion.npy", mmap_mode="r")
        files = [place / shard_file("fusion", number) for number in range(manifest.shards)]
        effort = manifest.tuning["fusion"].value if manifest.tuning else 1
        has_outline = manifest.files.keys() >= set(outline_files("fusion"))
        outline = Outline.open(place / "vectors", "fusion", vectors) if has_outline else None
        self.index = open_index(files, manifest.index_type, manifest.index_parameters, effort, vectors, outline)
        assert manifest.dim == dim
        self.given = order_of(place)

    def searched(self, effort: int) -> VectorIndex:
        """See `Samestyle.searched`."""
        return self.index.with_effort(effort) if isinstance(self.index, ShardedIndex) else self.index


def order_of(place: Path) -> NDArray[np.int64]:
    """Which product each row of a snapshot is, by its number in `product_table`."""
    ids = pq.read_table(place / "products.parquet", columns=["product_id"])[0]
    return pc.cast(pc.utf8_slice_codeunits(ids, 1), pa.int64()).to_numpy()  # type: ignore[no-any-return]


def product_table(rows: int, attributes: NDArray[Any] | None = None, in_stock: float = 0.7) -> pa.Table:
    """Products with the fields that a marketplace's have, of no other meaning; row n is product n.

    `attributes` int [rows, n] gives attribute a0, a1, ... of each, as text; by default two with eight values each.
    """
    random = np.random.default_rng(7)
    ids = pa.array([f"p{n:08d}" for n in range(rows)], pa.large_string())

    def texts(prefix: str, distinct: int) -> Any:
        named = pa.array([f"{prefix}{n}" for n in range(distinct)])
        return named.take(pa.array(random.integers(0, distinct, rows))).dictionary_encode()

    values = random.integers(0, 8, (rows, 2)) if attributes is None else attributes
    width = values.shape[1]
    columns = {
        "product_id": ids,
        "id_hash": random.integers(0, 2**63, rows, dtype=np.uint64),
        "title": pa.array([f"a title of some words {n}" for n in range(rows)], pa.large_string()),
        "category": texts("C > ", 200),
        "supplier_id": texts("s", 5_000),
        "price": random.lognormal(3, 1, rows).round(2),
        "currency": texts("", 1),
        "in_stock": pa.array(random.random(rows) < in_stock),
        "attributes": pa.MapArray.from_arrays(
            pa.array(np.arange(rows + 1, dtype=np.int32) * width),
            pa.array([f"a{column}" for column in range(width)] * rows, pa.large_string()),
            pa.array(values.ravel()).cast(pa.large_string()),
        ),
        "photo": pa.nulls(rows, pa.string()),
        "document": pa.array([b'{"product_id":"p","title":"a title of some words"}'] * rows, pa.large_binary()),
    }
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
