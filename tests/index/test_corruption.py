"""Damage of every kind to every file of every index type: full verification refuses all of it, and says why."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from catalogue.errors import SnapshotInvalid
from index import verify
from index.manifest import FieldName, read_manifest
from index.plan import Choice
from tests.index.builders import build, items, reopen, unit_rows

pytestmark = pytest.mark.usefixtures("quickly_built")

ROWS, DIM = 1_000, 16
TYPES = {
    "flat": {},
    "hnsw": {"m": 8, "ef_construction": 40},
    "ivf-flat": {"nlist": 12},
    "ivf-sq8": {"nlist": 12},
    "ivf-pq": {"nlist": 12, "pq_m": 8, "refine": 10},
}
SAYS_WHY = r"^snapshot snap: ."
FIELDS: tuple[FieldName, ...] = ("fusion", "image")


@pytest.fixture(scope="module", params=TYPES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two snapshots of one index type and shape, with other vectors and other titles."""
    kind = str(request.param)
    first, second = (
        build(
            tmp_path_factory.mktemp(kind) / kind,
            products=items(ROWS)[::step],
            vectors={field: unit_rows(ROWS, DIM, seed=seed + at) for at, field in enumerate(FIELDS)},
            choice=Choice(0.9, kind, TYPES[kind]),
        )
        for seed, step in ((0, 1), (5, -1))
    )
    return first, second


def files(path: Path) -> list[str]:
    return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())


def refused(path: Path, name: str) -> None:
    """Refused with a reason that names the file, or for a manifest what it says that cannot be."""
    with pytest.raises(SnapshotInvalid, match=SAYS_WHY) as caught:
        verify(path)
    if name != "manifest.json":
        assert name in str(caught.value)


def refused_by_open(path: Path) -> None:
    with pytest.raises(SnapshotInvalid, match=SAYS_WHY):
        reopen(path)


def places(whole: bytes, count: int, seed: int) -> list[int]:
    """Offsets at both ends, where headers and footers are, and anywhere."""
    ends = [*range(min(16, len(whole))), *range(max(0, len(whole) - 16), len(whole))]
    return [*ends, *np.random.default_rng(seed).integers(0, len(whole), count).tolist()]


def check_flips(path: Path, name: str, offsets: list[int], seed: int) -> None:
    whole = (path / name).read_bytes()
    bits = np.random.default_rng(seed).integers(0, 8, len(offsets)).tolist()
    try:
        for offset, bit in zip(offsets, bits, strict=True):
            damaged = bytearray(whole)
            damaged[offset] ^= 1 << bit
            (path / name).write_bytes(damaged)
            refused(path, name)
            if name == "manifest.json":
                refused_by_open(path)
    finally:
        (path / name).write_bytes(whole)


def lengths(whole: bytes, count: int) -> list[int]:
    return sorted({0, 1, len(whole) - 1, *(len(whole) * n // count for n in range(1, count))})


def check_sizes(path: Path, name: str, count: int) -> None:
    """Cut short at several lengths, and with something after the end."""
    whole = (path / name).read_bytes()
    cut = [whole[:length] for length in lengths(whole, count)]
    try:
        for content in (*cut, whole + b"\0", whole + b"\n", whole + b" ", whole * 2):
            (path / name).write_bytes(content)
            refused(path, name)
            refused_by_open(path)
    finally:
        (path / name).write_bytes(whole)


def test_flipped_bits(pair: tuple[Path, Path]) -> None:
    for name in files(pair[0]):
        check_flips(pair[0], name, places((pair[0] / name).read_bytes(), 24, seed=1), seed=2)
    verify(pair[0])
    reopen(pair[0])


def test_other_lengths(pair: tuple[Path, Path]) -> None:
    for name in files(pair[0]):
        check_sizes(pair[0], name, 6)
    verify(pair[0])


def test_files_that_are_gone(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for name in files(pair[0]):
        path = Path(shutil.copytree(pair[0], tmp_path / name / "snap"))
        (path / name).unlink()
        refused(path, name)
        refused_by_open(path)
        (path / name).mkdir()
        refused(path, name)
        refused_by_open(path)


def test_files_of_another_snapshot(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for name in files(pair[0]):
        path = Path(shutil.copytree(pair[0], tmp_path / name / "snap"))
        shutil.copy(pair[1] / name, path / name)
        assert (path / name).read_bytes() != (pair[0] / name).read_bytes()
        if name == "manifest.json":
            with pytest.raises(SnapshotInvalid, match=SAYS_WHY):
                verify(path)
        else:
            refused(path, name)


def test_files_that_changed_places(pair: tuple[Path, Path], tmp_path: Path) -> None:
    names = files(pair[0])
    for at, name in enumerate(names):
        other = names[at - 1]
        path = Path(shutil.copytree(pair[0], tmp_path / name / "snap"))
        for source, target in ((name, other), (other, name)):
            shutil.copy(pair[0] / source, path / target)
        with pytest.raises(SnapshotInvalid, match=SAYS_WHY):
            verify(path)
    path = Path(shutil.copytree(pair[0], tmp_path / "vectors" / "snap"))
    for source, target in (FIELDS, FIELDS[::-1]):
        shutil.copy(pair[0] / "vectors" / f"{source}.npy", path / "vectors" / f"{target}.npy")
    refused(path, "vectors/")
    refused_by_open(path)  # of one size, but the stored answers are others


def test_zeros_where_a_block_was_lost(pair: tuple[Path, Path]) -> None:
    for name in files(pair[0]):
        whole = (pair[0] / name).read_bytes()
        start = len(whole) // 3
        (pair[0] / name).write_bytes(whole[:start] + b"\0" * 512 + whole[start + 512 :])
        refused(pair[0], name)
        (pair[0] / name).write_bytes(whole)


def test_a_file_that_cannot_be_read_is_said(pair: tuple[Path, Path], tmp_path: Path) -> None:
    path = Path(shutil.copytree(pair[0], tmp_path / "snap"))
    (path / "canary.npz").unlink()
    os.mkfifo(path / "canary.npz")
    refused(path, "canary.npz")  # and does not wait for it


@pytest.mark.heavy
def test_every_bit_of_the_manifest(pair: tuple[Path, Path]) -> None:
    whole = (pair[0] / "manifest.json").read_bytes()
    try:
        for offset in range(len(whole)):
            for bit in range(8):
                damaged = bytearray(whole)
                damaged[offset] ^= 1 << bit
                (pair[0] / "manifest.json").write_bytes(damaged)
                with pytest.raises(SnapshotInvalid, match=SAYS_WHY):
                    read_manifest(pair[0])
    finally:
        (pair[0] / "manifest.json").write_bytes(whole)


@pytest.mark.heavy
def test_damage_in_many_places(pair: tuple[Path, Path]) -> None:
    for name in files(pair[0]):
        whole = (pair[0] / name).read_bytes()
        check_flips(pair[0], name, places(whole, 1_000, seed=3), seed=4)
        check_sizes(pair[0], name, 200)
    verify(pair[0])
    reopen(pair[0])
