"""Mixed requests of all kinds and sizes against the real process for minutes: `python -m bench.soak`.

Prints answers by kind and status, latency, and the process's resident memory along the way; exits 1 on any 5xx.
"""

import asyncio
import io
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from catalogue import Product, demo
from catalogue.readers import CatalogueRow, read_catalogue

DATA = Path("data/demo")
PORT = 18_432
REQUESTS = 20_000
CLIENTS = 8
SAMPLES = 10

Request = tuple[str, str, dict[str, Any]]
"""Kind, path, and how httpx is to send it."""


def main() -> None:
    """Run the requests and print the report."""
    samestyle = str(Path(sys.executable).parent / "samestyle")
    subprocess.run([samestyle, "demo", "--once", "--data", str(DATA)], check=True, capture_output=True)
    sys.exit(asyncio.run(_soak(samestyle)))


async def _soak(samestyle: str) -> int:
    products = [row.product for row in read_catalogue(demo.CATALOGUE) if isinstance(row, CatalogueRow)]
    outcomes: Counter[tuple[str, int]] = Counter()
    seconds: dict[str, list[float]] = {}
    memory: list[float] = []
    started = time.perf_counter()
    async with _serve(samestyle) as (pid, client):
        for _ in range(SAMPLES):
            requests = iter([_request(products) for _ in range(REQUESTS // SAMPLES)])
            await asyncio.gather(*(_ask(client, requests, outcomes, seconds) for _ in range(CLIENTS)))
            memory.append(_resident_mb(pid))
    _report(outcomes, seconds, memory, time.perf_counter() - started)
    return int(any(status >= 500 for _, status in outcomes))


def _request(products: list[Product]) -> Request:  # noqa: PLR0911  # one line a kind
    """One request of a random kind."""
    product = random.choice(products)
    kind = random.choice(["id", "words", "photo", "photo and words", "odd photo", "tab", "browse", "thumbnail", "bad"])
    words = f"{product.title} {random.randrange(10_000)} " * random.choice([1, 1, 1, 10])
    match kind:
        case "id":
            return kind, "/v1/search", {"json": {"product_id": product.product_id, "k": random.randrange(1, 100)}}
        case "words":
            return kind, "/v1/search", {"json": {"text": words}}
        case "photo" | "photo and words":
            photo = (demo.CATALOGUE.parent / product.images[0]).read_bytes()
            fields = {"text": words} if kind == "photo and words" else {"k": "5"}
            return kind, "/v1/search/upload", {"files": {"image": photo}, "data": fields}
        case "odd photo":
            return kind, "/v1/search/upload", {"files": {"image": _odd_photo()}}
        case "tab":
            tab = random.choice(["same-style", "similar"])
            return kind, f"/v1/products/{product.product_id}/{tab}", {"method": "GET"}
        case "browse":
            return kind, f"/v1/products?sort={random.choice(['price', 'title'])}", {"method": "GET"}
        case "thumbnail":
            return kind, f"/v1/products/{product.product_id}/image?w={random.randrange(1, 1280)}", {"method": "GET"}
        case _:
            bodies = [b"{", b'{"k": 0}', b'{"text": ""}', b'{"image": "AAAA"}', random.randbytes(100), b'{"text": 1}']
            headers = {"content-type": "application/json"}
            return kind, "/v1/search", {"content": random.choice(bodies), "headers": headers}


def _odd_photo() -> bytes:
    """A photo of any size, shape, mode and format."""
    size = (random.choice([1, 7, 300, 2000]), random.choice([1, 7, 300, 2000]))
    noise = Image.fromarray(np.random.default_rng(random.randrange(99)).integers(0, 255, (8, 8, 3), np.uint8))
    out = io.BytesIO()
    mode, kind = random.choice([("RGB", "JPEG"), ("CMYK", "JPEG"), ("L", "PNG"), ("RGBA", "WEBP"), ("P", "GIF")])
    noise.resize(size).convert(mode).save(out, kind)
    return out.getvalue()


async def _ask(
    client: httpx.AsyncClient, requests: Any, outcomes: Counter[tuple[str, int]], seconds: dict[str, list[float]]
) -> None:
    for kind, path, how in requests:
        started = time.perf_counter()
        answer = await client.request(how.pop("method", "POST"), path, **how)
        seconds.setdefault(kind, []).append(time.perf_counter() - started)
        outcomes[kind, answer.status_code] += 1


@asynccontextmanager
async def _serve(samestyle: str) -> AsyncIterator[tuple[int, httpx.AsyncClient]]:
    server = subprocess.Popen(  # noqa: ASYNC220  # started once, before any request
        [samestyle, "serve", "--data", str(DATA), "--port", str(PORT)], stderr=subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", timeout=60) as client:
            for _ in range(300):
                try:
                    (await client.get("/readyz")).raise_for_status()
                    break
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)
            yield server.pid, client
    finally:
        server.terminate()
        server.wait()


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def _report(
    outcomes: Counter[tuple[str, int]], seconds: dict[str, list[float]], memory: list[float], took: float
) -> None:
    console = Console(width=100)
    console.print(f"{datetime.now(UTC):%Y-%m-%d}: {outcomes.total():,} requests, {CLIENTS} clients, {took:.0f} s")
    table = Table("kind", "answers by status", "p50 ms", "p99 ms")
    for kind, times in sorted(seconds.items()):
        by_status = ", ".join(f"{status}: {count}" for (of, status), count in sorted(outcomes.items()) if of == kind)
        table.add_row(kind, by_status, *(f"{np.percentile(times, share) * 1000:.0f}" for share in (50, 99)))
    console.print(table)
    console.print(f"resident MB after each tenth: {', '.join(f'{size:.0f}' for size in memory)}")


if __name__ == "__main__":
    main()
