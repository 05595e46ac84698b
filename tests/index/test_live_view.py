"""Views of the live catalogue: much of it hidden, filters over what is left, arrays that were moved away."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from catalogue.errors import InvalidInput, NotFound
from index import Change, Entry, Filters, LiveIndex, delta, live, write_snapshot
from index.cut import cut
from index.live import Page
from index.plan import Choice
from index.products import SCHEMA, to_table
from tests.index.builders import FINGERPRINT, build, item, items, reopen, unit_rows
from tests.index.changes import stored, upsert
from tests.index.test_live import FIELDS, QUERIES, TINY, WIDE


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
    page = view.page(among, "-price", None, 10, ["supplier"])
    assert [entry.product.product_id for entry in page.items] == ["p58", "new", "p2"]
    assert (page.total, page.facets, page.next) == (3, {"supplier": [("s1", 3)]}, None)
    nobody = view.select(Filters(ids=("p1", "p4")))
    assert view.search("fusion", QUERIES[0], 10, nobody).rows.tolist() == []
    assert view.page(nobody, "title", None, 10, ["supplier"]) == Page([], 0, {"supplier": []}, None)


def test_a_gtin_is_found_wherever_its_listings_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ean, other = {"EAN": "4006381333931"}, {"EAN": "9783161484100"}
    products = [item(f"p{n}", attributes=ean if n % 2 else other) for n in range(6)]
    index = LiveIndex(reopen(build(tmp_path, products=products)))

    def put(product_id: str, attributes: dict[str, str]) -> Change:
        return Change.upsert(item(product_id, attributes=attributes), {FINGERPRINT: {"fusion": unit_rows(1)[0]}})

    changed = [Change.delete("p1"), put("p3", other), put("p5", ean), put("new", ean), put("gone", ean)]
    changed += [Change.delete("gone"), *(put("often", {"upc": f"0{ean['EAN']}"}) for _ in range(40))]
    view = index.apply(in_order(changed))
    assert sorted(view.id_of(row) for row in view.of_gtin(ean["EAN"]).tolist()) == ["new", "often", "p5"]
    assert sorted(view.id_of(row) for row in view.of_gtin(other["EAN"]).tolist()) == ["p0", "p2", "p3", "p4"]
    both = {"EAN": f"{ean['EAN']}; {other['EAN']}"}
    assert view.gtins(both) == {ean["EAN"], other["EAN"]}
    assert view.gtins({"EAN": "17"}) == set()
    assert len(view.of_gtins(view.gtins(both))) == 7
    monkeypatch.setattr(live, "MOST_OF_ONE_GTIN", 3)
    assert len(view.of_gtin(ean["EAN"])) == 3
    assert len(view.of_gtin(other["EAN"])) == 0
    assert view.gtins(both) == {ean["EAN"]}


@pytest.mark.parametrize("filters", [Filters(), Filters(suppliers=("s0",))])
def test_a_row_that_cannot_be_read_is_in_no_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filters: Filters
) -> None:
    ean = {"EAN": "4006381333931"}
    index = LiveIndex(
        reopen(build(tmp_path, products=[item(f"p{n}", supplier_id="s0", attributes=ean) for n in range(9)]))
    )
    assert index.leave_out(3)
    assert not index.leave_out(3)
    index.apply(in_order([upsert("new"), Change.delete("p4")]))
    monkeypatch.setattr(live, "MOST_DAMAGED", 2)
    assert index.leave_out(5)
    assert not index.leave_out(6)
    view, left = index.view, [f"p{n}" for n in (0, 1, 2, 6, 7, 8)]
    among = view.select(filters)
    found = [view.id_of(row) for row in view.search("fusion", QUERIES[0], 20, among).rows.tolist()]
    assert sorted(set(found) - {"new"}) == left
    assert len(view.search("fusion", QUERIES[0], 5, among).rows) == 5
    page = view.page(among, "product_id", None, 10, ["supplier"])
    assert [entry.product.product_id for entry in page.items if entry.product.product_id != "new"] == left
    assert page.total == len(page.items)
    assert ("s0", 6) in page.facets["supplier"]
    assert [view.id_of(row) for row in view.of_gtin(ean["EAN"]).tolist()] == left
    assert view.row_of("p3") == 3


def test_nothing_is_left(tmp_path: Path) -> None:
    index = LiveIndex(reopen(build(tmp_path, count=5)))
    view = index.apply(in_order([Change.delete(f"p{n}") for n in range(5)]))
    everything = view.select(Filters())
    assert len(view) == 0
    assert view.search("fusion", QUERIES[0], 10, everything).rows.tolist() == []
    assert view.page(everything, "price", None, 10, ["price"]) == Page([], 0, {"price": []}, None)
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


def test_a_new_snapshot_is_due_after_so_many_entries_of_one_product(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row changed, but each start and each swap replays them all."""
    monkeypatch.setattr(live, "DUE_ENTRIES", 20)
    index = LiveIndex(reopen(build(tmp_path, count=10)))
    view = index.apply(in_order([upsert("p0", n) for n in range(20)]))
    assert (view.changes, view.is_due) == (1, False)
    view = index.apply(in_order([upsert("p0")], start=21))
    assert (view.changes, view.is_due) == (1, True)


