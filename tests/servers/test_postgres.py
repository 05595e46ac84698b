from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.servers.postgres import Postgres


@pytest.fixture
def engine(postgres: str) -> Iterator[Engine]:
    engine = create_engine(postgres)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE word (value text)"))
    yield engine
    engine.dispose()


def test_it_is_postgresql_and_commits_reach_the_disk(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT version()")).startswith("PostgreSQL ")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.scalar(text(f"SHOW {setting}")) == "on"


def test_a_transaction_is_seen_by_others_only_after_its_commit(engine: Engine) -> None:
    with engine.connect() as writer, engine.connect() as reader:
        count = text("SELECT count(*) FROM word")
        writer.execute(text("INSERT INTO word VALUES ('red')"))
        assert reader.scalar(count) == 0
        writer.commit()
        assert reader.scalar(count) == 1


def test_a_crash_loses_what_was_not_committed_and_nothing_else(engine: Engine, postgres_server: Postgres) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO word VALUES ('kept')"))
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO word VALUES ('lost')"))
        postgres_server.kill()
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))
    engine.dispose()

    postgres_server.start()
    with engine.connect() as connection:
        assert connection.scalars(text("SELECT value FROM word")).all() == ["kept"]


def test_every_test_gets_its_own_empty_database(postgres: str, postgres_server: Postgres) -> None:
    with postgres_server.database() as other:
        assert other != postgres
        engine = create_engine(other)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM pg_tables WHERE tablename = 'word'")) == 0
        engine.dispose()
