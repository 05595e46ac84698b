"""The live catalogue against a plain dictionary searched by brute force, whatever happens to snapshot and journal."""

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

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

from catalogue.errors import InvalidInput, JournalTrimmed, NotFound
from index import Change, Entry, Filters, IndexedProduct, Journal, LiveIndex, LiveView, delta, live, plan, verify
from index.cut import cut
from index.facets import count
from index.plan import Choice
from index.products import Sort
from index.snapshot import FieldName, read_manifest
from index.workers import set_faiss_threads, shared_workers
from tests.index.builders import DIM, FINGERPRINT, build, item, items, reopen, table, unit_rows
from tests.index.changes import sqlite, stored, upsert
from tests.index.shops import CATEGORIES, CURRENCIES, FACETS, NAMES, PRICES, SUPPLIERS, VALUES, passes, some_filters
from tests.index.test_facets import values_of
from tests.index.test_parts import key

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
    by_field: dict[str, Any] = {field: VECTORS[listing.vector(field)].astype(np.float32) for field in FIELDS}
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
        vectors = {
            field: VECTORS[[listing.vector(field) for listing in first.values()]].reshape(-1, DIM) for field in FIELDS
        }
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
            page, total, facets = view.page(among, sort, start, limit, FACETS)
            expected = sorted(products, key=lambda product: key(product, sort))
            assert [entry.product for entry in page] == expected[start : start + limit]
            assert total == len(passing)
            assert facets == view.facets(among, FACETS) == plain_count(passing)

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
TestLiveCatalogue.settings = effort(8, 20)
TestLiveCatalogueInSmallArrays = LiveCatalogueInSmallArrays.TestCase
TestLiveCatalogueInSmallArrays.settings = effort(8, 20)
TestLiveCatalogueOnApproximateIndexes = LiveCatalogueOnApproximateIndexes.TestCase
TestLiveCatalogueOnApproximateIndexes.settings = effort(3, 15)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("machine", "examples"),
    [(LiveCatalogue, 150), (LiveCatalogueInSmallArrays, 150), (LiveCatalogueOnApproximateIndexes, 40)],
)
def test_live_catalogues_at_length(machine: type[LiveCatalogue], examples: int) -> None:
    run_state_machine_as_test(machine, settings=effort(examples, 50))


# Views.


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivf-flat"])
@pytest.mark.parametrize("spared", [1, 2, 3, 299])
def test_many_hidden_rows_and_as_many_neighbours_as_there_are(tmp_path: Path, kind: str, spared: int) -> None:
    """All but every so-many-th product of a snapshot stay, and two new ones come."""
    choice = TINY["flat"] if kind == "flat" else WIDE[kind]
    index = LiveIndex(reopen(build(tmp_path, count=300, choice=choice)))
    gone = [f"p{n}" for n in range(300) if n % spared == 0]
    view = index.apply(in_order([Change.delete(name) for name in gone] + [upsert("a", 90), upsert("b", 91)]))
    vectors = {f"p{n}": row for n, row in enumerate(unit_rows(300)) if f"p{n}" not in gone}
    vectors |= {"a": unit_rows(1, seed=90)[0], "b": unit_rows(1, seed=91)[0]}
    assert len(view) == len(vectors) == 302 - len(gone)
    for query in QUERIES:
        best = sorted(((float(stored(row) @ query), name) for name, row in vectors.items()), reverse=True)
        for k in sorted({1, len(best) - 1, len(best), len(best) + 1, 300, 1_000} - {0}):
            found = view.search("fusion", query, k, view.select(Filters()))
            np.testing.assert_allclose(found.scores, [min(score, 1) for score, _ in best[:k]], atol=1e-6)
            assert [view.id_of(row) for row in found.rows.tolist()] == [name for _, name in best[:k]]


