import hashlib
import os
from pathlib import Path

import pytest

from catalogue import files
from catalogue.files import sha256_file, sync_tree, write_atomic


def test_a_file_is_written_whole_where_there_was_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.json"
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"a much longer old content")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"old")

    def interrupted(handle: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(type(error)):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_reach_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.json"
    seen: list[tuple[bool, bool]] = []
    fsync = os.fsync

    def recorded(handle: int) -> None:
        is_folder = os.path.samestat(os.fstat(handle), tmp_path.stat())
        seen.append((is_folder, path.exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", recorded)
    write_atomic(path, b"new")
    assert seen == [(False, False), (True, True)]


def test_a_tree_is_synced_with_every_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("x", "a/y", "a/b/z"):
        (tmp_path / name).write_bytes(b"1")
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_directory", synced.append)
    sync_tree(tmp_path)
    assert sorted(synced) == sorted([tmp_path, *tmp_path.rglob("*")])


def test_sha256_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc" * 100_000)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(b"abc" * 100_000).hexdigest()
