"""The journal: every change of the live catalogue, durable before it is acknowledged.

    journal = Journal.open(data / "journal.sqlite3")            # one process
    journal = Journal.open("postgresql://gateway@db/samestyle")  # several gateways
    positions = journal.append([Change.upsert(item, {fingerprint: {"fusion": vector}}), Change.delete("p7")])
    entries = journal.read_after(position, limit=1_000)

Positions begin at 1, have no gaps and become visible in their order, so a reader that goes on after the last position
it has seen misses nothing.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, delete, func, insert, select, update

from catalogue.errors import (
    Conflict,
    DeadlineExceeded,
    JournalLocked,
    JournalUnavailable,
)
from catalogue.process_lock import ProcessLock
from index.group_commit import MAX_ROWS, GroupCommit
from index.journal_entries import Change, Entry, check_size, check_vectors, to_rows, vector_rows
from index.journal_postgres import open_postgresql
from index.journal_reading import bounds, check_reach, entries_after, stored_after
from index.journal_sqlite import SqliteAppends, attach_sqlite, open_sqlite
from index.journal_store import (
    NEEDED_S,
    Row,
    check_unchanged,
    entries,
    mapped_errors,
    numbered,
    readers,
    state,
    time_left,
    vectors,
    within,
)

_NO_POSITION: Final = 2**63 - 1
"""Beyond all that are given out."""
_READ_TOGETHER: Final = 10_000
_TRIM_ROWS: Final = 1_000
_TRIM_PAUSE_S: Final = 0.02


class Journal:
    """An open journal; safe for any number of threads.

    Every method raises JournalUnavailable while the database cannot be used, and JournalInvalid where it holds
    something else.
    """

    def __init__(self, engine: Engine, *, lock: ProcessLock | None, deadline_s: float, attached: bool = False) -> None:
        self._engine = engine
        self._lock = lock
        self._deadline_s = deadline_s
        self._closed = False
        self._writing = threading.Lock()
        self.id = self._read_id()
        """Which journal this is, 32 hexadecimal digits: positions of another one mean nothing here."""
        self._sqlite = None if lock is None else SqliteAppends(engine)
        self._appends: GroupCommit[Row] | None = None
        if not attached:
            self._appends = GroupCommit(self._commit, deadline_s=deadline_s)

    @classmethod
    def open(cls, where: Path | str, *, deadline_s: float = 10.0) -> "Journal":
        """Open a SQLite file (a path) or a PostgreSQL database (an address); made where there is none.

        `deadline_s` is the longest an append may take. Raises JournalLocked when another process has the file,
        JournalInvalid for a newer schema, ConfigurationError where commits would not be durable.
        """
        if isinstance(where, str):
            return cls(open_postgresql(where, wait_s=deadline_s), lock=None, deadline_s=deadline_s)
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            lock = ProcessLock(where.with_name(f"{where.name}.lock"))
        except OSError as error:
            raise JournalUnavailable(f"The journal {where} cannot be opened: {error.strerror}.") from error
        try:
            return cls(open_sqlite(where, wait_s=deadline_s), lock=lock, deadline_s=deadline_s)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def attach(cls, where: Path | str, *, deadline_s: float = 10.0) -> "Journal":
        """Open a journal that is there, whichever process has it: to read and to trim, not to append.

        `deadline_s` is the longest a step of it waits for another process. Raises JournalUnavailable where there is
        none, and what `open` raises but for JournalLocked.
        """
        if isinstance(where, str):
            return cls(open_postgresql(where, wait_s=deadline_s), lock=None, deadline_s=deadline_s, attached=True)
        return cls(attach_sqlite(where, wait_s=deadline_s), lock=None, deadline_s=deadline_s, attached=True)

    def close(self) -> None:
        """Finish what is under way and let go of the database."""
        if self._appends is not None:
            self._appends.close()
        self._closed = True
        if self._sqlite is not None:
            self._sqlite.close()
            self._sqlite = None
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, changes: Sequence[Change]) -> list[int]:
        """Make changes durable, all or none; returns their positions, which follow one another.

        Raises ProductChanged where one was `seen` before a later change, TooLarge over 1,000 changes or 16 MB,
        Overloaded while too many wait, DeadlineExceeded.
        """
        if self._appends is None or not changes:
            return self.submit(changes).result(0)
        rows, size = to_rows(changes)
        positions = self._appends.try_now(rows)
        return self._await(self._appends.submit(rows, size)) if positions is None else positions

    def submit(self, changes: Sequence[Change]) -> Future[list[int]]:
        """`append` without waiting: the positions come when the changes are durable, or the reason they are not.

        Raises JournalLocked where this journal is only attached.
        """
        if self._appends is None:
            raise JournalLocked("This journal is attached, to read and to trim; changes go to the process that has it.")
        return self._appends.submit(*to_rows(changes)) if changes else _done([])

    def _await(self, done: Future[list[int]]) -> list[int]:
        try:
            return done.result(self._deadline_s)
        except TimeoutError:
            outcome = "nothing of it was" if done.cancel() else "it may yet be, and repeating it does no harm"
            raise DeadlineExceeded(
                f"The change was not written within {self._deadline_s:g} s; {outcome}. Try again."
            ) from None

    def add_vectors(self, fingerprint: str, by_position: Mapping[int, Mapping[str, NDArray[np.float32]]]) -> None:
        """Give entries their vectors for one more model: unit float32 [dim] by position and field.

        What an entry has already stays; entries that are deletes, or trimmed meanwhile, are passed over. Raises
        InvalidInput for vectors that cannot be stored, TooLarge over 1,000 entries or 16 MB.
        """
        for by_field in by_position.values():
            check_vectors(fingerprint, by_field)
        rows = {at: vector_rows({fingerprint: by_field}) for at, by_field in by_position.items()}
        check_size(len(rows), sum(len(row["vector"]) for some in rows.values() for row in some))
        with self._transaction() as connection:
            self._take_positions(connection, 0)  # keeps `trim` and other writers out until the commit
            upserts = connection.scalars(
                select(entries.c.position).where(entries.c.position.in_(rows), entries.c.operation == "upsert")
            ).all()
            known = {
                (row.position, row.field)
                for row in connection.execute(
                    select(vectors.c.position, vectors.c.field).where(
                        vectors.c.position.in_(rows), vectors.c.fingerprint == fingerprint
                    )
                )
            }
            new = [{"position": at} | row for at in upserts for row in rows[at] if (at, row["field"]) not in known]
            if new:
                connection.execute(insert(vectors), new)

    def read_after(self, position: int, limit: int = MAX_ROWS) -> list[Entry]:
        """The entries after `position` in commit order: at most `limit`, and fewer where they are large.

        Empty only at the head. Raises JournalTrimmed when some of them are gone, JournalInvalid when the journal ends
        before `position`: it is not the one that position is of.
        """
        with self._connection() as connection:
            return entries_after(connection, position, limit)

    def _read_id(self) -> str:
        with self._connection() as connection:
            return str(connection.execute(select(state.c.journal_id)).scalar_one())

    def head(self) -> int:
        """The last position given out, 0 before the first."""
        with self._connection() as connection:
            return int(connection.execute(select(state.c.head)).scalar_one())

    def bounds(self) -> tuple[int, int]:
        """The last position trimmed and the last one given out: what lies between can be read."""
        with self._connection() as connection:
            return bounds(connection)

    def need(self, reader: str, position: int) -> None:
        """Say that `reader` may yet read on after `position`; it counts for `NEEDED_S`, or until it says otherwise."""
        now = time.time()
        gone = (readers.c.reader == reader) | (readers.c.seen_at < _microseconds(now - NEEDED_S))
        with self._transaction() as connection:
            self._take_positions(connection, 0)  # one at a time
            connection.execute(delete(readers).where(gone))
            connection.execute(insert(readers).values(reader=reader, position=position, seen_at=_microseconds(now)))

    def needed(self) -> int | None:
        """The lowest position that somebody may yet read on after; None where nobody said so lately."""
        lately = readers.c.seen_at >= _microseconds(time.time() - NEEDED_S)
        with self._connection() as connection:
            position = connection.scalar(select(func.min(readers.c.position)).where(lately))
        return None if position is None else int(position)

    def photos(self) -> Iterator[str]:
        """The photos that its entries name."""
        position = 0
        while True:
            later = entries.c.position > position
            named = select(entries.c.position, entries.c.photo).where(later, entries.c.photo.is_not(None))
            with self._connection() as connection:
                rows = connection.execute(named.order_by(entries.c.position).limit(_READ_TOGETHER)).all()
            yield from (row.photo for row in rows)
            if len(rows) < _READ_TOGETHER:
                return
            position = rows[-1].position

    def trim(self, position: int) -> None:
        """Forget the entries up to and including `position`, which every kept snapshot holds already.

        Reading on after `position` stays possible; positions are never given out again. Between two steps other
        processes get their turn.
        """
        with self._transaction() as connection:
            check_reach(position, self._take_positions(connection, 0), trimmed=0)
            connection.execute(update(state).where(state.c.trimmed < position).values(trimmed=position))
        while self._trim_some(position):
            time.sleep(_TRIM_PAUSE_S)  # who waits for SQLite's lock polls for it, and would never meet a shorter gap

    def copy_to(self, target: "Journal") -> tuple[int, int]:
        """Copy what there is now to an empty journal, which takes over this one's id; returns its `bounds`.

        Others may write meanwhile; what they write is not copied. Raises Conflict where the target is not empty,
        JournalTrimmed where somebody trims this one meanwhile.
        """
        trimmed, head = self.bounds()
        if target.head() > 0:
            raise Conflict("The journal to restore to holds changes already. Give it an empty one.")
        while target._trim_some(_NO_POSITION):  # of a copy that did not come to its end, and gave no position out
            pass
        position = trimmed
        while position < head:
            with self._connection() as connection:
                rows, parts = stored_after(connection, position, head)
            with target._transaction() as connection:
                connection.execute(insert(entries), rows)
                if parts:
                    connection.execute(insert(vectors), parts)
            position = rows[-1]["position"]
        with target._transaction() as connection:
            connection.execute(update(state).values(journal_id=self.id, head=head, trimmed=trimmed))
        target.id = self.id
        return trimmed, head

    def _trim_some(self, position: int) -> bool:
        """Delete a few of the oldest entries, so that no append waits long; whether there may be more."""
        oldest = select(entries.c.position).where(entries.c.position <= position)
        with self._transaction() as connection:
            self._take_positions(connection, 0)  # SQLite refuses to write what was read before another's commit
            some = connection.scalars(oldest.order_by(entries.c.position).limit(_TRIM_ROWS)).all()
            if some:
                connection.execute(delete(vectors).where(vectors.c.position <= some[-1]))
                connection.execute(delete(entries).where(entries.c.position <= some[-1]))
        return len(some) == _TRIM_ROWS

    def _commit(self, rows: Sequence[Row]) -> int:
        """On the writer's thread: one transaction; returns the position of the first row."""
        if self._sqlite is not None:
            with self._turn():
                return self._sqlite.commit(rows)
        with self._transaction() as connection:
            before = self._take_positions(connection, len(rows)) - len(rows)
            check_unchanged(rows, before, lambda after: connection.execute(_changed_after(after)))
            first = before + 1
            columns, parts = numbered(rows, first)
            connection.execute(insert(entries), columns)
            if parts:
                connection.execute(insert(vectors), parts)
        return first

    def _take_positions(self, connection: Connection, count: int) -> int:
        """Raise the head by `count` and return it; no other transaction can until this one is over."""
        raised = update(state).values(head=state.c.head + count).returning(state.c.head)
        return int(connection.execute(raised).scalar_one())

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        if self._closed:
            raise JournalUnavailable("The service is shutting down; ask another instance.")
        with within(self._deadline_s), mapped_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._turn(), self._connection() as connection, connection.begin():
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One transaction at a time: threads that wait here take turns, those that wait for SQLite's own lock poll."""
        with within(self._deadline_s):
            if not self._writing.acquire(timeout=time_left(self._deadline_s)):
                raise JournalUnavailable(
                    f"Other changes kept the journal busy for {self._deadline_s:g} s; nothing was written. Try again."
                )
            try:
                yield
            finally:
                self._writing.release()


def _microseconds(seconds: float) -> int:
    return round(1e6 * seconds)


def _changed_after(position: int) -> Select[tuple[str, int, int]]:
    """The products that changed after a position, each with its last one and how many it has."""
    changed = select(entries.c.product_id, func.max(entries.c.position), func.count())
    return changed.where(entries.c.position > position).group_by(entries.c.product_id)


def _done(positions: list[int]) -> Future[list[int]]:
    done: Future[list[int]] = Future()
    done.set_result(positions)
    return done
