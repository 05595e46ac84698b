"""What durability costs: `python -m bench.journal [--folder DIR]`.

Acknowledged appends one after another beside the disk's own rates of small synced writes, in turns so that noise hits
all; then what many writers get together; then, where strace is installed, the system calls that make it durable.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console

from catalogue import Product
from index import Change, IndexedProduct, Journal

ROUNDS: Final = 31
WRITES: Final = 200
WRITERS: Final = 64
DIM: Final = 256
FINGERPRINT: Final = "f" * 64
_PAGE: Final = 4_096
"""What SQLite appends to its log for a small change: a few pages of so many bytes."""

console = Console(width=120)


def main(folder: Annotated[Path, typer.Option(help="On the disk to be measured.")] = Path()) -> None:
    """Print rates, their ratio, and the calls."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        _measure(Path(work))
        _trace(Path(work))


def _measure(work: Path) -> None:
    rates, growing, in_place = [], [], []
    changes = [change(number) for number in range(WRITES * WRITERS // 4)]
    with Journal.open(work / "journal.sqlite3") as journal:
        pages = _pages_of_an_append(journal, work)
        for _ in range(ROUNDS):
            rates.append(_append_rate(journal, changes[:WRITES]))
            growing.append(_disk_rate(work / "disk", pages))
            in_place.append(_disk_rate(work / "disk", pages, grows=False))
        console.print(f"{np.median(rates):.0f} acknowledged appends/s, one after another; the disk itself (quartiles):")
        for name, disk in (("at the end of a file that grows", growing), ("over what a file holds", in_place)):
            low, median, high = np.quantile(np.array(rates) / disk, (0.25, 0.5, 0.75))
            console.print(
                f"{np.median(disk):.0f} fdatasync/s after {pages} pages of 4 KiB {name}: {median:.2f} of that "
                f"({low:.2f} to {high:.2f})"
            )
        with ThreadPoolExecutor(WRITERS) as pool:
            started = time.perf_counter()
            list(pool.map(lambda one: journal.append([one]), changes))
            seconds = time.perf_counter() - started
        console.print(f"{len(changes) / seconds:.0f} acknowledged appends/s from {WRITERS} writers")


def change(number: int) -> Change:
    """A product with a vector of one model."""
    vector = np.random.default_rng(number).normal(size=DIM)
    item = IndexedProduct(product=Product(product_id=f"p{number}", title=f"product number {number}"))
    return Change.upsert(item, {FINGERPRINT: {"fusion": (vector / np.linalg.norm(vector)).astype(np.float32)}})


def _pages_of_an_append(journal: Journal, work: Path) -> int:
    log = work / "journal.sqlite3-wal"
    journal.append([change(0)])
    before = log.stat().st_size
    journal.append([change(1)])
    return max(1, (log.stat().st_size - before) // _PAGE)


def _append_rate(journal: Journal, changes: Sequence[Change]) -> float:
    started = time.perf_counter()
    for one in changes:
        journal.append([one])
    return len(changes) / (time.perf_counter() - started)


def _disk_rate(file: Path, pages: int, *, grows: bool = True) -> float:
    """SQLite's log grows until its first checkpoint, and from then on is written over from its beginning."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if grows else 0))
    try:
        started = time.perf_counter()
        for _ in range(WRITES):
            os.write(handle, b"x" * (pages * _PAGE))
            os.fdatasync(handle)
        return WRITES / (time.perf_counter() - started)
    finally:
        os.close(handle)


_APPEND: Final = """
import sys
from pathlib import Path
from bench.journal import change
from index import Journal
with Journal.open(Path(sys.argv[1])) as journal:
    for number in range(20):
        journal.append([change(number)])
        print("acknowledged", number, flush=True)
"""


def _trace(work: Path) -> None:
    if shutil.which("strace") is None:
        console.print("strace is not installed, so the calls are not shown")
        return
    out = work / "strace"
    command = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", str(out)]
    command += [sys.executable, "-c", _APPEND, str(work / "traced.sqlite3")]
    subprocess.run(command, check=True, capture_output=True)
    synced, unsynced = 0, 0
    for line in out.read_text(errors="replace").splitlines():
        if re.search(r"f(data)?sync\(\d+<.*traced\.sqlite3-wal", line):
            synced += 1
        elif '"acknowledged' in line:
            unsynced += synced == 0
            synced = 0
    console.print(f"strace: 20 appends acknowledged, {20 - unsynced} of them after the log was synced since the last")


if __name__ == "__main__":
    typer.run(main)
