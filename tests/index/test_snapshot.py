import io
import os
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.errors import FingerprintMismatch, InvalidInput, SnapshotInvalid
from index import Snapshot, verify
from index import snapshot as module
from index.snapshot import list_snapshots, read_manifest, snapshot_path
from tests.index.builders import DIM, FINGERPRINT, accept, build, edit_manifest, item, items, reopen, unit_rows

FILES = ("products.parquet", "products.arrow", "canary.npz", "vectors/fusion.npy")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return build(tmp_path)


def refused_by_open(path: Path, match: str = "snapshot snap: ") -> None:
    with pytest.raises(SnapshotInvalid, match=match):
        reopen(path)


def refused_by_verify(path: Path, match: str) -> None:
    with pytest.raises(SnapshotInvalid, match=match):
        verify(path)


def visible(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


# What is written is read again.


@pytest.mark.parametrize("per_shard", [1000, 7, 1])
def test_a_snapshot_comes_back_as_it_went_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, per_shard: int) -> None:
    monkeypatch.setattr(module, "PRODUCTS_PER_SHARD", per_shard)
    entries = items(20)
    path = build(tmp_path, products=entries, fields=("fusion", "image", "text"))
    assert path == tmp_path / "snap"
    snapshot = reopen(path)
    assert verify(path) == snapshot.manifest == read_manifest(path)
    assert (snapshot.manifest.products, snapshot.manifest.shards) == (20, -(-20 // per_shard))
    for seed, field in enumerate(("fusion", "image", "text")):
        vectors = unit_rows(20, seed=seed)
        for n, entry in enumerate(entries):
            row = snapshot.products.row_of(entry.product.product_id)
            assert snapshot.products.get(row) == entry
            np.testing.assert_allclose(snapshot.vectors(field, np.array([row]))[0], vectors[n], atol=1e-3)
            found = snapshot.index(field).search(vectors[n], 3)
            assert found.rows[0] == row
            scores = np.sort(vectors.astype(np.float16).astype(np.float32) @ vectors[n])[::-1]
            np.testing.assert_allclose(found.scores, scores[:3].clip(-1, 1), atol=1e-6)


def test_the_manifest_says_what_it_is(built: Path) -> None:
    manifest = read_manifest(built)
    assert (manifest.name, manifest.model, manifest.fingerprint) == ("snap", "stand-in", FINGERPRINT)
    assert (manifest.variant, manifest.dim, manifest.fields) == ("cpu-fp32", DIM, ("fusion",))
    assert manifest.files.keys() == set(FILES)
    assert datetime.now(UTC) - manifest.created_at < timedelta(minutes=1)
    assert built.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("count", [0, 1, 2])
def test_tiny_snapshots(tmp_path: Path, count: int) -> None:
    snapshot = reopen(build(tmp_path, count=count))
    verify(snapshot.path)
    assert len(snapshot.index("fusion").search(unit_rows(1)[0], 10).rows) == count
    assert snapshot.vectors("fusion", np.arange(count)).shape == (count, DIM)


def test_duplicates_do_not_upset_the_canary(tmp_path: Path) -> None:
    reopen(build(tmp_path, vectors={"fusion": np.repeat(unit_rows(2), 30, axis=0)}, count=60))


def test_a_field_it_lacks_is_bad_input(built: Path) -> None:
    with pytest.raises(InvalidInput, match=r"target 'image'; it has fusion"):
        reopen(built).index("image")


def test_a_snapshot_may_be_moved_but_not_renamed(built: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    built = built.rename(tmp_path / "other" / "snap")
    reopen(built)
    built = built.rename(tmp_path / "renamed")
    refused_by_open(built, "says it is snap; a snapshot must not be renamed")
    refused_by_verify(built, "renamed")


def test_a_name_is_given_once(built: Path) -> None:
    before = (built / "manifest.json").read_bytes()
    with pytest.raises(InvalidInput, match="is there already"):
        build(built.parent)
    assert (built / "manifest.json").read_bytes() == before
    assert visible(built.parent) == ["snap"]


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


def test_vectors_that_do_not_fit_the_products_are_refused(tmp_path: Path) -> None:
    wrong = {
        "fewer": {"fusion": unit_rows(4)},
        "more": {"fusion": unit_rows(6)},
        "second field": {"fusion": unit_rows(5), "image": unit_rows(6)},
        "second dim": {"fusion": unit_rows(5), "image": unit_rows(5, dim=4)},
        "no fusion": {"image": unit_rows(5)},
        "not finite": {"fusion": unit_rows(5) * np.float32(np.nan)},
        "not unit": {"fusion": unit_rows(5) * 2},
    }
    for vectors in wrong.values():
        with pytest.raises(ValueError, match="vectors"):
            build(tmp_path, count=5, vectors=vectors)  # type: ignore[arg-type]
    assert visible(tmp_path) == []


# A write that is interrupted.


@pytest.mark.parametrize(
    "step", ["pq.write_table", "write_array", "np.savez", "write_atomic", "sync_tree", "Path.rename"]
)
def test_an_interrupted_write_leaves_nothing_and_the_name_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt(step)

    with monkeypatch.context() as patch:
        patch.setattr(f"index.snapshot.{step}", interrupted)
        with pytest.raises(KeyboardInterrupt, match=step):
            build(tmp_path)
    assert visible(tmp_path) == []
    reopen(build(tmp_path))


def test_before_it_is_renamed_nobody_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Path, object]] = []
    monkeypatch.setattr(module, "sync_tree", lambda work: seen.append((work, list_snapshots(tmp_path))))
    build(tmp_path)
    ((work, listed),) = seen
    assert work.parent == tmp_path
    assert work.name.startswith(".")
    assert listed == ([], [])
    assert visible(tmp_path) == ["snap"]


def test_everything_is_synced_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: dict[str, set[str]] = {}

    def record(work: Path) -> None:
        synced["before"] = {path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file()}

    monkeypatch.setattr(module, "sync_tree", record)
    monkeypatch.setattr(module, "sync_directory", lambda root: synced.update(after={root.name}))
    build(tmp_path)
    assert synced == {"before": {*FILES, "manifest.json"}, "after": {tmp_path.name}}


# Damage.


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_missed(built: Path, name: str) -> None:
    (built / name).unlink()
    refused_by_open(built, f"{name} is missing")
    refused_by_verify(built, f"{name} is missing")
    (built / name).mkdir()
    refused_by_open(built, f"{name} is missing")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [-1, 1, -50])
