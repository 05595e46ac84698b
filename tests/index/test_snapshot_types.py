"""Snapshots of every index type: written, mapped, checked, refused."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import faiss
import numpy as np
import pytest

from catalogue.errors import InvalidInput, SnapshotInvalid
from index import snapshot_writer as module
from index import verify
from index.manifest import read_manifest, shard_file
from index.plan import Choice
from index.search import ShardedIndex
from tests.index.builders import accept, build, edit_manifest, items, reopen, unit_rows

pytestmark = pytest.mark.usefixtures("quickly_built")

ROWS, DIM = 1_200, 16
TYPES = {
    "hnsw": {"m": 8, "ef_construction": 40},
    "ivf-flat": {"nlist": 20},
    "ivf-sq8": {"nlist": 20},
    "ivf-pq": {"nlist": 20, "pq_m": 8, "refine": 10},
}
VECTORS = unit_rows(ROWS, DIM)


def write(root: Path, kind: str, **more: int) -> Path:
    choice = Choice(0.95, kind, {**TYPES[kind], **more})
    return build(root, products=items(ROWS), vectors={"fusion": VECTORS}, choice=choice)


def damaged(path: Path) -> Path:
    accept(path, shard_file("fusion", 0))
    return path


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("per_shard", [5000, 500])
def test_it_comes_back_as_it_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, per_shard: int
) -> None:
    monkeypatch.setattr(module, "PRODUCTS_PER_SHARD", per_shard)
    path = write(tmp_path, kind)
    snapshot = reopen(path)
    manifest = verify(path)
    assert (manifest.schema_version, manifest.index_type, manifest.index_parameters) == (3, kind, TYPES[kind])
    assert manifest.shards == -(-ROWS // per_shard)
    tuning = manifest.tuning["fusion"]
    assert tuning.target == 0.95
    assert tuning.recall_at_10 == manifest.recall_at_10 > 0.85
    assert tuning.value in [point.value for point in tuning.curve]
    index = snapshot.index("fusion")
    assert isinstance(index, ShardedIndex)
    assert index.tuned == tuning.value
    row = snapshot.products.row_of("p7")
    assert index.search(VECTORS[7], 3).rows[0] == row


@pytest.mark.parametrize(("kind", "name"), [("hnsw", "ef_search"), ("ivf-flat", "nprobe"), ("ivf-pq", "nprobe")])
def test_an_effort_given_by_hand_is_read_from_the_manifest(tmp_path: Path, kind: str, name: str) -> None:
    path = write(tmp_path, kind, **{name: 5})
    tuning = read_manifest(path).tuning["fusion"]
    assert (tuning.parameter, tuning.value, tuning.target) == (name, 5, None)
    index = reopen(path).index("fusion")
    assert isinstance(index, ShardedIndex)
    assert index.tuned == 5


def test_each_field_is_tuned_for_itself(tmp_path: Path) -> None:
    fields = {"fusion": VECTORS, "image": unit_rows(ROWS, DIM, seed=2)}
    path = build(tmp_path, products=items(ROWS), vectors=fields, choice=Choice(0.9, "hnsw", TYPES["hnsw"]))  # type: ignore[arg-type]
    manifest = read_manifest(path)
    assert manifest.tuning.keys() == {"fusion", "image"}
    assert manifest.recall_at_10 == min(tuning.recall_at_10 for tuning in manifest.tuning.values())
    assert reopen(path).index("image").search(fields["image"][3], 1).scores[0] > 0.99


def test_a_choice_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nlist"):
        build(tmp_path / "root", count=20, choice=Choice(0.99, "ivf-flat", {"nlist": 30}))
    assert not (tmp_path / "root").exists()


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, count: int) -> None:
        assert (offset, count) == (0, VECTORS.nbytes)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)  # before the file is mapped, where it would be a signal
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, "hnsw")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["hnsw", "ivf-flat"])
def test_whatever_file_does_not_fit_is_an_error_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    """Each file in turn is the first that would become too large."""
    path = write(tmp_path / "whole", kind)
    sizes = {name: entry.bytes for name, entry in read_manifest(path).files.items()}
    for name, size in sizes.items():
        with most_bytes_of_a_file(size - 1), pytest.raises(OSError, match=r"File too large.*/full'"):
            write(tmp_path / "full", kind)
        assert not list((tmp_path / "full").iterdir()), name


@contextmanager
def most_bytes_of_a_file(most: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_the_graph_holds_no_second_copy_of_the_vectors(tmp_path: Path) -> None:
    path = write(tmp_path, "hnsw")
    links = ROWS * (2 * 8 + 1) * 4
    assert (path / shard_file("fusion", 0)).stat().st_size < 1.5 * links + 20_000
    assert not (write_flat(tmp_path) / "shards").exists()


def write_flat(root: Path) -> Path:
    return build(root, "flat", products=items(ROWS), vectors={"fusion": VECTORS})


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_shard_is_refused(tmp_path: Path, kind: str, kept: float) -> None:
    path = write(tmp_path, kind)
    file = path / shard_file("fusion", 0)
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * kept)])
    with pytest.raises(SnapshotInvalid, match="bytes, not"):
        reopen(path)
    with pytest.raises(SnapshotInvalid, match="cannot be loaded"):
        reopen(damaged(path))


@pytest.mark.parametrize("kind", TYPES)
def test_a_flipped_bit_is_found_by_verify_and_survived_by_open(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    file = path / shard_file("fusion", 0)
    whole = file.read_bytes()
    random = np.random.default_rng(0)
    places = [*range(0, 200, 5), *random.integers(0, len(whole), 40).tolist()]
    for place in places:
        damage = bytearray(whole)
        damage[place] ^= 1 << int(random.integers(8))
        file.write_bytes(damage)
        with pytest.raises(SnapshotInvalid, match="is corrupt"):
            verify(path)
        with suppress(SnapshotInvalid):
            reopen(path)
    file.write_bytes(whole)
    reopen(path)


def test_a_shard_of_something_else_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "hnsw")
    file = path / shard_file("fusion", 0)
    whole = file.read_bytes()
    flat = faiss.IndexFlatIP(DIM)
    flat.add(VECTORS)
    narrow, fewer, lists = (tmp_path / name for name in ("narrow", "fewer", "lists"))
    others = [
        build(narrow, products=items(ROWS), vectors={"fusion": unit_rows(ROWS, 8)}, choice=Choice(0.9, "hnsw")),
        build(fewer, products=items(900), vectors={"fusion": VECTORS[:900]}, choice=Choice(0.9, "hnsw")),
        write(lists, "ivf-flat"),
    ]
    for content in (b"", b"\0" * 500, faiss.serialize_index(flat).tobytes()):
        file.write_bytes(content)
        with pytest.raises(SnapshotInvalid, match="cannot be loaded"):
            reopen(damaged(path))
    for other in others:
        file.write_bytes((other / shard_file("fusion", 0)).read_bytes())
        with pytest.raises(SnapshotInvalid, match="cannot be loaded"):
            reopen(damaged(path))
    file.write_bytes(whole)
    reopen(damaged(path))


def test_the_graph_of_other_products_is_noticed(tmp_path: Path) -> None:
    """Its links lead nowhere near: the canary finds less than it did."""
    path = write(tmp_path / "a", "hnsw")
    other = unit_rows(ROWS, DIM, seed=5)
    foreign = build(
        tmp_path / "b", products=items(ROWS), vectors={"fusion": other}, choice=Choice(0.9, "hnsw", TYPES["hnsw"])
    )
    (path / shard_file("fusion", 0)).write_bytes((foreign / shard_file("fusion", 0)).read_bytes())
    with pytest.raises(SnapshotInvalid, match="of the stored answers; when built it found"):
        reopen(damaged(path))


@pytest.mark.parametrize(
    "change",
    [
        {"index_parameters": {}},
        {"index_parameters": {"m": 8, "ef_construction": 10**9}},
        {"index_parameters": {"m": 8, "ef_construction": 40, "nlist": 5}},
        {"tuning": {}},
        {"tuning": {"fusion": {"parameter": "ef_search", "value": 0, "recall_at_10": 1}}},
        {"index_type": "ivf-flat"},
        {"shards": 2},
        {"shards": 10**9},
    ],
    ids=str,
)
def test_a_manifest_of_another_index_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = write(tmp_path, "hnsw")
    edit_manifest(path, lambda manifest: manifest.update(change))
    with pytest.raises(SnapshotInvalid):
        reopen(path)
