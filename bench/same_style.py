"""How often the "from more suppliers" tab is right: `python -m bench.same_style [CATALOGUE ...]`.

On the demo's held-out styles, as the service answers (`make demo` first); and of other catalogues with style ids over
all pairs of products, as a bundle sees them, or (`--suppliers`) as the service answers.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from catalogue import Product, demo
from catalogue.errors import InvalidInput
from catalogue.readers import usable_rows
from catalogue.settings import Settings
from catalogue.variant_table import Variants
from models import Encoders
from models.evaluation.data import read_catalogue_data
from models.evaluation.embedding import Request, embed_requests
from models.evaluation.photos import Photos
from service import rivals
from service.build import build
from service.models import threshold
from service.retrieval import Retrieval
from service.same_style import same_style
from service.swapping import answering

DATA: Final = Path("data/demo")
_RULES: Final = ((0, 0), (1, 0.02), (2, 0), (2, 0.01), (2, 0.02), (3, 0.02))
"""Weights and leads; 0 is likeness alone."""
console = Console(width=140)


def main(
    catalogues: Annotated[list[Path] | None, typer.Argument(help="With style ids; none: the demo shop.")] = None,
    bundle: Annotated[Path, typer.Option(help="The bundle that sees them.")] = Path("models/default"),
    suppliers: Annotated[int, typer.Option(help="Made-up suppliers that have the listings of a .parquet.")] = 0,
) -> None:
    """Print precision, recall and how often the first one shown is right; of other catalogues what pairs are."""
    if not catalogues:
        products = [row.product for row in usable_rows(demo.CATALOGUE)]
        queries = [product for product in products if product.style_id and demo.is_held_out(product.style_id)]
        console.print(asyncio.run(_ask(DATA, products, queries)))
        return
    encoders = Encoders.load(bundle)
    for path in catalogues:
        console.print(_at_suppliers(encoders, path, suppliers) if suppliers else _pairs(encoders, path))


async def _ask(data: Path, products: list[Product], queries: list[Product]) -> Table:
    """What is shown where rivals count more or less; 2 and 0.02 are what the service goes by."""
    table = Table("weight", "lead", "shown", "right", "share", "found of all", "first is right", title=data.name)
    async with answering(Settings(data=data)) as retrieval:
        for weight, lead in _RULES:
            with patch.multiple(rivals, WEIGHT=weight, LEAD=lead):
                table.add_row(f"{weight:g}", f"{lead:g}", *await _measure(retrieval, products, queries))
    return table


async def _measure(retrieval: Retrieval, products: list[Product], queries: list[Product]) -> list[str]:
    styles = {product.product_id: product.style_id for product in products}
    shown = right = first = wanted = 0
    for query in queries:
        found = [hit.item.product for hit in (await same_style(retrieval, query.product_id, 100)).found]
        hits = [styles[product.product_id] == query.style_id for product in found]
        shown, right, first = shown + len(hits), right + sum(hits), first + sum(hits[:1])
        wanted += sum(
            styles[product.product_id] == query.style_id and product.supplier_id != query.supplier_id
            for product in products
        )
    shares = (right / shown, right / wanted, first / len(queries))
    return [f"{shown:,}", f"{right:,}", *(f"{share:.3f}" for share in shares)]


def _at_suppliers(encoders: Encoders, catalogue: Path, suppliers: int) -> Table:
    with at_suppliers(encoders, catalogue, suppliers) as data:
        products = [row.product for row in usable_rows(data.parent / catalogue.name)]
        sizes = Counter(product.style_id for product in products)
        queries = [product for product in products if product.style_id and sizes[product.style_id] > 1]
        return asyncio.run(_ask(data, products, queries))


@contextmanager
def at_suppliers(encoders: Encoders, catalogue: Path, suppliers: int) -> Iterator[Path]:
    """The index, beside it the catalogue, whose listings are shared out among made-up suppliers by chance.

    So some have a product more than once.
    """
    with TemporaryDirectory() as folder:
        table = pq.read_table(catalogue)
        names = np.random.default_rng(0).integers(0, suppliers, len(table)).astype(str)
        named = table.drop_columns([name for name in ("supplier_id",) if name in table.column_names])
        shop = Path(folder) / catalogue.name
        pq.write_table(named.append_column("supplier_id", pa.array(names)), shop)
        data = Path(folder) / f"{catalogue.stem} at {suppliers} suppliers"
        build(shop, data, "shop", encoders, decode_threads=1)
        yield data


def _pairs(encoders: Encoders, path: Path) -> Table:
    """Of all pairs at or above the threshold, how many are of one style; of those that contradict each other too."""
    with ExitStack() as stack:
        photos = stack.enter_context(Photos(path.parent))
        products = read_catalogue_data(path, photos).products
        rows = [row for row in range(len(products)) if row in photos]
        requests = [Request(row, encoders.product_text(products[row])) for row in rows]
        vectors = embed_requests(encoders, requests, photos.load).of(requests)
    products = [products[row] for row in rows]
    least = threshold(encoders, "same_style")
    if least is None:
        raise InvalidInput(
            f"{encoders.name} has no threshold for two products. `samestyle evaluate --calibrate` sets it."
        )
    one, other = np.nonzero(np.triu(vectors @ vectors.T >= least, 1))
    same = np.array([products[a].style_id == products[b].style_id for a, b in zip(one, other, strict=True)])
    declared = _variants([product.model_copy(update={"title": ""}) for product in products], one, other)
    told = _variants(products, one, other)
    table = Table("pairs at or above the threshold", "there are", "of one style", "share", title=path.name)
    for name, chosen in {
        "all": np.ones(len(one), np.bool_),
        "that do not contradict each other by attributes": ~declared,
        "nor in their titles": ~told,
        "that contradict each other in their titles alone": told & ~declared,
    }.items():
        count, right = int(chosen.sum()), int((chosen & same).sum())
        table.add_row(name, f"{count:,}", f"{right:,}", f"{right / count:.3f}" if count else "")
    return table


def _variants(products: Sequence[Product], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    return Variants.of(products).contradict(one, other)


if __name__ == "__main__":
    typer.run(main)
