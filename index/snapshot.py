"""Snapshots: an immutable directory with everything a gateway needs to answer.

    manifest.json               what it is, every file's bytes and SHA-256, and its own (`index.seal`)
    products.parquet            the products, one row each, shard by shard
    products.arrow              the same as it is asked for: columns, places of ids, orders; mapped
    vectors/<field>.npy         float16 [rows, dim], for exact re-scoring
    vectors/<field>.outline.npy a coarse copy of many vectors, and <field>.axes.npy, for scans (`index.outline`)
    shards/<field>-000.faiss    what is searched, unless it is the vectors themselves (index type flat)
    canary.npz                  stored queries, their exact answers, and how many of those the index found

All row numbers mean the same row in every file: they are written together, checked together, renamed together.
"""

import fcntl
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from catalogue.array_file import write_array
from catalogue.errors import (
    DeadlineExceeded,
    DeviceMemoryFull,
    FingerprintMismatch,
    InvalidInput,
    NotEnoughMemory,
    Overloaded,
    SnapshotInvalid,
)
from catalogue.files import sha256_file, sync_directory, sync_tree, write_atomic
from catalogue.variants import SameFrom
from catalogue.versioned import check_version
from index.exact import FlatIndex
from index.gpu import Device, GpuShard, check_support, open_on_gpus
from index.groups import Groups, group
from index.near import background
from index.order import by_likeness
from index.outline import Outline, outline_files, write_outline
from index.plan import (
    DEFAULT_RECALL,
    Choice,
    IndexType,
    Plan,
    Tuning,
    check_parameters,
    choice_behind,
    make_plan,
    recall,
    tune,
)
from index.products import ProductTable, modes_of, variants_of
from index.seal import has_seal, is_intact, sealed
from index.search import Findable, ShardedIndex, VectorIndex
from index.shards import open_index, write_shards
from index.styles import with_groups

SCHEMA_VERSION: Final = 3
"""2: index types beside flat, and flat without files of its own. 3: a sealed manifest, style groups.

Older snapshots are read; newer ones are refused.
"""
_SEALED_SINCE: Final = 3
PRODUCTS_PER_SHARD: Final = 5_000_000
CANARY_QUERIES: Final = 16
CANARY_K: Final = 10
_CHUNK_ROWS: Final = 65_536
_MAPPED: Final = ("vectors/", "shards/", "products.arrow")
_CANARY_SLACK: Final = 0.02
"""Processors sum in different orders, and an approximate search may take another turn for it."""

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
SnapshotName = Annotated[str, StringConstraints(pattern=f"^{_NAME}$")]
FieldName = Literal["fusion", "image", "text"]


class FileEntry(BaseModel):
    """One file of a snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """`manifest.json`: written last, so a directory without one is not a snapshot."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = Field(ge=1)
    name: SnapshotName
    created_at: AwareDatetime
    model: str
    fingerprint: str
    variant: str
    dim: int = Field(gt=0)
    metric: Literal["inner_product"] = "inner_product"
    fields: tuple[FieldName, ...]
    products: int = Field(ge=0)
    shards: int = Field(ge=1, le=1_000)
    index_type: IndexType = "flat"
    index_parameters: dict[str, int] = Field(default_factory=dict, description="what the shards were built with")
    tuning: dict[FieldName, Tuning] = Field(default_factory=dict, description="how hard each field is searched")
    product_bytes: int = Field(default=0, ge=0, description="the product table in memory; 0 where nobody counted")
    recall_at_10: float = Field(description="against exact search, on held-out queries; of several fields the least")
    same_style: float | None = Field(default=None, description="the score that style groups were made with, if any")
    same_gtin: float | None = Field(default=None, description="the same for listings with one GTIN")
    same_modes: dict[str, float] = Field(
        default_factory=dict, description="the same for pairs of which one has no photo or no text, such as t-m"
    )
    journal: str | None = Field(default=None, description="which journal the position is of")
    journal_position: int = 0
    files: dict[str, FileEntry]

    def position_in(self, journal: str | None) -> int:
        """From where on a journal, by its id, is replayed over the snapshot: one cut with another lacks all of it."""
        return self.journal_position if self.journal == journal else 0

    @property
    def same_from(self) -> SameFrom | None:
        """What style groups were made with; None where there are none."""
        if self.same_style is None:
            return None
        with_gtin = self.same_style if self.same_gtin is None else self.same_gtin
        return SameFrom(self.same_style, with_gtin, self.same_modes)

    @property
    def choice(self) -> Choice:
        """What kind of index was asked for, as far as one can tell."""
        tuning = self.tuning.get("fusion")
        return choice_behind(self.products, self.dim, self.shards, self.index_type, self.index_parameters, tuning)


