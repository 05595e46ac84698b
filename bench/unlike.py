"""What "less like this" leaves of what was asked for: `python -m bench.unlike [DATA]`, of the demo shop.

Each of its kinds is looked for, once as it is and once less like the first hit. Of the first ten, how many are of that
kind, and how many of the style that was not wanted.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from catalogue import demo
from catalogue.product import Product
from catalogue.readers import usable_rows
from catalogue.settings import Settings
from service.query import Found, Query
from service.ranking import Scope
from service.retrieval import Retrieval
from service.swapping import answering

DATA: Final = Path("data/demo")
_K: Final = 10


def main(data: Annotated[Path, typer.Argument(help="The demo's data directory.")] = DATA) -> None:
    """Print the table for queries by words, by product and by a product's photo with words."""
    asyncio.run(_measure(data))


async def _measure(data: Path) -> None:
    rows = [row.product for row in usable_rows(demo.CATALOGUE)]
    one_of = {product.category: product for product in reversed(rows) if product.category}
    styles = {product.product_id: product.style_id for product in rows}
    table = Table("query", "of the kind", "less like the first", "of that style", "less like the first")
    async with answering(Settings(data=data)) as retrieval:
        for name in ("words", "product", "photo and “blue”"):
            counts = np.array([await _asked(retrieval, _query(name, one), one, styles) for one in one_of.values()])
            table.add_row(name, *(f"{share:.2f}" for share in counts.mean(axis=0) / _K))
    Console().print(f"{len(one_of)} kinds, of the first {_K}:")
    Console().print(table)


def _query(name: str, product: Product) -> Query:
    if name == "words":
        return Query(text=(product.category or "").rpartition(" > ")[2].lower())
    return Query(product_id=product.product_id, text=None if name == "product" else "blue")


async def _asked(
    retrieval: Retrieval, query: Query, product: Product, styles: dict[str, str | None]
) -> tuple[int, int, int, int]:
    """How many hits are of the kind of `product`, before and after, and of the style of the first, before and after."""
    before = (await retrieval.search(query, Scope(k=_K))).found
    unwanted = before[0].item.product.product_id
    after = (await retrieval.search(replace(query, negatives=[unwanted]), Scope(k=_K))).found

    def of_kind(found: Sequence[Found]) -> int:
        return sum(each.item.product.category == product.category for each in found)

    def of_style(found: Sequence[Found]) -> int:
        return sum(styles[each.item.product.product_id] == styles[unwanted] for each in found)

    return of_kind(before), of_kind(after), of_style(before), of_style(after)


if __name__ == "__main__":
    typer.run(main)