def test_entries_that_the_snapshot_holds_make_none_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "DUE_ENTRIES", 20)
    index = LiveIndex(reopen(build(tmp_path, count=10, journal_position=1_000)))
    assert index.view.is_due is False
    assert index.apply(in_order([upsert("p0")], start=1_001)).is_due is False


def test_a_view_outlives_the_arrays_it_was_taken_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delta, "_FEWEST_ROWS", 4)
    index = LiveIndex(reopen(build(tmp_path, count=5)))
    view = index.apply(in_order([upsert("new", 1, title="before"), Change.delete("p0"), upsert("p1", 2)]))

    def look() -> tuple[object, ...]:
        among = view.select(Filters(not_ids=("p4",)))
        found = view.search("fusion", QUERIES[0], 10, among)
        page = view.page(among, "title", None, 10, [])
        rows = [view.row_of(name) for name in ("new", "p1", "p2")]
        return found.rows.tolist(), found.scores.tolist(), page, rows, [view.get(row) for row in rows], len(view)

    before = look()
    for position in range(4, 200):
        name = ("new", "p0", "p1", "p2", f"q{position}")[position % 5]
        change = Change.delete(name) if position % 3 == 0 else upsert(name, position, title=f"at {position}")
        now = index.apply(in_order([change], start=position))
    assert now.delta.generation > view.delta.generation + 3
    view.__dict__.pop("visible", None)  # computed anew
    assert look() == before
    with pytest.raises(NotFound, match="p0"):
        view.row_of("p0")


def test_entries_that_cannot_be_read_change_nothing(tmp_path: Path) -> None:
    index = LiveIndex(reopen(build(tmp_path, count=5)))
    before = index.view
    entries = in_order([upsert("a"), upsert("b")])
    with pytest.raises(ValueError, match="no document of that product"):
        index.apply([entries[0], replace(entries[1], document=entries[0].document)])
    assert index.view is before
    assert index.apply(entries).position == 2


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
            page = view.page(view.select(Filters(suppliers=("both",))), "product_id", None, 10, [])
            number = view.position // 3 - 1
            both = [(entry.product.product_id, entry.product.price) for entry in page.items]
            assert both == [("a", number), ("b", number)]
            assert (page.total, len(view)) == (2, 21 + number % 2)
            found = view.search("fusion", unit_rows(1, seed=number)[0], 2 + number % 2, view.select(Filters()))
            assert found.scores.min() > 0.999
            looks += 1
        return looks

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for number in range(1, 200):
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


def test_a_cut_reads_gtins_as_this_version_does(tmp_path: Path) -> None:
    """Whichever version wrote what it is cut from: earlier ones knew none where a cell holds several."""
    codes = ("4006381333931", "4006381333948")
    products = [item("both", attributes={"EAN": "; ".join(codes), "colour": "red"}), item("none")]
    before = to_table(products)
    attributes = pa.array([[("colour", "red"), ("ean", "; ".join(codes))], []], SCHEMA.field("attributes").type)
    before = before.set_column(before.schema.get_field_index("attributes"), SCHEMA.field("attributes"), attributes)
    path = write_snapshot(
        tmp_path, "old", before, {"fusion": unit_rows(2)}, model="m", fingerprint=FINGERPRINT, variant="v"
    )
    view = LiveIndex(reopen(path)).apply(in_order([upsert("other", 1)]))
    assert not view.of_gtins(codes).size
    view = LiveIndex(reopen(cut(view, tmp_path, "new", choice=Choice()))).view
    for code in codes:
        assert [view.id_of(row) for row in view.of_gtin(code).tolist()] == ["both"]
    assert view.page(view.select(Filters(attributes={"colour": ("red",)})), "product_id", None, 9, []).total == 1


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
            datetime.now(UTC),
            {
                model: {field: vector.astype(np.float16) for field, vector in by_field.items()}
                for model, by_field in change.vectors.items()
            },
        )
        for position, change in enumerate(changed, start)
    ]


def test_a_snapshot_cut_with_another_journal_takes_all_of_this_one(tmp_path: Path) -> None:
    path = build(tmp_path, count=5, journal="a" * 32, journal_position=7)
    assert LiveIndex(reopen(path), "a" * 32).view.position == 7
    for other in ("b" * 32, None):
        assert LiveIndex(reopen(path), other).view.position == 0