class Snapshot:
    """An opened snapshot; immutable, safe for any number of threads."""

    def __init__(self, path: Path, manifest: Manifest, products: ProductTable, devices: Sequence[Device] = ()) -> None:
        self.path = path
        self.manifest = manifest
        self.products = products
        self._vectors: dict[str, NDArray[np.float16]] = {}
        self._indexes: dict[str, VectorIndex] = {}
        self._let_go = weakref.finalize(self, os.close, _hold(path))
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
            raise _invalid(path, f"cannot be loaded: {error}") from error
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
        return _canary_recall(self._indexes["fusion"], *self._canary) if self._canary is not None else 1.0

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
            queries, expected = canary["queries"], canary["scores"].clip(-1, 1)
            rows = canary.get("rows")  # older ones lack this, and what follows
            among = int(canary["among"]) if "among" in canary else len(self.products)
            found_when_built = float(canary["recall"]) if "recall" in canary else 1.0
        if len(queries) != min(CANARY_QUERIES, len(self.products)) or among != len(self.products):
            raise ValueError(f"the canary has {len(queries)} queries among {among} products")
        if rows is not None:
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


def shard_file(field: str, shard: int) -> str:
    """The name of a shard's file inside the snapshot."""
    return f"shards/{field}-{shard:03d}.faiss"


def snapshot_path(root: Path, name: str) -> Path:
    """Where the snapshot `name` below `root` is or would be; raises InvalidInput for what cannot be a name."""
    if not re.fullmatch(_NAME, name):
        raise InvalidInput(
            f"{name!r} cannot name a snapshot: use up to 64 letters, digits, dots, dashes and underscores."
        )
    return root / name


def read_manifest(path: Path) -> Manifest:
    """Read and check `manifest.json`; raises SnapshotInvalid."""
    try:
        text = (path / "manifest.json").read_bytes()
        schema = check_version(text, SCHEMA_VERSION, partial(_invalid, path))
        if (schema >= _SEALED_SINCE or has_seal(text)) and not is_intact(text):
            raise _invalid(path, "manifest.json is corrupt: it is not what its seal says")
        manifest = Manifest.model_validate_json(text)
    except OSError as error:
        raise _invalid(path, f"has no readable manifest.json ({error.strerror})") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _invalid(path, f"manifest.json: {first['loc']}: {first['msg']}") from None
    if manifest.name != path.name:
        raise _invalid(path, f"says it is {manifest.name}; a snapshot must not be renamed")
    if "fusion" not in manifest.fields:
        raise _invalid(path, "manifest.json: has no field fusion")
    if manifest.index_type != "flat":
        try:
            check_parameters(manifest.index_type, manifest.index_parameters)
        except InvalidInput as error:
            raise _invalid(path, f"manifest.json: {error}") from None
        if untuned := set(manifest.fields) - manifest.tuning.keys():
            raise _invalid(path, f"manifest.json: has no tuning of {', '.join(sorted(untuned))}")
    return manifest


def mapped_files(path: Path, manifest: Manifest) -> list[Path]:
    """Those that searches read a page here and a page there."""
    return [path / name for name in manifest.files if name.startswith(_MAPPED)]


def is_held(path: Path) -> bool:
    """Whether a process has a snapshot open; False where the storage has no locks to tell."""
    try:
        handle = os.open(path / "manifest.json", os.O_RDWR)  # storage of a network wants it for such a lock
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def check_files(path: Path, manifest: Manifest) -> None:
    """Every file of the manifest is there with its size; raises SnapshotInvalid."""
    needed = {"products.parquet", "canary.npz"}
    for field in manifest.fields:
        needed.add(f"vectors/{field}.npy")
        if manifest.index_type != "flat":
            needed |= {shard_file(field, shard) for shard in range(manifest.shards)}
    if missing := needed - manifest.files.keys():
        raise _invalid(path, f"manifest.json does not list {', '.join(sorted(missing))}")
    for name, entry in manifest.files.items():
        file = path / name
        try:
            inside = file.resolve().is_relative_to(path.resolve())
            size = file.stat().st_size if file.is_file() else -1
        except (OSError, ValueError, RuntimeError) as error:  # a name no file can have, a link to itself
            raise _invalid(path, f"names the file {name[:100]!r}, which cannot be looked at: {error}") from None
        if not inside:
            raise _invalid(path, f"names the file {name}, outside its directory")
        if size != entry.bytes:
            raise _invalid(path, f"{name} is missing" if size < 0 else f"{name} has {size} bytes, not {entry.bytes}")


