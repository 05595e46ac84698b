"""Small products, vectors and snapshots for the tests of the index."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalogue import Product
from catalogue.files import sha256_file
from index import IndexedProduct, ProductTable, Snapshot, write_snapshot
from index.manifest import FieldName
from index.plan import Choice
from index.products import to_table
from index.seal import sealed

FINGERPRINT = "f" * 64
DIM = 8


def item(product_id: str, photo: str | None = None, **fields: Any) -> IndexedProduct:
    return IndexedProduct(product=Product(product_id=product_id, **({"title": "x"} | fields)), photo=photo)


def items(count: int) -> list[IndexedProduct]:
    return [item(f"p{n}", title=f"product {n}", price=float(n), supplier_id=f"s{n % 3}") for n in range(count)]


def table(products: Sequence[IndexedProduct]) -> ProductTable:
    return ProductTable.of(to_table(products))


def unit(rows: NDArray[Any]) -> NDArray[np.float32]:
    unit_rows: NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)
    return unit_rows


def unit_rows(count: int, dim: int = DIM, seed: int = 0) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).normal(size=(count, dim)))


def build(
    root: Path,
    name: str = "snap",
    count: int = 20,
    *,
    fields: Sequence[FieldName] = ("fusion",),
    fingerprint: str = FINGERPRINT,
    products: Sequence[IndexedProduct] | None = None,
    vectors: Mapping[FieldName, NDArray[Any]] | None = None,
    choice: Choice = Choice(),  # noqa: B008
    journal: str | None = None,
    journal_position: int = 0,
) -> Path:
    """Write a snapshot of `count` products; the vector of product n is row n of `unit_rows`, seeded by its field."""
    products = items(count) if products is None else products
    if vectors is None:
        vectors = {field: unit_rows(len(products), seed=seed) for seed, field in enumerate(fields)}
    return write_snapshot(
        root,
        name,
        to_table(products),
        vectors,
        model="stand-in",
        fingerprint=fingerprint,
        variant="cpu-fp32",
        choice=choice,
        journal=journal,
        journal_position=journal_position,
    )


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest and seal it again, as whoever wrote it that way would have."""
    manifest = json.loads((path / "manifest.json").read_bytes())
    del manifest["seal"]
    change(manifest)
    (path / "manifest.json").write_bytes(sealed(json.dumps(manifest, indent=2).encode()))


def accept(path: Path, name: str) -> None:
    """Make the manifest agree with a file somebody changed."""
    entry = {"bytes": (path / name).stat().st_size, "sha256": sha256_file(path / name)}
    edit_manifest(path, lambda manifest: manifest["files"].update({name: entry}))


def reopen(path: Path) -> Snapshot:
    return Snapshot.open(path, fingerprint=FINGERPRINT)
