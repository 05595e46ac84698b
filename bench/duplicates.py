"""How good style groups are, and what they cost: `python -m bench.duplicates [--products N] [--work DIR]`.

A pair of listings is found when both are in one group. On the demo catalogue, over the pairs with a product of a
held-out style, as the default bundle sees them (`samestyle demo --once` builds its index). On a made-up catalogue of N
products (`bench.planted`), with time and memory; its snapshot is kept in DIR, as its index takes far longer to build
than the groups.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import numpy as np
import pyarrow.parquet as pq
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.planted import Planted, plant
from catalogue import demo
from catalogue.variants import SameFrom
from index import Filters, ProductTable, Snapshot, write_snapshot
from index.groups import Groups, group
from index.manifest import read_manifest
from index.near import K
from index.products import modes_of, suppliers_of, variants_of
from index.styles import StyleGroups, with_groups
from index.workers import shared_workers
from service.duplicates import find_snapshot

THRESHOLD: Final = 0.83
_SAME: Final = SameFrom(THRESHOLD, THRESHOLD)
"""For the made-up catalogue: near that of the default bundle."""
_FINGERPRINT: Final = "0" * 64
_LARGE: Final = 100
_SUPPLIER: Final = "s7"

Labels = NDArray[np.int64]
Result = TypeVar("Result")
console = Console(width=120)


def main(
    products: Annotated[int, typer.Option(help="Size of the made-up catalogue; 0 leaves it out.")] = 1_000_000,
    work: Annotated[Path, typer.Option(help="Where its snapshot is kept.")] = Path("data/bench"),
    data: Annotated[Path, typer.Option(help="The demo's data directory.")] = Path("data/demo"),
) -> None:
    """Print quality on both catalogues, time and memory."""
    measure_demo(data)
    if products:
        measure_planted(products, work)


def measure_demo(data: Path) -> None:
    """Quality on the demo catalogue's held-out styles."""
    path = find_snapshot(data, None)
    table = ProductTable.read(path / "products.parquet")
    products = [table.get(row).product for row in range(len(table))]
    groups = np.array(table.styles.medoids)
    styles = np.array([product.style_id or product.product_id for product in products])
    held_out = np.array([demo.is_held_out(style) for style in styles.tolist()])
    judged = np.triu(held_out[:, np.newaxis] | held_out, k=1)
    found = (groups[:, np.newaxis] == groups) & judged
    same = (styles[:, np.newaxis] == styles) & judged
    threshold = read_manifest(path).same_style
    vectors = np.load(path / "vectors" / "fusion.npy").astype(np.float32)
    one, other = np.divmod(np.arange(len(products) ** 2), len(products))
    contradicting = variants_of(pq.read_table(path / "products.parquet")).contradict(one, other).reshape(same.shape)
    results = Table("pairs that should be found", "there are", "found", "right", "precision", "recall", "F1")
    for name, truth in (("same style", same), ("same style, not contradicting", same & ~contradicting)):
        _add(results, name, int(truth.sum()), int(found.sum()), int((truth & found).sum()))
    near = (vectors @ vectors.T >= threshold) & ~contradicting & judged
    _add(results, "the same, if every near pair were one", int(same.sum()), int(near.sum()), int((same & near).sum()))
    console.print(
        f"Demo catalogue: {len(products)} products, {held_out.sum()} of held-out styles; threshold {threshold}"
    )
    console.print(results)
    console.print(f"Largest group: {np.unique(groups, return_counts=True)[1].max()} listings\n")


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