def write_snapshot(
    root: Path,
    name: str,
    products: pa.Table,
    vectors: Mapping[FieldName, NDArray[Any]],
    *,
    model: str,
    fingerprint: str,
    variant: str,
    choice: Choice = Choice(),  # noqa: B008  # frozen
    journal: str | None = None,
    journal_position: int = 0,
    same: SameFrom | None = None,
) -> Path:
    """Write `<root>/<name>` whole or not at all; returns its path.

    `products` has the schema of `index.products`; `vectors` holds unit rows float32 or float16 [n, dim] per field, in
    the same order; `fusion` is required. `choice` says which index, or lets size and recall decide. The journal's
    entries after `journal_position` will be replayed over it. Products that are the `same` from some score on are
    grouped by style, those with one GTIN from what `near.background` says on where there are enough products; without
    it they are not, whatever the table says. Raises InvalidInput when a snapshot of that name is there or for a choice
    that does not fit the products, ValueError for vectors that are not one for each product.
    """
    target = snapshot_path(root, name)
    if target.exists():
        raise InvalidInput(f"A snapshot named {name} is there already: {target}. Choose another --name.")
    _check_vectors(products, vectors)
    count = products.num_rows
    shards = max(1, -(-count // PRODUCTS_PER_SHARD))
    plan = make_plan(count, vectors["fusion"].shape[1], shards, choice)
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=root, prefix=f".{name}."))
    try:
        shard_of = (products["id_hash"].to_numpy() % np.uint64(shards)).astype(np.int64)
        cells = by_likeness(vectors["fusion"]) if plan.index_type != "flat" else np.zeros(count, np.int64)
        order = np.lexsort((cells, shard_of))
        sizes = np.bincount(shard_of, minlength=shards)
        (work / "vectors").mkdir()
        tuning: dict[FieldName, Tuning] = {}
        for field, rows in vectors.items():
            index = _write_field(work, field, rows[order], plan, sizes)
            if isinstance(index, ShardedIndex):
                tuning[field] = tune(index, index.flat, plan)
                index = index.with_effort(tuning[field].value)
            if field == "fusion":
                _write_canary(work, index)
                same = _with_background(same, vectors["fusion"])
                _write_products(work, products.take(pa.array(order)), index, same)
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            name=name,
            created_at=datetime.now(UTC),
            model=model,
            fingerprint=fingerprint,
            variant=variant,
            dim=vectors["fusion"].shape[1],
            fields=tuple(vectors),
            products=count,
            shards=shards,
            index_type=plan.index_type,
            index_parameters=dict(plan.parameters),
            tuning=tuning,
            recall_at_10=min((tuned.recall_at_10 for tuned in tuning.values()), default=1.0),
            journal=journal,
            journal_position=journal_position,
            product_bytes=products.nbytes,
            same_style=same.score if same is not None else None,
            same_gtin=same.with_gtin if same is not None else None,
            same_modes=dict(same.by_modes) if same is not None else {},
            files=_file_entries(work),
        )
        write_atomic(work / "manifest.json", sealed(manifest.model_dump_json(indent=2).encode()))
        sync_tree(work)
        work.chmod(0o755)
        work.rename(target)
        sync_directory(root)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a write on a full disk does not say where
            error.filename = str(root)
        shutil.rmtree(work, ignore_errors=True)
        raise
    return target


def list_snapshots(root: Path) -> tuple[list[Manifest], list[SnapshotInvalid]]:
    """The manifests below `root`, the newest first, and why others cannot be read."""
    manifests: list[Manifest] = []
    refused: list[SnapshotInvalid] = []
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        if path.name.startswith(".") or not path.is_dir():
            continue
        try:
            manifests.append(read_manifest(path))
        except SnapshotInvalid as error:
            refused.append(error)
    return sorted(manifests, key=lambda manifest: manifest.created_at, reverse=True), refused


def _check_vectors(products: pa.Table, vectors: Mapping[FieldName, NDArray[Any]]) -> None:
    """A vector too many or a product id twice would give somebody else's product with a good score."""
    if pc.count_distinct(products["product_id"]).as_py() != products.num_rows:
        raise ValueError("a product id is there twice")
    if "fusion" not in vectors:
        raise ValueError("vectors of fusion are required")
    shape = (products.num_rows, vectors["fusion"].shape[1])
    for field, rows in vectors.items():
        if rows.shape != shape:
            raise ValueError(f"vectors of {field} are {rows.shape}, not {shape}")
        for start in range(0, len(rows), _CHUNK_ROWS):
            lengths = np.linalg.norm(rows[start : start + _CHUNK_ROWS].astype(np.float32), axis=1)
            absent = lengths == 0 if field != "fusion" else False  # a product has every field it has something for
            if not np.all(absent | np.isclose(lengths, 1.0, atol=1e-3)):
                raise ValueError(f"vectors of {field} are not all of length 1")


