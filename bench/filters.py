"""Filters, facets and sorting over a million products: `python -m bench.filters [ROWS]`.

The products are random: 200 categories in three levels, 5,000 suppliers, prices in three currencies, and four
attributes each (8 colours, 12 sizes, 300 materials, a part number of its own).
"""

import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, get_args

import numpy as np
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from index import Filters, ProductTable
from index.facets import count
from index.products import SCHEMA, Sort

FILTERS: Final = (
    "category=C3",
    "supplier=s17",
    "price<=20",
    "colour=red",
    "category=C3 price<=20 in_stock=true",
    "supplier!=s1,s2,s3 colour=c1,c2 price=5..50",
    "colour=c1,c2,c3,c4 size=z1,z2,z3,z4,z5,z6 currency=EUR",
)
FACETS: Final = (
    "category",
    "category:1",
    "supplier",
    "currency",
    "in_stock",
    "price",
    "attribute:colour",
    "attribute:part",
)


def main(rows: Annotated[int, typer.Argument(min=1, help="Products.")] = 1_000_000) -> None:
    """Print what each costs."""
    made = _random_table(rows)
    before = _resident_mb()
    started = time.perf_counter()
    products = ProductTable.of(made)
    opened = time.perf_counter() - started
    table = Table("over " + f"{rows:,} products", "rows", "p50 ms")
    for text in FILTERS:
        filters = Filters.parse(text)
        table.add_row(text, f"{products.mask(filters).sum():,}", _p50(partial(products.mask, filters)))
    for share in (1.0, 0.01):
        mask = np.random.default_rng(0).random(rows) < share
        for name in FACETS:
            table.add_row(f"facet {name}", f"{mask.sum():,}", _p50(partial(count, [(products, mask)], [name])))
    for sort in get_args(Sort):
        started = time.perf_counter()
        products.ordered(mask, sort)
        first = (time.perf_counter() - started) * 1000
        table.add_row(
            f"sort {sort}; first {first:,.0f} ms", f"{mask.sum():,}", _p50(partial(products.ordered, mask, sort))
        )
    console = Console(width=120)
    console.print(f"columns and id table in {opened:.2f} s, {(_resident_mb() - before):,.0f} MB at most while made")
    console.print(table)


def _p50(call: Callable[[], Any], times: int = 21) -> str:
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return f"{np.median(seconds) * 1000:.2f}"


def _random_table(rows: int) -> pa.Table:
    random = np.random.default_rng(7)

    def texts(prefix: str, distinct: int) -> Any:
        return pa.array([f"{prefix}{n}" for n in range(distinct)]).take(pa.array(random.integers(0, distinct, rows)))

    categories = pa.array([f"C{n % 8} > D{n % 40} > E{n}" for n in range(200)])
    ids = pa.array([f"p{n:08d}" for n in random.permutation(rows)], pa.large_string())
    values = [texts("c", 8), texts("z", 12), texts("m", 300), ids.cast(pa.string())]
    interleaved = pa.concat_arrays(values).take(pa.array(np.arange(4 * rows).reshape(4, rows).T.ravel()))
    names = pa.array(["colour", "size", "material", "part"] * rows, pa.large_string())
    offsets = pa.array(np.arange(0, 4 * rows + 1, 4, dtype=np.int32))
    columns = {
        "product_id": ids,
        "id_hash": random.integers(0, 2**63, rows, dtype=np.uint64),
        "title": texts("a title of some words ", rows),
        "category": categories.take(pa.array(random.integers(0, 200, rows))).dictionary_encode(),
        "supplier_id": texts("s", 5_000).dictionary_encode(),
        "price": np.where(random.random(rows) < 0.1, np.nan, random.lognormal(3, 1, rows).round(2)),
        "currency": pa.array(["EUR", "USD", "CNY"]).take(pa.array(random.integers(0, 3, rows))).dictionary_encode(),
        "in_stock": pa.array(random.random(rows) < 0.7),
        "attributes": pa.MapArray.from_arrays(offsets, names, interleaved.cast(pa.large_string())),
        "photo": pa.nulls(rows, pa.string()),
        "document": pa.array([b""] * rows, pa.large_binary()),
        "style_group": pa.nulls(rows, pa.large_string()),
        "style_score": pa.nulls(rows, pa.float32()),
    }
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
