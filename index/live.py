"""The live catalogue: a snapshot and what the journal says changed since, searched and read as one.

Rows are numbered through both: those of the snapshot first, then those of the delta. A `LiveView` is the catalogue at
one moment; whoever works on a request takes one and keeps it, so that a row means the same product throughout.
"""

import math
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import NotFound
from catalogue.gtin import MOST_OF_ONE_GTIN, gtins_of
from catalogue.product import Product
from index.columns import Mask
from index.delta import Delta, DeltaView
from index.facets import Facets, count
from index.filters import Filters
from index.journal_entries import Entry
from index.parts import GrowingTable, Part, page
from index.products import IndexedProduct, Listing, Place, Sort
from index.search import Neighbours
from index.snapshot import Snapshot
from index.words import Rows, Said

DUE_SHARE: Final = 0.02
DUE_ROWS: Final = 50_000
DUE_ENTRIES: Final = 100_000
"""So many entries take a few seconds to replay at each start and swap, even if all are of one product."""
_DUE_LEAST: Final = 1_000
"""So few changes cost nothing, however small the catalogue."""
MOST_DAMAGED: Final = 1_000
"""Products that cannot be read and are left out; each costs a list that comes upon it first another look."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows pass some filters: bool [snapshot rows], None where all visible ones do, and bool [delta rows]."""

    base: Mask | None
    delta: Mask


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the filtered and sorted catalogue; `total` and `facets` count all that pass the filters.

    The next one begins behind `next`; None when it was the last.
    """

    items: list[IndexedProduct]
    total: int
    facets: Facets
    next: Place | None


class LiveIndex:
    """One snapshot kept up with the journal: one caller of `apply` at a time, any number of readers of views."""

    def __init__(self, snapshot: Snapshot, journal: str | None = None) -> None:
        """Of a snapshot that was cut with another `journal` (an id), all of this one's entries are still to come."""
        self.snapshot = snapshot
        self.journal = journal
        self._delta = Delta(snapshot, snapshot.manifest.position_in(journal))
        self._applying = threading.Lock()
        self._view = LiveView(snapshot, self._delta.view, self._table(), {}, self._delta.view.position, frozenset())

    @property
    def view(self) -> "LiveView":
        """The catalogue as of the entries applied so far."""
        return self._view

    def apply(self, entries: Sequence[Entry]) -> "LiveView":
        """Take journal entries in, all or none, and return the view that shows them.

        Raises as `Delta.apply` does, and ValueError for a document that is no product.
        """
        with self._applying:
            before = self._view
            items = {entry.product_id: entry.item for entry in entries}  # raises before anything is taken in
            delta = self._delta.apply(entries)
            moved = delta.generation != before.delta.generation
            products = self._table() if moved else before.changed
            new = range(len(products), delta.rows)
            products.extend([items.get(delta.id_of(row)) or _row(delta, row) for row in new])
            joined = {} if moved else before.joined
            self._view = LiveView(self.snapshot, delta, products, joined, before.since, before.damaged)
            return self._view

    def _table(self) -> GrowingTable:
        return GrowingTable(with_words=self.snapshot.products.words is not None)

    def leave_out(self, row: int) -> bool:
        """Have no list show a row of the snapshot that cannot be read; False where it is so already, or it is full."""
        with self._applying:
            before = self._view
            if row in before.damaged or len(before.damaged) >= MOST_DAMAGED:
                return False
            damaged = before.damaged | {row}
            self._view = LiveView(self.snapshot, before.delta, before.changed, before.joined, before.since, damaged)
            return True