def test_a_file_of_another_size_is_refused(built: Path, name: str, change: int) -> None:
    os.truncate(built / name, (built / name).stat().st_size + change)
    refused_by_open(built, "bytes, not")
    refused_by_verify(built, "bytes, not")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused_even_where_the_manifest_agrees(built: Path, name: str, kept: float) -> None:
    os.truncate(built / name, int((built / name).stat().st_size * kept))
    accept(built, name)
    verify(built)
    refused_by_open(built, "cannot be loaded")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(name=st.sampled_from(FILES), where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), front=st.booleans())
def test_a_flipped_bit_is_found_by_verify_and_survived_by_open(
    built: Path, name: str, where: float, bit: int, front: bool
) -> None:
    whole = (built / name).read_bytes()
    damaged = bytearray(whole)
    damaged[int(where * (min(100, len(whole)) if front else len(whole)))] ^= 1 << bit
    (built / name).write_bytes(damaged)
    try:
        refused_by_verify(built, f"{name} is corrupt")
        with suppress(SnapshotInvalid):
            reopen(built)
    finally:
        (built / name).write_bytes(whole)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\0" * 500, b"PK\x03\x04" + b"\0" * 100, b"PAR1", b"\x93NUMPY\x01\0"])
def test_a_file_of_something_else_is_refused(built: Path, name: str, content: bytes) -> None:
    (built / name).write_bytes(content)
    accept(built, name)
    refused_by_open(built, "cannot be loaded")


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_snapshot_is_refused(tmp_path: Path, name: str) -> None:
    whole = build(tmp_path, "snap", 200)
    fewer = build(tmp_path, "fewer", 199)
    other = build(tmp_path, "other", products=items(200), vectors={"fusion": unit_rows(200, seed=9)})
    for foreign in (fewer, other):
        if (foreign / name).read_bytes() == (whole / name).read_bytes():
            continue  # the products of both are the same
        mixed = Path(shutil.copytree(whole, tmp_path / f"{foreign.name}-mixed" / "snap"))
        shutil.copy(foreign / name, mixed / name)
        accept(mixed, name)
        refused_by_open(mixed, "cannot be loaded")


