"""The way in: events are durable in SQLite before they are acknowledged, and leave it for files a little later.

    events/spool-<n>.sqlite3    of one process each, which holds its lock; the next one takes up what a killed one left
    events/events/date=.../     what shoppers did, Parquet (`files`)
    events/searches/date=.../   what they were shown

A digest of an event's id is remembered for a week, so what is sent again is not counted again. What leaves for the
files is first marked with the name of its file; a process that dies in between writes that very file anew.
"""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from catalogue.errors import EventsUnavailable, JournalLocked, Overloaded
from catalogue.event_files import SCHEMA_VERSION, check_schema
from catalogue.files import sync_directory
from catalogue.process_lock import ProcessLock, is_held_elsewhere
from index.group_commit import GroupCommit
from service.events import files
from service.ids import uuid7

MAX_AGE_S: Final = 7 * 86_400
"""How long an event id is known, and so the oldest event that is taken."""
MAX_PENDING: Final = 1_000_000
"""Rows that have not become files yet."""
_MAX_SPOOLS: Final = 64
_BATCH: Final = 50_000
_BUSY_S: Final = 5.0
_FORGET: Final = 20_000

_ADD_EVENT: Final = (
    "INSERT INTO events (event_id, type, time, product_id, query, user_id, session_id, request_id, position, "
    "experiment, arm, received_at, value, currency) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ADD_SEARCH: Final = "INSERT INTO searches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS seen (event BLOB PRIMARY KEY, received_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
  event_id TEXT NOT NULL, type TEXT NOT NULL, time INTEGER NOT NULL, product_id TEXT NOT NULL, query TEXT, user_id TEXT,
  session_id TEXT, request_id TEXT NOT NULL, position INTEGER, experiment TEXT, arm TEXT, received_at INTEGER NOT NULL,
  batch TEXT, value REAL, currency TEXT);
CREATE TABLE IF NOT EXISTS searches (
  request_id TEXT NOT NULL, time INTEGER NOT NULL, kind TEXT NOT NULL, product_id TEXT, query TEXT,
  has_photo INTEGER NOT NULL, user_id TEXT, shown TEXT NOT NULL, snapshot TEXT, experiment TEXT, arm TEXT,
  took_ms REAL NOT NULL, status INTEGER NOT NULL, batch TEXT);
"""
_SINCE_2: Final = {"value": "REAL", "currency": "TEXT"}


@dataclass(slots=True)
class Event:
    """A row of `events`; `is_new` says once it is durable whether it was not there before."""

    event_id: str
    type: str
    time: int
    product_id: str
    query: str | None
    user_id: str | None
    session_id: str | None
    request_id: str
    position: int | None
    experiment: str | None
    arm: str | None
    received_at: int
    value: float | None = None
    currency: str | None = None
    is_new: bool = False

    @property
    def row(self) -> tuple[Any, ...]:
        """The columns in their order."""
        return (
            self.event_id, self.type, self.time, self.product_id, self.query, self.user_id, self.session_id,
            self.request_id, self.position, self.experiment, self.arm, self.received_at, self.value, self.currency,
        )  # fmt: skip


class Spool:
    """The spool of one process; for any number of threads."""

    def __init__(self, root: Path, *, deadline_s: float) -> None:
        """Take up one that nobody has, or begin one; raises EventsUnavailable."""
        self._root = root
        self._passed_over: dict[Path, str] = {}
        with unavailable(root):
            root.mkdir(parents=True, exist_ok=True)
            self._lock, self._db = self._take_one()
            sync_directory(root)
            self._pending = self._count()
        self._using = threading.Lock()
        self._commits: GroupCommit[Event] = GroupCommit(self._commit, deadline_s=deadline_s)

    def _take_one(self) -> tuple[ProcessLock, sqlite3.Connection]:
        for number in range(_MAX_SPOOLS):
            path = self._root / f"spool-{number}.sqlite3"
            try:
                lock = ProcessLock(path.with_name(f"{path.name}.lock"))
            except JournalLocked:
                continue
            try:
                return lock, _taken_up(path)
            except BaseException as error:
                lock.release()
                if not isinstance(error, EventsUnavailable):
                    raise
                self._passed_over[path] = str(error)
        raise EventsUnavailable(
            f"{self._root}: {_MAX_SPOOLS} processes keep events here already, which is the most there can be."
        )

    @property
    def passed_over(self) -> list[str]:
        """Why spools that nobody has were not taken up: of a newer version, or damaged; they stay as they are.

        Those that are still there: somebody may have moved them away.
        """
        return [why for path, why in self._passed_over.items() if path.exists()]

    @property
    def pending(self) -> int:
        """Rows that are not files yet, as far as this process knows."""
        return self._pending

    def add(self, events: Sequence[Event], size: int) -> Future[list[int]]:
        """Make events durable; done when they are, each with its `is_new` set.

        Raises Overloaded while too many wait for the disk, or to become files.
        """
        if self._pending + len(events) > MAX_PENDING:
            raise Overloaded("Too many events wait to be filed. Try again in a minute.", retry_after=60)
        return self._commits.submit(events, size)

    def add_searches(self, rows: Sequence[tuple[Any, ...]]) -> int:
        """Keep rows of `searches`; returns how many there was room for. Raises EventsUnavailable."""
        rows = rows[: max(0, MAX_PENDING - self._pending)]
        with self._transaction():
            self._db.executemany(_ADD_SEARCH, rows)
            self._pending += len(rows)
        return len(rows)

    def file(self) -> int:
        """Let all that is here become files, and forget old event ids; returns how many rows there were."""
        with unavailable(self._root), files.locked(self._root), self._using:
            filed = file_rows(self._db, self._root)
            self._pending = self._count()  # others, such as a command, file them, too
            old = (int(time.time() * 1000) - MAX_AGE_S * 1000, _FORGET)
            self._db.execute(
                "DELETE FROM seen WHERE event IN (SELECT event FROM seen WHERE received_at < ? LIMIT ?)", old
            )
        return filed

    def close(self) -> None:
        """Commit what waits, and leave the spool to others."""
        self._commits.close()
        with self._using:
            self._db.close()
        self._lock.release()

    def _commit(self, events: Sequence[Event]) -> int:
        with self._transaction():
            for event in events:
                added = self._db.execute(
                    "INSERT OR IGNORE INTO seen VALUES (?, ?)", (_digest(event.event_id), event.received_at)
                )
                event.is_new = added.rowcount == 1
            new = [event.row for event in events if event.is_new]
            self._db.executemany(_ADD_EVENT, new)
            self._pending += len(new)
        return 0

    def _count(self) -> int:
        count = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM searches)"
        rows: int = self._db.execute(count).fetchone()[0]
        return rows

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._using, unavailable(self._root), transaction(self._db):
            yield


def connect(path: Path) -> sqlite3.Connection:
    """A spool's database: commits reach the disk, and what is deleted is overwritten.

    Raises EventsUnavailable for a newer schema and for what is no database.
    """
    db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    with _closed_on_error(path, db):
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            db.execute(f"PRAGMA {pragma}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        check_schema(path, version or None)  # 0: it is new, or from before spools told theirs
        if not version:
            there = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'events'").fetchone()[0]
            db.executescript(f"{_SCHEMA} PRAGMA user_version = {1 if there else SCHEMA_VERSION};")
    return db


def _taken_up(path: Path) -> sqlite3.Connection:
    """The database of a spool whose lock is held, all of it looked at; raises as `connect`."""
    db = connect(path)
    with _closed_on_error(path, db):
        if db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("database disk image is malformed")
        _upgrade(db)
    return db


@contextmanager
def _closed_on_error(path: Path, db: sqlite3.Connection) -> Iterator[None]:
    """What tells of damage as EventsUnavailable."""
    try:
        yield
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            raise EventsUnavailable(f"{path} cannot be read: {error}. Repair it, or move it away.") from error
        raise


def _upgrade(db: sqlite3.Connection) -> None:
    """Only who holds a spool does this: under a gateway of an earlier version it would take no event any more."""
    with transaction(db):
        for column in _SINCE_2.keys() - _columns(db, "events"):
            db.execute(f"ALTER TABLE events ADD COLUMN {column} {_SINCE_2[column]}")
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {column for _, column, *_ in db.execute(f"PRAGMA table_info({table})")}


def spools(root: Path) -> list[Path]:
    """The databases there are, whoever uses them."""
    return sorted(root.glob("spool-*.sqlite3"))


def held_elsewhere(path: Path) -> bool:
    """Whether another machine has a spool open: SQLite shares its log through memory of one machine, so keep off."""
    return is_held_elsewhere(path.with_name(f"{path.name}.lock"))


def file_rows(db: sqlite3.Connection, root: Path) -> int:
    """Move the rows of a spool into files; hold `files.locked`. Returns how many."""
    return sum(_file_table(db, root, table) for table in files.SCHEMAS)


def _file_table(db: sqlite3.Connection, root: Path, table: str) -> int:
    """First what was marked by a process that died, under the names that it marked it with."""
    filed = 0
    names = [name for (name,) in db.execute(f"SELECT DISTINCT batch FROM {table} WHERE batch IS NOT NULL")]  # noqa: S608
    while True:
        if not names:
            names = [str(uuid7())]
            with transaction(db):
                db.execute(
                    f"UPDATE {table} SET batch = ? WHERE rowid IN "  # noqa: S608  # one of two names of our own
                    f"(SELECT rowid FROM {table} WHERE batch IS NULL LIMIT {_BATCH})",
                    names,
                )
        for name in names:
            there = _columns(db, table)
            columns = ", ".join(name if name in there else "NULL" for name in files.SCHEMAS[table].names)
            rows = db.execute(f"SELECT {columns} FROM {table} WHERE batch = ?", (name,)).fetchall()  # noqa: S608
            if not rows:
                return filed
            files.write(root, table, name, rows)
            with transaction(db):
                db.execute(f"DELETE FROM {table} WHERE batch = ?", (name,))  # noqa: S608
            filed += len(rows)
        names = []


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, on the disk at its end."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def unavailable(root: Path) -> Iterator[None]:
    """What disk and SQLite raise, as EventsUnavailable."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise EventsUnavailable(f"Events cannot be kept in {root}: {error}. Try again later.") from error


def _digest(event_id: str) -> bytes:
    """What is remembered of an id: nobody knows what else a shop puts into it."""
    return hashlib.blake2b(event_id.encode(), digest_size=16).digest()
