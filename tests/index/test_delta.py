import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from catalogue.errors import DeltaFull, FingerprintMismatch, InvalidInput, NotFound
from index import IndexedProduct
from index import delta as module
from index.delta import Delta, DeltaView
from index.journal_entries import Entry
from tests.index.builders import DIM, FINGERPRINT, build, item, reopen, unit_rows
from tests.index.changes import OTHER, stored

Make = Callable[..., Delta]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A delta of a snapshot of p0 to p4."""
    snapshot = reopen(build(tmp_path_factory.mktemp("delta"), count=5, fields=("fusion", "image")))
    return lambda position=0: Delta(snapshot, position)


def vector(seed: int) -> NDArray[np.float32]:
    rows = unit_rows(1, seed=seed)
    return rows.reshape(-1)


def changed(
    position: int, product_id: str, seed: int = 0, *, fields: Iterable[str] = ("fusion",), title: str = "x"
) -> Entry:
    document = item(product_id, title=title).product.model_dump_json().encode()
    by_field = {name: vector(seed).astype(np.float16) for name in fields}
    return Entry(position, "upsert", product_id, document, None, datetime.now(UTC), {FINGERPRINT: by_field})


def deleted(position: int, product_id: str) -> Entry:
    return Entry(position, "delete", product_id, None, None, datetime.now(UTC), {})


def run(*changes: str, start: int = 1) -> list[Entry]:
    """Entries from words: `a` puts product a, `-a` takes it away; the seed of its vector is its position."""
    return [
        deleted(at, word[1:]) if word.startswith("-") else changed(at, word, at)
        for at, word in enumerate(changes, start)
    ]


def contents(view: DeltaView) -> dict[str, int]:
    """Each product found by search, and the seed of the vector it was found by."""
    found: dict[str, int] = {}
    for seed in range(1, view.position + 1):
        hits = view.index("fusion").search(vector(seed), view.rows + 1)
        found |= {
            view.id_of(row): seed
            for row, score in zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
            if score > 0.998  # float16 rounds lengths, too
        }
    return found


def hidden(view: DeltaView) -> list[int]:
    assert np.flatnonzero(~view.visible).tolist() == sorted(view.hidden.tolist())
    return sorted(view.hidden.tolist())


def test_an_empty_delta_hides_and_finds_nothing(make: Make) -> None:
    view = make(7).view
    assert (view.position, len(view), view.rows, view.full) == (7, 0, 0, False)
    assert view.visible.tolist() == [True] * 5
    assert view.index("fusion").search(vector(0), 3).rows.tolist() == []
    assert view.row_of("p1") is None


def test_what_is_put_is_found_at_once(make: Make) -> None:
    delta = make()
    view = delta.apply([changed(1, "new", 1, title="red"), changed(2, "p3", 2)])
    assert delta.view is view
    assert (view.position, len(view), hidden(view)) == (2, 2, [3])
    row = view.row_of("new")
    assert row is not None
    assert view.get(row) == IndexedProduct(product=item("new", title="red").product)
    np.testing.assert_array_equal(view.vectors("fusion", np.array([row]))[0], stored(vector(1)))
    found = view.index("fusion").search(vector(2), 2)
    assert [view.id_of(at) for at in found.rows.tolist()] == ["p3", "new"]
    assert found.scores.tolist() == pytest.approx([1, float(vector(1) @ vector(2))], abs=1e-3)


@pytest.mark.parametrize(
    ("changes", "expected", "hides"),
    [
        (["a", "a"], {"a": 2}, []),
        (["p1", "a", "p1"], {"a": 2, "p1": 3}, [1]),
        (["-p1"], {}, [1]),
        (["-p1", "-p1", "p1"], {"p1": 3}, [1]),
        (["p2", "-p2", "p2", "-p2"], {}, [2]),
        (["a", "-a"], {}, []),
        (["a", "-a", "a", "-b"], {"a": 3}, []),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_the_last_change_wins(
    make: Make, changes: list[str], expected: dict[str, int], hides: list[int], at_once: bool
) -> None:
    delta = make()
    entries = run(*changes)
    for some in [entries] if at_once else [[entry] for entry in entries]:
        delta.apply(some)
    view = delta.view
    assert contents(view) == expected
    assert len(view) == len(expected) == np.count_nonzero(view.alive)
    assert hidden(view) == hides
    for name in ("a", "b", "p1", "p2"):
        assert (view.row_of(name) is not None) == (name in expected)


def test_search_gives_what_is_allowed_best_first(make: Make) -> None:
    view = make().apply([changed(n + 1, f"q{n}", n) for n in range(300)] + [deleted(301, "q7")])
    vectors = stored(np.concatenate([unit_rows(1, seed=n) for n in range(300)]))
    allowed = np.random.default_rng(0).random(view.rows) < 0.4
    for mask in (None, allowed):
        for k in (0, 1, 10, 400):
            scores = vectors @ vector(7)
            rows = np.array([n for n in range(300) if n != 7 and (mask is None or mask[n])])
            best = rows[np.lexsort((rows, -scores[rows]))][:k]
            found = view.index("fusion").search(vector(7), k, mask)
            np.testing.assert_allclose(found.scores, scores[best], atol=1e-6)
            assert found.rows.tolist() == best.tolist()


def test_equal_vectors_come_by_row(make: Make) -> None:
    view = make().apply([changed(n + 1, f"q{n}", 3) for n in range(50)])
    assert view.index("fusion").search(vector(3), 9).rows.tolist() == list(range(9))


# Fields.


def test_a_field_without_a_vector_does_not_find_the_product(make: Make) -> None:
    view = make().apply([changed(1, "a", 1), changed(2, "b", 2, fields=("fusion", "image", "text"))])
    for name, expected in (("fusion", ["a", "b"]), ("image", ["b"])):
        found = view.index(name).search(vector(1), 5)
        assert [view.id_of(row) for row in found.rows.tolist()] == expected
    with pytest.raises(InvalidInput, match="Target 'text' cannot be searched; there is fusion, image"):
        view.index("text")


def test_fields_stay_apart_when_rows_move(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEWEST_ROWS", 2)
    delta = make()
    for n in range(1, 20):
        delta.apply([changed(n, f"q{n}", n, fields=("fusion", "image") if n % 2 else ("fusion",))])
    found = delta.view.index("image").search(vector(1), 50)
    assert sorted(delta.view.id_of(row) for row in found.rows.tolist()) == sorted(f"q{n}" for n in range(1, 20, 2))


# Order.


def test_entries_taken_in_before_are_passed_over(make: Make) -> None:
    delta = make()
    entries = run("a", "b", "-a", "c")
    delta.apply(entries[:3])
    view = delta.apply(entries)
    assert contents(view) == {"b": 2, "c": 4}
    assert delta.apply(entries[:2]) is view
    assert delta.apply([]) is view


@pytest.mark.parametrize("positions", [[2], [1, 3], [2, 1], [1, 1]])
def test_entries_that_are_not_in_order_are_refused(make: Make, positions: Sequence[int]) -> None:
    delta = make()
    with pytest.raises(ValueError, match="do not follow position 0"):
        delta.apply([changed(at, f"q{at}") for at in positions])
    assert (delta.view.position, len(delta.view)) == (0, 0)


@pytest.mark.parametrize(
    "vectors",
    [
        {},
        {OTHER: {"fusion": vector(0).astype(np.float16)}},
        {FINGERPRINT: {"image": vector(0).astype(np.float16)}},
        {FINGERPRINT: {"fusion": unit_rows(1, dim=DIM + 1)[0].astype(np.float16)}},
    ],
)
def test_another_models_vectors_are_refused_whole(
    make: Make, vectors: dict[str, dict[str, NDArray[np.float16]]]
) -> None:
    delta = make()
    before = delta.view
    bad = Entry(2, "upsert", "b", b"{}", None, datetime.now(UTC), vectors)
    with pytest.raises(FingerprintMismatch, match="entry 2 has no vector of 8 numbers"):
        delta.apply([changed(1, "a", 1), bad])
    assert delta.view is before
    assert contents(delta.apply([changed(1, "a", 1), changed(2, "b", 2)])) == {"a": 1, "b": 2}


# Bounds.


def test_it_says_when_it_is_full_takes_what_is_acknowledged_and_stops_at_twice_that(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    delta = make()
    assert not delta.apply(run("a")).full
    assert delta.apply(run("b", start=2)).full
    before = delta.apply(run("c", "d", start=3))
    with pytest.raises(DeltaFull, match="More than 4 products"):
        delta.apply(run("-a", "e", "f", start=5))
    assert delta.view is before
    view = delta.apply(run("-a", "e", "b", "b", start=5))  # no more than there were
    assert contents(view) == {"b": 8, "c": 3, "d": 4, "e": 6}
    assert not delta.apply(run("-b", "-c", "-d", start=9)).full


def test_hidden_rows_are_bounded_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    delta = make()
    assert delta.apply(run("-p0", "-p1")).full
    delta.apply(run("-p2", "-p3", start=3))
    with pytest.raises(DeltaFull):
        delta.apply(run("-p4", start=5))
    assert hidden(delta.apply(run("-nobody", start=5))) == [0, 1, 2, 3]


def test_memory_does_not_grow_with_changes_of_the_same_products(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEWEST_ROWS", 4)
    delta = make()
    generations = set()
    for position in range(1, 400):
        view = delta.apply(run(f"p{position % 3}", start=position))
        generations.add(view.generation)
        assert view.rows <= 8
    assert contents(view) == {"p0": 399, "p1": 397, "p2": 398}
    assert hidden(view) == [0, 1, 2]
    assert len(generations) > 10


# Views.


@pytest.mark.parametrize("fewest", [2, 1_024])
def test_a_view_never_changes(make: Make, monkeypatch: pytest.MonkeyPatch, fewest: int) -> None:
    monkeypatch.setattr(module, "_FEWEST_ROWS", fewest)
    chance = np.random.default_rng(0)
    delta = make()
    kept: list[tuple[DeltaView, dict[str, int], list[int]]] = []
    for position in range(1, 60):
        name = f"p{chance.integers(8)}"
        view = delta.apply(run(f"-{name}" if chance.random() < 0.3 else name, start=position))
        kept.append((view, contents(view), hidden(view)))
    for view, expected, hides in kept:
        for attribute in ("alive", "visible"):
            view.__dict__.pop(attribute)  # computed anew
        assert (contents(view), hidden(view)) == (expected, hides)
        live = {name: row for name in (f"p{n}" for n in range(8)) if (row := view.row_of(name)) is not None}
        assert live.keys() == expected.keys()
        for name, row in live.items():
            assert view.id_of(row) == name
            np.testing.assert_array_equal(view.vectors("fusion", np.array([row]))[0], stored(vector(expected[name])))


def test_rows_keep_their_numbers_within_a_generation(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEWEST_ROWS", 8)
    delta = make()
    seen: dict[tuple[int, int], str] = {}
    for position in range(1, 60):
        view = delta.apply(run(f"p{position % 7}", start=position))
        for row in range(view.rows):
            assert seen.setdefault((view.generation, row), view.id_of(row)) == view.id_of(row)


@pytest.mark.parametrize("change", [lambda view: view.hidden, lambda view: view.alive, lambda view: view.visible])
def test_what_a_view_gives_away_cannot_be_written(
    make: Make, change: Callable[[DeltaView], NDArray[np.generic]]
) -> None:
    view = make().apply(run("p1"))
    with pytest.raises(ValueError, match="read-only"):
        change(view)[0] = 0


def test_a_deletes_row_is_no_product(make: Make) -> None:
    view = make().apply(run("-p1"))
    with pytest.raises(NotFound, match="'p1' was deleted"):
        view.get(0)


def test_readers_beside_a_writer_see_whole_batches(make: Make) -> None:
    """Every batch gives a and b the same vector, and p1 to one of them in turn: no reader may see anything else."""
    delta = make()
    delta.apply(run("a", "b"))
    done = threading.Event()

    def read() -> int:
        looks = 0
        while not done.is_set():
            view = delta.view
            a, b = view.row_of("a"), view.row_of("b")
            assert a is not None
            assert b is not None
            if view.position > 2:
                both = view.vectors("fusion", np.array([a, b]))
                np.testing.assert_array_equal(both[0], both[1])
                found = view.index("fusion").search(vector(view.position), 2)
                assert sorted(found.rows.tolist()) == sorted([a, b])
                assert found.scores.min() > 0.999
            assert len(view) == 2
            looks += 1
        return looks

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for position in range(4, 4_000, 2):
            delta.apply([changed(position - 1, "a", position), changed(position, "b", position)])
        done.set()
        assert all(reader.result() > 0 for reader in readers)
