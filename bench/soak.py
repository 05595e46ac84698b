"""Mixed requests of all kinds and sizes against the real process for minutes: `python -m bench.soak`.

Prints answers by kind and status, latency, and the process's resident memory along the way. Exits 1 on an answer that
its kind should not get (other than the refusals 429, 503 and 504), and where memory grew by more than 5 % from the
second tenth of the requests on.
"""

import asyncio
import base64
import io
import random
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import numpy as np
import orjson
import typer
import uvloop
from PIL import Image
from rich.console import Console
from rich.table import Table

from bench.load import Connection, Request, percentiles_ms
from bench.process import SAMESTYLE, Gateway, serving
from catalogue import Product, demo
from catalogue.readers import usable_rows
from service.schemas import MAX_TEXT

DATA: Final = Path("data/demo")
PORT: Final = 18_432
REQUESTS: Final = 50_000
CLIENTS: Final = 8
SAMPLES: Final = 10
GROWTH: Final = 0.05
FULL_SOON: Final = {"CACHE__MEMORY_BYTES": "4000000", "CACHE__TOKENS_MEMORY_BYTES": "4000000"}
"""Caches that are full after the first tenth, so that what grows afterwards is no cache."""
_BY_DESIGN: Final = frozenset({429, 503, 504})
_EXPECTED: Final[Mapping[str, frozenset[int]]] = {
    "bad": frozenset({400, 422}),
    "photo by url": frozenset({400}),  # photos are fetched from nowhere unless a setting says so
}
"""The answers of each kind where they are not 200."""
_CURSORS: Final = 64


def main(
    requests: Annotated[int, typer.Option(min=SAMPLES, help="How many requests.")] = REQUESTS,
    data: Annotated[Path, typer.Option(help="Where the demo shop is, or is built.")] = DATA,
) -> None:
    """Run the requests and print the report."""
    subprocess.run([SAMESTYLE, "demo", "--once", "--data", str(data)], check=True, capture_output=True)
    with serving(data, PORT, **FULL_SOON) as gateway:
        outcome = soak(gateway, requests)
    _report(outcome)
    sys.exit(int(bool(outcome.faults)))


