"""The live catalogue against a plain dictionary searched by brute force, whatever happens to snapshot and journal."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from catalogue.errors import JournalTrimmed, NotFound
from index import Change, Filters, IndexedProduct, Journal, LiveIndex, LiveView, delta, plan
from index.checksums import verify
from index.cut import cut
from index.facets import count
from index.manifest import FieldName, read_manifest
from index.plan import Choice
from index.products import Place, Sort
from index.workers import set_faiss_threads, shared_workers
from tests.index.builders import DIM, FINGERPRINT, build, item, reopen, table, unit_rows
from tests.index.changes import sqlite
from tests.index.shops import CATEGORIES, CURRENCIES, FACETS, NAMES, PRICES, SUPPLIERS, VALUES, passes, some_filters
from tests.index.test_facets import values_of
from tests.index.test_parts import first_of, key

MEMORY = Path("/dev/shm")
FIELDS: tuple[FieldName, ...] = ("fusion", "image")
QUERIES = unit_rows(2, seed=98)
FILLERS = 700
"""Enough for a graph or lists to be asked, and not passed over for a scan."""
VECTORS = unit_rows(40 + FILLERS, seed=99).astype(np.float16)
TINY = {
    "flat": Choice(index_type="flat"),
    "hnsw": Choice(index_type="hnsw", parameters={"m": 4, "ef_construction": 8, "ef_search": 8}),
    "ivf-flat": Choice(index_type="ivf-flat", parameters={"nlist": 1, "nprobe": 1}),
}
WIDE = {
    "hnsw": Choice(index_type="hnsw", parameters={"m": 4, "ef_construction": 40, "ef_search": 30}),
    "ivf-flat": Choice(index_type="ivf-flat", parameters={"nlist": 8, "nprobe": 5}),
}


@dataclass(frozen=True)
class Listing:
    """A product and which of the vectors it has in each field."""

    item: IndexedProduct
    fusion: int
    image: int

    def vector(self, field: str) -> int:
        return self.fusion if field == "fusion" else self.image


Contents = dict[str, Listing]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """FAISS's threads wait by spinning, in one another's way when there is so little to do."""
    before = shared_workers().threads
    set_faiss_threads(1)
    yield
    set_faiss_threads(before)


ids = st.integers(0, 15).map(str)  # the filters' ids are numbers too
numbers = st.integers(0, 39)
kinds = st.sampled_from(["flat", "flat", "hnsw", "ivf-flat"])  # lists take long to train
listings = st.builds(
    lambda fields, fusion, image: Listing(item("?", **fields), fusion, image),
    st.fixed_dictionaries(
        {
            "title": st.sampled_from(["x", "mug", "Mug", "größe", "杯"]),
            "category": st.sampled_from(CATEGORIES),
            "supplier_id": st.sampled_from(SUPPLIERS),
            "price": st.sampled_from(PRICES),
            "currency": st.sampled_from(CURRENCIES),
            "in_stock": st.sampled_from([None, True, False]),
            "attributes": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=3),
        }
    ),
    numbers,
    numbers,
)
changes = st.lists(st.tuples(ids, st.none() | listings), min_size=1, max_size=6)


def named(product_id: str, listing: Listing) -> Listing:
    product = listing.item.product.model_copy(update={"product_id": product_id})
    return replace(listing, item=IndexedProduct(product=product))


def to_change(product_id: str, listing: Listing | None) -> Change:
    if listing is None:
        return Change.delete(product_id)
    by_field = {str(field): VECTORS[listing.vector(field)].astype(np.float32) for field in FIELDS}
    return Change.upsert(named(product_id, listing).item, {FINGERPRINT: by_field})


def scores_of(contents: Contents, field: str, query: np.ndarray) -> dict[str, float]:
    rows = VECTORS[[listing.vector(field) for listing in contents.values()]].reshape(-1, DIM).astype(np.float32)
    scores = np.clip(np.einsum("ij,j->i", rows, query), -1, 1)
    return dict(zip(contents, scores.tolist(), strict=True))


class LiveCatalogue(RuleBasedStateMachine):
    """Writes, deletes, reading on, restarts, cuts, swaps there and back: what is found is what was acknowledged."""

    fewest_rows = 1_024
    fillers = 0
    choices = TINY

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(delta, "_FEWEST_ROWS", self.fewest_rows)
        self.patch.setattr(plan, "_QUERIES", 4)  # it is told how hard to search
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.journal = Journal.open(sqlite(self.folder))
        self.cuts = 0

    @initialize(contents=st.dictionaries(ids, listings), kind=kinds)
    def start(self, contents: Contents, kind: str) -> None:
        fillers = {f"f{n}": Listing(item(f"f{n}", supplier_id="acme"), 40 + n, 40 + n) for n in range(self.fillers)}
        first = fillers | {name: named(name, listing) for name, listing in contents.items()}
        self.history = [first]
        """What there was at each position of the journal."""
        numbers = {field: [listing.vector(field) for listing in first.values()] for field in FIELDS}
        vectors = {field: VECTORS[rows].reshape(-1, DIM).astype(np.float32) for field, rows in numbers.items()}
        products = [listing.item for listing in first.values()]
        path = build(self.folder, "s0", products=products, vectors=vectors, choice=self.choice(kind))
        self.snapshots = [path]
        """All there are, the oldest first."""
        self.live = LiveIndex(reopen(path))
        self.kept = [self.live.view]

    def choice(self, kind: str) -> Choice:
        return self.choices.get(kind) or next(iter(self.choices.values()))

    @rule(batch=changes)
    def write(self, batch: list[tuple[str, Listing | None]]) -> None:
        positions = self.journal.append([to_change(*change) for change in batch])
        assert positions == list(range(len(self.history), len(self.history) + len(batch)))
        for name, listing in batch:
            contents = {other: kept for other, kept in self.history[-1].items() if other != name}
            if listing is not None:
                contents[name] = named(name, listing)
            self.history.append(contents)

    @rule(limit=st.integers(1, 20))
    def read_on(self, limit: int) -> None:
        self.live.apply(self.journal.read_after(self.live.view.position, limit))

    @rule(limit=st.integers(1, 1_000))
    def catch_up(self, limit: int) -> None:
        while entries := self.journal.read_after(self.live.view.position, limit):
            self.live.apply(entries)
        assert self.live.view.position == len(self.history) - 1

    @rule()
    def keep(self) -> None:
        self.kept = [*self.kept[-2:], self.live.view]

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.journal = Journal.open(sqlite(self.folder))
        self.live = LiveIndex(reopen(self.live.snapshot.path))
        self.catch_up(1_000)

    @rule(kind=kinds)
    def swap_to_a_cut(self, kind: str) -> None:
        view = self.live.view
        self.cuts += 1
        path = cut(view, self.folder, f"s{self.cuts}", choice=self.choice(kind))
        assert verify(path).journal_position == view.position
        self.snapshots = sorted([*self.snapshots, path], key=position_of)
        self.live = LiveIndex(reopen(path))
        assert len(self.live.view) == len(view)

    @rule(which=st.integers(0, 100), limit=st.integers(1, 1_000))
    def swap_to_any(self, which: int, limit: int) -> None:
        """Older ones replay more, among them what the newer ones hold already."""
        self.live = LiveIndex(reopen(self.snapshots[which % len(self.snapshots)]))
        self.catch_up(limit)

    @precondition(lambda self: position_of(self.live.snapshot.path) > position_of(self.snapshots[0]))
    @rule(which=st.integers(0, 100))
    def drop_the_oldest_and_trim(self, which: int) -> None:
        """Views of what is dropped go on."""
        served = self.snapshots.index(self.live.snapshot.path)
        first = 1 + which % served
        for path in self.snapshots[:first]:
            shutil.rmtree(path)
        self.snapshots = self.snapshots[first:]
        oldest = position_of(self.snapshots[0])
        self.journal.trim(oldest)
        if oldest:
            with pytest.raises(JournalTrimmed):
                self.journal.read_after(oldest - 1)

    @rule(
        filters=some_filters,
        sort=st.sampled_from(get_args(Sort)),
        start=st.integers(0, 9),
        limit=st.integers(1, 9),
        k=st.sampled_from([1, 3, 1_000]),
    )
    def ask(self, filters: Filters, sort: Sort, start: int, limit: int, k: int) -> None:
        for view, contents in self.views():
            passing = {name: listing for name, listing in contents.items() if passes(listing.item.product, filters)}
            among = view.select(filters)
            for field in FIELDS:
                self.check_search(view, field, k, passing, filters)
            products = [listing.item.product for listing in passing.values()]
            expected = sorted(products, key=lambda product: key(product, sort))
            before = expected[start - 1] if 0 < start <= len(expected) else None
            after = None if before is None else Place(first_of(before, sort), before.product_id)
            page = view.page(among, sort, after, limit, FACETS)
            rest = expected if before is None else expected[start:]
            assert [entry.product for entry in page.items] == rest[:limit]
            assert page.next == (
                Place(first_of(rest[limit - 1], sort), rest[limit - 1].product_id) if len(rest) > limit else None
            )
            assert page.total == len(passing)
            assert page.facets == view.facets(among, FACETS) == plain_count(passing)

    @invariant()
    def every_view_finds_what_there_was(self) -> None:
        for view, contents in self.views():
            assert len(view) == len(contents)
            for field in FIELDS:
                for k in (1, 3, 1_000):
                    self.check_search(view, field, k, contents, Filters())
            for name in (str(n) for n in range(16)):
                if name not in contents:
                    with pytest.raises(NotFound):
                        view.row_of(name)
            names = [name for name in contents if not name.startswith("f")]
            rows = [view.row_of(name) for name in names]
            assert [view.id_of(row) for row in rows] == names
            assert [view.get(row) for row in rows] == [contents[name].item for name in names]
            for field in FIELDS:
                expected = VECTORS[[contents[name].vector(field) for name in names]].reshape(-1, DIM)
                np.testing.assert_array_equal(view.vectors(field, np.array(rows, np.int64)), expected)

    def views(self) -> Iterator[tuple[LiveView, Contents]]:
        for view in {id(view): view for view in (*self.kept, self.live.view)}.values():
            yield view, self.history[view.position]

    def check_search(self, view: LiveView, field: str, k: int, contents: Contents, filters: Filters) -> None:
        for query in QUERIES:
            scores = scores_of(contents, field, query)
            found = view.search(field, query, k, view.select(filters))
            names = [view.id_of(row) for row in found.rows.tolist()]
            assert len(set(names)) == len(names) == min(k, len(contents))
            assert [scores.get(name) for name in names] == found.scores.tolist()
            assert np.lexsort((found.rows, -found.scores)).tolist() == list(range(len(names)))
            self.check_best(found.scores.tolist(), sorted(scores.values(), reverse=True)[:k])

    def check_best(self, found: list[float], best: list[float]) -> None:
        assert found == best

    def teardown(self) -> None:
        self.patch.undo()
        self.journal.close()
        shutil.rmtree(self.folder)


class LiveCatalogueInSmallArrays(LiveCatalogue):
    """The same with rows that are moved all the time."""

    fewest_rows = 3


class LiveCatalogueOnApproximateIndexes(LiveCatalogue):
    """The same on a snapshot of hundreds, where a graph or lists are asked for few: what they find may be fewer of the
    best, never what is not there.
    """

    fillers = FILLERS
    choices = WIDE

    def check_best(self, found: list[float], best: list[float]) -> None:
        assert not best or best[-1] - found[-1] < 0.2


def position_of(path: Path) -> int:
    return read_manifest(path).journal_position


def plain_count(contents: Contents) -> dict[str, list[tuple[str, int]]]:
    products = [listing.item for listing in contents.values()]
    counted = {
        facet: Counter(value for entry in products for value in values_of(facet, entry.product))
        for facet in FACETS
        if facet != "price"
    }
    ordered = {
        facet: sorted(values.items(), key=lambda pair: (-pair[1], pair[0]))[:50] for facet, values in counted.items()
    }
    whole = table(products)
    return {facet: ordered.get(facet, []) for facet in FACETS} | count([(whole, whole.mask(Filters()))], ["price"])


def effort(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )


TestLiveCatalogue = LiveCatalogue.TestCase
TestLiveCatalogue.settings = effort(6, 20)
TestLiveCatalogueInSmallArrays = LiveCatalogueInSmallArrays.TestCase
TestLiveCatalogueInSmallArrays.settings = effort(6, 20)
TestLiveCatalogueOnApproximateIndexes = LiveCatalogueOnApproximateIndexes.TestCase
TestLiveCatalogueOnApproximateIndexes.settings = effort(2, 15)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("machine", "examples"),
    [(LiveCatalogue, 150), (LiveCatalogueInSmallArrays, 150), (LiveCatalogueOnApproximateIndexes, 40)],
)
def test_live_catalogues_at_length(machine: type[LiveCatalogue], examples: int) -> None:
    run_state_machine_as_test(machine, settings=effort(examples, 50))
