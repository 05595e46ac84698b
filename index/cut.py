"""Cutting a snapshot from the live catalogue: what there is now becomes one, without any encoder."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from index.live import LiveView
from index.manifest import FieldName
from index.plan import Choice
from index.products import read_anew, read_table, to_table
from index.snapshot_writer import write_snapshot


def cut(view: LiveView, root: Path, name: str, *, choice: Choice, journal: str | None = None) -> Path:
    """Write `<root>/<name>` with the products of a view; the `journal` (its id) goes on after it where the view does.

    Style groups are made anew where the view's snapshot has them. Raises as `write_snapshot`.
    """
    base, manifest = view.snapshot, view.snapshot.manifest
    kept = np.flatnonzero(view.delta.visible)
    changed = np.flatnonzero(view.delta.alive)
    products = pa.concat_tables(
        [
            read_anew(read_table(base.path / "products.parquet").take(pa.array(kept))),
            to_table([view.delta.get(row) for row in changed.tolist()]),
        ]
    ).unify_dictionaries()

    def vectors(field: FieldName) -> NDArray[np.float16]:
        return np.concatenate([base.stored(field)[kept], view.delta.vectors(field, changed).astype(np.float16)])

    return write_snapshot(
        root,
        name,
        products,
        {field: vectors(field) for field in manifest.fields},
        model=manifest.model,
        fingerprint=manifest.fingerprint,
        variant=manifest.variant,
        choice=choice,
        journal=journal,
        journal_position=view.position,
        same=manifest.same_from,
    )
