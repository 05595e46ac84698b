"""How good style groups are, and what they cost: `python -m bench.duplicates [CATALOGUE] [--products N] [--work DIR]`.

A pair of listings is found when both are in one group. On the demo catalogue, over the pairs with a product of a
held-out style, as the default bundle sees them (`samestyle demo --once` builds its index), or over all pairs of another
catalogue with style ids, whose listings made-up suppliers have. On a made-up catalogue of N products (`bench.planted`),
with time and memory; its snapshot is kept in DIR, as its index takes far longer to build than the groups.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar
from unittest.mock import patch

import numpy as np
import pyarrow.parquet as pq
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.planted import Planted, plant
from bench.same_style import at_suppliers
from catalogue import demo
from catalogue.variants import SameFrom
from index import Filters, ProductTable, Snapshot, rivals, write_snapshot
from index.exact import FlatIndex
from index.groups import Groups, group
from index.manifest import read_manifest
from index.near import K
from index.products import modes_of, read_table, suppliers_of, variants_of
from index.styles import StyleGroups, with_groups
from index.workers import shared_workers
from models import Encoders
from service.duplicates import find_snapshot

THRESHOLD: Final = 0.83
_SAME: Final = SameFrom(THRESHOLD, THRESHOLD)
"""For the made-up catalogue: near that of the default bundle."""
_RULES: Final = ((0, 0), (2, 0.5), (4, 0), (4, 0.25), (4, 0.5), (4, 0.75), (8, 0.5))
"""`BEHIND` and `AGAIN` of `index.rivals`; 4 and 0.5 are what a build goes by."""
_FINGERPRINT: Final = "0" * 64
_LARGE: Final = 100
_SUPPLIER: Final = "s7"

Labels = NDArray[np.int64]
Result = TypeVar("Result")
console = Console(width=120)


def main(
    catalogue: Annotated[Path | None, typer.Argument(help="A .parquet with style ids; none: the demo shop.")] = None,
    suppliers: Annotated[int, typer.Option(help="Made-up suppliers that have its listings.")] = 5,
    products: Annotated[int, typer.Option(help="Size of the made-up catalogue; 0 leaves it out.")] = 1_000_000,
    work: Annotated[Path, typer.Option(help="Where its snapshot is kept.")] = Path("data/bench"),
    data: Annotated[Path, typer.Option(help="The demo's data directory.")] = Path("data/demo"),
) -> None:
    """Print quality on both catalogues, time and memory."""
    if catalogue is not None:
        with at_suppliers(Encoders.load(Path("models/default")), catalogue, suppliers) as shop:
            measure(shop, lambda _: True)
        return
    measure(data, demo.is_held_out)
    if products:
        measure_planted(products, work)


def measure(data: Path, is_asked: Callable[[str], bool]) -> None:
    """Quality on a catalogue with style ids, over the pairs with a product of those styles that are asked for."""
    path = find_snapshot(data, None)
    rows = read_table(path / "products.parquet")
    table = ProductTable.of(rows)
    products = [table.get(row).product for row in range(len(table))]
    styles = np.array([product.style_id or product.product_id for product in products])
    asked = np.array([is_asked(style) for style in styles.tolist()])
    judged = np.triu(asked[:, np.newaxis] | asked, k=1)
    same = (styles[:, np.newaxis] == styles) & judged
    manifest = read_manifest(path)
    assert manifest.same_from is not None
    stored: NDArray[np.float16] = np.load(path / "vectors" / "fusion.npy")
    vectors = stored.astype(np.float32)
    variants = variants_of(rows)
    one, other = np.divmod(np.arange(len(products) ** 2), len(products))
    contradicting = variants.contradict(one, other).reshape(same.shape)
    near = (vectors @ vectors.T >= manifest.same_from.score) & ~contradicting & judged
    console.print(f"{data.name}: {len(products)} products, {asked.sum()} asked; threshold {manifest.same_from.score}")
    results = Table("pairs that should be found", "there are", "found", "right", "precision", "recall", "F1")
    _add(results, "if every near pair were one", int(same.sum()), int(near.sum()), int((same & near).sum()))
    for behind, again in _RULES:
        with patch.multiple(rivals, BEHIND=behind, AGAIN=again):
            given = (manifest.same_from, modes_of(rows), suppliers_of(rows))
            groups = group(FlatIndex(stored), stored, variants, *given).medoid
        found = (groups[:, np.newaxis] == groups) & judged
        name = f"behind {behind:g}, again {again:g}"
        _add(results, name, int(same.sum()), int(found.sum()), int((same & found).sum()))
    console.print(results)
    console.print(f"Largest group: {np.unique(table.styles.medoids, return_counts=True)[1].max()} listings\n")


def measure_planted(count: int, work: Path) -> None:
    """Quality, time and memory on a made-up catalogue."""
    planted = plant(count)
    path = work / "snapshots" / f"planted-{count}"
    if not path.exists():
        _, seconds = _timed(lambda: _write(path, planted))
        console.print(f"Index built in {seconds:,.0f} s")
    snapshot = Snapshot.open(path, fingerprint=_FINGERPRINT)
    table = pq.read_table(path / "products.parquet")
    vectors = np.load(path / "vectors" / "fusion.npy", mmap_mode="r")
    index = snapshot.index("fusion")
    del snapshot
    before = _reset_peak_mb()
    groups, seconds = _timed(
        lambda: group(index, vectors, variants_of(table), _SAME, modes_of(table), suppliers_of(table))
    )
    kind, threads = read_manifest(path).index_type, shared_workers().threads
    console.print(f"Made-up catalogue: {count:,} products, {vectors.shape[1]} dimensions, threshold {THRESHOLD}")
    console.print(
        f"Grouped in {seconds:,.0f} s ({kind}, {threads} threads, {K} neighbours); "
        f"peak memory {_peak_mb() - before:,.0f} MB over the {before:,.0f} MB held before"
    )
    _print_quality(groups, planted)
    _print_listing(ProductTable.of(with_groups(table, groups)), count)


def _write(path: Path, planted: Planted) -> None:
    write_snapshot(
        path.parent,
        path.name,
        planted.products,
        {"fusion": planted.vectors},
        model="planted",
        fingerprint=_FINGERPRINT,
        variant="none",
    )


def _print_quality(groups: Groups, planted: Planted) -> None:
    found = groups.medoid
    sizes = np.bincount(found)
    alone = int((sizes == 1).sum())
    console.print(f"{(sizes > 1).sum():,} groups, {alone:,} products alone, the largest group {sizes.max():,} listings")
    of_style = np.bincount(planted.variant)[planted.variant]
    results = Table("pairs that should be found", "there are", "found", "right", "precision", "recall", "F1")
    usual, large = of_style <= _LARGE, of_style > _LARGE
    for name, truth, rows in (
        ("same variant", planted.variant, usual | large),
        (f"same variant, styles of up to {_LARGE} listings", planted.variant, usual),
        ("same variant, larger styles", planted.variant, large),
        ("same design, whatever the variant", planted.design, usual | large),
    ):
        both = found[rows] * len(found) + truth[rows]
        _add(results, name, _pairs(truth[rows]), _pairs(found[rows]), _pairs(both))
    console.print(results)


def _print_listing(products: ProductTable, count: int) -> None:
    """What listing duplicates takes."""

    def look() -> StyleGroups:
        return products.styles.groups(products.mask(Filters(suppliers=(_SUPPLIER,))))

    groups, first = _timed(look)
    seconds = [_timed(look)[1] for _ in range(21)]
    console.print(
        f"One supplier's {len(groups)} groups: {np.median(seconds) * 1000:.1f} ms, the first {first * 1000:.1f} ms"
    )
    everything = np.ones(count, np.bool_)
    groups, listed = _timed(lambda: products.styles.groups(everything))
    console.print(f"All {len(groups):,} groups, {len(groups.rows):,} listings, found in {listed:.2f} s")


def _add(results: Table, name: str, wanted: int, found: int, right: int) -> None:
    precision, recall = right / max(1, found), right / max(1, wanted)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    results.add_row(name, *(f"{n:,}" for n in (wanted, found, right)), *(f"{x:.3f}" for x in (precision, recall, f1)))


def _pairs(labels: Labels) -> int:
    """How many pairs have the same label."""
    sizes = np.unique(labels, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def _timed(call: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


def _reset_peak_mb() -> float:
    """Forget the highest memory so far; returns what is held now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak_mb()


def _peak_mb() -> float:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    typer.run(main)
