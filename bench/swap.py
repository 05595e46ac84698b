"""Hot swap, start and writes of a gateway with many products: `python -m bench.swap [--products N] [--work DIR]`.

A made-up catalogue (`bench.planted`) is built once and kept in the work directory. Requests are `similar` tabs of
random products, so the index and the product table are asked and no encoder is.
"""

import asyncio
import itertools
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.load import Answer, Connection, Request, closed_loop, open_loop, rate
from bench.planted import plant
from bench.process import Gateway, serving
from index.manifest import read_manifest
from index.seal import sealed
from index.snapshot_writer import write_snapshot
from models.bundle import Bundle
from service.models import DEFAULT_BUNDLE

PORT: Final = 18_433
NAMES: Final = ("swap-a", "swap-b")
SWAPS: Final = 10
CALM_S: Final = 20.0
WRITES: Final = 500
WRITERS: Final = 64

console = Console(width=110)


def main(
    products: Annotated[int, typer.Option(help="How many products.")] = 1_000_000,
    work: Annotated[Path, typer.Option(help="Where catalogues are kept between runs.")] = Path("/tmp/samestyle-bench"),
) -> None:
    """Print the tables of docs/benchmarks.md."""
    data = work / f"swap-{products}"
    prepare(data, products)
    console.print(f"{time.strftime('%F')}: {products:,} products, load average {os.getloadavg()[0]:.1f} at the start")
    with serving(data, PORT) as gateway:
        console.print(f"ready {gateway.ready_s:.2f} s after the start")
        asyncio.run(_measure(gateway, products))


def prepare(data: Path, products: int) -> None:
    """Two snapshots of the same products for the default model, once."""
    root = data / "snapshots"
    if not (root / NAMES[0]).exists():
        planted = plant(products)
        bundle = Bundle.load(DEFAULT_BUNDLE)
        write_snapshot(
            root,
            NAMES[0],
            planted.products,
            {"fusion": planted.vectors},
            model=bundle.config.name,
            fingerprint=bundle.fingerprint,
            variant="made up",
        )
    if not (root / NAMES[1]).exists():
        copy = shutil.copytree(root / NAMES[0], root / f".{NAMES[1]}")
        manifest = read_manifest(root / NAMES[0]).model_copy(update={"name": NAMES[1]})
        (copy / "manifest.json").write_bytes(sealed(manifest.model_dump_json(indent=2).encode()))
        copy.rename(root / NAMES[1])
    for journal in data.glob("journal*"):
        journal.unlink()
    (data / "aliases.json").unlink(missing_ok=True)
    shutil.rmtree(data / "verified", ignore_errors=True)  # so that the first swap reads every byte


async def _measure(gateway: Gateway, products: int) -> None:
    ids = await _some_ids(products)
    requests = (Request(f"/v1/products/{random.choice(ids)}/similar?k=10") for _ in itertools.count())
    await closed_loop(PORT, requests, clients=4, seconds=5)  # warm
    capacity = rate(await closed_loop(PORT, requests, clients=4, seconds=10))
    console.print(f"capacity {capacity:.0f} requests/s; the load is half of it")
    await _swap_under_load(gateway, requests, capacity / 2)
    await _write(ids)


async def _some_ids(products: int) -> list[str]:
    """Ids all over the catalogue."""
    connection, ids = Connection(PORT), []
    for sort in ("product_id", "-price", "price", "title"):
        _, body = await connection.request("GET", f"/v1/products?limit=200&sort={sort}")
        ids += [product["product_id"] for product in json.loads(body)["products"]]
    return ids


async def _swap_under_load(gateway: Gateway, requests: Iterator[Request], rate: float) -> None:
    stop = asyncio.Event()
    load = asyncio.create_task(open_loop(PORT, requests, rate=rate, stop=stop))
    await asyncio.sleep(CALM_S)
    before, windows, took = gateway.memory_mb(), [], []
    connection = Connection(PORT)
    for number in range(SWAPS):
        started = time.perf_counter()
        status, body = await connection.request("PUT", "/admin/v1/aliases/live", {"snapshot": NAMES[number % 2]})
        if status != 200:
            raise RuntimeError(f"the swap was answered {status}: {body.decode()}")
        took.append(time.perf_counter() - started)
        windows.append((started, time.perf_counter()))
        await asyncio.sleep(2)
    started = time.perf_counter()
    status, _ = await connection.request("POST", "/admin/v1/aliases/live/rollback")
    rollback = time.perf_counter() - started
    await asyncio.sleep(5)
    after = gateway.memory_mb()
    stop.set()
    answers = await load
    _report(answers, windows, took[1:], rollback, before, after)


def _report(
    answers: list[Answer],
    windows: list[tuple[float, float]],
    took: list[float],
    rollback: float,
    before: dict[str, float],
    after: dict[str, float],
) -> None:
    first = windows[0][0]
    calm = [answer.seconds for answer in answers if answer.due < first and answer.due > first - CALM_S / 2]
    during = [answer.seconds for answer in answers if any(start <= answer.due <= end for start, end in windows)]
    failed = Counter(answer.status for answer in answers if answer.status != 200)
    table = Table("", "requests", "p50 ms", "p99 ms", "longest ms")
    for name, times in (("steady", calm), ("during swaps", during)):
        table.add_row(name, f"{len(times):,}", *(f"{np.percentile(times, at) * 1e3:.1f}" for at in (50, 99, 100)))
    console.print(table)
    ratio = np.percentile(during, 99) / np.percentile(calm, 99)
    console.print(f"failed: {failed.total()} of {len(answers):,} {dict(failed) or ''}")
    console.print(f"p99 during swaps {ratio:.1f} x steady")
    console.print(f"a swap takes {np.median(took):.1f} s (longest {max(took):.1f}), a rollback {rollback:.1f} s")
    for name in ("private", "mapped"):
        console.print(f"{name} memory {before[name]:,.0f} MB before, {after[name]:,.0f} MB after {SWAPS} swaps")


async def _write(ids: list[str]) -> None:
    """Prices that change: no encoder runs, so what is left is the journal, the delta and the way there."""
    connection = Connection(PORT)
    times = [await _put(connection, random.choice(ids), number) for number in range(WRITES)]
    console.print(
        "upsert to visible, beside the embedding: "
        + ", ".join(f"p{at} {np.percentile(times, at) * 1e3:.1f} ms" for at in (50, 99))
    )
    started = time.perf_counter()
    await asyncio.gather(*(_put_some(ids[at::WRITERS]) for at in range(WRITERS)))
    seconds = time.perf_counter() - started
    console.print(f"{len(ids) / seconds:.0f} durable writes/s from {WRITERS} clients")


async def _put_some(ids: list[str]) -> None:
    connection = Connection(PORT)
    for number, product_id in enumerate(ids):
        await _put(connection, product_id, number)
    connection.close()


async def _put(connection: Connection, product_id: str, number: int) -> float:
    _, body = await connection.request("GET", f"/v1/products/{product_id}")
    product: dict[str, Any] = json.loads(body)
    fields = {name: value for name, value in product.items() if name not in {"product_id", "image_url"}}
    started = time.perf_counter()
    status, body = await connection.request("PUT", f"/v1/products/{product_id}", {**fields, "price": 1 + number})
    if status != 200:
        raise RuntimeError(f"the write was answered {status}: {body.decode()}")
    return time.perf_counter() - started


if __name__ == "__main__":
    typer.run(main)
