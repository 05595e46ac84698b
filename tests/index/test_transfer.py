import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from catalogue.errors import InvalidInput, SnapshotInvalid
from index import verify
from index.manifest import read_manifest
from index.transfer import MAX_MANIFEST_BYTES, pull, push
from tests.index.builders import build, edit_manifest, reopen


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Another data directory's snapshots."""
    return tmp_path / "there"


@pytest.fixture(params=["path", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place for snapshots."""
    yield {"path": f"{tmp_path}/store", "file": f"file://{tmp_path}/store", "memory": "memory://store/deep"}[
        request.param
    ]
    fsspec.filesystem("memory").store.clear()


def contents(path: Path) -> dict[str, bytes]:
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def at(url: str) -> Any:
    return fsspec.core.url_to_fs(url)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def interrupt(_: int) -> None:
    raise KeyboardInterrupt


def test_what_was_pushed_is_pulled(built: Path, there: Path, store: str) -> None:
    place = push(built, store)
    assert place == f"{store}/snap"
    assert pull(place, there) == there / "snap"
    assert contents(there / "snap") == contents(built)
    assert names(there) == ["snap"]
    assert (there / "snap").stat().st_mode & 0o777 == built.stat().st_mode & 0o777
    reopen(there / "snap")
    assert pull(f"{place}/", there) == there / "snap"  # again, with a slash


def test_progress_adds_up_to_the_sizes(built: Path, there: Path, store: str) -> None:
    size = sum(entry.bytes for entry in read_manifest(built).files.values())
    for transfer in (
        lambda told: push(built, store, progress=told),
        lambda told: pull(f"{store}/snap", there, progress=told),
    ):
        done: list[int] = []
        transfer(done.append)
        assert sum(done) == size


def test_under_another_name(built: Path, there: Path, store: str) -> None:
    path = pull(push(built, store), there, name="other")
    assert verify(path) == read_manifest(built).model_copy(update={"name": "other"})
    assert names(there) == ["other"]
    with pytest.raises(InvalidInput, match="cannot name a snapshot"):
        pull(f"{store}/snap", there, name="../x")


# Push.


def test_what_is_there_already_stays(built: Path, store: str) -> None:
    place = push(built, store)
    fs, path = at(place)
    before = fs.modified(f"{path}/products.parquet")
    assert push(built, store) == place
    assert fs.modified(f"{path}/products.parquet") == before


def test_another_one_of_that_name_is_not_written_over(tmp_path: Path, built: Path, store: str) -> None:
    place = push(built, store)
    fs, path = at(place)
    before = {name: fs.cat_file(name) for name in fs.find(path)}
    other = build(tmp_path / "elsewhere", count=21)
    with pytest.raises(SnapshotInvalid, match=r"snapshot snap: another one of that name is at .* already"):
        push(other, store)
    assert {name: fs.cat_file(name) for name in fs.find(path)} == before


def test_a_damaged_one_is_not_pushed(built: Path, store: str) -> None:
    whole = (built / "canary.npz").read_bytes()
    (built / "canary.npz").write_bytes(whole[:-1] + b"?")
    with pytest.raises(SnapshotInvalid, match=r"canary\.npz is corrupt"):
        push(built, store)
    fs, path = at(store)
    assert not fs.find(path)


def test_what_was_not_pushed_to_its_end_cannot_be_pulled(built: Path, there: Path, store: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        push(built, store, progress=interrupt)
    with pytest.raises(SnapshotInvalid, match=r"there is no manifest\.json at .*, so no complete snapshot"):
        pull(f"{store}/snap", there)
    assert names(there) == []
    push(built, store)  # and goes on where it was left
    assert contents(pull(f"{store}/snap", there)) == contents(built)


def test_a_file_that_changes_on_its_way_leaves_no_manifest(built: Path, store: str) -> None:
    def change(_: int) -> None:
        (built / "vectors" / "fusion.npy").write_bytes(b"\0" * (built / "vectors" / "fusion.npy").stat().st_size)

    with pytest.raises(SnapshotInvalid, match=r"fusion\.npy is corrupt"):
        push(built, store, progress=change)
    fs, path = at(store)
    assert not fs.exists(f"{path}/snap/manifest.json")


@pytest.mark.parametrize("url", ["nosuch://bucket/x", "memory://\0:x::nosuch://y"])
def test_urls_that_are_none_are_bad_input(built: Path, there: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be used"):
        push(built, url)
    with pytest.raises(InvalidInput, match="cannot be used"):
        pull(url, there)


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, built: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SnapshotInvalid, match="snapshot snap: cannot be pushed to"):
        push(built, str(tmp_path / "file"))


# Pull.


@pytest.fixture
def pushed(built: Path, tmp_path: Path) -> Path:
    """A snapshot on a local place, for a stranger to damage."""
    return Path(push(built, str(tmp_path / "store")))


def refused(pushed: Path, there: Path, match: str) -> None:
    """Refused, with nothing left behind."""
    with pytest.raises(SnapshotInvalid, match=match):
        pull(str(pushed), there)
    assert names(there) == []


def test_bytes_that_differ_are_refused(pushed: Path, there: Path) -> None:
    for name, whole in contents(pushed).items():
        for place in (0, len(whole) // 2, len(whole) - 1):
            damaged = bytearray(whole)
            damaged[place] ^= 4
            (pushed / name).write_bytes(damaged)
            refused(pushed, there, "^snapshot snap: ")
        (pushed / name).write_bytes(whole)
    pull(str(pushed), there)


def test_files_of_other_lengths_are_refused(pushed: Path, there: Path) -> None:
    whole = (pushed / "canary.npz").read_bytes()
    (pushed / "canary.npz").write_bytes(whole[:-5])
    refused(pushed, there, "canary.npz ends 5 bytes before")
    (pushed / "canary.npz").write_bytes(whole + b"?")
    refused(pushed, there, "canary.npz has more than")
    (pushed / "canary.npz").unlink()
    refused(pushed, there, "canary.npz")


def test_no_more_is_taken_than_the_manifest_says(pushed: Path, there: Path) -> None:
    size = sum(entry.bytes for entry in read_manifest(pushed).files.values())
    with (pushed / "products.parquet").open("ab") as file:
        file.truncate(50_000_000)
    done: list[int] = []
    with pytest.raises(SnapshotInvalid, match="has more than"):
        pull(str(pushed), there, progress=done.append)
    assert sum(done) <= size


def test_a_manifest_without_end_is_refused(pushed: Path, there: Path) -> None:
    with (pushed / "manifest.json").open("ab") as file:
        file.truncate(MAX_MANIFEST_BYTES + 1)
    refused(pushed, there, "manifest.json has over 10 MB")


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "/etc/evil", "vectors/../../evil", "a\0b", "a\\b", "", ".", ".hidden", "a//b", "a/", "x" * 300),
        *("a/b/c/d/e", "vectors/.x", "manifest.json", "ä", "a b", "-x", "C:evil"),
    ],
)
def test_names_that_no_snapshot_has_are_refused_before_anything_is_written(
    pushed: Path, there: Path, name: str
) -> None:
    edit_manifest(pushed, lambda manifest: manifest["files"].update({name: {"bytes": 0, "sha256": "0" * 64}}))
    done: list[int] = []
    with pytest.raises(SnapshotInvalid, match="names the file"):
        pull(str(pushed), there, progress=done.append)
    assert not done
    assert names(there) == []
    assert names(there.parent) == ["here", "store", "there"]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"name": "../x"}', b'{"name": "snap"}', b"\xff" * 10])
def test_a_manifest_that_is_none_is_refused(pushed: Path, there: Path, content: bytes) -> None:
    (pushed / "manifest.json").write_bytes(content)
    refused(pushed, there, "manifest.json")


def test_a_manifest_that_leaves_files_out_is_refused(pushed: Path, there: Path) -> None:
    edit_manifest(pushed, lambda manifest: manifest["files"].pop("canary.npz"))
    refused(pushed, there, r"does not list canary\.npz")


def test_more_than_there_is_room_for_is_refused_at_once(pushed: Path, there: Path) -> None:
    edit_manifest(pushed, lambda manifest: manifest["files"]["products.parquet"].update(bytes=10**16))
    refused(pushed, there, r"takes 10000000\.0 GB, .* GB are free")


def test_interrupted_nothing_is_half_there(pushed: Path, there: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pull(str(pushed), there, progress=interrupt)
    assert names(there) == []
    pull(str(pushed), there)


def test_before_it_is_whole_nobody_sees_it(pushed: Path, there: Path) -> None:
    seen: list[list[str]] = []
    pull(str(pushed), there, progress=lambda _: seen.append(names(there)))
    assert seen
    assert all(name.startswith(".snap.") for now in seen for name in now)
    assert names(there) == ["snap"]


def test_another_one_of_that_name_is_not_replaced(pushed: Path, there: Path) -> None:
    other = build(there, count=21)
    before = contents(other)
    with pytest.raises(InvalidInput, match="Another snapshot named snap is here already"):
        pull(str(pushed), there)
    assert contents(other) == before
    assert pull(str(pushed), there, name="second").name == "second"


def test_one_that_is_here_is_verified_instead(pushed: Path, there: Path) -> None:
    path = pull(str(pushed), there)
    shutil.rmtree(pushed / "vectors")
    assert pull(str(pushed), there) == path
    damaged = (path / "canary.npz").read_bytes()[:-1] + b"?"
    (path / "canary.npz").write_bytes(damaged)
    with pytest.raises(SnapshotInvalid, match=r"canary\.npz is corrupt"):
        pull(str(pushed), there)
