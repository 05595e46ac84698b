import io
import os
import pickle
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue.errors import FingerprintMismatch, InvalidInput, SnapshotInvalid
from index import Snapshot, snapshot_writer, verify
from index.manifest import read_manifest
from tests.index.builders import DIM, accept, build, items, reopen, unit_rows

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
    monkeypatch.setattr(snapshot_writer, "PRODUCTS_PER_SHARD", per_shard)
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


def test_a_linked_snapshot_directory_is_served(built: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    moved = built.rename(tmp_path / "disk" / "snap")
    built.symlink_to(moved)
    reopen(built)
    verify(built)


def test_vectors_of_another_model_are_refused(built: Path) -> None:
    with pytest.raises(FingerprintMismatch, match=r"snapshot snap .*model stand-in \(ffffffffffff\).* 000000000000"):
        Snapshot.open(built, fingerprint="0" * 64)
    verify(built)


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
    with np.load(built / "canary.npz") as canary:
        nothing = {name: canary[name][:0] for name in ("queries", "scores", "rows")}
        np.savez(built / "canary.npz", among=canary["among"], recall=canary["recall"], **nothing)
    accept(built, "canary.npz")
    refused_by_open(built, "the canary has 0 queries")


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