def test_stored_vectors_of_another_shape_are_refused(built: Path) -> None:
    stored = np.load(built / "vectors" / "fusion.npy")
    for wrong in (stored[:19], stored[:, :4], stored.astype(np.float32), stored.ravel(), np.array(["a"])):
        np.save(built / "vectors" / "fusion.npy", wrong)
        accept(built, "vectors/fusion.npy")
        refused_by_open(built, "vectors of fusion")


def test_answers_that_changed_are_noticed_by_the_canary(built: Path) -> None:
    stored = np.load(built / "vectors" / "fusion.npy")
    np.save(built / "vectors" / "fusion.npy", np.roll(stored, 1, axis=1))
    accept(built, "vectors/fusion.npy")
    refused_by_open(built, "stored answers")


def test_rows_that_no_longer_answer_are_noticed_by_the_canary(built: Path) -> None:
    with np.load(built / "canary.npz") as canary:
        kept = dict(canary)
    for rows in (np.roll(kept["rows"], 1, axis=0), kept["rows"] + 10_000, kept["rows"][:, :3]):
        np.savez(built / "canary.npz", **{**kept, "rows": rows})
        accept(built, "canary.npz")
        refused_by_open(built, "cannot be loaded")


def test_a_canary_that_asks_nothing_is_refused(built: Path) -> None:
    np.savez(built / "canary.npz", queries=np.empty((0, DIM), np.float32), scores=np.empty((0, 10), np.float32))
    accept(built, "canary.npz")
    refused_by_open(built, "canary")


class _Bomb:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch exploded",)


@pytest.mark.parametrize("name", ["canary.npz", "vectors/fusion.npy"])
def test_nothing_is_unpickled(built: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(built)
    array = np.array([_Bomb()], dtype=object)
    for content in (pickle.dumps(_Bomb()), _saved(array, name)):
        (built / name).write_bytes(content)
        accept(built, name)
        refused_by_open(built, "cannot be loaded")
    assert not (built / "exploded").exists()


def _saved(array: Any, name: str) -> bytes:
    out = io.BytesIO()
    if name.endswith("npz"):
        np.savez(out, queries=array, scores=array)
    else:
        np.save(out, array, allow_pickle=True)
    return out.getvalue()


# The manifest.


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
    refused_by_open(built.parent / "nowhere", "no readable manifest")


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
        {"schema_version": 0},
    ],
    ids=str,
)
def test_a_manifest_that_says_something_else_is_refused(built: Path, change: dict[str, Any]) -> None:
    edit_manifest(built, lambda manifest: manifest.update(change))
    refused_by_open(built)


@pytest.mark.parametrize("change", [{}, {"index_type": "hologram"}, {"files": "elsewhere"}])
def test_a_newer_schema_asks_for_an_upgrade(built: Path, change: dict[str, Any]) -> None:
    edit_manifest(built, lambda manifest: manifest.update({"schema_version": 4} | change))
    refused_by_open(built, "has schema 4, this version reads up to 3; upgrade samestyle")
    refused_by_verify(built, "upgrade samestyle")


def test_vectors_of_another_model_are_refused(built: Path) -> None:
    with pytest.raises(FingerprintMismatch, match=r"snapshot snap .*model stand-in \(ffffffffffff\).* 000000000000"):
        Snapshot.open(built, fingerprint="0" * 64)
    verify(built)


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


def test_a_linked_snapshot_directory_is_served(built: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    moved = built.rename(tmp_path / "disk" / "snap")
    built.symlink_to(moved)
    reopen(built)
    verify(built)


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


def test_duplicate_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        build(tmp_path, products=[item("1"), item("2"), item("1")])
    assert visible(tmp_path) == []
