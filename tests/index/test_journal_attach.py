"""A journal that another process has: read and trimmed from beside it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from catalogue.errors import JournalInvalid, JournalLocked, JournalTrimmed, JournalUnavailable
from index import journal as module
from index.journal import Journal
from tests.index.changes import everything, ids, sqlite, upsert
from tests.index.journal_writer import PER_BATCH
from tests.index.test_journal_sqlite import lines, tell, writer


@pytest.fixture
def owner(where: Path | str) -> Iterator[Journal]:
    with Journal.open(where) as journal:
        yield journal


def test_it_reads_and_trims_what_another_has_open(where: Path | str, owner: Journal) -> None:
    owner.append([upsert(f"p{n}") for n in range(5)])
    with Journal.attach(where) as beside:
        assert (beside.bounds(), beside.head()) == ((0, 5), 5)
        assert ids(beside.read_after(3)) == ["p3", "p4"]
        beside.trim(3)
        assert beside.bounds() == owner.bounds() == (3, 5)
        owner.append([upsert("p5")])
        assert ids(beside.read_after(3)) == ["p3", "p4", "p5"]
        with pytest.raises(JournalTrimmed):
            beside.read_after(2)
    assert owner.append([upsert("p6")]) == [7]


def test_it_does_not_append(where: Path | str, owner: Journal) -> None:
    with Journal.attach(where) as beside:
        with pytest.raises(JournalLocked, match="attached, to read and to trim"):
            beside.append([upsert("p")])
        with pytest.raises(JournalLocked, match="attached"):
            beside.submit([])
    assert owner.head() == 0


def test_nobody_else_need_have_it(where: Path | str) -> None:
    with Journal.open(where) as owner:
        owner.append([upsert("p")])
    with Journal.attach(where) as beside:
        assert ids(beside.read_after(0)) == ["p"]
        if isinstance(where, Path):
            Journal.open(where).close()  # nor does it keep anybody out
    with pytest.raises(JournalUnavailable, match="shutting down"):
        beside.bounds()


def test_where_there_is_none_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="There is no journal"):
        Journal.attach(sqlite(tmp_path))
    assert not list(tmp_path.iterdir())
    sqlite(tmp_path).touch()
    with pytest.raises(JournalUnavailable, match="not complete yet"):
        Journal.attach(sqlite(tmp_path))


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    sqlite(tmp_path).write_bytes(b"not a database" * 1000)
    with pytest.raises(JournalInvalid, match="SQLITE_NOTADB"):
        Journal.attach(sqlite(tmp_path))


def test_it_trims_and_reads_while_another_process_appends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In small steps, so that the two meet often; neither fails, and nothing that is left is missing or twice."""
    monkeypatch.setattr(module, "_TRIM_ROWS", 20)
    monkeypatch.setattr(module, "_TRIM_PAUSE_S", 0)
    batches = 200
    with writer("once", sqlite(tmp_path), batches) as child:
        tell(child)
        said = lines(child)
        next(said)  # the journal is there
        seen: list[str] = []
        trims = 0
        with Journal.attach(sqlite(tmp_path)) as beside:
            while len(seen) < batches * PER_BATCH:
                assert child.poll() in {None, 0}
                seen += ids(beside.read_after(len(seen), limit=100))
                trims += beside.bounds()[0] < len(seen) - 5
                beside.trim(max(0, len(seen) - 5))
                assert len(everything(beside, max(0, len(seen) - 5))) >= min(5, len(seen))
        acknowledged = [int(at) for line in said for at in line.split()[1:]]
        assert child.wait(10) == 0
    assert acknowledged == list(range(PER_BATCH + 1, batches * PER_BATCH + 1))
    assert len(set(seen)) == batches * PER_BATCH
    assert trims > 1  # how often the two meet is the machine's business
    with Journal.open(sqlite(tmp_path)) as journal:
        assert journal.bounds() == (batches * PER_BATCH - 5, batches * PER_BATCH)
        assert ids(everything(journal, batches * PER_BATCH - 5)) == seen[-5:]


def test_between_two_steps_of_a_trim_others_get_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRIM_ROWS", 2)
    monkeypatch.setattr(module, "_TRIM_PAUSE_S", 0.05)
    with Journal.open(sqlite(tmp_path)) as owner, Journal.attach(sqlite(tmp_path)) as beside:
        owner.append([upsert(f"p{n}") for n in range(10)])
        begun: list[float] = []
        ended: list[float] = []
        event.listen(beside._engine, "begin", lambda _: begun.append(time.monotonic()))
        event.listen(beside._engine, "commit", lambda _: ended.append(time.monotonic()))
        beside.trim(10)
        assert len(ended) == 7  # saying so, five steps, and one that finds nothing
        assert all(after - before >= 0.04 for before, after in zip(ended[1:-1], begun[2:], strict=True))
