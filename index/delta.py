"""The delta: what changed since a snapshot, in memory, searched exactly.

A `Delta` takes the journal's entries in their order. Every change of a product appends a row; rows are never changed
and lists of what a change hides only grow, so a `DeltaView` is a few lengths into shared arrays: readers take one
without a lock, keep it as long as they like, and see neither more nor less later. When the arrays are full, the rows
that still count move to new ones, and old views keep the old.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import DeltaFull, FingerprintMismatch, InvalidInput, NotFound, SnapshotDamaged
from index.journal_entries import Entry
from index.products import IndexedProduct, Listing
from index.search import Findable, FlatIndex, VectorIndex
from index.snapshot import Snapshot
from index.timing import DELTA

MAX_ROWS: Final = 100_000
"""Twice as many as make a new snapshot due, so that one can be cut while changes go on."""
_FEWEST_ROWS: Final = 1_024

_Vectors = Mapping[str, NDArray[np.float16]]


class Delta:
    """The changes since a snapshot, for its model: what the journal says after `position`; for one thread at a time.

    A product is hidden in the snapshot (the base) once it was changed or deleted. Fields other than `fusion` may lack
    vectors: what has none is not found by that target.
    """

    def __init__(self, snapshot: Snapshot, position: int) -> None:
        self._base = snapshot.products
        self._fingerprint = snapshot.manifest.fingerprint
        self._dim = snapshot.manifest.dim
        self._fields: Sequence[str] = snapshot.manifest.fields
        self._rows = _Rows(_FEWEST_ROWS, self._dim, self._fields)
        self._hidden = _Numbers()
        self._is_hidden: set[int] = set()
        self._generation = 0
        self._view = self._look(position)

    @property
    def view(self) -> "DeltaView":
        """What stands after the entries applied so far; costs nothing, never changes."""
        return self._view

    def apply(self, entries: Sequence[Entry]) -> "DeltaView":
        """Take entries in, all or none, and return the view that shows them; those taken in before are passed over.

        The last change of a product wins. Raises FingerprintMismatch for an upsert without a `fusion` vector of this
        model (add it to the journal and read again), DeltaFull when twice `MAX_ROWS` products are reached, ValueError
        where entries are missing in between.
        """
        fresh = [entry for entry in entries if entry.position > self._view.position]
        if not fresh:
            return self._view
        if [entry.position for entry in fresh] != list(range(self._view.position + 1, fresh[-1].position + 1)):
            raise ValueError(f"entries do not follow position {self._view.position} one after another")
        changes = list({entry.product_id: entry for entry in fresh}.values())
        vectors = [self._vectors_of(entry) for entry in changes]
        hidden = self._newly_hidden(changes)
        self._check_room(changes, hidden)
        self._make_room(len(changes))
        for entry, by_field in zip(changes, vectors, strict=True):
            self._rows.append(entry, by_field)
        for row in hidden:
            self._hidden.append(row)
        self._is_hidden.update(hidden)
        self._view = self._look(fresh[-1].position)
        return self._view

    def _vectors_of(self, entry: Entry) -> _Vectors:
        """The entry's vectors of this delta's model and fields, checked."""
        if entry.operation == "delete":
            return {}
        given = entry.vectors.get(self._fingerprint, {})
        by_field = {name: given[name] for name in self._fields if name in given}
        if "fusion" not in by_field or any(vector.shape != (self._dim,) for vector in by_field.values()):
            raise FingerprintMismatch(
                f"The journal's entry {entry.position} has no vector of {self._dim} numbers made by the model "
                f"{self._fingerprint[:12]}. Embed the product with that model first."
            )
        return by_field

    def _newly_hidden(self, changes: Iterable[Entry]) -> set[int]:
        """Rows of the base that these changes hide, less those hidden before."""
        found: set[int] = set()
        for entry in changes:
            if entry.product_id not in self._rows.latest:
                try:
                    found.add(self._base.row_of(entry.product_id))
                except (NotFound, SnapshotDamaged):  # which row it was cannot be told: all else goes on
                    continue
        return found - self._is_hidden

    def _check_room(self, changes: Iterable[Entry], hidden: set[int]) -> None:
        live = self._rows.live
        for entry in changes:
            live += (entry.operation == "upsert") - self._rows.is_live(entry.product_id)
        if max(live, len(self._is_hidden) + len(hidden)) > 2 * MAX_ROWS:
            raise DeltaFull(
                f"More than {2 * MAX_ROWS} products changed since the snapshot. "
                "Cut a new one (samestyle build --from-live) and activate it."
            )

    def _make_room(self, count: int) -> None:
        """Move the rows that count to new arrays when these are full: each is copied once per doubling."""
        if self._rows.room >= count:
            return
        rows = _Rows(max(_FEWEST_ROWS, 2 * (self._rows.live + count)), self._dim, self._fields)
        for row in np.flatnonzero(self._view.alive).tolist():
            rows.append(self._rows.entries[row], self._rows.vectors_of(row))
        self._rows = rows
        self._generation += 1

    def _look(self, position: int) -> "DeltaView":
        full = max(self._rows.live, len(self._is_hidden)) >= MAX_ROWS
        return DeltaView(self._rows, position, self._generation, self._hidden.so_far(), len(self._base), full=full)


class DeltaView:
    """The delta at one moment; immutable, safe for any number of threads.

    `position` is the journal's last entry in it, `rows` how many there are, those not `alive` included; they keep
    their numbers in later views of the same `generation`. `hidden` int64 [n] are the rows of the base that count no
    more. `full` says that no further change should be acknowledged until a new snapshot is cut.
    """

    def __init__(
        self,
        rows: "_Rows",
        position: int,
        generation: int,
        hidden: NDArray[np.int64],
        base_rows: int,
        *,
        full: bool,
    ) -> None:
        self.position = position
        self.generation = generation
        self.rows = len(rows.entries)
        self.hidden = hidden
        self.full = full
        self._rows = rows
        self._base_rows = base_rows
        self._dead = rows.dead.so_far()
        self._absent = {name: absent.so_far() for name, absent in rows.absent.items()}

    def __len__(self) -> int:
        """How many products are there."""
        return self.rows - len(self._dead)

    @cached_property
    def visible(self) -> NDArray[np.bool_]:
        """Which rows of the base still count, bool [base rows]."""
        return _all_but(self._base_rows, self.hidden)

    @cached_property
    def alive(self) -> NDArray[np.bool_]:
        """Which rows are products, bool [rows]."""
        return _all_but(self.rows, self._dead)

    def row_of(self, product_id: str) -> int | None:
        """The row of a product; None for one that is deleted, or only in the base if anywhere."""
        row = self._rows.row_of(product_id, self.rows)
        return row if row is not None and self._rows.entries[row].operation == "upsert" else None

    def id_of(self, row: int) -> str:
        """The product id of a row."""
        return self._rows.entries[row].product_id

    def get(self, row: int) -> IndexedProduct:
        """The whole product of a row; raises NotFound for that of a delete."""
        return self.listing(row).item

    def listing(self, row: int) -> Listing:
        """The same as it is kept; raises as `get`."""
        listing = self._rows.entries[row].listing
        if listing is None:
            raise NotFound(f"Product {self.id_of(row)!r} was deleted.")
        return listing

    def vectors(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of some rows as scores are made of them, float32 [n, dim]; zeros where there are none."""
        return self._rows.vectors[name][rows].astype(np.float32)

    def index(self, name: str) -> VectorIndex:
        """Exact search over one field, by the rows of this view; raises InvalidInput for a field it lacks."""
        if name not in self._absent:
            raise InvalidInput(f"Target {name!r} cannot be searched; there is {', '.join(self._absent)}.")
        findable = self.alive
        if len(self._absent[name]):
            findable = findable & _all_but(self.rows, self._absent[name])
        return Findable(FlatIndex(self._rows.vectors[name][: self.rows], DELTA), findable)