def test_filters_over_hidden_rows_and_more_asked_for_than_is_left(tmp_path: Path) -> None:
    """Of the suppliers s0, s1, s2 the products of s1 go, but for one; a new one and one of s2 join them."""
    index = LiveIndex(reopen(build(tmp_path, count=60)))
    changed = [Change.delete(f"p{n}") for n in range(1, 58, 3)]
    changed += [
        Change.upsert(item(name, supplier_id="s1", price=price), {FINGERPRINT: {"fusion": unit_rows(1, seed=seed)[0]}})
        for name, price, seed in (("new", 5.0, 1), ("p2", None, 2))
    ]
    view = index.apply(in_order(changed))
    among = view.select(Filters(suppliers=("s1",)))
    for k in (1, 2, 3, 4, 1_000):
        found = view.search("fusion", QUERIES[0], k, among)
        names = [view.id_of(row) for row in found.rows.tolist()]
        assert len(names) == min(k, 3)
        assert set(names) <= {"p58", "new", "p2"}
    page, total, facets = view.page(among, "-price", 0, 10, ["supplier"])
    assert [entry.product.product_id for entry in page] == ["p58", "new", "p2"]
    assert (total, facets) == (3, {"supplier": [("s1", 3)]})
    nobody = view.select(Filters(ids=("p1", "p4")))
    assert view.search("fusion", QUERIES[0], 10, nobody).rows.tolist() == []
    assert view.page(nobody, "title", 0, 10, ["supplier"]) == ([], 0, {"supplier": []})


def test_nothing_is_left(tmp_path: Path) -> None:
    index = LiveIndex(reopen(build(tmp_path, count=5)))
    view = index.apply(in_order([Change.delete(f"p{n}") for n in range(5)]))
    everything = view.select(Filters())
    assert len(view) == 0
    assert view.search("fusion", QUERIES[0], 10, everything).rows.tolist() == []
    assert view.page(everything, "price", 0, 10, ["price"]) == ([], 0, {"price": []})
    emptied = LiveIndex(reopen(cut(view, tmp_path, "emptied", choice=Choice()))).view
    assert (len(emptied), emptied.position) == (0, 5)


@pytest.mark.parametrize(("rows", "at_most"), [(10, 3), (300, 6), (10_000, 20)])
def test_a_new_snapshot_is_due_after_so_many_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, at_most: int
) -> None:
    """2 % of the rows, but not for a few, and not for more than so many."""
    monkeypatch.setattr(live, "_DUE_LEAST", 3)
    monkeypatch.setattr(live, "DUE_ROWS", 20)
    index = LiveIndex(reopen(build(tmp_path, count=rows)))
    view = index.apply(in_order([Change.delete(f"p{n}") for n in range(at_most)]))
    assert (view.changes, view.is_due) == (at_most, False)
    view = index.apply(in_order([upsert(f"p{n}") for n in range(at_most)], start=at_most + 1))
    assert (view.changes, view.is_due) == (at_most, False)  # as many rows changed as before
    view = index.apply(in_order([upsert("new")], start=2 * at_most + 1))
    assert (view.changes, view.is_due) == (at_most + 1, True)


def test_a_view_outlives_the_arrays_it_was_taken_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "_FEWEST_ROWS", 4)
    index = LiveIndex(reopen(build(tmp_path, count=5)))
    view = index.apply(in_order([upsert("new", 1, title="before"), Change.delete("p0"), upsert("p1", 2)]))

    def look() -> tuple[object, ...]:
        among = view.select(Filters(not_ids=("p4",)))
        found = view.search("fusion", QUERIES[0], 10, among)
        page, total, _ = view.page(among, "title", 0, 10, [])
        rows = [view.row_of(name) for name in ("new", "p1", "p2")]
        return found.rows.tolist(), found.scores.tolist(), page, total, rows, [view.get(row) for row in rows], len(view)

    before = look()
    for position in range(4, 200):
        name = ("new", "p0", "p1", "p2", f"q{position}")[position % 5]
        change = Change.delete(name) if position % 3 == 0 else upsert(name, position, title=f"at {position}")
        now = index.apply(in_order([change], start=position))
    assert now.delta.generation > view.delta.generation + 3
    for attribute in ("_visible",):
        view.__dict__.pop(attribute, None)  # computed anew
    assert look() == before
    with pytest.raises(NotFound, match="p0"):
        view.row_of("p0")


