"""Photos that nobody needs go, and no other, whoever writes meanwhile."""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from catalogue.errors import Conflict
from catalogue.files import try_lock
from catalogue.photos import PhotoStore
from index import Journal, photo_collection
from index.photo_collection import OLD_S, Unneeded, collect_photos
from tests.index.builders import build, item
from tests.index.changes import sqlite, upsert

SNAPSHOT, WRITTEN, UNNEEDED, YOUNG = (name.encode() * 10 for name in ("snapshot", "written", "unneeded", "young"))


def digest(photo: bytes) -> str:
    return hashlib.sha256(photo).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> PhotoStore:
    """A photo of a snapshot, one of the journal, one that nobody names, and one put today; the others a week ago."""
    store = PhotoStore(tmp_path / "photos")
    for photo in (SNAPSHOT, WRITTEN, UNNEEDED, YOUNG):
        store.put(photo)
        if photo != YOUNG:
            make_old(tmp_path, photo)
    build(tmp_path / "snapshots", "a", products=[item("a", digest(SNAPSHOT)), item("b")])
    return store


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(sqlite(tmp_path)) as journal:
        change = upsert("c")
        assert change.item is not None
        photo = change.item.model_copy(update={"photo": digest(WRITTEN)})
        journal.append([upsert("d"), replace(change, item=photo), upsert("e")])
        yield journal


def path_of(data: Path, photo: bytes) -> Path:
    name = digest(photo)
    return data / "photos" / name[:2] / name


def make_old(data: Path, photo: bytes) -> None:
    week = time.time() - 7 * OLD_S
    os.utime(path_of(data, photo), (week, week))


def names(data: Path) -> set[str]:
    return {path.name for path in (data / "photos").rglob("*") if path.is_file()}


def test_what_nobody_names_goes(
    tmp_path: Path, store: PhotoStore, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.journal._READ_TOGETHER", 1)
    before = names(tmp_path)
    expected = Unneeded(1, len(UNNEEDED))
    assert collect_photos(tmp_path, journal, dry_run=True) == expected
    assert names(tmp_path) == before
    assert collect_photos(tmp_path, journal) == expected
    assert names(tmp_path) == before - {digest(UNNEEDED)}
    assert collect_photos(tmp_path, journal) == Unneeded(0, 0)
    make_old(tmp_path, YOUNG)
    assert collect_photos(tmp_path, journal).photos == 1
    assert names(tmp_path) == {digest(SNAPSHOT), digest(WRITTEN)}


def test_what_is_put_again_stays(tmp_path: Path, store: PhotoStore, journal: Journal) -> None:
    store.put(UNNEEDED)
    assert collect_photos(tmp_path, journal) == Unneeded(0, 0)


@pytest.mark.parametrize("is_before", [True, False])
def test_what_is_put_while_it_goes_stays(
    tmp_path: Path, store: PhotoStore, journal: Journal, monkeypatch: pytest.MonkeyPatch, is_before: bool
) -> None:
    rename = Path.rename

    def meanwhile(path: Path, target: Path) -> Path:
        if is_before:
            store.put(UNNEEDED)
        moved = rename(path, target)
        if not is_before:
            store.put(UNNEEDED)
        return moved

    monkeypatch.setattr(Path, "rename", meanwhile)
    collect_photos(tmp_path, journal)
    monkeypatch.undo()
    assert store.get(digest(UNNEEDED)) == UNNEEDED
    assert len(names(tmp_path)) == 4


def test_a_run_that_was_killed_has_lost_nothing(tmp_path: Path, store: PhotoStore, journal: Journal) -> None:
    for photo in (SNAPSHOT, UNNEEDED):
        path = path_of(tmp_path, photo)
        path.rename(path.with_name(f".{path.name}.unneeded-photo"))
    assert collect_photos(tmp_path, journal) == Unneeded(1, len(UNNEEDED))
    assert store.get(digest(SNAPSHOT)) == SNAPSHOT


def test_files_that_are_no_photos_are_left_alone(tmp_path: Path, store: PhotoStore, journal: Journal) -> None:
    others = [path_of(tmp_path, UNNEEDED).with_name("notes.txt"), tmp_path / "photos" / "readme", tmp_path / "other"]
    for path in others:
        path.write_text("mine")
        os.utime(path, (0, 0))
    collect_photos(tmp_path, journal)
    assert all(path.exists() for path in others)


def test_nothing_goes_while_nobody_knows_what_is_needed(tmp_path: Path, store: PhotoStore, journal: Journal) -> None:
    before = names(tmp_path)
    with pytest.raises(Conflict, match=r"no journal.*SAMESTYLE_JOURNAL"):
        collect_photos(tmp_path, None)
    with try_lock(tmp_path / "builds" / "next.lock"), pytest.raises(Conflict, match="build of next is running"):
        collect_photos(tmp_path, journal)
    build(tmp_path / "snapshots", "b", journal="0" * 32)
    with pytest.raises(Conflict, match=r"Snapshot b goes on from another journal"):
        collect_photos(tmp_path, journal)
    (tmp_path / "snapshots" / "b" / "manifest.json").write_text("{}")
    with pytest.raises(Conflict, match="1 snapshots cannot be read"):
        collect_photos(tmp_path, journal)
    with pytest.raises(Conflict, match="There is no snapshot in"):
        collect_photos(tmp_path / "elsewhere", journal)
    assert names(tmp_path) == before


def test_two_runs_at_once(tmp_path: Path, store: PhotoStore, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sees the photo; one takes it."""
    remove = photo_collection._remove
    found: list[int] = []

    def twice(path: Path) -> int:
        found.append(remove(path))
        return remove(path)

    monkeypatch.setattr(photo_collection, "_remove", twice)
    assert collect_photos(tmp_path, journal) == Unneeded(0, 0)
    assert found == [len(UNNEEDED)]
