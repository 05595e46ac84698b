"""What a backup made amid events holds: each that was acknowledged, once, and the experiments they belong to."""

import shutil
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from catalogue import process_lock
from catalogue.errors import EventsUnavailable, ExperimentsInvalid
from catalogue.settings import Settings
from service import backup
from service.events import files
from service.events.erasing import file_all
from service.events.spool import Spool, connect
from service.experiments.arms import FILE, read_experiments, start
from tests.service.test_api_events import an_event

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def _no_events_yet(own_shop: Settings) -> None:
    """The shop of all tests may have some by now."""
    shutil.rmtree(own_shop.data / "events", ignore_errors=True)


def in_files(root: Path) -> list[str]:
    """The ids of all events, once the spools are files, too."""
    file_all(root)
    (day, _), *_ = files.days(root, "events")
    found: list[str] = files.read(root, "events", day, ["event_id"], pc.scalar(True))["event_id"].to_pylist()
    return sorted(found)


def backed_up(settings: Settings, to: Path) -> Path:
    backup.create(settings, to / "backup")
    restored = settings.model_copy(update={"data": to / "restored"})
    backup.restore(to / "backup", restored)
    return restored.data


@pytest.mark.parametrize("meanwhile", ["its log is written into the spool", "all becomes files"])
def test_each_acknowledged_event_is_in_it_once(
    own_shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    root = own_shop.data / "events"
    spool = Spool(root, deadline_s=PATIENCE_S)
    spool.add([an_event(1)], 100).result(PATIENCE_S)
    spool.file()
    spool.add([an_event(2), an_event(3)], 100).result(PATIENCE_S)
    (root / "zzz").write_text("of somebody else")
    copy = backup._copy

    def copy_and_disturb(source: Path, target: Path, *more: Any) -> None:
        copy(source, target, *more)
        if meanwhile == "all becomes files":
            if source.name in {"zzz", "spool-0.sqlite3-wal"}:
                spool.file()
        elif source.name == "spool-0.sqlite3":
            spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    monkeypatch.setattr(backup, "_copy", copy_and_disturb)
    backup.create(own_shop, tmp_path / "backup")
    monkeypatch.undo()
    spool.close()
    restored = own_shop.model_copy(update={"data": tmp_path / "restored"})
    backup.restore(tmp_path / "backup", restored)
    assert in_files(restored.data / "events") == ["e-1", "e-2", "e-3"]
    assert (restored.data / "events/zzz").is_file()


def test_a_spool_is_copied_as_a_database_and_not_file_by_file(own_shop: Settings, tmp_path: Path) -> None:
    """What is in SQLite's log beside it comes along in it; its lock is nobody else's business."""
    spool = Spool(own_shop.data / "events", deadline_s=PATIENCE_S)
    spool.add([an_event(1)], 100).result(PATIENCE_S)
    data = backed_up(own_shop, tmp_path)
    spool.close()
    assert [path.name for path in sorted((data / "events").glob("spool-*"))] == ["spool-0.sqlite3"]
    copy = connect(data / "events/spool-0.sqlite3")
    assert copy.execute("SELECT event_id FROM events").fetchall() == [("e-1",)]
    copy.close()


def test_a_spool_that_cannot_be_read_is_named(own_shop: Settings, tmp_path: Path) -> None:
    root = own_shop.data / "events"
    root.mkdir()
    (root / "spool-0.sqlite3").write_bytes(b"no database" * 500)
    with pytest.raises(EventsUnavailable, match=r"spool-0\.sqlite3 cannot be copied"):
        backup.create(own_shop, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()


def test_experiments_come_back(own_shop: Settings, tmp_path: Path) -> None:
    start(own_shop.data, "colours", {"live": 1, "next": 1})
    data = backed_up(own_shop, tmp_path)
    assert read_experiments(data) == read_experiments(own_shop.data)
    assert read_experiments(data).running is not None
    newer = (data / FILE).read_text().replace('"schema_version": 1', '"schema_version": 9')
    (data / FILE).write_text(newer)
    with pytest.raises(ExperimentsInvalid, match="has schema 9, this version reads up to 1; upgrade samestyle"):
        read_experiments(data)


def test_what_is_as_in_the_last_backup_is_linked_and_what_is_not_is_copied(own_shop: Settings, tmp_path: Path) -> None:
    """Also where the last backup has rotted: its damage is not handed on."""
    root = own_shop.data / "events"
    day = "events/date=2026-11-27"
    for name in ("same", "rotten", "changed"):
        (root / day).mkdir(parents=True, exist_ok=True)
        (root / day / f"{name}.parquet").write_text(name * 9)
    first, second = tmp_path / "first", tmp_path / "second"
    backup.create(own_shop, first)
    photo, *_ = sorted(path for path in (first / "photos").rglob("*") if path.is_file())
    for path in (photo, first / "events" / day / "rotten.parquet"):
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    (root / day / "changed.parquet").write_text("another"[:7] * 9)
    backup.create(own_shop, second, previous=first)
    links = {path.stem: path.stat().st_nlink for path in (second / "events" / day).iterdir()}
    assert links == {"same": 2, "rotten": 1, "changed": 1}
    for path in (root / day).iterdir():
        assert (second / "events" / day / path.name).read_bytes() == path.read_bytes()
    of_shop = own_shop.data / "photos" / photo.relative_to(first / "photos")
    assert (second / "photos" / photo.relative_to(first / "photos")).read_bytes() == of_shop.read_bytes()


def test_a_spool_in_use_on_another_machine_is_not_opened(
    own_shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's log is shared through memory of one machine: who reads it from another one may ruin it."""
    root = own_shop.data / "events"
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(process_lock, "machine", lambda: "another")
        there = Spool(root, deadline_s=PATIENCE_S)
    here = Spool(root, deadline_s=PATIENCE_S)
    there.add([an_event(1)], 100).result(PATIENCE_S)
    here.add([an_event(2)], 100).result(PATIENCE_S)
    said: list[str] = []
    backup.create(own_shop, tmp_path / "first", say=said.append)
    there.close()
    here.close()
    assert [line for line in said if "spool-0.sqlite3 is in use on another machine" in line and "left out" in line]
    assert [path.name for path in (tmp_path / "first/events").glob("spool-*")] == ["spool-1.sqlite3"]
    said.clear()
    backup.create(own_shop, tmp_path / "second", say=said.append)  # nobody has it any more
    assert len(list((tmp_path / "second/events").glob("spool-*"))) == 2
    assert not [line for line in said if "left out" in line]
