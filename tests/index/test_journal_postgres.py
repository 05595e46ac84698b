"""The journal that several gateways share."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, make_url, text

from catalogue.errors import ConfigurationError, DeadlineExceeded, JournalInvalid, JournalUnavailable
from index import journal_store
from index.journal import Journal
from tests.index.changes import everything, ids, upsert
from tests.servers.postgres import Postgres, find_postgres
from tests.servers.process import free_port


@contextmanager
def held_before_commit(journal: Journal) -> Iterator[Callable[[], None]]:
    """The next append of `journal` stops with its positions taken, until what is yielded is called."""
    arrived, released = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        arrived.set()
        assert released.wait(20)

    event.listen(journal._engine, "commit", hold, once=True)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(journal.append, [upsert("older"), upsert("older-too")])
        try:
            assert arrived.wait(10)

            def release() -> None:
                released.set()
                done.result()

            yield release
        finally:
            released.set()


def test_an_older_transaction_held_open_makes_no_reader_skip(postgres: str) -> None:
    with Journal.open(postgres) as ours, Journal.open(postgres) as theirs, Journal.open(postgres) as reader:
        ours.append([upsert("first")])
        with ThreadPoolExecutor(4) as pool, held_before_commit(ours) as release:
            others = [pool.submit(theirs.append, [upsert(f"younger-{n}")]) for n in range(4)]
            seen: list[str] = []
            for _ in range(20):
                seen += ids(reader.read_after(len(seen)))
                time.sleep(0.01)
            assert seen == ["first"]
            assert reader.head() == 1
            release()
            for other in others:
                other.result()
        seen += ids(reader.read_after(len(seen)))
    assert seen[:3] == ["first", "older", "older-too"]
    assert len(seen) == 7


def test_a_transaction_that_began_before_takes_its_positions_late(postgres: str) -> None:
    """Numbers from a sequence, or by age of the transaction, would be taken here and committed too late."""
    with Journal.open(postgres) as ours, Journal.open(postgres) as theirs:
        with ours._transaction() as older:
            older.execute(text("CREATE TABLE elsewhere (word text)"))  # it has a number in the order of transactions
            assert theirs.append([upsert("younger")]) == [1]
            assert ids(theirs.read_after(0)) == ["younger"]
            assert ours._take_positions(older, 0) == 1
        assert ours.append([upsert("older")]) == [2]


def test_a_gateway_that_hangs_is_thrown_out(postgres: str) -> None:
    with Journal.open(postgres, deadline_s=1) as ours, Journal.open(postgres) as theirs:
        with held_before_commit(ours) as release:
            assert theirs.append([upsert("p")]) == [1]  # waits until the server ends the other's transaction
            with pytest.raises((JournalUnavailable, DeadlineExceeded)):
                release()
        assert ids(everything(theirs)) == ["p"]
        assert ours.append([upsert("q")]) == [2]


def test_a_writer_waits_for_another_no_longer_than_its_deadline(postgres: str) -> None:
    with Journal.open(postgres) as ours, Journal.open(postgres, deadline_s=1) as theirs:
        ours.append([upsert("p")])
        with held_before_commit(ours) as release:
            with pytest.raises(JournalUnavailable, match="QueryCanceled"):
                theirs.trim(1)
            with pytest.raises((JournalUnavailable, DeadlineExceeded)):  # the latter: it may yet be written
                theirs.append([upsert("q")])
            release()
        assert ids(everything(theirs))[:3] == ["p", "older", "older-too"]


def test_a_server_that_hangs_holds_nobody_beyond_the_deadline(postgres: str, postgres_server: Postgres) -> None:
    """Its processes are stopped, not its machine: the connection stays whole, and nothing ever comes."""
    calls: list[Callable[[Journal], Any]] = [
        lambda journal: journal.append([upsert("q")]),
        lambda journal: journal.read_after(0),
        lambda journal: journal.trim(1),
        Journal.head,
    ]

    def hangs(journal: Journal, call: Callable[[Journal], Any]) -> None:
        for _ in range(2):  # on the connection it has, and on one it has to make
            started = time.monotonic()
            with pytest.raises((JournalUnavailable, DeadlineExceeded)):
                call(journal)
            assert time.monotonic() - started < 30  # 1 s; connecting takes at least 2

    with ExitStack() as stack:
        journals = [stack.enter_context(Journal.open(postgres, deadline_s=1)) for _ in calls]
        for journal in journals:
            journal.append([upsert("p")])
        postgres_server.pause()
        awake = threading.Timer(90, postgres_server.resume)  # so that a test that fails, ends
        awake.start()
        try:
            with ThreadPoolExecutor(len(calls)) as pool:
                for done in [pool.submit(hangs, journal, call) for journal, call in zip(journals, calls, strict=True)]:
                    done.result()
        finally:
            awake.cancel()
            postgres_server.resume()
        for number, journal in enumerate(journals):
            (position,) = journal.append([upsert(f"r{number}")])
            assert f"r{number}" in ids(everything(journal, 4))
            assert position - number in {5, 6, 7}  # what was not acknowledged may have been written


def test_closing_does_not_wait_for_a_server_that_hangs(postgres: str, postgres_server: Postgres) -> None:
    journal = Journal.open(postgres, deadline_s=1)
    journal.append([upsert("p")])
    postgres_server.pause()
    try:
        done = journal.submit([upsert("q")])
        started = time.monotonic()
        journal.close()
        assert time.monotonic() - started < 30
        with pytest.raises(JournalUnavailable):
            done.result(0)
    finally:
        postgres_server.resume()


def test_many_gateways_write_one_order(postgres: str) -> None:
    def write(gateway: int) -> dict[int, str]:
        acknowledged: dict[int, str] = {}
        with Journal.open(postgres) as journal:  # all create the tables at once
            for n in range(15):
                names = [f"g{gateway}-{n}-{part}" for part in range(3)]
                acknowledged |= zip(journal.append([upsert(name) for name in names]), names, strict=True)
        return acknowledged

    with ThreadPoolExecutor(6) as pool:
        gateways = [pool.submit(write, gateway) for gateway in range(5)]
        with Journal.open(postgres) as reader:
            seen: dict[int, str] = {}
            while not (all(gateway.done() for gateway in gateways) and reader.head() == len(seen)):
                entries = reader.read_after(len(seen), limit=10)
                assert [entry.position for entry in entries] == [len(seen) + 1 + n for n in range(len(entries))]
                seen |= {entry.position: entry.product_id for entry in entries}
    assert len(seen) == 225
    for gateway in gateways:
        assert gateway.result().items() <= seen.items()


def test_a_crash_of_the_server_loses_nothing_acknowledged(postgres: str, postgres_server: Postgres) -> None:
    acknowledged: dict[int, str] = {}
    with Journal.open(postgres) as journal:

        def write(writer: int) -> None:
            for n in range(1_000_000):
                with suppress(JournalUnavailable):
                    (position,) = journal.append([upsert(f"w{writer}-{n}")])
                    acknowledged[position] = f"w{writer}-{n}"
                    continue
                return

        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write, writer) for writer in range(4)]
            while len(acknowledged) < 50:
                time.sleep(0.01)
            postgres_server.kill()
            for writer in writers:
                writer.result()
            with pytest.raises(JournalUnavailable, match="Try again"):
                journal.read_after(0)
            postgres_server.start()
        found = {entry.position: entry.product_id for entry in everything(journal)}
        assert acknowledged.items() <= found.items()
        assert sorted(found) == list(range(1, len(found) + 1))
        assert journal.append([upsert("p")]) == [len(found) + 1]


def test_commits_are_synchronous_whatever_the_database_says(postgres: str) -> None:
    name = make_url(postgres).database
    with Journal.open(postgres) as journal, journal._transaction() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    with Journal.open(postgres) as journal, journal._connection() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"


class Careless(Postgres):
    """PostgreSQL that does not wait for its disk."""

    def command(self) -> list[str]:
        return [part.replace("fsync=on", "fsync=off") for part in super().command()]


def test_a_server_with_fsync_off_is_refused() -> None:
    with Careless(find_postgres()) as server, pytest.raises(ConfigurationError, match="Set fsync = on"):
        Journal.open(server.url)


@contextmanager
def role_without_rights(postgres: str) -> Iterator[tuple[Engine, str]]:
    """An engine of the database's owner, and the address for a role that may but connect."""
    engine = create_engine(postgres)
    with engine.begin() as owner:
        owner.execute(text("CREATE ROLE gateway LOGIN"))
        owner.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    try:
        yield engine, make_url(postgres).set(username="gateway").render_as_string()
    finally:
        with engine.begin() as owner:
            owner.execute(text("DROP OWNED BY gateway"))
            owner.execute(text("DROP ROLE gateway"))
        engine.dispose()


