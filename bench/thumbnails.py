"""What a grid of photos costs the requests beside it: `python -m bench.thumbnails [COUNT]`.

So many thumbnails, 1280 wide, of different photos of 12 megapixels are asked for at once, twice over; beside them, one
after another, searches by product id, comparisons and prices.
"""

import asyncio
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import numpy as np
import typer
from PIL import Image
from rich.console import Console

from bench.process import serving
from catalogue.threads import ThreadBudget
from models import Encoders
from service.build import build
from service.models import DEFAULT_BUNDLE

PORT: Final = 18_433
WIDTH: Final = 1_280
BESIDE: Final = {
    "search": ("POST", "/v1/search", {"product_id": "p0"}),
    "compare": ("POST", "/v1/compare", {"a": {"product_id": "p0"}, "b": {"product_id": "p1"}}),
    "price": ("PUT", "/v1/products/p0", {"title": "mug 0", "price": 3}),
}
console = Console(width=120)


def main(count: Annotated[int, typer.Argument(min=1, help="Photos of the grid.")] = 48) -> None:
    """Print how the grid was answered and how long the others took."""
    with tempfile.TemporaryDirectory() as folder:
        data = _shop(Path(folder), count)
        with serving(data, PORT):
            asyncio.run(_measure(count))


def _shop(folder: Path, count: int) -> Path:
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    rows = []
    for at in range(count):
        large = Image.fromarray(np.roll(pixels, at, 1)).resize((4_000, 3_000), Image.Resampling.BICUBIC)
        large.save(folder / f"{at}.jpg")
        rows.append({"product_id": f"p{at}", "title": f"mug {at}", "images": [f"{at}.jpg"]})
    catalogue = folder / "shop.jsonl"
    catalogue.write_text("".join(json.dumps(row) + "\n" for row in rows))
    budget = ThreadBudget.of()
    encoders = Encoders.load(DEFAULT_BUNDLE, threads=budget.onnx)
    build(catalogue, folder / "data", "shop", encoders, decode_threads=budget.decode)
    return folder / "data"


async def _measure(count: int) -> None:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", limits=limits, timeout=120) as client:
        await _beside(client, "idle", asyncio.create_task(asyncio.sleep(2)))
        for turn in ("first", "second"):
            started = time.perf_counter()
            grid = asyncio.gather(*(client.get(f"/v1/products/p{at}/image?w={WIDTH}") for at in range(count)))
            await asyncio.sleep(0.05)
            await _beside(client, f"{turn} time", grid)
            statuses = Counter(answer.status_code for answer in await grid)
            console.print(f"{turn} time: {count} thumbnails in {time.perf_counter() - started:.1f} s, {dict(statuses)}")


async def _beside(client: httpx.AsyncClient, when: str, until: "asyncio.Future[Any]") -> None:
    took: dict[str, list[float]] = {name: [] for name in BESIDE}
    refused: Counter[int] = Counter()
    while not until.done() or not took["price"]:
        for name, (method, path, body) in BESIDE.items():
            started = time.perf_counter()
            answer = await client.request(method, path, json=body)
            refused[answer.status_code] += answer.is_error
            took[name].append(1_000 * (time.perf_counter() - started))
    said = ", ".join(f"{name} {np.median(all_):.0f} ({max(all_):.0f})" for name, all_ in took.items())
    console.print(f"{when}: ms, median and longest: {said}; not answered: {dict(+refused)}")


if __name__ == "__main__":
    typer.run(main)
