"""How often the "from more suppliers" tab is right: `python -m bench.same_style [CATALOGUE ...]`.

On the demo's held-out styles, as the service answers (`make demo` first); and over all pairs of the products of other
catalogues with style ids, as a bundle sees them.
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import numpy as np
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
from service.models import threshold
from service.retrieval import Retrieval
from service.same_style import same_style
from service.swapping import answering

DATA: Final = Path("data/demo")
console = Console(width=140)


def main(
    catalogues: Annotated[list[Path] | None, typer.Argument(help="With style ids; none: the demo shop.")] = None,
    bundle: Annotated[Path, typer.Option(help="The bundle that sees them.")] = Path("models/default"),
) -> None:
    """Print precision, recall and how often the first one shown is right; of other catalogues what pairs are."""
    if not catalogues:
        products = [row.product for row in usable_rows(demo.CATALOGUE)]
        asyncio.run(_ask(products))
        return
    encoders = Encoders.load(bundle)
    for path in catalogues:
        console.print(_pairs(encoders, path))


async def _ask(products: list[Product]) -> None:
    async with answering(Settings(data=DATA)) as retrieval:
        await _measure(retrieval, products)


async def _measure(retrieval: Retrieval, products: list[Product]) -> None:
    styles = {product.product_id: product.style_id for product in products}
    shown = right = first = wanted = 0
    queries = [product for product in products if product.style_id and demo.is_held_out(product.style_id)]
    for query in queries:
        found = [hit.item.product for hit in (await same_style(retrieval, query.product_id, 100)).found]
        hits = [product.style_id == query.style_id for product in found]
        shown, right, first = shown + len(hits), right + sum(hits), first + sum(hits[:1])
        wanted += sum(
            styles[product.product_id] == query.style_id and product.supplier_id != query.supplier_id
            for product in products
        )
    console.print(
        f"{len(queries)} products: {right} of {shown} shown are right ({right / shown:.2f}), "
        f"{right} of {wanted} to be found are shown ({right / wanted:.2f}), "
        f"the first shown is right for {first} ({first / len(queries):.2f})"
    )


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
