"""The tables of the journal, and the two databases that can hold them.

    journal_state      one row: schema version, which journal it is, the last position given out, the last one trimmed
    journal_entries    one row per change, by position
    journal_vectors    the vectors of an entry, float16, by model fingerprint and field

A position is given out by raising `head` in the transaction that inserts the entry. That locks the row until the
commit is visible, so positions have no gaps and become visible in their order, whichever process writes: a reader
that has seen one has seen all below it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
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
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from catalogue.errors import ConfigurationError, JournalInvalid, JournalLocked, JournalUnavailable
from catalogue.files import sync_directory

SCHEMA_VERSION: Final = 1
_CONNECTIONS: Final = 8
_CREATION_LOCK: Final = 7_305_807_614_285_171_301
"""Any number that no other program takes for its own advisory lock in the same database."""

_PASSING: Final = (OperationalError, InterfaceError, InternalError, PoolTimeout)

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
    Column("style_group", String(128)),
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


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise the project's errors for those of the database."""
    try:
        yield
    except SQLAlchemyError as error:
        reason = _reason(error)
        if isinstance(error, _PASSING) and reason != "SQLITE_ERROR":  # what SQLite calls a table it cannot use
            raise JournalUnavailable(
                f"The journal cannot be used at the moment ({reason}). Try again; to repeat a change does no harm. "
                "If it lasts, look at the database and the space on its disk."
            ) from error
        raise JournalInvalid(
            f"The database holds no usable journal ({reason}). "
            "Give the journal a database of its own, or restore it from a backup."
        ) from error


class ProcessLock:
    """The right of one process to a file, held until it is released or the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the right; raises JournalLocked, naming the process that has it."""
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(self._handle, f"{os.getpid():<20}\n".encode(), 0)  # in place: works on a full disk too
        except BlockingIOError:
            holder = os.pread(self._handle, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._handle)
            raise JournalLocked(
                f"{path.with_suffix('')} is in use by process {holder}, and only one process may use it. "
                "Stop that one, or keep the journal in PostgreSQL to share it."
            ) from None
        except BaseException:
            os.close(self._handle)
            raise

    def release(self) -> None:
        """Let others have it."""
        os.close(self._handle)


def open_sqlite(path: Path, *, wait_s: float) -> Engine:
    """A SQLite file in WAL mode whose commits reach the disk, made where there is none; hold its lock first."""
    engine = _sqlite_engine(path, wait_s)
    with _disposed_on_error(engine), mapped_errors():
        with engine.begin() as connection:
            _create(connection)
        sync_directory(path.parent)
    return engine


def attach_sqlite(path: Path, *, wait_s: float) -> Engine:
    """The file of `open_sqlite`, whoever holds its lock; raises JournalUnavailable where there is no journal yet."""
    engine = _sqlite_engine(path, wait_s)
    with _disposed_on_error(engine), mapped_errors():
        if not path.is_file():  # SQLite would make one
            raise JournalUnavailable(f"There is no journal {path} yet; the gateway makes it when it starts.")
        with engine.connect() as connection:
            if not inspect(connection).has_table(state.name):
                raise JournalUnavailable(f"The journal {path} is not complete yet. Try again when the gateway is up.")
            _check_schema(connection)
    return engine


def _sqlite_engine(path: Path, wait_s: float) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": wait_s},
        pool_size=_CONNECTIONS,
        pool_timeout=wait_s,
    )
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def open_postgresql(address: str, *, wait_s: float) -> Engine:
    """A PostgreSQL database whose commits reach the disk, its tables made where there are none."""
    engine = create_engine(
        _address(address),
        isolation_level="READ COMMITTED",  # a writer that waited for `head` must see what the other made of it
        connect_args={
            "connect_timeout": max(2, round(wait_s)),
            "tcp_user_timeout": max(1, round(1000 * wait_s)),  # a server whose machine is gone says nothing
            "keepalives_idle": max(1, round(wait_s)),
            "keepalives_interval": 1,
            "keepalives_count": 3,
        },
        pool_size=_CONNECTIONS,
        pool_timeout=wait_s,
        pool_pre_ping=True,
    )
    # Not the driver's pipelines: after one, PostgreSQL forgets to end a session that stays idle in its transaction.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    milliseconds = max(1, round(1000 * wait_s))

    def set_up(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            for timeout in ("statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f"SET {timeout} = {milliseconds}")  # a gateway that hangs must not stop the others
            cursor.execute("SELECT current_setting('synchronous_commit') = 'off'")
            if cursor.fetchone()[0]:
                cursor.execute("SET synchronous_commit = on")
        connection.commit()

    event.listen(engine, "connect", set_up)
    with _disposed_on_error(engine), mapped_errors(), engine.begin() as connection:
        if connection.scalar(text("SHOW fsync")) != "on":
            raise ConfigurationError("This PostgreSQL runs with fsync off and may lose changes. Set fsync = on.")
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
        _create(connection)
    return engine


def _address(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        url = None  # its message would repeat the password
    if url is None or url.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError("The journal's address must read postgresql://user:password@host:port/database.")
    return url.set(drivername="postgresql+psycopg")


def _create(connection: Connection) -> None:
    if not inspect(connection).has_table(state.name):
        _TABLES.create_all(connection)
        connection.execute(
            insert(state).values(id=1, schema_version=SCHEMA_VERSION, journal_id=uuid4().hex, head=0, trimmed=0)
        )
    _check_schema(connection)


def _check_schema(connection: Connection) -> None:
    version = connection.scalar(select(state.c.schema_version))
    if version is None or version > SCHEMA_VERSION:
        raise JournalInvalid(
            f"The journal has schema {version}, this version reads up to {SCHEMA_VERSION}; upgrade samestyle."
        )


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


@contextmanager
def _disposed_on_error(engine: Engine) -> Iterator[None]:
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _reason(error: SQLAlchemyError) -> str:
    """A name, not the driver's words: those may hold addresses."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(cause, "sqlite_errorname", type(cause).__name__))
