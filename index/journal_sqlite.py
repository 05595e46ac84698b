"""The journal of one process, in a SQLite file."""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, inspect
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL

from catalogue.errors import ConfigurationError, JournalUnavailable
from catalogue.files import sync_directory
from index.journal_store import (
    CONNECTIONS,
    ENTRY_COLUMNS,
    Row,
    check_schema,
    check_unchanged,
    create_tables,
    disposed_on_error,
    entries,
    mapped_errors,
    numbered,
    state,
    vectors,
)


def open_sqlite(path: Path, *, wait_s: float) -> Engine:
    """A SQLite file in WAL mode whose commits reach the disk, made where there is none; hold its lock first."""
    engine = _sqlite_engine(path, wait_s)
    with disposed_on_error(engine), mapped_errors():
        with engine.begin() as connection:
            create_tables(connection)
        sync_directory(path.parent)
    return engine


def attach_sqlite(path: Path, *, wait_s: float) -> Engine:
    """The file of `open_sqlite`, whoever holds its lock; raises JournalUnavailable where there is no journal yet."""
    engine = _sqlite_engine(path, wait_s)
    with disposed_on_error(engine), mapped_errors():
        if not path.is_file():  # SQLite would make one
            raise JournalUnavailable(f"There is no journal {path} yet; the gateway makes it when it starts.")
        with engine.begin() as connection:
            if not inspect(connection).has_table(state.name):
                raise JournalUnavailable(f"The journal {path} is not complete yet. Try again when the gateway is up.")
            check_schema(connection)
    return engine


def _sqlite_engine(path: Path, wait_s: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": wait_s},
        pool_size=CONNECTIONS,
        pool_timeout=wait_s,
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


class SqliteAppends:
    """The way of every append, on a connection of its own.

    Its statements go to the driver, which keeps them prepared. Through SQLAlchemy they take ten times as long as SQLite
    needs for them, and longer than a fast disk needs to make them durable.
    """

    def __init__(self, engine: Engine) -> None:
        with mapped_errors():
            self._pooled = engine.raw_connection()
        self._connection = cast("sqlite3.Connection", self._pooled.driver_connection)

    def commit(self, rows: Sequence[Row]) -> int:
        """One transaction, one caller at a time; returns the position of the first row."""
        with mapped_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                first = self._write(rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # some errors have ended it already
                    self._connection.execute("ROLLBACK")
                raise
        return first

    def close(self) -> None:
        """Give the connection back."""
        self._pooled.close()

    def _write(self, rows: Sequence[Row]) -> int:
        (head,) = self._connection.execute("SELECT head FROM journal_state").fetchone()
        check_unchanged(rows, head, lambda after: self._connection.execute(_CHANGED_AFTER, (after,)))
        self._connection.execute("UPDATE journal_state SET head = ?", (head + len(rows),))
        columns, parts = numbered(rows, head + 1)
        self._connection.executemany(_INSERT_ENTRY, columns)
        self._connection.executemany(_INSERT_VECTOR, parts)
        return int(head) + 1


def _insert(table: Table, columns: Iterable[str]) -> str:
    """A statement that takes its values by name."""
    return str(insert(table).compile(dialect=sqlite.dialect(paramstyle="named"), column_keys=list(columns)))


_CHANGED_AFTER: Final = (
    "SELECT product_id, max(position), count(*) FROM journal_entries WHERE position > ? GROUP BY product_id"
)
_INSERT_ENTRY: Final = _insert(entries, ENTRY_COLUMNS)
_INSERT_VECTOR: Final = _insert(vectors, vectors.c.keys())


def _set_up_sqlite(connection: Any, _: object) -> None:
    """Called for every connection; transactions begin where `_begin` says, not where the driver guesses."""
    connection.isolation_level = None
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if (mode, synchronous) != ("wal", 2):
        raise ConfigurationError(
            f"SQLite cannot keep a write-ahead log here (journal_mode {mode}, synchronous {synchronous}). "
            "Put the data directory on a local disk."
        )


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
