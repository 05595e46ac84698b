"""How often the "from more suppliers" tab is right on the demo's held-out styles: `python -m bench.same_style`."""

import asyncio
from pathlib import Path

from rich.console import Console

from catalogue import Product, demo
from catalogue.readers import CatalogueRow, read_catalogue
from catalogue.settings import Settings
from service.retrieval import Retrieval
from service.swapping import answering

DATA = Path("data/demo")


def main() -> None:
    """Print precision, recall and how often the first one shown is right."""
    products = [row.product for row in read_catalogue(demo.CATALOGUE) if isinstance(row, CatalogueRow)]
    asyncio.run(_ask(products))


async def _ask(products: list[Product]) -> None:
    async with answering(Settings(data=DATA)) as retrieval:
        await _measure(retrieval, products)


async def _measure(retrieval: Retrieval, products: list[Product]) -> None:
    styles = {product.product_id: product.style_id for product in products}
    shown = right = first = wanted = 0
    queries = [product for product in products if product.style_id and demo.is_held_out(product.style_id)]
    for query in queries:
        found = [hit.item.product for hit in (await retrieval.same_style(query.product_id, 100)).found]
        hits = [product.style_id == query.style_id for product in found]
        shown, right, first = shown + len(hits), right + sum(hits), first + sum(hits[:1])
        wanted += sum(
            styles[product.product_id] == query.style_id and product.supplier_id != query.supplier_id
            for product in products
        )
    Console().print(
        f"{len(queries)} products: {right} of {shown} shown are right ({right / shown:.2f}), "
        f"{right} of {wanted} to be found are shown ({right / wanted:.2f}), "
        f"the first shown is right for {first} ({first / len(queries):.2f})"
    )


if __name__ == "__main__":
    main()
