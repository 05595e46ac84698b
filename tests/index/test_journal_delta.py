"""Journal and delta over a base, against a plain dictionary searched by brute force."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from catalogue.errors import JournalTrimmed
from index import ProductTable, delta
from index.delta import Delta, DeltaView
from index.journal import Change, Journal
from index.search import FlatIndex
from tests.index.builders import DIM, FINGERPRINT, item, table, unit_rows
from tests.index.changes import sqlite

VECTORS = unit_rows(40, seed=99).astype(np.float16)
QUERIES = unit_rows(4, seed=98)
IDS = st.sampled_from([f"p{n}" for n in range(12)])
CHANGES = st.lists(st.tuples(IDS, st.none() | st.integers(0, len(VECTORS) - 1)), min_size=1, max_size=6)
MEMORY = Path("/dev/shm")

Contents = dict[str, int]
"""Which vector each product has."""


def brute_force(contents: Contents, query: np.ndarray) -> list[tuple[float, str]]:
    scored = []
    for name, number in contents.items():
        score = float(np.clip(np.einsum("ij,j->i", VECTORS[number : number + 1].astype(np.float32), query)[0], -1, 1))
        scored.append((-score, name))
    return sorted(scored)


class Base:
    """What a snapshot is to a delta."""

    def __init__(self, contents: Contents, position: int) -> None:
        self.position = position
        self.products: ProductTable = table([item(name) for name in sorted(contents)])
        numbers = [contents[name] for name in sorted(contents)]
        self.index = FlatIndex(VECTORS[numbers].reshape(-1, DIM))

    def delta(self) -> Delta:
        return Delta(
            FINGERPRINT,
            DIM,
            ("fusion",),
            position=self.position,
            base_rows=len(self.products),
            base_row_of=self.products.row_of,
        )

    def search(self, view: DeltaView, query: np.ndarray, k: int) -> list[tuple[float, str]]:
        below, above = self.index.search(query, k, view.visible), view.index("fusion").search(query, k)
        found = [
            (-score, table.id_of(row))
            for table, hits in ((self.products, below), (view, above))
            for row, score in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
        ]
        return sorted(found)[:k]


class LiveCatalogue(RuleBasedStateMachine):
    """Writes, deletes, reading on, restarts, new bases: what is found is what was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.journal = Journal.open(sqlite(self.folder))
        self.history: list[Contents] = [{}]
        """What there was at each position."""

    @initialize(contents=st.dictionaries(IDS, st.integers(0, len(VECTORS) - 1)))
    def start(self, contents: Contents) -> None:
        self.history = [contents]
        self.base = Base(contents, 0)
        self.delta = self.base.delta()
        self.kept = [(self.base, self.delta.view)]

    @rule(changes=CHANGES)
    def write(self, changes: list[tuple[str, int | None]]) -> None:
        positions = self.journal.append(
            [
                Change.delete(name)
                if number is None
                else Change.upsert(item(name), {FINGERPRINT: {"fusion": VECTORS[number].astype(np.float32)}})
                for name, number in changes
            ]
        )
        assert positions == list(range(len(self.history), len(self.history) + len(changes)))
        for name, number in changes:
            contents = dict(self.history[-1])
            contents.pop(name, None)
            if number is not None:
                contents[name] = number
            self.history.append(contents)

    @rule(limit=st.integers(1, 20))
    def read_on(self, limit: int) -> None:
        self.delta.apply(self.journal.read_after(self.delta.view.position, limit))

    @rule()
    def catch_up(self) -> None:
        while entries := self.journal.read_after(self.delta.view.position):
            self.delta.apply(entries)
        assert self.delta.view.position == self.journal.head() == len(self.history) - 1

    @rule()
    def keep(self) -> None:
        self.kept = [*self.kept[-3:], (self.base, self.delta.view)]

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal.open(sqlite(self.folder))
        self.delta = self.base.delta()
        self.catch_up()

    @rule(trim=st.booleans())
    @precondition(lambda self: self.delta.view.position > self.base.position)
    def cut(self, trim: bool) -> None:
        before = self.base.position
        self.base = Base(self.history[self.delta.view.position], self.delta.view.position)
        self.delta = self.base.delta()
        if trim:
            self.journal.trim(self.base.position)
            with pytest.raises(JournalTrimmed):
                self.journal.read_after(before)

    @invariant()
    def every_view_finds_what_there_was(self) -> None:
        for base, view in [*self.kept, (self.base, self.delta.view)]:
            contents = self.history[view.position]
            for query in QUERIES:
                expected = brute_force(contents, query)
                assert base.search(view, query, len(expected) + 5) == expected
                assert [score for score, _ in base.search(view, query, 3)] == [score for score, _ in expected[:3]]
            for name in (f"p{n}" for n in range(12)):
                assert self.found_by_id(base, view, name) == (name in contents)

    @staticmethod
    def found_by_id(base: Base, view: DeltaView, name: str) -> bool:
        if view.row_of(name) is not None:
            return True
        below = [row for row in range(len(base.products)) if base.products.id_of(row) == name]
        return bool(below) and bool(view.visible[below[0]])

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)


class LiveCatalogueInSmallArrays(LiveCatalogue):
    """The same with rows that are moved all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(delta, "_FEWEST_ROWS", 3)

    def teardown(self) -> None:
        self.patch.undo()
        super().teardown()


_EFFORT = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))

TestLiveCatalogue = LiveCatalogue.TestCase
TestLiveCatalogue.settings = _EFFORT
TestLiveCatalogueInSmallArrays = LiveCatalogueInSmallArrays.TestCase
TestLiveCatalogueInSmallArrays.settings = _EFFORT
