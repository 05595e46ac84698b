"""What a journal does, whichever database holds it."""

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, text, update

from catalogue import Product
from catalogue.errors import (
    Conflict,
    InvalidInput,
    JournalInvalid,
    JournalTrimmed,
    JournalUnavailable,
    ProductChanged,
    TooLarge,
)
from index import IndexedProduct, journal_reading, journal_store
from index import journal as module
from index.journal import Journal
from index.journal_entries import Change
from index.journal_store import state
from tests.index.builders import FINGERPRINT, item, unit_rows
from tests.index.changes import OTHER, everything, ids, only_vectors, upsert


@pytest.fixture
def journal(where: Path | str) -> Iterator[Journal]:
    with Journal.open(where) as journal:
        yield journal


def test_a_new_journal_is_empty(journal: Journal) -> None:
    assert (journal.head(), journal.read_after(0)) == (0, [])


def test_what_was_appended_is_read(journal: Journal) -> None:
    product = Product(
        product_id="p/1", title="Krug \0 ☕", price=3.5, in_stock=True, attributes={"size": "M6"}, images=("a.jpg",)
    )
    first, second = unit_rows(2)
    entry = IndexedProduct(product=product, photo="ab" * 32)
    change = Change.upsert(entry, {FINGERPRINT: {"fusion": first, "image": second}, OTHER: {"fusion": second}})
    assert journal.append([change, Change.delete("gone")]) == [1, 2]

    one, two = journal.read_after(0)
    assert (one.position, one.operation, one.product_id, one.item) == (1, "upsert", "p/1", entry)
    assert {name: by_field.keys() for name, by_field in one.vectors.items()} == {
        FINGERPRINT: {"fusion", "image"},
        OTHER: {"fusion"},
    }
    np.testing.assert_array_equal(one.vectors[FINGERPRINT]["image"], second.astype(np.float16))
    np.testing.assert_array_equal(one.vectors[OTHER]["fusion"], second.astype(np.float16))
    assert timedelta(0) <= datetime.now(UTC) - one.written_at < timedelta(minutes=1)
    assert (two.position, two.operation, two.product_id, two.item, two.vectors) == (2, "delete", "gone", None, {})


def test_it_is_there_again_when_opened_again(where: Path | str) -> None:
    for position in (1, 2, 3):
        with Journal.open(where) as journal:
            assert journal.append([upsert(f"p{position}")]) == [position]
    with Journal.open(where) as journal:
        assert journal.head() == 3
        assert ids(journal.read_after(0)) == ["p1", "p2", "p3"]


def test_nothing_appended_is_nothing_written(journal: Journal) -> None:
    assert journal.append([]) == []
    assert journal.head() == 0


def test_reading_goes_on_where_it_was(journal: Journal) -> None:
    journal.append([upsert(f"p{n}", n) for n in range(10)])
    assert ids(journal.read_after(7)) == ["p7", "p8", "p9"]
    assert ids(journal.read_after(2, limit=3)) == ["p2", "p3", "p4"]
    assert journal.read_after(10) == []
    assert ids(everything(journal, limit=3)) == [f"p{n}" for n in range(10)]


def test_a_read_is_bounded_in_bytes_and_never_stuck(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_reading, "MAX_READ_BYTES", 10_000)
    sizes = [50_000, 10, 9_000, 9_000, 10, 50_000]
    journal.append([Change.upsert(item(f"p{n}", description="y" * size), {}) for n, size in enumerate(sizes)])
    assert ids(journal.read_after(0)) == ["p0"]
    assert ids(journal.read_after(1)) == ["p1", "p2"]
    assert ids(everything(journal)) == [f"p{n}" for n in range(6)]


def test_callers_at_once_get_their_own_positions(journal: Journal) -> None:
    def write(writer: int) -> list[tuple[int, str]]:
        acknowledged: list[tuple[int, str]] = []
        for n in range(10):
            names = [f"w{writer}-{n}-{part}" for part in range(3)]
            positions = journal.append([upsert(name, writer) for name in names])
            assert positions == list(range(positions[0], positions[0] + 3))
            acknowledged += zip(positions, names, strict=True)
        return acknowledged

    with ThreadPoolExecutor(8) as pool:
        acknowledged = dict(pair for some in pool.map(write, range(8)) for pair in some)
    assert sorted(acknowledged) == list(range(1, 241))
    assert {entry.position: entry.product_id for entry in everything(journal)} == acknowledged


