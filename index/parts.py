"""Products in several tables as if they were in one: those of a snapshot, and those that came since."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from index.columns import Mask
from index.filters import Filters
from index.products import IndexedProduct, Place, ProductTable, Sort, to_table

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


class GrowingTable:
    """Products that keep coming, by row in their order; one writer, any number of readers.

    They stand in tables each at least twice as long as the next: a filter looks at few tables, and a product moves
    few times.
    """

    def __init__(self) -> None:
        empty = to_table([])
        self._tables: tuple[tuple[pa.Table, ProductTable], ...] = ((empty, ProductTable.of(empty)),)

    def __len__(self) -> int:
        return sum(len(products) for _, products in self._tables)

    def extend(self, items: Sequence[IndexedProduct]) -> None:
        """Add rows at the end; a product that is there already gets another row."""
        if not items:
            return
        kept, added = list(self._tables), to_table(items)
        while kept and len(kept[-1][1]) < 2 * added.num_rows:
            added = pa.concat_tables([kept.pop()[0], added])
        added = added.combine_chunks().unify_dictionaries()
        self._tables = (*kept, (added, ProductTable.of(added)))

    def mask(self, filters: Filters, rows: int) -> Mask:
        """Which of the first `rows` rows pass, as bool [rows]."""
        return np.concatenate([products.mask(filters) for _, products in self._tables])[:rows]

    def of_gtin(self, code: str) -> NDArray[np.int64]:
        """The rows with a GTIN, as `ProductTable.of_gtin`."""
        found: list[NDArray[np.int64]] = []
        first = 0
        for _, products in self._tables:
            found.append(products.of_gtin(code) + first)
            first += len(products)
        return np.concatenate(found)

    def parts(self, mask: Mask) -> list[Part]:
        """The tables with their stretches of a mask of this table; rows beyond its end do not count."""
        parts: list[Part] = []
        first = 0
        for _, products in self._tables:
            own = mask[first : first + len(products)]
            parts.append((products, np.pad(own, (0, len(products) - len(own)))))
            first += len(products)
        return parts