class LiveView:
    """The catalogue at one moment; immutable, safe for any number of threads.

    `since` is the position that the snapshot's delta began at, `damaged` are rows of the snapshot that were found to be
    unreadable: whoever asks for one of them is told so, and no list shows them.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        delta: DeltaView,
        changed: GrowingTable,
        joined: dict[int, int | None],
        since: int,
        damaged: frozenset[int],
    ) -> None:
        self.since = since
        self.damaged = damaged
        self.snapshot = snapshot
        self.delta = delta
        self.changed = changed
        self.joined = joined
        """What each changed row was found to be of one style with (`index.live_styles`)."""
        self.base_rows = len(snapshot.products)

    def __len__(self) -> int:
        """How many products there are."""
        return self.base_rows - len(self.delta.hidden) + len(self.delta)

    @property
    def position(self) -> int:
        """The journal's last entry that is in here."""
        return self.delta.position

    @property
    def unreadable(self) -> int:
        """How many products no list shows, as they were found to be unreadable and have not been written anew."""
        return sum(bool(self.delta.visible[row]) for row in self.damaged)

    @property
    def changes(self) -> int:
        """How many rows of the snapshot and of the delta differ from a snapshot cut now."""
        return max(len(self.delta.hidden), len(self.delta))

    @property
    def is_due(self) -> bool:
        """Whether a new snapshot should be cut.

        More than 2 % of its products changed, or 50,000; or over 100,000 entries of the journal are replayed on it.
        """
        at_most = max(_DUE_LEAST, min(DUE_ROWS, DUE_SHARE * self.base_rows))
        return self.changes > at_most or self.position - self.since > DUE_ENTRIES

    def row_of(self, product_id: str) -> int:
        """The row of a product; raises NotFound."""
        row = self.delta.row_of(product_id)
        if row is not None:
            return self.base_rows + row
        row = self.snapshot.products.row_of(product_id)
        if not self.delta.visible[row]:
            raise NotFound(f"There is no product {product_id[:128]!r} any more.")
        return row

    def find(self, product_id: str) -> int | None:
        """The row of a product; None where there is none."""
        try:
            return self.row_of(product_id)
        except NotFound:
            return None

    def rows_of(self, product_ids: Collection[str]) -> set[int]:
        """The rows of those of the ids that there are, hidden ones among them."""
        rows = set(self.snapshot.products.rows_of(list(product_ids))) if product_ids else set()
        changed = (self.delta.row_of(product_id) for product_id in product_ids)
        return rows.union(self.base_rows + row for row in changed if row is not None)

    def of_gtin(self, code: str) -> NDArray[np.int64]:
        """The rows of the products with a GTIN, as `ProductTable.of_gtin`; none where too many have it."""
        old, new = self.snapshot.products.of_gtin(code), self.changed.of_gtin(code)
        if len(old) - len(self.delta.hidden) - len(self.damaged) > MOST_OF_ONE_GTIN:  # maybe half the catalogue
            return np.empty(0, np.int64)
        new = new[new < self.delta.rows]  # others came since
        rows = np.concatenate([old[self.visible[old]], new[self.delta.alive[new]] + self.base_rows])
        return rows if len(rows) <= MOST_OF_ONE_GTIN else rows[:0]

    def of_gtins(self, codes: Collection[str]) -> NDArray[np.int64]:
        """The rows of the products with any of some GTINs, each once, ascending."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *map(self.of_gtin, codes)]))

    def gtins(self, attributes: Mapping[str, str]) -> frozenset[str]:
        """The GTINs that a product of the view has among its attributes, but for those that too many have."""
        return frozenset(code for code in gtins_of(attributes) if len(self.of_gtin(code)))

    def id_of(self, row: int) -> str:
        """The product id of a row."""
        return self.snapshot.products.id_of(row) if row < self.base_rows else self.delta.id_of(row - self.base_rows)

    def get(self, row: int) -> IndexedProduct:
        """The whole product of a row."""
        return self.snapshot.products.get(row) if row < self.base_rows else self.delta.get(row - self.base_rows)

    def listing(self, row: int) -> Listing:
        """The product of a row as it is kept."""
        if row < self.base_rows:
            return self.snapshot.products.listing(row)
        return self.delta.listing(row - self.base_rows)

    def counts(self, words: Said) -> NDArray[np.int64]:
        """How many say each of some words (`index.words`), hidden ones among them; 0 where no words are kept."""
        kept = self.snapshot.products.words
        return self.changed.counts(words) + (0 if kept is None else kept.counts(words))

    def says(self, word: int) -> bool:
        """Whether a product says a word (`index.words`)."""
        found = self.saying(word)
        if not found:
            return False
        (base, _), *changed = found
        if any(len(rows) for rows, _ in changed) or len(base) > len(self.delta.hidden) + len(self.damaged):
            return True
        return bool(self.visible[base[base < self.base_rows]].any())

    def saying(self, word: int) -> list[tuple[Rows, int]]:
        """Who says a word (`index.words`), by table: its own rows, ascending, and which row of the view is its first.

        Hidden ones of the snapshot are among them. None where the snapshot keeps no words.
        """
        words = self.snapshot.products.words
        if words is None:
            return []
        base = (words.saying(word), 0)
        if not self.delta.rows:
            return [base]
        alive, changed = self.delta.alive, self.changed.saying(word, self.delta.rows)
        return [base, *((rows[alive[first:][rows]], self.base_rows + first) for rows, first in changed)]

    def suppliers(self, rows: NDArray[np.int64]) -> list[str]:
        """The supplier of each of some rows; empty for a product of none."""
        old = rows < self.base_rows
        of_base = iter(self.snapshot.products.columns.suppliers(rows[old]))
        return [
            next(of_base) if row < self.base_rows else self.delta.listing(row - self.base_rows).supplier_id
            for row in rows.tolist()
        ]

    def vectors(self, field: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The stored vectors of some rows as scores are made of them, float32 [n, dim]."""
        old = rows < self.base_rows
        if old.all():
            return self.snapshot.vectors(field, rows)
        found = np.empty((len(rows), self.snapshot.manifest.dim), np.float32)
        found[old] = self.snapshot.vectors(field, rows[old])
        found[~old] = self.delta.vectors(field, rows[~old] - self.base_rows)
        return found

    @cached_property
    def visible(self) -> Mask:
        """Which rows of the snapshot lists may show, bool [snapshot rows]."""
        if not self.damaged:
            return self.delta.visible
        visible = self.delta.visible.copy()
        visible[[*self.damaged]] = False
        return visible

    def select(self, filters: Filters) -> Selection:
        """The rows that pass."""
        delta = self.delta.alive
        if len(delta):
            delta = delta & self.changed.mask(filters, self.delta.rows)
        return Selection(None if filters.is_open else self.snapshot.products.mask(filters) & self.visible, delta)

    def selection(self, rows: NDArray[np.int64]) -> Selection:
        """Just some rows."""
        chosen = np.zeros(self.base_rows + self.delta.rows, np.bool_)
        chosen[rows] = True
        return Selection(chosen[: self.base_rows], chosen[self.base_rows :])

    def without(self, selection: Selection, rows: Collection[int]) -> Selection:
        """The same but for some rows."""
        base = (self.visible if selection.base is None else selection.base).copy()
        delta = selection.delta.copy()
        base[[row for row in rows if row < self.base_rows]] = False
        delta[[row - self.base_rows for row in rows if row >= self.base_rows]] = False
        return Selection(base, delta)

    def among(self, rows: NDArray[np.int64], selection: Selection) -> NDArray[np.int64]:
        """Those of some rows that are selected."""
        old, new = rows[rows < self.base_rows], rows[rows >= self.base_rows]
        passed = self.visible if selection.base is None else selection.base
        return np.concatenate([old[passed[old]], new[selection.delta[new - self.base_rows]]])

    def search(self, field: str, query: NDArray[np.float32], k: int, among: Selection) -> Neighbours:
        """The `k` best of the selected rows for a unit `query` [dim], best first, ties by row.

        Raises InvalidInput for a field the snapshot lacks.
        """
        old = self._search_base(field, query, k, among.base)
        if not among.delta.any():
            return old
        new = self.delta.index(field).search(query, k, among.delta)
        rows = np.concatenate([old.rows, new.rows + self.base_rows])
        scores = np.concatenate([old.scores, new.scores])
        best = np.lexsort((rows, -scores))[:k]
        return Neighbours(rows[best], scores[best])

    def page(self, among: Selection, sort: Sort, after: Place | None, limit: int, facets: Sequence[str]) -> Page:
        """The first `limit` of the selected products behind a place."""
        parts = self._parts(among)
        rows = page(parts, sort, after, limit + 1)
        items = [parts[part][0].get(row) for part, row in rows[:limit]]
        more = len(rows) > limit
        last, row = rows[limit - 1] if more else (0, 0)
        return Page(
            items,
            sum(int(np.count_nonzero(mask)) for _, mask in parts),
            count(parts, facets),
            parts[last][0].place(row, sort) if more else None,
        )

    def facets(self, among: Selection, facets: Sequence[str]) -> Facets:
        """Counts over the selected products."""
        return count(self._parts(among), facets)

    def _search_base(self, field: str, query: NDArray[np.float32], k: int, allowed: Mask | None) -> Neighbours:
        """Hidden rows are few, so without a filter it is cheaper to find a few more than to pass a mask."""
        index = self.snapshot.index(field)
        hidden = len(self.delta.hidden) + len(self.damaged)
        if allowed is not None or not hidden:
            return index.search(query, k, allowed)
        fetch = k + _SPARE + math.ceil(2 * k * hidden / self.base_rows)
        found = index.search(query, fetch)
        seen = self.visible[found.rows]
        if np.count_nonzero(seen) < k and len(found.rows) == fetch:
            return index.search(query, k, self.visible)
        return Neighbours(found.rows[seen][:k], found.scores[seen][:k])

    def _parts(self, among: Selection) -> list[Part]:
        base = self.visible if among.base is None else among.base
        return [(self.snapshot.products, base), *self.changed.parts(among.delta)]


_SPARE: Final = 4


def _row(delta: DeltaView, row: int) -> IndexedProduct:
    """The product of a row of the delta; of a delete, one that only keeps the place."""
    try:
        return delta.get(row)
    except NotFound:
        return IndexedProduct.model_construct(product=Product(product_id=delta.id_of(row), title="-"))