def test_a_reader_beside_writers_misses_nothing(journal: Journal) -> None:
    seen: list[int] = []
    done = threading.Event()

    def tail() -> None:
        while not done.is_set() or journal.head() > len(seen):
            seen.extend(entry.position for entry in journal.read_after(len(seen), limit=7))

    with ThreadPoolExecutor(4) as pool:
        reader = pool.submit(tail)
        writers = [pool.submit(lambda: [journal.append([upsert("p"), upsert("q")]) for _ in range(15)]) for _ in "abc"]
        for writer in writers:
            writer.result()
        done.set()
        reader.result()
    assert seen == list(range(1, 91))


# Changes made from what was there.


def kept(product_id: str, seen: int) -> Change:
    return dataclasses.replace(upsert(product_id), seen=seen)


def test_a_change_goes_through_while_its_product_stays_as_it_was_seen(journal: Journal) -> None:
    assert journal.append([kept("new", 0)]) == [1]
    journal.append([upsert("other"), upsert("another")])
    assert journal.append([kept("new", 1), kept("never", 1)]) == [4, 5]
    assert journal.append([kept("new", 5)]) == [6]


@pytest.mark.parametrize("later", [upsert("p"), Change.delete("p")])
def test_it_is_refused_where_the_product_has_changed_since(journal: Journal, later: Change) -> None:
    journal.append([upsert("p"), upsert("other")])
    journal.append([later])
    with pytest.raises(ProductChanged, match="nothing was written"):
        journal.append([upsert("q"), kept("p", 2)])
    assert journal.head() == 3
    assert journal.append([kept("p", 3)]) == [4]