def _hold(path: Path) -> int:
    """What tells `is_held`, until it is closed or the process ends, however it ends."""
    handle = os.open(path / "manifest.json", os.O_RDONLY)
    with suppress(OSError):  # of storage without locks
        fcntl.flock(handle, fcntl.LOCK_SH)  # only ever kept from it for a moment
    return handle


def _open_products(path: Path, manifest: Manifest) -> ProductTable:
    """Mapped, or made from the table in an older snapshot, in memory of its own."""
    listed = pq.read_metadata(path / "products.parquet").num_rows
    is_mapped = "products.arrow" in manifest.files
    products = ProductTable.map(path / "products.arrow") if is_mapped else ProductTable.read(path / "products.parquet")
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
    has_outline = manifest.files.keys() >= set(outline_files(field))  # few vectors have none, nor older snapshots
    outline = Outline.open(path / "vectors", field, vectors) if has_outline else None
    return open_index(files, manifest.index_type, manifest.index_parameters, effort, vectors, outline)


def _write_field(work: Path, field: FieldName, rows: NDArray[Any], plan: Plan, sizes: NDArray[np.intp]) -> VectorIndex:
    """The shards hold what is stored, not what was rounded away: else they rank near-duplicates differently."""
    file = work / "vectors" / f"{field}.npy"
    write_array(file, rows.shape, np.float16, (rows[at : at + _CHUNK_ROWS] for at in range(0, len(rows), _CHUNK_ROWS)))
    stored: NDArray[np.float16] = np.lib.format.open_memmap(file, mode="r")
    files = [work / shard_file(field, shard) for shard in range(len(sizes))]
    if plan.index_type != "flat":
        files[0].parent.mkdir(exist_ok=True)
        write_shards(files, plan.index_type, plan.parameters, stored, sizes.tolist())
        write_outline(file.parent, field, stored)
    return open_index(files, plan.index_type, plan.parameters, 1, stored)


def _with_background(same: SameFrom | None, vectors: NDArray[Any]) -> SameFrom | None:
    usual = background(vectors)
    return same if same is None or usual is None else same._replace(with_gtin=min(same.score, usual))


def _write_products(work: Path, products: pa.Table, index: VectorIndex, same: SameFrom | None) -> None:
    groups: Groups | None = None
    if same is not None:
        stored: NDArray[np.float16] = np.load(work / "vectors" / "fusion.npy", mmap_mode="r", allow_pickle=False)
        groups = group(index, stored, variants_of(products), same, modes_of(products))
    products = with_groups(products, groups)
    pq.write_table(products, work / "products.parquet", compression="zstd")
    ProductTable.of(products).write(work / "products.arrow")


def _write_canary(work: Path, index: VectorIndex) -> None:
    """Queries between two products each, and the scores of their answers by brute force over the stored vectors.

    Those of a search are compared by score, not by row: products with equal vectors may change places.
    """
    stored: NDArray[np.float16] = np.lib.format.open_memmap(work / "vectors" / "fusion.npy", mode="r")
    picked = np.linspace(0, len(stored) - 1, min(CANARY_QUERIES, len(stored)), dtype=np.int64)
    queries = stored[picked].astype(np.float32) * 0.75 + stored[picked[::-1]].astype(np.float32) * 0.25
    queries = (queries / np.linalg.norm(queries, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)
    flat = FlatIndex(stored)
    found = [flat.search(query, CANARY_K) for query in queries]
    kept = min(CANARY_K, len(stored))
    rows = np.array([answer.rows for answer in found], np.int64).reshape(len(queries), kept)
    scores = np.array([answer.scores for answer in found], np.float32).reshape(len(queries), kept)
    share = _canary_recall(index, queries, scores)
    np.savez(work / "canary.npz", queries=queries, rows=rows, scores=scores, among=len(stored), recall=share)


def _canary_recall(index: VectorIndex, queries: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    shares = [
        recall(index.search(query, CANARY_K).scores, scores) for query, scores in zip(queries, expected, strict=True)
    ]
    return float(np.mean(shares)) if shares else 1.0


def _file_entries(work: Path) -> dict[str, FileEntry]:
    files = sorted(path for path in work.rglob("*") if path.is_file())
    return {
        path.relative_to(work).as_posix(): FileEntry(bytes=os.path.getsize(path), sha256=sha256_file(path))  # noqa: PTH202
        for path in files
    }


def _invalid(path: Path, reason: str) -> SnapshotInvalid:
    return SnapshotInvalid(f"snapshot {path.name}: {reason}")
