from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalogue.errors import InvalidInput
from index.manifest import list_snapshots, read_manifest, snapshot_path
from tests.index.builders import DIM, FINGERPRINT, build, edit_manifest, reopen
from tests.index.test_snapshot import FILES, refused_by_open, refused_by_verify, visible


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path)


def test_the_manifest_says_what_it_is(built: Path) -> None:
    manifest = read_manifest(built)
    assert (manifest.name, manifest.model, manifest.fingerprint) == ("snap", "stand-in", FINGERPRINT)
    assert (manifest.variant, manifest.dim, manifest.fields) == ("cpu-fp32", DIM, ("fusion",))
    assert manifest.files.keys() == set(FILES)
    assert datetime.now(UTC) - manifest.created_at < timedelta(minutes=1)
    assert built.stat().st_mode & 0o777 == 0o755


def test_a_snapshot_may_be_moved_but_not_renamed(built: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    built = built.rename(tmp_path / "other" / "snap")
    reopen(built)
    built = built.rename(tmp_path / "renamed")
    refused_by_open(built, "says it is snap; a snapshot must not be renamed")
    refused_by_verify(built, "renamed")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc", ".hidden", "-x", "a b", "a\n", "a\0", "x" * 65, "größe", "a\\b"]
)
def test_names_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a snapshot"):
        snapshot_path(tmp_path, name)
    with pytest.raises(InvalidInput, match="cannot name a snapshot"):
        build(tmp_path / "root", name)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("name", ["a", "2024-05-01", "v1.2_x", "x" * 64])
def test_good_names(tmp_path: Path, name: str) -> None:
    reopen(build(tmp_path, name))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"\0" * 100,
        b"[" * 100_000,
        b'{"schema_version": 2}',
        b'{"name": "snap"}',
    ],
    ids=range(9),
)
def test_a_manifest_that_is_none_is_refused(built: Path, content: bytes) -> None:
    (built / "manifest.json").write_bytes(content)
    refused_by_open(built, "manifest|schema")
    refused_by_verify(built, "manifest|schema")
    assert len(list_snapshots(built.parent)[1]) == 1


def test_a_directory_without_a_manifest_is_no_snapshot(built: Path) -> None:
    (built / "manifest.json").unlink()
    refused_by_open(built, "no readable manifest")
    (built / "manifest.json").mkdir()
    refused_by_open(built, "no readable manifest")
    refused_by_open(built.parent / "nowhere", "nowhere: there is none of this name")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../snap"},
        {"dim": 0},
        {"dim": 7},
        {"products": 19},
        {"products": -1},
        {"shards": 0},
        {"shards": 10**9},
        {"fields": []},
        {"fields": ["image"]},
        {"fields": ["fusion", "image"]},
        {"fields": ["fusion", "../x"]},
        {"metric": "l2"},
        {"index_type": "unheard-of"},
        {"index_type": "hnsw"},
        {"files": {}},
        {"files": []},
        {"created_at": "yesterday"},
        {"created_at": "2024-05-01T00:00:00"},
        {"schema_version": 2},
    ],
    ids=str,
)
def test_a_manifest_that_says_something_else_is_refused(built: Path, change: dict[str, Any]) -> None:
    edit_manifest(built, lambda manifest: manifest.update(change))
    refused_by_open(built)


def test_one_of_before_the_first_release_is_refused(built: Path) -> None:
    text = (built / "manifest.json").read_bytes()
    edit_manifest(built, lambda manifest: manifest["files"].pop("products.arrow"))
    refused_by_open(built, "does not list products.arrow")
    (built / "manifest.json").write_bytes(text.rpartition(b",")[0] + b"\n}")  # without the seal
    refused_by_open(built, "of before schema 3")


@pytest.mark.parametrize("change", [{}, {"index_type": "hologram"}, {"files": "elsewhere"}])
def test_a_newer_schema_asks_for_an_upgrade(built: Path, change: dict[str, Any]) -> None:
    edit_manifest(built, lambda manifest: manifest.update({"schema_version": 4} | change))
    refused_by_open(built, "has schema 4, this version reads up to 3; upgrade samestyle")
    refused_by_verify(built, "upgrade samestyle")


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "vectors/../../secret", "a\0b", "x" * 5000, "", ".", "\n", "a/b/c"]
)
def test_a_manifest_cannot_name_files_elsewhere(built: Path, name: str) -> None:
    (built.parent / "secret").write_bytes(b"12345")
    edit_manifest(built, lambda manifest: manifest["files"].update({name: {"bytes": 5, "sha256": "0" * 64}}))
    refused_by_open(built, "snapshot snap")
    refused_by_verify(built, "snapshot snap")


def test_a_link_cannot_lead_elsewhere(built: Path) -> None:
    elsewhere = built.parent / "elsewhere"
    (built / "canary.npz").rename(elsewhere)
    (built / "canary.npz").symlink_to(elsewhere)
    refused_by_open(built, "outside its directory")
    refused_by_verify(built, "outside its directory")
    (built / "canary.npz").unlink()
    (built / "canary.npz").symlink_to(built / "canary.npz")
    refused_by_open(built)


# Which ones there are.


def names(root: Path) -> list[str]:
    return [manifest.name for manifest in list_snapshots(root)[0]]


def test_the_newest_comes_first(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        build(tmp_path, name)
    assert names(tmp_path) == ["a", "c", "b"]


def test_where_there_is_none_none_is_listed(tmp_path: Path) -> None:
    assert list_snapshots(tmp_path / "nowhere") == ([], [])
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / ".unfinished.x").mkdir()
    assert list_snapshots(tmp_path) == ([], [])


def test_what_cannot_be_read_is_listed_with_the_reason(tmp_path: Path) -> None:
    build(tmp_path, "good")
    build(tmp_path, "garbage")
    (tmp_path / "garbage" / "manifest.json").write_bytes(b"garbage")
    manifests, refused = list_snapshots(tmp_path)
    assert [manifest.name for manifest in manifests] == ["good"]
    assert [str(error).split(":")[0] for error in refused] == ["snapshot garbage"]


def test_times_of_other_zones_are_compared(tmp_path: Path) -> None:
    for name, created in (("east", "2024-05-01T12:00:00+05:00"), ("west", "2024-05-01T08:00:00Z")):
        build(tmp_path, name)
        edit_manifest(tmp_path / name, lambda manifest, created=created: manifest.update(created_at=created))  # type: ignore[misc]
    assert names(tmp_path) == ["west", "east"]
