"""How close `samestyle build` comes to the cost of its stages: `python -m bench.build`.

The limit: one product costs at least the CPU time of reading and storing its photo, decoding it, and encoding it,
each run alone at its best batch size and number of threads (ONNX Runtime's threads spin while they wait, so one is
often cheapest). 1 / (sum of the three) is what one core could do with no overlap at all; a build on two cores that
overlaps its stages comes out above it.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from catalogue import Product, demo
from catalogue.photos import PhotoStore, load_photo
from catalogue.readers import CatalogueRow, usable_rows
from catalogue.threads import ThreadBudget
from models import Encoders, Prepared, ProductInput
from service.build import build
from service.models import DEFAULT_BUNDLE

COPIES = 6
ENCODED = 800
"""Products that each way of encoding is tried with."""
BATCHES = (1, 4, 8, 16, 32)
RUNS = 3


def main() -> None:
    """Print CPU time per stage, the build's rate, and their ratio."""
    budget = ThreadBudget.of()
    encoders = Encoders.load(DEFAULT_BUNDLE, threads=budget.onnx)
    with tempfile.TemporaryDirectory() as folder:
        catalogue = _larger_catalogue(Path(folder))
        rows = list(usable_rows(catalogue))
        stages = _stages(Path(folder), rows, {1: Encoders.load(DEFAULT_BUNDLE, threads=1), budget.onnx: encoders})
        limit = 1 / sum(stages.values())
        rates = []
        for run in range(RUNS):
            report = build(catalogue, Path(folder) / f"data{run}", "bench", encoders, decode_threads=budget.decode)
            rates.append(report.products / report.seconds)
    table = Table("stage, alone", "CPU ms per product")
    for name, seconds in stages.items():
        table.add_row(name, f"{seconds * 1000:.2f}")
    console = Console()
    console.print(table)
    best = sorted(rates)[RUNS // 2]
    console.print(f"{len(rows)} products, {budget.onnx} cores: 1 / sum of stages = {limit:.1f}/s")
    console.print(
        f"build: median {best:.1f}/s of {', '.join(f'{rate:.1f}' for rate in rates)}; ratio {best / limit:.2f}"
    )


def _larger_catalogue(folder: Path) -> Path:
    """The demo catalogue several times over, with ids of their own."""
    path = folder / "catalogue.jsonl"
    photos = demo.CATALOGUE.parent
    with path.open("w") as file:
        for row in demo.CATALOGUE.read_text().splitlines():
            product = Product.model_validate_json(row)
            images = [str(photos / image) for image in product.images]
            for copy in range(COPIES):
                changed = {"product_id": f"{product.product_id}-{copy}", "images": images}
                file.write(json.dumps(product.model_dump(mode="json") | changed) + "\n")
    return path


def _stages(folder: Path, rows: list[CatalogueRow], by_threads: dict[int, Encoders]) -> dict[str, float]:
    """CPU seconds per product of each stage."""
    encoders = by_threads[1]
    store = PhotoStore(folder / "photos")
    inputs: list[ProductInput] = []
    prepared: list[Prepared] = []

    def read() -> None:
        for row in usable_rows(folder / "catalogue.jsonl"):
            photo = load_photo(row.product.images[0], folder)
            store.put(photo)
            inputs.append(ProductInput(photo, encoders.product_text(row.product)))

    def prepare() -> None:
        prepared.extend(encoders.prepare(item) for item in inputs)

    def encode(threads: int, batch: int) -> Callable[[], None]:
        def run() -> None:
            for start in range(0, ENCODED, batch):
                by_threads[threads].encode(prepared[start : start + batch])

        return run

    seconds = {"read and store": _cpu(read) / len(rows), "decode and tokenise": _cpu(prepare) / len(rows)}
    encoding = {
        f"encode, batch {batch}, {threads} threads": _cpu(encode(threads, batch)) / ENCODED
        for threads in by_threads
        for batch in BATCHES
    }
    best = min(encoding, key=lambda name: encoding[name])
    return {**seconds, best: encoding[best]}


def _cpu(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