class _Numbers:
    """Row numbers, ever more of them: the first n never change."""

    def __init__(self) -> None:
        self._array = np.empty(_FEWEST_ROWS, np.int64)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, number: int) -> None:
        if self._length == len(self._array):
            self._array = np.concatenate([self._array, np.empty_like(self._array)])
        self._array[self._length] = number
        self._length += 1

    def so_far(self) -> NDArray[np.int64]:
        numbers = self._array[: self._length]
        numbers.flags.writeable = False
        return numbers


class _Rows:
    """One row per change, up to a capacity; one writer, any number of readers of what was there when they came."""

    def __init__(self, capacity: int, dim: int, fields: Iterable[str]) -> None:
        self.vectors = {name: np.zeros((capacity, dim), np.float16) for name in fields}
        self.entries: list[Entry] = []
        self.latest: dict[str, int] = {}
        self.dead = _Numbers()
        self.absent = {name: _Numbers() for name in self.vectors}
        self._capacity = capacity
        self._before: list[int] = []

    @property
    def room(self) -> int:
        """How many more rows fit."""
        return self._capacity - len(self.entries)

    @property
    def live(self) -> int:
        """How many rows are products."""
        return len(self.entries) - len(self.dead)

    def is_live(self, product_id: str) -> bool:
        row = self.latest.get(product_id)
        return row is not None and self.entries[row].operation == "upsert"

    def append(self, entry: Entry, by_field: _Vectors) -> None:
        """A row that takes the place of the product's last one; `latest` is told when all the rest is there."""
        row, before = len(self.entries), self.latest.get(entry.product_id, -1)
        if self.is_live(entry.product_id):
            self.dead.append(before)
        if entry.operation == "delete":
            self.dead.append(row)
        for name, vectors in self.vectors.items():
            if name in by_field:
                vectors[row] = by_field[name]
            else:
                self.absent[name].append(row)
        self.entries.append(replace(entry, vectors={}))
        self._before.append(before)
        self.latest[entry.product_id] = row

    def row_of(self, product_id: str, length: int) -> int | None:
        """The row that said what the product was when there were `length` rows."""
        row = self.latest.get(product_id, -1)
        while row >= length:
            row = self._before[row]
        return row if row >= 0 else None

    def vectors_of(self, row: int) -> _Vectors:
        """The vectors a row has, by field."""
        return {name: vectors[row] for name, vectors in self.vectors.items() if vectors[row].any()}


def _all_but(count: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    mask = np.ones(count, np.bool_)
    mask[rows] = False
    mask.flags.writeable = False
    return mask
