import errno
import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from catalogue import files
from catalogue.files import hold, is_held, lock_file, read_ahead, sha256_file, sha256_known, sync_tree, write_atomic


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


def test_a_hash_is_known_while_a_file_that_has_settled_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = tmp_path / "x", list[Path]()
    path.write_bytes(b"abc")

    def counted(path: Path) -> str:
        read.append(path)
        return sha256_file(path)

    monkeypatch.setattr(files, "sha256_file", counted)

    def known(times: int) -> bool:
        read.clear()
        return sha256_known(path) == sha256_file(path) and len(read) == times

    assert known(1)
    assert known(1)  # a change within the same tick would leave its times as they are
    monkeypatch.setattr(files, "_SETTLED_NS", 0)
    assert known(1)
    assert known(0)
    path.write_bytes(b"xyz")
    os.utime(path, ns=(1, 1))
    assert known(1)
    changed = path.stat().st_ctime_ns
    path.write_bytes(b"123")
    while path.stat().st_ctime_ns == changed:  # the time of the change itself cannot be set back
        os.utime(path, ns=(1, 1))
    assert known(1)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        sha256_known(path)


def test_files_are_read_ahead_whole_in_small_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux may read no more than 128 KB of a request."""
    for name, size in (("a", 300_000), ("b", 1), ("c", 0)):
        (tmp_path / name).write_bytes(b"x" * size)
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _, start, length, advice: asked.append((start, length)))
    read_ahead(tmp_path / name for name in "abc")
    assert asked == [(0, 131_072), (131_072, 131_072), (262_144, 131_072), (0, 131_072)]


def test_what_would_take_half_of_the_memory_is_not_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x" * 600)
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PHYS_PAGES": 1, "SC_PAGE_SIZE": 1_000}[name])
    monkeypatch.setattr(os, "posix_fadvise", lambda *_: pytest.fail("it is read ahead"))
    read_ahead([tmp_path / "a"])


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.lock"
    with lock_file(path), path.open("a") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("may_write", [True, False])
def test_what_somebody_holds_is_seen_by_who_may_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, may_write: bool
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    really_open = os.open

    def for_reading(path: Path, flags: int) -> int:
        if flags & os.O_RDWR:
            raise PermissionError
        return really_open(path, flags)

    if not may_write:  # root may whatever the mode of a file says
        monkeypatch.setattr(os, "open", for_reading)
    for path in (tmp_path / "file", tmp_path / "folder"):
        assert not is_held(path)
        first, second = hold(path), hold(path)
        os.close(first)
        assert is_held(path)
        os.close(second)
        assert not is_held(path)


@pytest.mark.parametrize(
    ("reason", "told"), [(errno.EBADF, True), (errno.EACCES, True), (errno.ENOLCK, False), (errno.EOPNOTSUPP, False)]
)
def test_where_nobody_can_tell_it_counts_as_held_but_where_nobody_can_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: int, *, told: bool
) -> None:
    assert is_held(tmp_path / "unreadable")

    def refuse(*_: object) -> None:
        raise OSError(reason, "no lock")

    monkeypatch.setattr(fcntl, "flock", refuse)
    handle = hold(tmp_path)
    assert is_held(tmp_path) is told
    os.close(handle)
