"""Products in several tables as if they were in one: those of a snapshot, and those that came since."""

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from index.columns import Mask
from index.filters import Filters
from index.products import IndexedProduct, Place, ProductTable, Sort, to_table
from index.words import Postings, Rows, Said

Part = tuple[ProductTable, Mask]
"""A table and which of its rows count, bool [rows]."""


def page(parts: Sequence[Part], sort: Sort, after: Place | None, limit: int) -> list[tuple[int, int]]:
    """Part and row of the first `limit` products behind a place, sorted through all parts, ties by product id."""
    ordered = []
    for products, mask in parts:
        rows = products.ordered(mask, sort)
        ordered.append((rows if after is None else products.after(rows, after, sort))[:limit])
    keys = [products.sort_keys(rows, sort) for (products, _), rows in zip(parts, ordered, strict=True)]
    by = [("first", "descending" if sort.startswith("-") else "ascending"), ("product_id", "ascending")]
    chosen = pc.sort_indices(pa.concat_tables(keys), sort_keys=by).to_numpy()[:limit]
    part = np.repeat(np.arange(len(parts)), [len(rows) for rows in ordered])
    return list(zip(part[chosen].tolist(), np.concatenate(ordered)[chosen].tolist(), strict=True))


class _Table(NamedTuple):
    table: pa.Table
    products: ProductTable
    words: Postings


class GrowingTable:
    """Products that keep coming, by row in their order; one writer, any number of readers.

    They stand in tables each at least twice as long as the next: a filter looks at few tables, and a product moves
    few times. What a product says is found out once, and only if words are asked for.
    """

    def __init__(self, *, with_words: bool = True) -> None:
        self._with_words = with_words
        self._tables: tuple[_Table, ...] = (_made([to_table([])], [Postings.of(pa.array([]))]),)

    def __len__(self) -> int:
        return sum(len(part.products) for part in self._tables)

    def extend(self, items: Sequence[IndexedProduct]) -> None:
        """Add rows at the end; a product that is there already gets another row."""
        if not items:
            return
        kept, added = list(self._tables), to_table(items)
        tables, words = [added], [Postings.of(added["document"] if self._with_words else pa.array([]))]
        while kept and len(kept[-1].products) < 2 * sum(table.num_rows for table in tables):
            last = kept.pop()
            tables.insert(0, last.table)
            words.insert(0, last.words)
        self._tables = (*kept, _made(tables, words))

    def mask(self, filters: Filters, rows: int) -> Mask:
        """Which of the first `rows` rows pass, as bool [rows]."""
        return np.concatenate([part.products.mask(filters) for part in self._tables])[:rows]

    def of_gtin(self, code: str) -> NDArray[np.int64]:
        """The rows with a GTIN, as `ProductTable.of_gtin`."""
        return np.concatenate([part.products.of_gtin(code) + first for part, first in self._with_firsts()])

    def counts(self, words: Said) -> NDArray[np.int64]:
        """How many rows say each of some words."""
        counts: NDArray[np.int64] = np.sum([part.words.counts(words) for part in self._tables], axis=0)
        return counts

    def saying(self, word: int, rows: int) -> list[tuple[Rows, int]]:
        """Which of the first `rows` rows say a word, by table: its own rows, ascending, and the first one's number."""
        found = [(part.words.saying(word), first) for part, first in self._with_firsts() if first < rows]
        return [(saying[: saying.searchsorted(np.uint32(rows - first))], first) for saying, first in found]

    def parts(self, mask: Mask) -> list[Part]:
        """The tables with their stretches of a mask of this table; rows beyond its end do not count."""
        parts: list[Part] = []
        for part, first in self._with_firsts():
            own = mask[first : first + len(part.products)]
            parts.append((part.products, np.pad(own, (0, len(part.products) - len(own)))))
        return parts

    def _with_firsts(self) -> list[tuple[_Table, int]]:
        tables = self._tables
        return list(zip(tables, accumulate((len(part.products) for part in tables), initial=0), strict=False))


def _made(tables: Sequence[pa.Table], words: Sequence[Postings]) -> _Table:
    """One table of several, in their order."""
    firsts = list(accumulate((table.num_rows for table in tables), initial=0))[:-1]
    table = pa.concat_tables(tables).combine_chunks().unify_dictionaries()
    return _Table(table, ProductTable.of(table), Postings.joined(words, firsts))
