"""Snapshots: an immutable directory with everything a gateway needs to answer.

    manifest.json               what it is, every file's bytes and SHA-256, and its own (`index.seal`)
    products.parquet            the products, one row each, shard by shard
    products.arrow              the same as it is asked for: columns, words, places of ids, orders; mapped
    vectors/<field>.npy         float16 [rows, dim], for exact re-scoring
    vectors/<field>.outline.npy a coarse copy of many vectors, and <field>.axes.npy, for scans (`index.outline`)
    shards/<field>-000.faiss    what is searched, unless it is the vectors themselves (index type flat)
    canary.npz                  stored queries, their exact answers, and how many of those the index found

All row numbers mean the same row in every file: they are written together (`index.snapshot_writer`), checked together,
renamed together.
"""

import os
import weakref
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogue.errors import (
    DeadlineExceeded,
    DeviceMemoryFull,
    FingerprintMismatch,
    InvalidInput,
    NotEnoughMemory,
    Overloaded,
)
from catalogue.files import hold
from index.canary import CANARY_QUERIES, canary_recall
from index.gpu import Device, GpuShard, check_support, open_on_gpus
from index.manifest import FieldName, Manifest, check_files, invalid, read_manifest, shard_file
from index.outline import Outline, outline_files
from index.plan import DEFAULT_RECALL
from index.products import ProductTable
from index.search import Findable, ShardedIndex, VectorIndex
from index.shards import open_index

_CHUNK_ROWS: Final = 65_536
_CANARY_SLACK: Final = 0.02
"""Processors sum in different orders, and an approximate search may take another turn for it."""


