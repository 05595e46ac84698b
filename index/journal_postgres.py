"""The journal that several gateways share, in a PostgreSQL database."""

import time
from collections.abc import Generator
from typing import Any, Final, TypeVar, cast

import psycopg
from psycopg.waiting import Ready
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from catalogue.errors import ConfigurationError
from index.journal_store import CONNECTIONS, create_tables, disposed_on_error, mapped_errors, time_left, within

_T = TypeVar("_T")

_SERVER_SHARE: Final = 0.8
"""Of the deadline, after which the server gives a statement up: then it is known that nothing was written."""
_NO_DEADLINE_S: Final = 60.0
"""For what is done with a connection outside of any call of the journal."""
_CREATION_LOCK: Final = 7_305_807_614_285_171_301
"""Any number that no other program takes for its own advisory lock in the same database."""


def open_postgresql(address: str, *, wait_s: float) -> Engine:
    """A PostgreSQL database whose commits reach the disk, its tables made where there are none."""
    engine = create_engine(
        _address(address),
        isolation_level="READ COMMITTED",  # a writer that waited for `head` must see what the other made of it
        connect_args={
            "tcp_user_timeout": max(1, round(1000 * wait_s)),  # a server whose machine is gone says nothing
            "keepalives_idle": max(1, round(wait_s)),
            "keepalives_interval": 1,
            "keepalives_count": 3,
        },
        pool_size=CONNECTIONS,
        pool_timeout=wait_s,
        pool_pre_ping=True,
    )
    # Not the driver's pipelines: after one, PostgreSQL forgets to end a session that stays idle in its transaction.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    milliseconds = max(1, round(1000 * wait_s))
    timeouts = {
        "statement_timeout": max(1, round(_SERVER_SHARE * milliseconds)),
        "idle_in_transaction_session_timeout": milliseconds,  # a gateway that hangs must not stop the others
    }

    def connect(_: object, __: object, arguments: Any, options: dict[str, Any]) -> psycopg.Connection[Any]:
        left = time_left(wait_s)
        if left == 0:
            raise psycopg.OperationalError("there is no time left to connect")
        return _Punctual.connect(*arguments, **options | {"connect_timeout": max(2, round(left))})

    def set_up(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            for name, value in timeouts.items():
                cursor.execute(f"SET {name} = {value}")
            cursor.execute("SELECT current_setting('synchronous_commit') = 'off'")
            if cursor.fetchone()[0]:
                cursor.execute("SET synchronous_commit = on")
        connection.commit()

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", set_up)
    with within(wait_s), disposed_on_error(engine), mapped_errors(), engine.begin() as connection:
        if connection.scalar(text("SHOW fsync")) != "on":
            raise ConfigurationError("This PostgreSQL runs with fsync off and may lose changes. Set fsync = on.")
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
        create_tables(connection)
    return engine


class _Punctual(psycopg.Connection[Any]):
    """A connection that is closed when the server has not answered by the thread's deadline.

    The server's own timeouts, and those of TCP, say nothing while its machine lives and its processes do not run.
    """

    def wait(self, gen: Generator[Any, Any, _T], *arguments: Any, **options: Any) -> _T:
        try:
            return super().wait(_until(gen, time.monotonic() + time_left(_NO_DEADLINE_S)), *arguments, **options)
        except ServerHangs:
            self.close()
            raise


class ServerHangs(psycopg.OperationalError):
    """The server did not answer in time."""


def _until(gen: Generator[Any, Any, _T], end: float) -> Generator[Any, Any, _T]:
    """What `gen` waits for, until then; the driver looks in ten times a second while nothing comes."""
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready == Ready.NONE and time.monotonic() > end:
                raise ServerHangs
            wanted = gen.send(ready)
    except StopIteration as stop:
        return cast("_T", stop.value)


def _address(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError:
        url = None  # its message would repeat the password
    if url is None or url.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigurationError("The journal's address must read postgresql://user:password@host:port/database.")
    return url.set(drivername="postgresql+psycopg")