def test_readers_beside_a_writer_see_whole_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch gives a and b one price and one vector, and moves p1 out or in with them."""
    monkeypatch.setattr(delta, "_FEWEST_ROWS", 32)
    index = LiveIndex(reopen(build(tmp_path, count=20)))

    def batch(number: int) -> list[Change]:
        vectors = {FINGERPRINT: {"fusion": unit_rows(1, seed=number)[0]}}
        both = [Change.upsert(item(name, price=number, supplier_id="both"), vectors) for name in ("a", "b")]
        return [*both, Change.upsert(item("p1"), vectors) if number % 2 else Change.delete("p1")]

    index.apply(in_order(batch(0)))
    done = threading.Event()

    def read() -> int:
        looks = 0
        while not done.is_set():
            view = index.view
            page, total, _ = view.page(view.select(Filters(suppliers=("both",))), "product_id", 0, 10, [])
            number = view.position // 3 - 1
            assert [(entry.product.product_id, entry.product.price) for entry in page] == [("a", number), ("b", number)]
            assert (total, len(view)) == (2, 21 + number % 2)
            found = view.search("fusion", unit_rows(1, seed=number)[0], 2 + number % 2, view.select(Filters()))
            assert found.scores.min() > 0.999
            looks += 1
        return looks

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for number in range(1, 400):
            index.apply(in_order(batch(number), start=3 * number + 1))
        done.set()
        assert all(reader.result() > 0 for reader in readers)


# Vectors that are missing, or not quite of length 1.


def test_a_product_without_a_photo_outlives_a_cut(tmp_path: Path) -> None:
    """It has no vector of its photo: it is not found by that target, before and after."""
    index = LiveIndex(reopen(build(tmp_path, count=5, fields=FIELDS)))
    view = index.apply(in_order([upsert("words", 1), upsert("both", 2, fields=FIELDS)]))
    for name in ("first", "second"):  # the second is cut from a snapshot that lacks it already
        for field, expected in (("fusion", {"words", "both"}), ("image", {"both"})):
            found = view.search(field, QUERIES[0], 10, view.select(Filters()))
            assert {view.id_of(row) for row in found.rows.tolist()} == expected | {f"p{n}" for n in range(5)}
        view = LiveIndex(reopen(cut(view, tmp_path, name, choice=Choice()))).view
    with pytest.raises(InvalidInput, match="text"):
        view.search("text", QUERIES[0], 1, view.select(Filters()))


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_a_vector_longer_than_one_can_be_opened_again(tmp_path: Path, copies: int) -> None:
    """float16 rounds lengths, too; a snapshot of it must not refuse itself."""
    rows = unit_rows(2_000).astype(np.float16).astype(np.float32)
    longest = rows[np.linalg.norm(rows, axis=1).argmax()]
    path = build(tmp_path, products=items(copies), vectors={"fusion": np.tile(longest, (copies, 1))})
    assert reopen(path).index("fusion").search(longest, 1).scores.tolist() == [1.0]


def in_order(changed: list[Change], start: int = 1) -> list[Entry]:
    """The changes as a journal would give them back."""
    return [
        Entry(
            position,
            "delete" if change.item is None else "upsert",
            change.product_id,
            None if change.item is None else change.item.product.model_dump_json(exclude_defaults=True).encode(),
            None,
            None,
            datetime.now(UTC),
            {
                model: {field: vector.astype(np.float16) for field, vector in by_field.items()}
                for model, by_field in change.vectors.items()
            },
        )
        for position, change in enumerate(changed, start)
    ]
