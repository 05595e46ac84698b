"""The tables of the journal, whichever database holds them (`journal_sqlite`, `journal_postgres`).

    journal_state      one row: schema version, which journal it is, the last position given out, the last one trimmed
    journal_entries    one row per change, by position
    journal_vectors    the vectors of an entry, float16, by model fingerprint and field
    journal_readers    from where on who shares the journal may yet read it, and when they last said so

A position is given out by raising `head` in the transaction that inserts the entry. That locks the row until the
commit is visible, so positions have no gaps and become visible in their order, whichever process writes: a reader
that has seen one has seen all below it.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from catalogue.errors import JournalInvalid, JournalUnavailable, ProductChanged
from catalogue.process_lock import machine

SCHEMA_VERSION: Final = 1
CONNECTIONS: Final = 8
"""How many a process keeps open."""

NEEDED_S: Final = 7 * 86_400.0
"""After so long without a word, nothing is kept for a reader."""
_MAX_UNSEEN: Final = 10_000
"""Entries that are looked through for changes of a product; after more, it counts as changed."""

_PASSING: Final = (
    *(OperationalError, InterfaceError, InternalError, PoolTimeout),
    *(sqlite3.OperationalError, sqlite3.InterfaceError, sqlite3.InternalError),
)

_TABLES: Final = MetaData()
_POSITION: Final = BigInteger().with_variant(Integer, "sqlite")  # there, only INTEGER is the row's own number

state: Final = Table(
    "journal_state",
    _TABLES,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("journal_id", String(32), nullable=False),
    Column("head", BigInteger, nullable=False),
    Column("trimmed", BigInteger, nullable=False),
)
entries: Final = Table(
    "journal_entries",
    _TABLES,
    Column("position", _POSITION, primary_key=True, autoincrement=False),
    Column("operation", String(6), nullable=False),
    Column("product_id", String(128), nullable=False),
    Column("document", LargeBinary),
    Column("photo", String(64)),
    Column("style_group", String(128)),  # always null; gateways of earlier versions read it
    Column("bytes", Integer, nullable=False),
    Column("written_at", BigInteger, nullable=False),
)
vectors: Final = Table(
    "journal_vectors",
    _TABLES,
    Column("position", _POSITION, primary_key=True, autoincrement=False),
    Column("fingerprint", String(64), primary_key=True),
    Column("field", String(16), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
    sqlite_with_rowid=False,  # one tree to write instead of two
)

readers: Final = Table(
    "journal_readers",
    _TABLES,
    Column("reader", String(128), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A change as it goes into the tables, but for its position: columns of `entries`, and rows of `vectors`.

    `seen` is the position that its product must not have changed after, None where it may have.
    """

    columns: dict[str, Any]
    vectors: list[dict[str, Any]]
    seen: int | None = None


ENTRY_COLUMNS: Final = ("position", "operation", "product_id", "document", "photo", "bytes", "written_at")
"""What `numbered` gives an entry."""


def reader_of(data: Path) -> str:
    """Names a data directory among those whose hosts share a journal: no copy of it, and none elsewhere, has this."""
    status = data.stat()
    return f"{machine()} {status.st_dev}:{status.st_ino}"


def check_unchanged(
    rows: Sequence[Row], head: int, changed_after: Callable[[int], Iterable[tuple[str, int, int]]]
) -> None:
    """Raise ProductChanged where a product has changed after what was seen of it.

    `changed_after` gives the products changed after a position, each with its last one and how many it has; called
    while nobody else can raise the `head`, and only where somebody has since.
    """
    seen = [(row.columns["product_id"], row.seen) for row in rows if row.seen is not None]
    if not seen:
        return
    oldest = min(at for _, at in seen)
    changed = list(changed_after(oldest)) if 0 < head - oldest <= _MAX_UNSEEN else []
    last = {name: at for name, at, _ in changed}
    times = Counter(row.columns["product_id"] for row in rows)
    if (
        sum(count for *_, count in changed) != head - oldest  # some are trimmed already, or too many to look through
        or any(last.get(name, 0) > at for name, at in seen)
        or any(times[name] > 1 for name, _ in seen)
    ):
        raise ProductChanged("Somebody else changed the product at the same time; nothing was written. Try again.")


def numbered(rows: Sequence[Row], first: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What goes into `entries` and into `vectors` when rows get the positions from `first` on, now."""
    written_at = time.time_ns() // 1_000
    columns = [row.columns | {"position": first + at, "written_at": written_at} for at, row in enumerate(rows)]
    return columns, [{"position": first + at} | part for at, row in enumerate(rows) for part in row.vectors]


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise the project's errors for those of the database."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        reason = _reason(error)
        if isinstance(error, _PASSING) and reason != "SQLITE_ERROR":  # what SQLite calls a table it cannot use
            raise JournalUnavailable(
                f"The journal cannot be used at the moment ({reason}). Try again; to repeat a change does no harm. "
                "If it lasts, look at the database and the space on its disk."
            ) from error
        if reason == "InsufficientPrivilege":
            raise JournalInvalid(
                f"PostgreSQL does not let this role use the journal ({_told_by_server(error)}). Grant it SELECT, "
                f"INSERT, UPDATE and DELETE on {', '.join(_TABLES.tables)}. While one of these is missing, as after an "
                "upgrade, grant it CREATE on their schema too, or have their owner run `samestyle snapshot gc "
                "--dry-run` with this version first, which makes it."
            ) from error
        raise JournalInvalid(
            f"The database holds no usable journal ({reason}). "
            "Give the journal a database of its own, or restore it from a backup."
        ) from error


class _Deadline(threading.local):
    """When what this thread does with the journal must be over, on the clock of `time.monotonic`."""

    until: float | None = None


_deadline: Final = _Deadline()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Whatever this thread does with the journal meanwhile is over after that time; an earlier deadline stays."""
    before = _deadline.until
    until = time.monotonic() + seconds
    _deadline.until = until if before is None else min(before, until)
    try:
        yield
    finally:
        _deadline.until = before


def time_left(otherwise: float) -> float:
    """Seconds until this thread's deadline, 0 when it is over; `otherwise` where it has none."""
    return otherwise if _deadline.until is None else max(0.0, _deadline.until - time.monotonic())


def create_tables(connection: Connection) -> None:
    """Make the tables where there are none; raises JournalInvalid for a newer schema."""
    if not inspect(connection).has_table(state.name):
        _TABLES.create_all(connection)
        connection.execute(
            insert(state).values(id=1, schema_version=SCHEMA_VERSION, journal_id=uuid4().hex, head=0, trimmed=0)
        )
    check_schema(connection)


def check_schema(connection: Connection) -> None:
    """Raise JournalInvalid for a newer schema; make what an earlier version did not."""
    version = connection.scalar(select(state.c.schema_version))
    if version is None or version > SCHEMA_VERSION:
        raise JournalInvalid(
            f"The journal has schema {version}, this version reads up to {SCHEMA_VERSION}; upgrade samestyle."
        )
    readers.create(connection, checkfirst=True)


@contextmanager
def disposed_on_error(engine: Engine) -> Iterator[None]:
    """Close an engine that will not be used."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _told_by_server(error: SQLAlchemyError | sqlite3.Error) -> str:
    """What PostgreSQL says, but for hints and what else may be a stranger's."""
    diagnosis = getattr(error.orig if isinstance(error, DBAPIError) else None, "diag", None)
    return str(getattr(diagnosis, "message_primary", None) or "permission denied")


def _reason(error: SQLAlchemyError | sqlite3.Error) -> str:
    """A name, not the driver's words: those may hold addresses."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlite_errorname", type(cause).__name__))
