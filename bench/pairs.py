"""Pairs mined from a large made-up log: `python -m bench.pairs [--rows N] [--work DIR]`, time, memory and disk.

The log is skewed like real traffic: a few products and users have most of it, some users are crawlers that go through
thousands of products, and what is done in a visit goes from one style to its neighbours and to best-sellers. It has no
session ids, so that visits must be cut out of it. Log and catalogue are kept in DIR for the next run. What is measured
is the command itself, in a process of its own, as the kernel accounts for it.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from bench.machine import machine

STYLE_LISTINGS: Final = 5
"""Listings of a style, on average."""
CATEGORY_STYLES: Final = 50
ROWS_A_VISIT: Final = 6
CRAWLERS: Final = 0.01
"""Of all rows."""
_CATALOGUE = """
COPY (
  SELECT format('p{{:08d}}', i) AS product_id, concat_ws(' ', 'brand' || (hash(i, 1) % 400), 'kind' || category,
      'style' || (style % 9973), 'cut' || (hash(style, 2) % 50), 'size ' || (hash(i, 3) % 40),
      'word' || (hash(i, 4) % 5000), 'word' || (hash(i, 5) % 5000), 'word' || (hash(style, 6) % 5000)) AS title,
    format('top {{}} > kind {{}}', category % 30, category) AS category, 's' || (hash(i, 7) % 5000) AS supplier_id,
    's' || style AS style_id
  FROM (SELECT i, i // {listings} AS style, i // {listings} // {styles} AS category FROM range({products}) r(i))
  ORDER BY hash(i)) TO '{out}' (FORMAT parquet, COMPRESSION zstd)
"""
_LOG = """
COPY (
  WITH draws AS (
    SELECT i, i // {visit} AS visit, random() AS a, random() AS b, random() AS c, random() AS d, random() AS e
    FROM range({rows}) r(i)),
  visits AS (
    SELECT i AS visit, (pow(random(), 3) * {users})::BIGINT AS user_id, random() AS start,
      (exp(random() * ln({wanted} + 1)) - 1)::BIGINT AS style, random() < 0.7 AS asks, hash(i) AS number
    FROM range({rows} // {visit} + 1) r(i)),
  shown AS (
    SELECT visit, user_id, start, style, asks, number, a, d, e,
      CASE WHEN a < {crawlers} THEN (b * {products})::BIGINT
           WHEN a < 0.55 THEN hash(style) % {all_styles} * {listings} + (b * b * {listings})::BIGINT
           WHEN a < 0.85 THEN hash(style) % {all_styles} // {styles} * {styles} * {listings}
                              + (b * {styles} * {listings})::BIGINT
           ELSE hash((exp(c * ln({products})) - 1)::BIGINT, 8) % {products} END AS product
    FROM draws JOIN visits USING (visit))
  SELECT CASE WHEN a < {crawlers} THEN 'crawler-' || (number % 20) ELSE 'u' || user_id END AS user_id,
    format('p{{:08d}}', product % {products}) AS product_id,
    TIMESTAMP '2026-01-01' + to_milliseconds((start * 28 * 86400000 + e * 1200000)::BIGINT) AS time,
    CASE WHEN asks THEN format('kind{{}} style{{}}', hash(style) % {all_styles} // {styles},
                              hash(style) % {all_styles} % 9973) END AS query,
    CASE WHEN d < 0.85 THEN 'click' WHEN d < 0.96 THEN 'cart' ELSE 'purchase' END AS action
  FROM shown) TO '{out}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 1000000)
"""

console = Console(width=140)


@dataclass(frozen=True, slots=True)
class Measured:
    """What the command took, and what it said."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    disk_bytes: int
    report: dict[str, Any]


def main(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows of the log.")] = 50_000_000,
    products: Annotated[int, typer.Option(min=1_000, help="Products of the catalogue.")] = 500_000,
    memory_gb: Annotated[float, typer.Option(help="What DuckDB may take.")] = 4.0,
    work: Annotated[Path, typer.Option(help="Where log and catalogue are kept.")] = Path("/tmp/samestyle-bench/pairs"),
) -> None:
    """Print time, memory, disk, and what became of the pairs."""
    work.mkdir(parents=True, exist_ok=True)
    log, catalogue = work / f"log-{rows}-{products}.parquet", work / f"catalogue-{products}.parquet"
    make(log, catalogue, rows, products)
    about = machine()
    measured = measure(log, catalogue, work, memory_gb)
    console.print(f"{about['date']}, {about['machine']}, load {about['load_at_start'][0]:.1f} before the start")
    show(measured, rows, log.stat().st_size)


def make(log: Path, catalogue: Path, rows: int, products: int) -> None:
    """Write log and catalogue, unless they are there; the same sizes give much the same log."""
    styles = products // STYLE_LISTINGS
    sizes = {
        "rows": rows, "products": products, "users": max(1, rows // 20), "visit": ROWS_A_VISIT, "crawlers": CRAWLERS,
        "all_styles": styles, "wanted": styles, "listings": STYLE_LISTINGS, "styles": CATEGORY_STYLES,
    }  # fmt: skip
    for path, sql in ((catalogue, _CATALOGUE), (log, _LOG)):
        if path.exists():
            continue
        temporary = path.with_suffix(".tmp")
        with duckdb.connect(
            config={"memory_limit": "3GB", "temp_directory": str(path.parent / "spilled")}
        ) as connection:
            connection.execute("SELECT setseed(0.5)")
            connection.execute(sql.format(**sizes, out=temporary))
        temporary.rename(path)


def measure(log: Path, catalogue: Path, work: Path, memory_gb: float) -> Measured:
    """Run `samestyle pairs mine` once."""
    place = work / "working"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    command = [
        sys.executable,
        "-m",
        "service",
        "pairs",
        "mine",
        str(log),
        str(catalogue),
        "--out",
        str(work / "pairs.parquet"),
    ]
    started = time.perf_counter()
    with (work / "report.json").open("wb") as out:
        process = subprocess.Popen(
            [*command, "--temp", str(place), "--memory-gb", str(memory_gb), "--json"], stdout=out
        )
    done, largest = threading.Event(), [0]
    watch = threading.Thread(target=_watch, args=(place, done, largest))
    watch.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    done.set()
    watch.join()
    if process.returncode:
        raise RuntimeError(f"`{' '.join(command)}` ended with {process.returncode}; run it to see why")
    report = json.loads((work / "report.json").read_bytes())
    return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, largest[0], report)


def show(measured: Measured, rows: int, log_bytes: int) -> None:
    report = measured.report
    console.print(
        f"{rows:,} rows ({log_bytes / 1e9:.1f} GB of Parquet), {report['products']:,} products: "
        f"{measured.seconds:,.0f} s ({measured.cpu_seconds:,.0f} s of CPU), {rows / measured.seconds:,.0f} rows/s; "
        f"peak memory {measured.peak_bytes / 1e9:.2f} GB, peak disk {measured.disk_bytes / 1e9:.1f} GB"
    )
    windows = report["windows"]
    console.print(
        f"{windows['used']:,} windows, {windows['of_several']:,} of several products, {windows['crowded']:,} left out; "
        f"{report['candidates']:,} products came together, {report['pairs']:,} pairs kept"
    )
    table = Table("constraint", "removed alone", "removed", "left", "precision")
    for step in report["steps"]:
        counts = (f"{step[name]:,}" for name in ("removed_alone", "removed", "left"))
        table.add_row(f"{step['name']} ({step['setting']})", *counts, f"{step['precision']['share']:.3f}")
    console.print(table)


def _watch(place: Path, done: threading.Event, largest: list[int]) -> None:
    """How much disk a folder took at most."""
    while not done.wait(0.5):
        size = 0
        for file in place.rglob("*"):
            try:
                size += file.stat().st_blocks * 512
            except FileNotFoundError:
                continue
        largest[0] = max(largest[0], size)


if __name__ == "__main__":
    typer.run(main)
