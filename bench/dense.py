"""What products with very many listings cost: `python -m bench.dense [--products N] [--work DIR]`.

Among N made-up products (`bench.planted`) lie crowds, each around one product: listings that are .80 to .95 like it, of
forty suppliers, every third without a photo; cases for 3,000 models of a telephone, from three suppliers, that all look
alike; listings that all contradict the product; and 20 GTINs of 1,000 listings each, that are unlike it, or like it and
of another colour. Each request goes through the whole gateway but for the connection, one at a time. CPU is that of all
threads, the loop's that of the event loop's alone. The snapshot is kept in DIR.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

import httpx
import numpy as np
import pyarrow as pa
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.machine import machine
from bench.planted import DIM, plant
from catalogue import Product
from catalogue.gtin import MOST_OF_A_PRODUCT, MOST_OF_ONE_GTIN, check_digit
from catalogue.settings import Settings
from index import IndexedProduct, write_snapshot
from index.products import to_table
from models import Encoders
from service.app import create_app
from service.models import DEFAULT_BUNDLE, same_from
from service.swapping import open_serving

RUNS: Final = 5
_ALIKE: Final = (0.80, 0.95)
_PLACES: Final = 30
"""What lies at one place is near-identical."""
_SUPPLIERS: Final = 40
_PHOTO: Final = "ab" * 32
console = Console(width=120)
Vectors = NDArray[np.float32]
Declares = Callable[[int], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Listings around a product, its own first, and their vectors, float32 [n, DIM]."""

    name: str
    products: list[IndexedProduct]
    vectors: Vectors


def main(
    products: Annotated[int, typer.Option(help="Size of the catalogue around them.")] = 200_000,
    work: Annotated[Path, typer.Option(help="Where its snapshot is kept.")] = Path("data/bench"),
    percent: Annotated[int, typer.Option(help="How large the crowds are; a few for a small try.")] = 100,
) -> None:
    """Print milliseconds of each kind of request."""
    data, made = work / f"dense-{products}-{percent}", crowds(percent)
    if not (data / "snapshots").exists():
        _write(data, products, made)
    console.print(machine())
    console.print(asyncio.run(_measured(data, made)))


