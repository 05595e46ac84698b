"""Listings of one style that stand more than once, as a table and a file."""

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from catalogue.errors import InvalidInput, NotFound, SnapshotInvalid
from index import Filters, ProductTable
from index.aliases import live_name
from index.manifest import check_files, read_manifest, snapshot_path

_BATCH: Final = 16_384
_COLUMNS: Final = ("style_group", "product_id", "supplier_id", "title", "price", "currency")


def find_snapshot(data: Path, name: str | None) -> Path:
    """The snapshot `name` of a data directory, or what `live` stands for, or the newest that is whole.

    Raises NotFound when there is none, SnapshotInvalid for a damaged one, InvalidInput for one without style groups.
    """
    path = snapshot_path(data / "snapshots", name or live_name(data))
    manifest = read_manifest(path)
    check_files(path, manifest)
    if manifest.same_style is None:
        raise InvalidInput(
            f"Snapshot {manifest.name} has no style groups. Build it again, with a model whose bundle has a same_style "
            "threshold for m-m."
        )
    return path


def duplicate_table(snapshot: Path, *, supplier: str | None, filters: Filters) -> pa.Table:
    """All groups with at least two of the listings asked for, a row per listing, in the order of their groups.

    `group_size` counts a group's rows in this table, `score` is the similarity to the product `style_group`. Raises
    NotFound for a supplier without products, SnapshotInvalid where the products cannot be read.
    """
    file = snapshot / "products.parquet"
    try:
        products = ProductTable.read(file)
        listings = pq.read_table(file, columns=list(_COLUMNS))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise SnapshotInvalid(f"snapshot {snapshot.name}: products.parquet cannot be read: {error}") from None
    selected = products.mask(filters)
    if supplier is not None:
        own = products.mask(Filters(suppliers=(supplier,)))
        if not own.any():
            raise NotFound(f"Snapshot {snapshot.name} has no products of supplier {supplier[:128]!r}.")
        selected &= own
    groups = products.styles.groups(selected)
    found = listings.take(pa.array(groups.rows))
    sizes = np.diff(groups.starts)
    scores = pc.round(pa.array(groups.scores.astype(np.float64)), 4)
    return found.append_column("score", scores).append_column("group_size", pa.array(np.repeat(sizes, sizes)))


def _csv(table: pa.Table) -> bytes:
    out = io.BytesIO()
    plain = table.cast(pa.schema([(field.name, _plain_type(field.type)) for field in table.schema]))
    pyarrow.csv.write_csv(plain, out)
    return out.getvalue()


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def _json(table: pa.Table) -> bytes:
    parts = [orjson.dumps(batch.to_pylist())[1:-1] for batch in table.to_batches(_BATCH) if len(batch)]
    return b"[" + b",".join(parts) + b"]\n"


def _plain_type(kind: Any) -> Any:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


KINDS: Final[Mapping[str, Callable[[pa.Table], bytes]]] = {".csv": _csv, ".parquet": _parquet, ".json": _json}
"""How a table is written, by the ending of a file's name."""
