"""What is kept of events names the version of its schema: the former kind is read, a newer one is left as it is."""

import re
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from catalogue.errors import EventsUnavailable
from models.pairs.database import database
from models.pairs.log import Log
from models.pairs.options import Options
from service.events import files
from service.events.erasing import erase, file_all
from service.events.spool import Spool, connect, spools
from tests.service.test_api_events import an_event

NOW = time.time_ns() // 1_000_000
TODAY = datetime.fromtimestamp(NOW / 1000, UTC).date()
KEY = b"samestyle.schema_version"
SEARCH = ("r", NOW, "search", None, "mug", 0, "u", '["p"]', "s", None, None, 1.0, 200)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files of one event of each of two users, and of one search."""
    other = list(an_event(2, NOW).row)
    other[5], other[7] = "somebody else", "r2"
    files.write(tmp_path, "events", "a", [an_event(1, NOW).row, tuple(other)])
    files.write(tmp_path, "searches", "a", [SEARCH])
    return tmp_path


def file_of(root: Path, table: str = "events") -> Path:
    (found,) = (root / table).rglob("*.parquet")
    return found


def with_version(file: Path, version: str | None) -> None:
    """As a samestyle of another version would have written it; before there were versions, without."""
    rows = pq.ParquetFile(file).read()
    pq.write_table(rows.replace_schema_metadata(None if version is None else {KEY: version}), file)


def version_of(file: Path) -> bytes | None:
    found: bytes | None = (pq.ParquetFile(file).metadata.metadata or {}).get(KEY)
    return found


def mined(root: Path, work: Path) -> set[str]:
    with database(work, memory_bytes=200_000_000, threads=1) as connection:
        return set(Log(connection, root, Options()).columns)


def read(root: Path) -> int:
    return len(files.read(root, "events", TODAY, ["event_id"], pc.field("type") == "click"))


def test_files_and_spools_name_it(root: Path) -> None:
    spool = Spool(root, deadline_s=5)
    spool.close()
    assert version_of(file_of(root)) == version_of(file_of(root, "searches")) == b"2"
    with closing(sqlite3.connect(root / "spool-0.sqlite3")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


def test_files_of_before_are_read_and_get_it_when_written_anew(root: Path, tmp_path: Path) -> None:
    before = pq.ParquetFile(file_of(root)).read().drop_columns(["value", "currency"])
    pq.write_table(before.replace_schema_metadata(None), file_of(root))
    assert version_of(file_of(root)) is None
    files.write(root, "events", "b", [an_event(3, NOW).row])
    assert read(root) == 3  # together with one that has it
    assert "product" in mined(root, tmp_path / "work")
    (root / "events" / f"date={TODAY}" / "b.parquet").unlink()
    assert erase(root, "u").events == 1
    assert version_of(file_of(root)) == b"2"
    assert read(root) == 1


@pytest.mark.parametrize("version", [0, 1])
def test_a_spool_of_before_is_taken_up(tmp_path: Path, version: int) -> None:
    spool = Spool(tmp_path, deadline_s=5)
    spool.add([an_event(1)], 1).result(10)
    spool.close()
    with closing(sqlite3.connect(tmp_path / "spool-0.sqlite3")) as db:
        db.executescript("ALTER TABLE events DROP COLUMN value; ALTER TABLE events DROP COLUMN currency")
        db.execute(f"PRAGMA user_version = {version}")
    assert file_all(tmp_path) == 1  # under whatever gateway has it, so it stays as it was
    with closing(sqlite3.connect(tmp_path / "spool-0.sqlite3")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
    spool = Spool(tmp_path, deadline_s=5)
    spool.add([replace(an_event(2), type="purchase", value=3.2, currency="EUR")], 1).result(10)
    assert spool.file() == 1
    spool.close()
    with closing(connect(tmp_path / "spool-0.sqlite3")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
    found = files.read(tmp_path, "events", TODAY, ["event_id", "value", "currency"], pc.field("product_id") == "p")
    assert sorted(map(tuple, (row.values() for row in found.to_pylist()))) == [
        ("e-1", None, None),
        ("e-2", 3.2, "EUR"),
    ]


@pytest.mark.parametrize("version", ["3", "1.1", "", "x" * 1000, "1" * 5000])
def test_newer_files_are_refused_and_left_as_they_are(root: Path, tmp_path: Path, version: str) -> None:
    with_version(file_of(root), version)
    before = file_of(root).read_bytes()
    for use in (lambda: read(root), lambda: erase(root, "u"), lambda: mined(root, tmp_path / "work")):
        with pytest.raises(EventsUnavailable, match=r"a\.parquet has schema .*, this version reads up to 2; upgrade"):
            use()
    assert file_of(root).read_bytes() == before
    assert file_of(root, "searches").exists()  # nothing of the user goes where not all can


@pytest.mark.parametrize("is_newer", [True, False])
def test_a_spool_that_cannot_be_used_stays_as_it_is_and_another_is_begun(tmp_path: Path, is_newer: bool) -> None:
    path = tmp_path / "spool-0.sqlite3"
    if is_newer:
        with closing(connect(path)) as db:
            db.execute("PRAGMA user_version = 3")
    else:
        path.write_bytes(b"no database at all" * 1_000)
    before = path.read_bytes()
    says = r"has schema 3, .* upgrade samestyle, or move" if is_newer else r"cannot be read: .* Repair it, or move"
    for _ in range(2):  # the second takes up what the first one began
        spool = Spool(tmp_path, deadline_s=5)
        assert [re.search(rf"spool-0\.sqlite3 {says}", why) is not None for why in spool.passed_over] == [True]
        spool.add([an_event(1)], 1).result(10)
        assert spool.pending == 1
        spool.close()
    assert [path.name for path in spools(tmp_path)] == ["spool-0.sqlite3", "spool-1.sqlite3"]
    for use in (lambda: file_all(tmp_path), lambda: erase(tmp_path, "u")):  # all, or nothing
        with pytest.raises(EventsUnavailable, match=rf"spool-0\.sqlite3 {says}"):
            use()
    assert path.read_bytes() == before
    path.unlink()
    spool = Spool(tmp_path, deadline_s=5)
    assert not spool.passed_over
    spool.close()


@pytest.mark.parametrize("table", ["seen", "events", "searches"])
def test_a_spool_that_is_damaged_further_in_is_passed_over_too(tmp_path: Path, table: str) -> None:
    path = tmp_path / "spool-0.sqlite3"
    with closing(connect(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    before = path.read_bytes()
    spool = Spool(tmp_path, deadline_s=5)
    assert len(spool.passed_over) == 1
    assert f"{path} cannot be read: database disk image is malformed." in spool.passed_over[0]
    spool.add([an_event(1)], 1).result(10)
    assert spool.file() == 1
    assert path.read_bytes() == before
    path.rename(tmp_path / "put aside")
    assert spool.passed_over == []  # nobody has to look at it any more
    spool.close()