def crowds(percent: int = 100) -> list[Crowd]:
    """All of them, the same each time."""
    shared, others = ([_gtin(first + number) for number in range(MOST_OF_A_PRODUCT)] for first in (0, 100))
    black = {"colour": "black", "material": "steel"}
    of_gtins = MOST_OF_A_PRODUCT * (MOST_OF_ONE_GTIN - 1)
    wanted: list[tuple[str, int, dict[str, str], Declares, dict[str, Any]]] = [
        *((f"{size:,} listings", size, {"material": "steel"}, _reference, {}) for size in (10, 300, 3_000)),
        ("3,000 models", 3_000, {}, lambda n: {"model": f"X{n}"}, {"places": 1, "suppliers": 3}),
        ("10,000 contradict", 10_000, black, _coloured, {}),
        (
            "20 GTINs, unlike",
            of_gtins,
            black | {"EAN": "; ".join(shared)},
            lambda n: {"EAN": shared[n % len(shared)]},
            {"likeness": (-0.3, -0.1)},
        ),
        (
            "20 GTINs, contradict",
            of_gtins,
            black | {"EAN": "; ".join(others)},
            lambda n: {"EAN": others[n % len(others)]} | _coloured(n),
            {"likeness": (0.4, 0.7)},
        ),
    ]
    return [
        _crowd(number, name, max(2, size * percent // 100), own, declares, **how)
        for number, (name, size, own, declares, how) in enumerate(wanted)
    ]


def _crowd(
    number: int,
    name: str,
    count: int,
    own: dict[str, str],
    declares: Declares,
    *,
    likeness: tuple[float, float] = _ALIKE,
    places: int = _PLACES,
    suppliers: int = _SUPPLIERS,
) -> Crowd:
    random = np.random.default_rng(number)
    centre = _unit(random.normal(size=DIM))
    aside = _unit(_across(random.normal(size=(places, DIM)), centre))
    at = random.integers(0, places, count)
    cosine = np.linspace(*likeness[::-1], places)[at, np.newaxis]
    vectors = _unit(cosine * centre + np.sqrt(1 - cosine**2) * aside[at] + random.normal(0, 0.012, (count, DIM)))
    products = [
        _listing(f"c{number}-{n}", f"shop-{n % suppliers}", n, {"seller note": "as new", **declares(n)})
        for n in range(count)
    ]
    first = _listing(f"c{number}", "maker", 0, own)
    return Crowd(name, [first, *products], np.concatenate([centre[np.newaxis], vectors]).astype(np.float32))


def _listing(product_id: str, supplier: str, number: int, attributes: dict[str, str]) -> IndexedProduct:
    product = Product(
        product_id=product_id,
        title=f"Thermos flask 750 ml with cup, keeps warm {12 + number % 2 * 12} h, from {supplier}, no {number}",
        supplier_id=supplier,
        category="Home > Kitchen > Flasks",
        price=None if number % 7 == 6 else 5 + number % 400 / 10,
        currency="EUR",
        in_stock=number % 5 > 0,
        attributes=attributes,
    )
    return IndexedProduct(product=product, photo=None if number % 3 == 2 else _PHOTO)


def _reference(number: int) -> dict[str, str]:
    return {"item no": f"R-{number}", "colour": "black"}


def _coloured(number: int) -> dict[str, str]:
    return {"item no": f"R-{number}", "colour": ("white", "navy", "green", "red")[number % 4]}


def _gtin(number: int) -> str:
    digits = f"400638{number:06d}"
    return f"{digits}{check_digit(digits + '0')}"


def _write(data: Path, count: int, made: list[Crowd]) -> None:
    """A snapshot of the shipped bundle's space, as a build would write it, groups and all."""
    planted, encoders = plant(count), Encoders.load(DEFAULT_BUNDLE)
    tables = [planted.products, *(to_table(crowd.products) for crowd in made)]
    write_snapshot(
        data / "snapshots",
        "dense",
        pa.concat_tables(tables).unify_dictionaries(),
        {"fusion": np.concatenate([planted.vectors, *(crowd.vectors.astype(np.float16) for crowd in made)])},
        model=encoders.name,
        fingerprint=encoders.fingerprint,
        variant="made up",
        same=same_from(encoders),
    )


async def _measured(data: Path, made: list[Crowd]) -> Table:
    serving, swaps = await asyncio.to_thread(open_serving, Settings(data=data))
    app = create_app(serving, swaps, cursor_secret=b"bench")
    products = len(serving.served["live"].retrieval.view)
    columns = ("", "", "first, CPU ms", "CPU ms", "loop ms", "wall ms", "hits in all")
    table = Table(*columns, title=f"{products:,} products; median of {RUNS}")
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        for crowd in made:
            for name, ask in _requests(client, crowd.products[0].product.product_id).items():
                table.add_row(crowd.name, name, *await _timed(ask))
            table.add_section()
    return table


def _requests(client: httpx.AsyncClient, product_id: str) -> dict[str, Callable[[], Awaitable[dict[str, Any]]]]:
    tab = f"/v1/products/{product_id}/same-style"

    async def get(path: str, **params: str) -> dict[str, Any]:
        return _answer(await client.get(path, params=params))

    async def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
        return _answer(await client.post(path, json=body))

    async def second() -> dict[str, Any]:
        cursor = (await get(tab))["next_cursor"]
        return await get(tab, cursor=cursor) if cursor else {}

    pair = {"a": {"product_id": product_id}, "b": {"product_id": f"{product_id}-0"}}
    return {
        "search": lambda: post("/v1/search", {"product_id": product_id}),
        "same-style": lambda: get(tab),
        "same-style, sort=price": lambda: get(tab, sort="price"),
        "same-style, two pages": second,
        "similar": lambda: get(f"/v1/products/{product_id}/similar"),
        "search, group_by=style": lambda: post("/v1/search", {"product_id": product_id, "group_by": "style"}),
        "compare": lambda: post("/v1/compare", pair),
    }


def _answer(response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = response.json()
    return found if response.is_success else {"total": response.status_code, "next_cursor": None}


async def _timed(ask: Callable[[], Awaitable[dict[str, Any]]]) -> tuple[str, ...]:
    """CPU the first time; median CPU, that of the event loop, and time; and how many hits there are said to be."""
    clocks = (time.process_time, time.thread_time, time.perf_counter)
    took: list[list[float]] = []
    found: dict[str, Any] = {}
    for _ in range(1 + RUNS):
        before = [clock() for clock in clocks]
        found = await ask()
        took.append([clock() - start for clock, start in zip(clocks, before, strict=True)])
    total = found.get("total")
    more = "" if found.get("total_is_exact", True) else " or more"
    figures = (f"{median(each) * 1e3:.1f}" for each in zip(*took[1:], strict=True))
    return (f"{took[0][0] * 1e3:.1f}", *figures, "" if total is None else f"{total:,}{more}")


def _across(vectors: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """At right angles to a unit vector."""
    across: NDArray[np.float64] = vectors - (vectors @ to)[:, np.newaxis] * to
    return across


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


if __name__ == "__main__":
    typer.run(main)
