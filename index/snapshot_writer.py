"""Snapshots are written whole, or not at all."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from catalogue.array_file import write_array
from catalogue.errors import InvalidInput
from catalogue.files import sha256_file, sync_directory, sync_tree, write_atomic
from catalogue.variants import SameFrom
from index.canary import write_canary
from index.groups import Groups, group
from index.manifest import SCHEMA_VERSION, FieldName, FileEntry, Manifest, shard_file, snapshot_path
from index.near import background
from index.order import by_likeness
from index.outline import write_outline
from index.plan import Choice, Plan, Tuning, make_plan, tune
from index.products import ProductTable, modes_of, suppliers_of, variants_of
from index.seal import sealed
from index.search import ShardedIndex, VectorIndex
from index.shards import open_index, write_shards
from index.styles import with_groups
from index.work_directories import work_directory

PRODUCTS_PER_SHARD: Final = 5_000_000
_CHUNK_ROWS: Final = 65_536


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
    try:
        with work_directory(root, name) as work:
            same = _with_background(same, vectors["fusion"])
            tuning = _write_files(work, products, vectors, plan, shards, same)
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
    except OSError as error:
        if error.filename is None:  # a write on a full disk does not say where
            error.filename = str(root)
        raise
    return target


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


def _write_files(
    work: Path,
    products: pa.Table,
    vectors: Mapping[FieldName, NDArray[Any]],
    plan: Plan,
    shards: int,
    same: SameFrom | None,
) -> dict[FieldName, Tuning]:
    """All but the manifest, row by row as they will be numbered; returns how the indexes are tuned."""
    shard_of = (products["id_hash"].to_numpy() % np.uint64(shards)).astype(np.int64)
    is_flat = plan.index_type == "flat"
    cells = np.zeros(products.num_rows, np.int64) if is_flat else by_likeness(vectors["fusion"])
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
            write_canary(work, index)
            _write_products(work, products.take(pa.array(order)), index, same)
    return tuning


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
        groups = group(index, stored, variants_of(products), same, modes_of(products), suppliers_of(products))
    products = with_groups(products, groups)
    pq.write_table(products, work / "products.parquet", compression="zstd")
    ProductTable.of(products).write(work / "products.arrow")


def _file_entries(work: Path) -> dict[str, FileEntry]:
    files = sorted(path for path in work.rglob("*") if path.is_file())
    return {
        path.relative_to(work).as_posix(): FileEntry(bytes=os.path.getsize(path), sha256=sha256_file(path))  # noqa: PTH202
        for path in files
    }
