"""The journal of one process: its lock, its disk, and what a kill leaves behind."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from catalogue.errors import JournalInvalid, JournalLocked, JournalUnavailable
from index.journal import Journal
from tests.index.changes import everything, ids, sqlite, upsert
from tests.index.journal_writer import PER_BATCH

ROOT = Path(__file__).parents[2]


@contextmanager
def writer(*arguments: object, under: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """A `journal_writer` that has said it is ready; what is left of it is killed."""
    command = [*under, sys.executable, "-m", "tests.index.journal_writer", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def tell(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def lines(child: subprocess.Popen[str]) -> Iterator[str]:
    """What it says, each line whole: what was cut off by a kill was not said."""
    assert child.stdout is not None
    return (line.rstrip("\n") for line in child.stdout if line.endswith("\n"))


# One process.


def test_a_second_process_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with writer("again", sqlite(tmp_path)) as child:
        tell(child)
        said = lines(child)
        pid = int(next(said))
        next(said)  # it has written
        with pytest.raises(JournalLocked, match=rf"journal.sqlite3 is in use by process {pid}, "):
            Journal.open(sqlite(tmp_path))
        os.kill(pid, signal.SIGKILL)
        assert "ended" in said
        with Journal.open(sqlite(tmp_path)) as journal:
            assert journal.head() > 0


def test_opened_twice_it_is_refused_until_closed(tmp_path: Path) -> None:
    with Journal.open(sqlite(tmp_path)), pytest.raises(JournalLocked, match=rf"process {os.getpid()},"):
        Journal.open(sqlite(tmp_path))
    Journal.open(sqlite(tmp_path)).close()


# The disk.


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    sqlite(tmp_path).write_bytes(b"not a database" * 1000)
    for _ in range(2):
        with pytest.raises(JournalInvalid, match="SQLITE_NOTADB"):
            Journal.open(sqlite(tmp_path))


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnavailable, match="cannot be opened"):
        Journal.open(tmp_path / "file" / "journal.sqlite3")


def test_a_full_disk_refuses_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    with writer("full", sqlite(tmp_path), 3_000_000) as child:
        tell(child)
        said = lines(child)
        acknowledged: list[str] = []
        while not (line := next(said)).startswith("full"):
            acknowledged += line.split()
        assert re.search(r"SQLITE_(FULL|IOERR)", line)
        assert "space on its disk" in line
        tell(child)
        acknowledged += next(said).split()
        assert child.wait() == 0
    assert len(acknowledged) > PER_BATCH
    with Journal.open(sqlite(tmp_path)) as journal:
        assert [str(entry.position) for entry in everything(journal)] == acknowledged
        assert journal.head() == len(acknowledged)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: install it to see the calls")
def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    """The calls themselves: as many syncs of the log as there were appends, one after another."""
    trace = tmp_path / "trace"
    under = ("strace", "-f", "-qq", "-y", "-e", "trace=fsync,fdatasync", "-o", str(trace))
    if subprocess.run([*under, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")
    with writer("once", sqlite(tmp_path), 25, under=under) as child:
        tell(child)
        assert len(list(lines(child))) == 25
        assert child.wait() == 0
    synced = [line for line in trace.read_text().splitlines() if "journal.sqlite3-wal" in line and "= 0" in line]
    assert len(synced) >= 25


# The kill.


def killed_at_random(path: Path, rounds: int, seed: int) -> int:
    """Kill a writing process again and again; returns how many entries were acknowledged, all of them found."""
    acknowledged: dict[int, str] = {}
    chance = random.Random(seed)
    with writer("again", path) as child:
        said = lines(child)
        for _ in range(rounds):
            tell(child)
            killer = threading.Timer(chance.uniform(0.0, 0.4), os.kill, [int(next(said)), signal.SIGKILL])
            killer.start()
            while (line := next(said)) != "ended":
                name, *positions = line.split()
                acknowledged |= {int(at): f"{name}-{part}" for part, at in enumerate(positions)}
            killer.join()
            check_whole(path, acknowledged)
    return len(acknowledged)


def check_whole(path: Path, acknowledged: dict[int, str]) -> None:
    """What was acknowledged is there, and of what was not, whole batches or nothing."""
    with Journal.open(path) as journal:
        entries = everything(journal)
        assert [entry.position for entry in entries] == list(range(1, journal.head() + 1))
    assert acknowledged.items() <= {entry.position: entry.product_id for entry in entries}.items()
    assert all(entry.vectors for entry in entries)
    names = ids(entries)
    batches = [name.removesuffix("-0") for name in names[::PER_BATCH]]
    assert names == [f"{batch}-{part}" for batch in batches for part in range(PER_BATCH)]


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    assert killed_at_random(sqlite(tmp_path), rounds=10, seed=1) > 100


@pytest.mark.heavy
def test_kill_9_loses_nothing_acknowledged_100_times(tmp_path: Path) -> None:
    assert killed_at_random(sqlite(tmp_path), rounds=100, seed=2) > 1_000


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    journal = Journal.open(sqlite(tmp_path))
    done = [journal.submit([upsert(f"p{n}")]) for n in range(50)]
    journal.close()
    assert [future.result(0) for future in done] == [[n] for n in range(1, 51)]
    with Journal.open(sqlite(tmp_path)) as again:
        assert again.head() == 50


def test_appends_are_not_held_up_by_a_long_read(tmp_path: Path) -> None:
    with Journal.open(sqlite(tmp_path), deadline_s=30) as journal:
        journal.append([upsert("p")])
        with journal._connection() as reader, reader.begin():
            assert reader.exec_driver_sql("SELECT count(*) FROM journal_entries").scalar() == 1
            journal.append([upsert("q")])  # would wait for the end of the read, and so for its deadline
            assert reader.exec_driver_sql("SELECT count(*) FROM journal_entries").scalar() == 1


@pytest.mark.parametrize("trims", ["itself", "another"])
def test_an_append_amid_a_trim_waits_for_its_turn(tmp_path: Path, trims: str) -> None:
    """SQLite refuses to write what was read before somebody else's commit."""
    with Journal.open(sqlite(tmp_path)) as journal, Journal.attach(sqlite(tmp_path)) as beside:
        trimming = journal if trims == "itself" else beside
        journal.append([upsert("p")])
        pending: list[Future[list[int]]] = []

        def amid(_: object, __: object, statement: str, *___: object) -> None:
            if statement.startswith("SELECT journal_entries.position") and not pending:
                pending.append(journal.submit([upsert("q")]))
                wait(pending, timeout=0.3)

        event.listen(trimming._engine, "after_cursor_execute", amid)
        trimming.trim(1)
        assert pending[0].result(60) == [2]
        assert ids(trimming.read_after(1)) == ["q"]