def test_it_is_refused_where_that_cannot_be_told(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.append([upsert(f"p{n}") for n in range(5)])
    journal.trim(3)
    with pytest.raises(ProductChanged):
        journal.append([kept("q", 2)])
    assert journal.append([kept("q", 3)]) == [6]
    monkeypatch.setattr(journal_store, "_MAX_UNSEEN", 2)
    with pytest.raises(ProductChanged):
        journal.append([kept("q", 3)])
    with pytest.raises(ProductChanged):
        journal.append([upsert("r"), kept("r", 6)])


def test_of_a_group_only_that_one_is_refused(journal: Journal) -> None:
    journal.append([upsert("p")])
    with ThreadPoolExecutor(8) as pool:
        stale = [pool.submit(journal.append, [kept("p", 0)]) for _ in range(20)]
        good = [pool.submit(journal.append, [upsert(f"q{n}")]) for n in range(20)]
    assert sorted(future.result()[0] for future in good) == list(range(2, 22))
    assert all(isinstance(future.exception(), ProductChanged) for future in stale)


# Vectors for a further model.


def test_vectors_are_added_later(journal: Journal) -> None:
    old, new = unit_rows(2)
    journal.append([upsert("p1"), Change.delete("p2"), upsert("p3")])
    journal.add_vectors(OTHER, {1: {"fusion": new}, 2: {"fusion": new}, 3: {"fusion": old, "text": new}, 9: {}})
    one, two, three = journal.read_after(0)
    assert one.vectors.keys() == {FINGERPRINT, OTHER}
    np.testing.assert_array_equal(one.vectors[OTHER]["fusion"], new.astype(np.float16))
    assert two.vectors == {}
    assert three.vectors[OTHER].keys() == {"fusion", "text"}


def test_vectors_that_are_there_stay(journal: Journal) -> None:
    journal.append([upsert("p1", seed=1)])
    journal.add_vectors(FINGERPRINT, {1: {"fusion": unit_rows(1, seed=2)[0], "text": unit_rows(1, seed=3)[0]}})
    journal.add_vectors(FINGERPRINT, {1: {"text": unit_rows(1, seed=4)[0]}})
    (entry,) = journal.read_after(0)
    for name, seed in (("fusion", 1), ("text", 3)):
        np.testing.assert_array_equal(only_vectors(entry)[name], unit_rows(1, seed=seed)[0].astype(np.float16))


def test_vectors_of_what_was_trimmed_are_not_added(journal: Journal) -> None:
    journal.append([upsert("p1"), upsert("p2")])
    journal.trim(1)
    journal.add_vectors(OTHER, {at: {"fusion": unit_rows(1)[0]} for at in (1, 2)})
    assert [entry.vectors.keys() for entry in journal.read_after(1)] == [{FINGERPRINT, OTHER}]


def test_a_copy_that_was_interrupted_is_begun_anew(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal.open(tmp_path / "source.sqlite3") as source:
        source.append([upsert(f"p{n}") for n in range(5)])
        monkeypatch.setattr(journal_reading, "MAX_ROWS", 2)
        with monkeypatch.context() as patch:
            stored_after = journal_reading.stored_after
            patch.setattr(
                module, "stored_after", lambda some, after, head: stored_after(some, after, head if after < 2 else -1)
            )
            with pytest.raises(JournalInvalid):
                source.copy_to(journal)
        assert source.copy_to(journal) == (0, 5)
        assert journal.id == source.id
        assert ids(everything(journal)) == ids(everything(source))
        with pytest.raises(Conflict, match="holds changes already"):
            source.copy_to(journal)


# Trimming.


def test_what_is_trimmed_is_gone_and_said_to_be(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRIM_ROWS", 2)
    journal.append([upsert(f"p{n}") for n in range(1, 10)])
    journal.trim(5)
    assert ids(journal.read_after(5)) == ["p6", "p7", "p8", "p9"]
    for position in (0, 4):
        with pytest.raises(JournalTrimmed, match="begins after position 5"):
            journal.read_after(position)
    journal.trim(3)  # an older snapshot's position gives nothing back
    with pytest.raises(JournalTrimmed):
        journal.read_after(4)


def test_positions_go_on_after_all_is_trimmed(where: Path | str) -> None:
    with Journal.open(where) as journal:
        journal.append([upsert("p1"), upsert("p2")])
        journal.trim(2)
    with Journal.open(where) as journal:
        assert (journal.head(), journal.read_after(2)) == (2, [])
        assert journal.append([upsert("p3")]) == [3]


def test_what_readers_need_is_known_until_they_are_long_gone(
    where: Path | str, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal.needed() is None
    journal.append([upsert(f"p{n}") for n in range(9)])
    journal.need("one", 7)
    journal.need("two", 3)
    with Journal.attach(where) as beside:
        assert beside.needed() == 3
    journal.need("two", 8)
    assert journal.needed() == 7
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + journal_store.NEEDED_S - 60)
    assert journal.needed() == 7
    journal.need("two", 9)
    monkeypatch.setattr(time, "time", lambda: now + journal_store.NEEDED_S + 60)
    assert journal.needed() == 9


def test_a_journal_of_an_earlier_version_learns_what_is_needed(where: Path | str) -> None:
    Journal.open(where).close()
    address = str(where).replace("postgresql:", "postgresql+psycopg:")
    for again in (Journal.open, Journal.attach):
        engine = create_engine(f"sqlite:///{where}" if isinstance(where, Path) else address)
        journal_store.readers.drop(engine)
        engine.dispose()
        with again(where) as journal:
            journal.need("one", 0)
            assert journal.needed() == 0


def test_trimming_beside_writers_fails_neither(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRIM_ROWS", 2)
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(lambda: [journal.append([upsert("p"), upsert("q")]) for _ in range(40)]) for _ in "ab"]
        while not all(writer.done() for writer in writers):
            journal.trim(journal.head())
        for writer in writers:
            writer.result()
    assert journal.head() == 160
    journal.trim(160)
    assert journal.append([upsert("r")]) == [161]
    assert ids(journal.read_after(160)) == ["r"]


def test_another_journals_position_is_refused(journal: Journal) -> None:
    journal.append([upsert("p1")])
    for call in (journal.read_after, journal.trim):
        with pytest.raises(JournalInvalid, match="Position 2 is not of this journal, which ends at 1"):
            call(2)


def test_a_lost_entry_is_noticed(where: Path | str, journal: Journal) -> None:
    journal.append([upsert("p1"), upsert("p2"), upsert("p3")])
    engine = create_engine(f"sqlite:///{where}" if isinstance(where, Path) else where)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM journal_entries WHERE position = 2"))
    engine.dispose()
    with pytest.raises(JournalInvalid, match="lacks entries after position 0"):
        journal.read_after(0)
    assert ids(journal.read_after(2)) == ["p3"]


# What is refused.


@pytest.mark.parametrize(
    "change",
    [
        lambda: Change.delete(""),
        lambda: Change.delete("a b"),
        lambda: Change.delete("x" * 129),
        lambda: Change.delete("\ud800"),
        lambda: Change.upsert(item("p", photo="../../etc"), {}),
        lambda: Change.upsert(item("p"), {"other model": {"fusion": unit_rows(1)[0]}}),
        lambda: Change.upsert(item("p"), {FINGERPRINT: {"style": unit_rows(1)[0]}}),
        lambda: Change.upsert(item("p"), {FINGERPRINT: {"fusion": unit_rows(2)}}),
        lambda: Change.upsert(item("p"), {FINGERPRINT: {"fusion": 2 * unit_rows(1)[0]}}),
        lambda: Change.upsert(item("p"), {FINGERPRINT: {"fusion": np.full(8, np.nan, np.float32)}}),
    ],
)
def test_what_cannot_be_stored_is_bad_input(change: Callable[[], Change]) -> None:
    with pytest.raises(InvalidInput):
        change()


@pytest.mark.parametrize(
    "changes",
    [
        [Change.delete(f"p{n}") for n in range(1_001)],
        [Change.upsert(item(f"p{n}", description="y" * 100_000), {}) for n in range(161)],
    ],
)
def test_a_batch_is_bounded(journal: Journal, changes: list[Change]) -> None:
    with pytest.raises(TooLarge):
        journal.append(changes)
    assert journal.head() == 0
    journal.append(changes[:100])


def test_added_vectors_are_checked_and_bounded(journal: Journal) -> None:
    journal.append([upsert("p1")])
    with pytest.raises(InvalidInput):
        journal.add_vectors(OTHER, {1: {"fusion": np.zeros(8, np.float32)}})
    with pytest.raises(TooLarge):
        journal.add_vectors(OTHER, {at: {"fusion": unit_rows(1)[0]} for at in range(1_001)})
    assert journal.read_after(0)[0].vectors.keys() == {FINGERPRINT}


def test_a_newer_schema_is_refused(where: Path | str) -> None:
    with Journal.open(where) as journal:
        journal.append([upsert("p1")])
    engine = create_engine(f"sqlite:///{where}" if isinstance(where, Path) else where)
    with engine.begin() as connection:
        connection.execute(update(state).values(schema_version=2))
    for _ in range(2):  # refused, it lets go of the lock
        with pytest.raises(JournalInvalid, match="has schema 2, this version reads up to 1; upgrade"):
            Journal.open(where)
    with engine.begin() as connection:
        connection.execute(update(state).values(schema_version=1))
    engine.dispose()
    with Journal.open(where) as journal:
        assert ids(journal.read_after(0)) == ["p1"]


def test_another_programs_table_is_no_journal(where: Path | str) -> None:
    engine = create_engine(f"sqlite:///{where}" if isinstance(where, Path) else where)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE journal_state (word text)"))
    engine.dispose()
    with pytest.raises(JournalInvalid, match="holds no usable journal"):
        Journal.open(where)


@pytest.mark.parametrize(
    "call",
    [lambda journal: journal.append([upsert("p")]), lambda journal: journal.read_after(0), Journal.head],
)
def test_a_closed_journal_says_so(where: Path | str, call: Callable[[Journal], Any]) -> None:
    journal = Journal.open(where)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable, match="shutting down"):
        call(journal)