Choice = TypeVar("Choice")


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By kind and status; status 0 where the connection failed."""
    seconds: dict[str, list[float]] = field(default_factory=dict)
    memory_mb: list[float] = field(default_factory=list)
    """Resident, after each tenth."""
    took_s: float = 0.0

    @property
    def growth(self) -> float:
        """The share by which memory grew at most after the second tenth, by when everything has been used."""
        return max(self.memory_mb[1:]) / self.memory_mb[1] - 1

    @property
    def faults(self) -> list[str]:
        """What must not be."""
        wrong = {
            (kind, status): count
            for (kind, status), count in self.answers.items()
            if status not in _EXPECTED.get(kind, {200}) | _BY_DESIGN
        }
        told = [f"{count} of kind {kind!r} were answered {status}" for (kind, status), count in wrong.items()]
        if self.growth > GROWTH:
            told.append(f"memory grew by {self.growth:.1%} after the second tenth")
        return told


def soak(gateway: Gateway, requests: int) -> Outcome:
    """So many requests of random kinds against a gateway on the demo shop."""
    outcome, mix = Outcome(), Mix()
    started = time.perf_counter()
    for _ in range(SAMPLES):
        some = (mix.request() for _ in range(requests // SAMPLES))  # made when their turn comes: cursors are of before
        uvloop.run(_some(gateway.port, some, mix, outcome))
        outcome.memory_mb.append(gateway.memory_mb()["resident"])
    outcome.took_s = time.perf_counter() - started
    return outcome


async def _some(port: int, requests: Iterator[tuple[str, Request]], mix: "Mix", outcome: Outcome) -> None:
    async def client() -> None:
        connection = Connection(port)
        for kind, request in requests:
            started = time.perf_counter()
            status, body = await connection.ask(request)
            outcome.seconds.setdefault(kind, []).append(time.perf_counter() - started)
            outcome.answers[kind, status] += 1
            if status == 200 and kind in mix.has_cursors:
                mix.remember(body)
        connection.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


class Mix:
    """Requests of random kinds and sizes; cursors are those of answers before."""

    has_cursors: Final = frozenset({"id", "words", "next page", "groups"})

    def __init__(self) -> None:
        self._products = [row.product for row in usable_rows(demo.CATALOGUE)]
        self._cursors: deque[str] = deque(maxlen=_CURSORS)
        self._kinds: Mapping[str, tuple[int, Callable[[Product], Request]]] = {
            "id": (18, self._id),
            "words": (6, lambda product: _search(text=_words(product))),
            "photo": (10, lambda product: _upload(_photo(product), k="5")),
            "photo and words": (3, lambda product: _upload(_photo(product), text=_words(product))),
            "odd photo": (4, lambda _: _upload(_odd_photo())),
            "crop": (2, lambda product: _upload(_photo(product), crop=f"[0,0,{random.uniform(0.3, 1):.2f},1]")),
            "next page": (10, self._next_page),
            "groups": (6, self._groups),
            "negatives": (4, self._negatives),
            "batch": (3, self._batch),
            "compare": (6, self._compare),
            "embed": (2, self._embed),
            "photo by url": (4, lambda product: _search(image_url=f"https://photos.example/{product.product_id}.jpg")),
            "tab": (8, lambda product: Request(f"/v1/products/{product.product_id}/{_one('same-style', 'similar')}")),
            "browse": (8, lambda _: Request(f"/v1/products?sort={_one('price', 'title')}&facets=category")),
            "thumbnail": (6, _thumbnail),
            "bad": (6, lambda _: Request("/v1/search", "POST", _bad())),
        }

    def request(self) -> tuple[str, Request]:
        """Its kind, and what is asked."""
        weights = [weight for weight, _ in self._kinds.values()]
        (kind,) = random.choices(list(self._kinds), weights)
        if kind == "next page" and not self._cursors:
            kind = "id"
        return kind, self._kinds[kind][1](self._any())

    def remember(self, body: bytes) -> None:
        """Go on from this answer at times."""
        cursor: str | None = orjson.loads(body)["next_cursor"]
        if cursor is not None:
            self._cursors.append(cursor)

    def _any(self) -> Product:
        return random.choice(self._products)

    def _id(self, product: Product) -> Request:
        return _search(product_id=product.product_id, k=random.randrange(1, 100), explain=_one(True, False))

    def _next_page(self, _: Product) -> Request:
        return _search(cursor=random.choice(self._cursors), k=7)

    def _groups(self, product: Product) -> Request:
        return _search(product_id=product.product_id, group_by=_one("supplier", "style"), facets=["supplier"])

    def _negatives(self, product: Product) -> Request:
        others = [self._any().product_id for _ in range(3)]
        return _search(product_id=product.product_id, negatives=others[:2], exclude=others)

    def _batch(self, product: Product) -> Request:
        queries: list[dict[str, Any]] = [{"product_id": self._any().product_id} for _ in range(random.randrange(1, 12))]
        return Request.post("/v1/search/batch", {"queries": [*queries, {"text": _words(product)}, {"text": ""}]})

    def _compare(self, product: Product) -> Request:
        other = _one({"product_id": self._any().product_id}, {"text": self._any().title})
        return Request.post("/v1/compare", {"a": {"product_id": product.product_id}, "b": other})

    def _embed(self, product: Product) -> Request:
        photo = base64.b64encode(_photo(product)).decode()
        inputs = [{"text": product.title}, {"product_id": product.product_id}, {"image": photo}]
        return Request.post("/v1/embed", {"inputs": inputs, "encoding": _one("float", "base64")})


def _one(*choices: Choice) -> Choice:
    return random.choice(choices)


def _search(**body: Any) -> Request:
    return Request.post("/v1/search", body)


def _upload(photo: bytes, **fields: str) -> Request:
    return Request.upload("/v1/search/upload", photo, **fields)


def _words(product: Product) -> str:
    """A title and a number, at times many times over."""
    return f"{product.title} {random.randrange(10_000)} " * _one(1, 1, 1, 10)


def _photo(product: Product) -> bytes:
    return (demo.CATALOGUE.parent / product.images[0]).read_bytes()


def _thumbnail(product: Product) -> Request:
    return Request(f"/v1/products/{product.product_id}/image?w={random.randrange(1, 1280)}")


def _bad() -> bytes:
    large = b'{"text": "' + b"x" * random.randrange(MAX_TEXT + 1, 100_000) + b'"}'
    return bytes(_one(b"{", b'{"k": 0}', b'{"text": ""}', b'{"image": "AAAA"}', random.randbytes(100), large))


def _odd_photo() -> bytes:
    """A photo of any size, shape, mode and format."""
    size = (random.choice([1, 7, 300, 2000]), random.choice([1, 7, 300, 2000]))
    noise = Image.fromarray(np.random.default_rng(random.randrange(99)).integers(0, 255, (8, 8, 3), np.uint8))
    out = io.BytesIO()
    mode, kind = random.choice([("RGB", "JPEG"), ("CMYK", "JPEG"), ("L", "PNG"), ("RGBA", "WEBP"), ("P", "GIF")])
    noise.resize(size).convert(mode).save(out, kind)
    return out.getvalue()


def _report(outcome: Outcome) -> None:
    console = Console(width=110)
    total, took = outcome.answers.total(), outcome.took_s
    console.print(f"{datetime.now(UTC):%Y-%m-%d}: {total:,} requests, {CLIENTS} clients, {took:.0f} s")
    table = Table("kind", "answers by status", "p50 ms", "p99 ms")
    for kind, times in sorted(outcome.seconds.items()):
        counts = sorted((status, count) for (of, status), count in outcome.answers.items() if of == kind)
        by_status = ", ".join(f"{status}: {count}" for status, count in counts)
        table.add_row(kind, by_status, *(f"{each:.0f}" for each in percentiles_ms(times, 50, 99)))
    console.print(table)
    console.print(f"resident MB after each tenth: {', '.join(f'{size:.0f}' for size in outcome.memory_mb)}")
    console.print(f"most after the second: {outcome.growth:+.1%}")
    for fault in outcome.faults:
        console.print(fault)


if __name__ == "__main__":
    typer.run(main)