class Snapshot:
    """An opened snapshot; immutable, safe for any number of threads."""

    def __init__(self, path: Path, manifest: Manifest, products: ProductTable, devices: Sequence[Device] = ()) -> None:
        self.path = path
        self.manifest = manifest
        self.products = products
        self._vectors: dict[str, NDArray[np.float16]] = {}
        self._indexes: dict[str, VectorIndex] = {}
        self._let_go = weakref.finalize(self, os.close, hold(path / "manifest.json"))
        self._canary: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self.canary_when_built = 1.0
        """What `canary_recall` was when the snapshot was built."""
        try:
            for field in manifest.fields:
                self._vectors[field] = _map_vectors(path, field, (manifest.products, manifest.dim))
                index = _open_field(path, manifest, field, self._vectors[field], devices)
                present = _present(self._vectors[field]) if field != "fusion" else None
                self._indexes[field] = index if present is None else Findable(index, present)
        except BaseException:
            self.release()  # by the devices' own threads, which the garbage collector knows nothing of
            raise

    @classmethod
    def open(cls, path: Path, *, fingerprint: str, devices: Sequence[Device] = ()) -> "Snapshot":
        """Load a snapshot for a model's space, after checking its structure and its canary.

        With `devices`, its indexes are made anew on those GPUs; otherwise they are mapped from their files.
        Raises SnapshotInvalid with the reason, FingerprintMismatch when its vectors are another model's,
        NotEnoughMemory where a device has no room, Overloaded or DeadlineExceeded where it is too busy to try it out.
        """
        manifest = read_manifest(path)
        if manifest.fingerprint != fingerprint:
            raise FingerprintMismatch(
                f"snapshot {manifest.name} holds vectors of model {manifest.model} ({manifest.fingerprint[:12]}), "
                f"the loaded model is {fingerprint[:12]}; load that model, or build the snapshot again with this one"
            )
        check_files(path, manifest)
        if devices:
            check_support(devices)
        try:
            snapshot = cls(path, manifest, _open_products(path, manifest), devices)
            try:
                snapshot._check_canary()
            except BaseException:
                snapshot.release()
                raise
        except (NotEnoughMemory, DeviceMemoryFull, Overloaded, DeadlineExceeded):
            raise  # the snapshot is well
        except Exception as error:  # NumPy, Arrow, FAISS and zipfile raise all there is for damaged files
            raise invalid(path, f"cannot be loaded: {error}") from error
        return snapshot

    def index(self, field: str) -> VectorIndex:
        """The index over one field; raises InvalidInput for a field this snapshot lacks."""
        if field not in self._indexes:
            has = ", ".join(self.manifest.fields)
            raise InvalidInput(f"This snapshot cannot be searched by target {field!r}; it has {has}.")
        return self._indexes[field]

    def stored(self, field: str) -> NDArray[np.float16]:
        """All vectors of a field as they are mapped, float16 [rows, dim]."""
        return self._vectors[field]

    def vectors(self, field: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The stored vectors of some rows as scores are made of them, float32 [n, dim], unit within float16."""
        return self._vectors[field][rows].astype(np.float32)

    def canary_recall(self) -> float:
        """What share of the stored answers to its stored queries the index finds now."""
        return canary_recall(self._indexes["fusion"], *self._canary) if self._canary is not None else 1.0

    def release(self) -> None:
        """Let `gc` have the files, and give a GPU's memory back; nothing can be searched afterwards."""
        self._let_go()
        for found in self._indexes.values():
            index = found.index if isinstance(found, Findable) else found
            for shard in index.shards if isinstance(index, ShardedIndex) else ():
                if isinstance(shard, GpuShard):
                    shard.release()

    def _check_canary(self) -> None:
        """Whether the rows that answered the stored queries score as they did, and the index still finds them.

        A scan for other rows that would now be better is left to `verify`, which reads every byte anyhow: at a million
        products it takes seconds of both cores.
        """
        with np.load(BytesIO((self.path / "canary.npz").read_bytes()), allow_pickle=False) as canary:
            queries, expected, rows = canary["queries"], canary["scores"].clip(-1, 1), canary["rows"]
            among, found_when_built = int(canary["among"]), float(canary["recall"])
        if len(queries) != min(CANARY_QUERIES, len(self.products)) or among != len(self.products):
            raise ValueError(f"the canary has {len(queries)} queries among {among} products")
        scores = np.einsum("qkd,qd->qk", self._vectors["fusion"][rows].astype(np.float32), queries).clip(-1, 1)
        if scores.shape != expected.shape or not np.allclose(scores, expected, atol=1e-4):
            raise ValueError("stored queries no longer give their stored answers")
        self._canary = queries, expected
        self.canary_when_built = found_when_built
        now = self.canary_recall()
        if now < found_when_built - _CANARY_SLACK:
            raise ValueError(
                f"the index finds {now:.0%} of the stored answers; when built it found {found_when_built:.0%}"
            )


def _open_products(path: Path, manifest: Manifest) -> ProductTable:
    """Mapped; raises ValueError unless there are as many as there should be."""
    listed = pq.read_metadata(path / "products.parquet").num_rows
    products = ProductTable.map(path / "products.arrow")
    if {listed, len(products)} != {manifest.products}:
        raise ValueError(
            f"{listed} products, {len(products)} of them found, where the manifest says {manifest.products}"
        )
    return products


def _map_vectors(path: Path, field: FieldName, shape: tuple[int, int]) -> NDArray[np.float16]:
    vectors: NDArray[np.float16] = np.lib.format.open_memmap(path / "vectors" / f"{field}.npy", mode="r")
    if vectors.shape != shape or vectors.dtype != np.float16 or not vectors.flags.c_contiguous:
        raise ValueError(f"vectors of {field} are {vectors.dtype} {vectors.shape}, not float16 {shape}, row by row")
    return np.asarray(vectors)  # the same memory; to index a memmap takes five times as long


def _present(vectors: NDArray[np.float16]) -> NDArray[np.bool_] | None:
    """Which rows have a vector, bool [rows]; None where all have."""
    starts = range(0, len(vectors), _CHUNK_ROWS)
    present = np.concatenate(
        [np.ones(0, np.bool_), *(vectors[start : start + _CHUNK_ROWS].any(axis=1) for start in starts)]
    )
    return None if present.all() else present


def _open_field(
    path: Path, manifest: Manifest, field: FieldName, vectors: NDArray[np.float16], devices: Sequence[Device]
) -> VectorIndex:
    if devices:
        target = manifest.tuning[field].target if field in manifest.tuning else None
        return open_on_gpus(devices, manifest.index_type, vectors, target or DEFAULT_RECALL)
    files = [path / shard_file(field, shard) for shard in range(manifest.shards)]
    effort = manifest.tuning[field].value if manifest.index_type != "flat" else 1
    has_outline = manifest.files.keys() >= set(outline_files(field))  # few vectors have none
    outline = Outline.open(path / "vectors", field, vectors) if has_outline else None
    return open_index(files, manifest.index_type, manifest.index_parameters, effort, vectors, outline)