def test_a_role_that_lacks_rights_is_told_which(postgres: str) -> None:
    """As after an upgrade that brings another table, where the tables are somebody else's."""
    Journal.open(postgres).close()
    with role_without_rights(postgres) as (engine, address):
        with engine.begin() as owner:
            journal_store.readers.drop(owner)
            owner.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gateway"))
        with pytest.raises(JournalInvalid, match=r"permission denied for schema public\b.* grant it CREATE on"):
            Journal.open(address)
        Journal.attach(postgres).close()
        with Journal.open(address) as journal:
            assert journal.append([upsert("p")]) == [1]
            with pytest.raises(JournalInvalid, match=r"permission denied for table journal_readers\b.* DELETE on"):
                journal.need("one", 0)
            with engine.begin() as owner:
                owner.execute(text("GRANT SELECT, INSERT, UPDATE, DELETE ON journal_readers TO gateway"))
            journal.need("one", 0)
            journal.trim(1)
            assert (journal.needed(), journal.bounds()) == (0, (1, 1))


def test_a_server_that_is_away_is_unavailable_and_its_address_stays_secret() -> None:
    address = f"postgresql://gateway:secret@127.0.0.1:{free_port()}/samestyle"
    with pytest.raises(JournalUnavailable) as caught:
        Journal.open(address, deadline_s=1)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("address", ["", "secret", "mysql://gateway:secret@host/x", "sqlite:///secret"])
def test_another_kind_of_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="must read postgresql://") as caught:
        Journal.open(address)
    assert "secret" not in str(caught.value)
