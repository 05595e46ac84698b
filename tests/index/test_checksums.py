import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from catalogue.errors import SnapshotInvalid
from index import verify
from index.checksums import Pace, forget, remember
from index.manifest import read_manifest
from tests.clocks import Clock
from tests.index.builders import build, edit_manifest

FILE = "vectors/fusion.npy"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path / "snapshots")


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "verified"


def damage_unseen(path: Path) -> None:
    """Change a byte as no program would: nothing but reading tells."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ino == before.st_ino


def test_what_was_verified_is_not_read_again(built: Path, memory: Path) -> None:
    assert verify(built, remembered=memory) == read_manifest(built)
    damage_unseen(built / FILE)
    verify(built, remembered=memory)
    with pytest.raises(SnapshotInvalid, match=f"snapshot snap: {FILE} is corrupt"):
        verify(built)
    forget("snap", memory)
    with pytest.raises(SnapshotInvalid, match="is corrupt"):
        verify(built, remembered=memory)
    assert not list(memory.iterdir())


def test_what_was_just_written_counts_as_verified(built: Path, memory: Path) -> None:
    remember(built, memory)
    damage_unseen(built / FILE)
    verify(built, remembered=memory)


def _touch(file: Path) -> None:
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


def _replace(file: Path) -> None:
    shutil.copy2(file, file.with_suffix(".copy"))
    file.with_suffix(".copy").rename(file)


@pytest.mark.parametrize("change", [_touch, _replace])
def test_a_file_that_may_be_another_is_read(built: Path, memory: Path, change: Callable[[Path], None]) -> None:
    verify(built, remembered=memory)
    damage_unseen(built / FILE)
    change(built / FILE)
    with pytest.raises(SnapshotInvalid, match="is corrupt"):
        verify(built, remembered=memory)


def test_under_another_manifest_everything_is_read(built: Path, memory: Path) -> None:
    verify(built, remembered=memory)
    damage_unseen(built / FILE)
    edit_manifest(built, lambda manifest: manifest.update(model="another"))
    with pytest.raises(SnapshotInvalid, match="is corrupt"):
        verify(built, remembered=memory)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"schema_version": 2, "manifest": "", "files": {}}'])
def test_a_record_that_is_none_is_passed_over(built: Path, memory: Path, content: bytes) -> None:
    verify(built, remembered=memory)
    (memory / "snap.json").write_bytes(content)
    damage_unseen(built / FILE)
    with pytest.raises(SnapshotInvalid, match="is corrupt"):
        verify(built, remembered=memory)


def test_a_record_is_of_one_snapshot(tmp_path: Path, built: Path, memory: Path) -> None:
    verify(built, remembered=memory)
    other = build(tmp_path / "snapshots", "other", 30)
    shutil.copy(memory / "snap.json", memory / "other.json")
    damage_unseen(other / FILE)
    with pytest.raises(SnapshotInvalid, match="is corrupt"):
        verify(other, remembered=memory)


def test_without_room_to_remember_it_verifies_all_the_same(built: Path, memory: Path) -> None:
    memory.write_bytes(b"a file where the folder should be")
    verify(built, remembered=memory)
    damage_unseen(built / FILE)
    with pytest.raises(SnapshotInvalid, match="is corrupt"):
        verify(built, remembered=memory)


def test_the_record_is_written_once(built: Path, memory: Path) -> None:
    verify(built, remembered=memory)
    written = (memory / "snap.json").stat()
    verify(built, remembered=memory)
    assert (memory / "snap.json").stat() == written
    assert json.loads((memory / "snap.json").read_bytes())["files"].keys() == read_manifest(built).files.keys()


def test_progress_adds_up_to_the_sizes(built: Path, memory: Path) -> None:
    size = sum(entry.bytes for entry in read_manifest(built).files.values())
    for _ in range(2):  # read, and remembered
        done: list[int] = []
        verify(built, remembered=memory, progress=done.append)
        assert sum(done) == size


def test_a_file_that_changes_under_the_reader_is_refused(built: Path) -> None:
    def write(_: int) -> None:
        with (built / FILE).open("ab") as file:
            file.write(b"more")

    with pytest.raises(SnapshotInvalid, match="was changed while it was read"):
        verify(built, progress=write)


def test_it_keeps_to_its_pace(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.checksums.time", clock := Clock())
    size = sum(entry.bytes for entry in read_manifest(built).files.values())
    verify(built, max_bytes_per_s=5 * size)
    assert clock.now == pytest.approx(0.2)


def test_a_longer_rest_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.checksums.time", clock := Clock())
    pace = Pace(1_000)
    clock.sleep(0.3)
    for _ in range(8):
        pace(25)
    assert clock.now == pytest.approx(0.3 + 8 * 0.025 - 0.05)
