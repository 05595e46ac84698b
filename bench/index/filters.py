"""Filtered search in a process of its own: `python -m bench.index.filters samestyle|hnswlib WORK ROWS`.

A filter passes .01 to 50 % of the products: those nearest to the query (correlated), those farthest from it
(anti-correlated) or any (random). One to three conditions say so together: one of some values of an attribute, then a
price and a stock that four in five products have. A query goes the whole way: `Filters`, the product table's mask, the
index; its truth is a scan of what passes. Each is asked of a table that knows none of its conditions, then of one that
does.
"""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.index.cells import LEVELS, Cells
from bench.index.data import Data, K, Vectors, load
from bench.index.libraries import Hnswlib
from bench.index.own import IndexAlone, product_table
from index import Filters, ProductTable
from index.columns import Arrays
from index.exact import FlatIndex
from index.products import packed

SHARES: Final = (0.0001, 0.001, 0.01, 0.1, 0.5)
LIES: Final = ("random", "correlated", "anti-correlated")
PREDICATES: Final = (1, 2, 3)
_QUERIES: Final = 24
"""Per share, lie and number of conditions; each has a filter of its own."""
_ASKED: Final = 3
_SLOW_QUERIES: Final = 2
"""And each asked once, where a filter that lets few pass takes seconds."""
_OTHERS: Final = 0.8
"""What a further condition lets pass."""
_LIMIT_MS: Final = 5.0
_HNSWLIB_EFFORT: Final = 232
"""What gives it a recall of .99 without a filter, at a million."""

Answer = dict[str, Any]
Search = Callable[[Vectors, NDArray[np.bool_] | None], NDArray[np.int64]]


@dataclass(frozen=True)
class Shop:
    """The products whose attributes place them near a query or far from it."""

    data: Data
    cells: Cells
    arrays: Arrays
    products: ProductTable
    flat: FlatIndex

    @classmethod
    def of(cls, data: Data) -> "Shop":
        """Products in `LEVELS` of cells (attributes a0, a1, a2), and in as many at random (a3, a4, a5)."""
        cells = Cells.of(data.base)
        table = product_table(len(data.base), np.hstack([cells.of_row, cells.at_random()]), in_stock=_OTHERS)
        arrays = packed(table)
        return cls(data, cells, arrays, ProductTable(arrays), FlatIndex(np.asarray(data.base)))

    def unasked(self) -> ProductTable:
        """The same products, of which nothing has been asked yet."""
        return ProductTable(self.arrays)

    def filters(self, query: Vectors, share: float, lie: str, predicates: int) -> Filters:
        """Conditions that let `share` of the products pass, as near as the cells allow."""
        level, cells = self.cells.choose(query, share / _OTHERS ** (predicates - 1), lie)
        name = f"a{level + LEVELS * (lie == 'random')}"
        wanted: dict[str, Any] = {"attributes": {name: tuple(map(str, cells))}}
        if predicates > 1:
            wanted["max_price"] = float(np.quantile(self.products.columns.prices, _OTHERS))
        if predicates > 2:
            wanted["in_stock"] = True
        return Filters(**wanted)

    def truth(self, query: Vectors, allowed: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The scores of the ten nearest that pass."""
        return self.flat.search(query, K, allowed).scores


def measure(name: str, work: Path, rows: int) -> dict[str, list[Answer]]:
    """A table for each way that a library is asked."""
    data = load(work, rows)
    if name == "hnswlib":
        ef = _HNSWLIB_EFFORT
        return {f"hnswlib, ef {ef}": _table(Shop.of(data), _hnswlib(work, data, ef), _SLOW_QUERIES, asked=1)}
    index = IndexAlone()
    index.open(work / f"samestyle-{rows}", data.base.shape[1])
    shop = Shop.of(dataclasses.replace(data, base=data.base[index.given]))  # its rows lie in an order of their own
    search = index.index.search
    return {"samestyle": _table(shop, lambda query, allowed: search(query, K, allowed).rows, _QUERIES, _ASKED)}


def _hnswlib(work: Path, data: Data, ef: int) -> Search:
    """Its filter is a Python function, called for every candidate."""
    library = Hnswlib()
    library.open(work / f"hnswlib-{len(data.base)}", data.base.shape[1])
    library.index.set_ef(ef)

    def search(query: Vectors, allowed: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        passes = None if allowed is None else allowed.tobytes().__getitem__
        try:
            rows: NDArray[np.int64] = library.index.knn_query(query, K, num_threads=1, filter=passes)[0][0]
        except RuntimeError:  # what it raises where it finds fewer than ten
            return np.empty(0, np.int64)
        return rows.astype(np.int64)

    return search


def _table(shop: Shop, search: Search, count: int, asked: int) -> list[Answer]:
    queries = shop.data.queries[shop.data.measured][:count]
    for query in shop.data.queries[shop.data.tuning]:
        search(query, None)  # what is mapped is read from disk once
    unfiltered = 1000 * float(np.median([_timed(search, query, None)[0] for query in queries]))
    return list(_cases(shop, search, queries, asked, max(2 * unfiltered, _LIMIT_MS)))


def _cases(shop: Shop, search: Search, queries: Vectors, asked: int, limit: float) -> Iterator[Answer]:
    for share, lie, predicates in product(SHARES, LIES, PREDICATES):
        seconds, masks, recalls, passed, firsts = [], [], [], [], []
        for query in queries:
            filters = shop.filters(query, share, lie, predicates)
            first, _ = _timed(shop.unasked().mask, filters)
            shop.products.mask(filters)
            for _ in range(asked):
                mask, allowed = _timed(shop.products.mask, filters)
                searched, rows = _timed(search, query, allowed)
                masks.append(1000 * mask)
                seconds.append(1000 * (mask + searched))
            firsts.append(1000 * (first + searched))
            passed.append(int(allowed.sum()))
            recalls.append(_recall(shop, query, allowed, rows))
        yield {
            "share": share,
            "lie": lie,
            "predicates": predicates,
            "rows": int(np.median(passed)),
            "recall": float(np.mean(recalls)),
            "p50": float(np.median(seconds)),
            "p95": float(np.quantile(seconds, 0.95)),
            "mask": float(np.median(masks)),
            "first": float(np.median(firsts)),
            "limit": limit,
        }


def _recall(shop: Shop, query: Vectors, allowed: NDArray[np.bool_], rows: NDArray[np.int64]) -> float:
    """The share of the true neighbours found; those found must pass."""
    truth = shop.truth(query, allowed)
    if not len(truth):
        return 1.0
    scores = shop.data.base[rows].astype(np.float32) @ query
    return float(np.count_nonzero((scores >= truth[-1] - 1e-5) & allowed[rows])) / len(truth)


def _timed(call: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    answer = call(*given)
    return time.perf_counter() - started, answer


def main() -> None:
    """Print the tables as JSON."""
    name, work, rows = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(measure(name, work, rows)))


if __name__ == "__main__":
    main()
