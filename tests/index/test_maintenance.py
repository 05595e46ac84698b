import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalogue.errors import AliasesInvalid, InvalidInput, SnapshotInvalid
from index import Journal, verify, write_snapshot
from index.aliases import activate
from index.maintenance import Collected, diff, gc
from index.manifest import list_snapshots
from index.plan import Choice
from index.products import SCHEMA, id_hash
from index.snapshot import Snapshot
from index.work_directories import LEFTOVER_AGE_S, work_directory
from tests.index.builders import DIM, FINGERPRINT, build, edit_manifest, item, unit_rows
from tests.index.changes import sqlite, upsert

# Diff.

Shop = Mapping[str, tuple[int, int, int]]
"""For each product id the variants of its title, photo and vector."""
VECTORS = unit_rows(3)
PHOTOS = (None, "a" * 64, "b" * 64)

shops = st.dictionaries(
    st.integers(0, 12).map(str), st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 2)), max_size=10
)


def write(root: Path, name: str, shop: Shop) -> Path:
    products = [item(key, PHOTOS[photo], title=f"title {title}") for key, (title, photo, _) in shop.items()]
    vectors = VECTORS[[vector for *_, vector in shop.values()]].reshape(-1, DIM)
    return build(root, name, products=products, vectors={"fusion": vectors})


@settings(max_examples=25, deadline=None)
@given(shops, shops)
def test_it_says_what_changed(old: Shop, new: Shop) -> None:
    with TemporaryDirectory() as folder:
        found = diff(write(Path(folder), "a", old), write(Path(folder), "b", new), first=100)
    both = [key for key in old if key in new]
    changed = {key for key in both if old[key] != new[key]}
    assert (set(found.added.first), found.added.count) == (new.keys() - old.keys(), len(new.keys() - old.keys()))
    assert (set(found.removed.first), found.removed.count) == (old.keys() - new.keys(), len(old.keys() - new.keys()))
    assert (set(found.changed.first), found.changed.count) == (changed, len(changed))
    assert found.unchanged == len(both) - len(changed)
    for at, count in enumerate((found.documents, found.photos, found.vectors)):
        assert count == sum(old[key][at] != new[key][at] for key in both)
    assert found.manifest == {}


def test_only_the_first_ids_are_named(tmp_path: Path) -> None:
    found = diff(build(tmp_path, "a", 5), build(tmp_path, "b", 30), first=3)
    assert (found.added.count, found.added.first) == (25, ("p5", "p6", "p7"))
    assert (found.removed.count, found.removed.first) == (0, ())


def test_it_says_what_the_manifests_say_differently(tmp_path: Path) -> None:
    a = build(tmp_path, "a")
    b = build(tmp_path, "b", 20, fields=("fusion", "image"), choice=Choice(0.9, "hnsw"), journal_position=7)
    found = diff(a, b)
    assert found.manifest["fields"] == (("fusion",), ("fusion", "image"))
    assert found.manifest["index_type"] == ("flat", "hnsw")
    assert found.manifest["journal_position"] == (0, 7)
    assert (found.unchanged, found.vectors) == (20, 0)


def test_vectors_of_two_models_are_not_compared(tmp_path: Path) -> None:
    a = build(tmp_path, "a")
    b = build(tmp_path, "b", vectors={"fusion": unit_rows(20, dim=4)}, fingerprint="0" * 64)
    found = diff(a, b)
    assert (found.unchanged, found.vectors) == (20, None)
    assert found.manifest["fingerprint"] == ("f" * 64, "0" * 64)


def test_rounding_is_no_change(tmp_path: Path) -> None:
    vectors = unit_rows(20)
    a = build(tmp_path, "a", vectors={"fusion": vectors})
    b = build(tmp_path, "b", vectors={"fusion": vectors + np.float32(4e-4)})
    c = build(tmp_path, "c", vectors={"fusion": np.roll(vectors, 1, axis=1)})
    assert diff(a, b).vectors == 0
    assert diff(a, c).vectors == 20


def test_every_field_counts(tmp_path: Path) -> None:
    fusion, image = unit_rows(20), unit_rows(20, seed=1)
    other = image.copy()
    other[3] = -other[3]
    a = build(tmp_path, "a", vectors={"fusion": fusion, "image": image})
    b = build(tmp_path, "b", vectors={"fusion": fusion, "image": other})
    found = diff(a, b)
    assert (found.vectors, found.changed.first) == (1, ("p3",))


def test_what_is_damaged_is_not_compared(tmp_path: Path) -> None:
    a, b = build(tmp_path, "a"), build(tmp_path, "b")
    with pytest.raises(SnapshotInvalid, match="nowhere"):
        diff(a, tmp_path / "nowhere")
    (b / "products.parquet").write_bytes(b"\0" * (b / "products.parquet").stat().st_size)
    with pytest.raises(SnapshotInvalid, match="snapshots a and b cannot be compared"):
        diff(a, b)
    (a / "canary.npz").unlink()
    with pytest.raises(SnapshotInvalid, match=r"canary\.npz is missing"):
        diff(a, b)


def many(root: Path, name: str, numbers: range, vectors: NDArray[np.float32]) -> Path:
    """Products `p<number>` with documents of some 400 bytes and vectors by number, as quickly as that goes."""
    ids = [f"p{number}" for number in numbers]
    empty = {field.name: pa.nulls(len(ids), field.type) for field in SCHEMA}
    columns = empty | {
        "product_id": pa.array(ids, pa.large_string()),
        "id_hash": pa.array([id_hash(key) for key in ids], pa.uint64()),
        "photo": pa.array([f"{number:064x}" for number in numbers]),
        "document": pa.array(
            [
                f'{{"product_id":"{key}","price":{number * 0.37:340.5f}}}'.encode()
                for key, number in zip(ids, numbers, strict=True)
            ]
        ),
    }
    table = pa.Table.from_pydict(columns).cast(SCHEMA)
    rows = {"fusion": vectors[list(numbers)]}
    choice = Choice(1.0)
    return write_snapshot(root, name, table, rows, model="m", fingerprint="f" * 64, variant="v", choice=choice)  # type: ignore[arg-type]


@pytest.mark.heavy
def test_a_million_products_in_seconds(tmp_path: Path) -> None:
    vectors = unit_rows(1_000_000, 128)
    a = many(tmp_path, "a", range(1_000_000), vectors)
    vectors[:1_000] = -vectors[:1_000]
    b = many(tmp_path, "b", range(1_000_009, 9, -1), np.vstack([vectors, unit_rows(10, 128, seed=1)]))
    started = time.monotonic()
    found = diff(a, b)
    took = time.monotonic() - started
    assert (found.added.count, found.removed.count, found.changed.count) == (10, 10, 990)
    assert (found.documents, found.vectors, found.unchanged) == (0, 990, 999_000)
    print(f"diff of 1,000,000 products, 128 dimensions: {took:.1f} s")
    assert took < 60


# Gc.


def snapshots(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "snapshots").iterdir())


def make(data: Path, *names: str, journal: str | None = None, position: int = 0) -> None:
    for name in names:
        build(data / "snapshots", name, 3, journal=journal, journal_position=position)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["live", "test"]), st.sampled_from("abcdez")), max_size=8),
    st.integers(1, 4),
    st.sets(st.sampled_from("abcde"), max_size=2),
)
def test_what_is_named_and_the_newest_are_kept(
    template: Path, activations: list[tuple[str, str]], keep: int, broken: set[str]
) -> None:
    with TemporaryDirectory() as folder:
        data = Path(shutil.copytree(template, Path(folder) / "data"))
        for name in broken:
            (data / "snapshots" / name / "canary.npz").unlink()
        stacks: dict[str, list[str]] = {}
        for alias, name in activations:
            activate(data, alias, name)
            stack = stacks.setdefault(alias, [])
            if stack[-1:] != [name]:
                stack.append(name)
        named = {name for stack in stacks.values() for name in stack[-2:]}
        newest = [name for name in "edcba" if name not in broken][:keep]
        done = gc(data, None, keep=keep)
        assert set(snapshots(data)) == set(done.kept) == (named | set(newest)) & set("abcde")
        assert set(done.removed) == set("abcde") - set(done.kept)
        assert list(done.kept) == sorted(done.kept, reverse=True)  # the newest first
        for name in set(done.kept) - broken:
            verify(data / "snapshots" / name)
        assert gc(data, None, keep=keep).removed == ()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with snapshots a to e, the newest last."""
    data = tmp_path_factory.mktemp("gc") / "data"
    make(data, *"abcde")
    return data


@pytest.fixture
def data(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "data"))


def test_a_dry_run_removes_nothing_and_says_the_same(data: Path) -> None:
    activate(data, "live", "b")
    (data / "snapshots" / ".x.abcdefgh").mkdir()
    os.utime(data / "snapshots" / ".x.abcdefgh", (0, 0))
    before = snapshots(data)
    said = gc(data, None, keep=1, dry_run=True)
    assert snapshots(data) == before
    assert gc(data, None, keep=1) == said
    assert said == Collected(("e", "b"), ("a", "c", "d"), (".x.abcdefgh",), (), said.freed_bytes, 0)
    assert said.freed_bytes > 3_000
    assert snapshots(data) == ["b", "e"]


def test_records_of_what_is_removed_go_too(data: Path) -> None:
    for name in "ae":
        verify(data / "snapshots" / name, remembered=data / "verified")
    gc(data, None, keep=1)
    assert [path.name for path in (data / "verified").iterdir()] == ["e.json"]


def test_at_least_one_is_kept(data: Path) -> None:
    with pytest.raises(InvalidInput, match="At least one"):
        gc(data, None, keep=0)


def test_what_a_process_serves_is_kept_whatever_aliases_say(data: Path) -> None:
    """As when both that an alias names were refused, and one from before them serves."""
    serving = Snapshot.open(data / "snapshots" / "b", fingerprint=FINGERPRINT)
    assert gc(data, None, keep=1, dry_run=True).kept == ("e", "b")
    assert gc(data, None, keep=1).removed == ("a", "c", "d")
    serving.release()
    assert gc(data, None, keep=1).removed == ("b",)


def test_without_a_data_directory_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert gc(tmp_path / "new", None, keep=3) == Collected((), (), (), (), 0, 0)


def test_aliases_that_cannot_be_read_stop_it(data: Path) -> None:
    (data / "aliases.json").write_bytes(b"{")
    with pytest.raises(AliasesInvalid):
        gc(data, None, keep=1)
    assert len(snapshots(data)) == 5


def test_where_none_is_whole_all_stay(data: Path) -> None:
    """As when the disk that holds the vectors is not mounted."""
    for name in "abcde":
        shutil.rmtree(data / "snapshots" / name / "vectors")
    assert gc(data, None, keep=1).removed == ()
    assert len(snapshots(data)) == 5


def test_what_cannot_be_read_is_left_alone(data: Path) -> None:
    edit_manifest(data / "snapshots" / "a", lambda manifest: manifest.update(schema_version=99))
    (data / "snapshots" / "b").rename(data / "snapshots" / "b.bak")
    (data / "snapshots" / "lost+found").mkdir()
    done = gc(data, None, keep=1)
    assert (done.removed, done.unreadable) == (("c", "d"), ("a", "b.bak"))
    assert snapshots(data) == ["a", "b.bak", "e", "lost+found"]


@pytest.mark.parametrize("step", ["Path.rename", "shutil.rmtree", "tempfile.mkdtemp"])
def test_killed_at_any_step_what_is_seen_is_whole(data: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def halfway(path: Path | None = None, *_: object, **__: object) -> None:
        if step == "shutil.rmtree" and path is not None:
            next(file for file in path.rglob("*") if file.is_file()).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"index.maintenance.{step}", halfway)
        with pytest.raises(KeyboardInterrupt):
            gc(data, None, keep=1)
    manifests, refused = list_snapshots(data / "snapshots")
    assert refused == []
    for manifest in manifests:
        verify(data / "snapshots" / manifest.name)
    gc(data, None, keep=1)
    make_old(data / "snapshots")
    gc(data, None, keep=1)
    assert snapshots(data) == ["e"]


def make_old(root: Path) -> None:
    for path in root.glob(".*"):
        for inner in (path, *path.rglob("*")):
            os.utime(inner, (1, 1))


def test_leftovers_are_removed_when_nothing_in_them_changed_for_a_day(data: Path) -> None:
    root = data / "snapshots"
    now = time.time()
    for name, age in ((".s.old_0000", LEFTOVER_AGE_S + 60), (".s.young000", LEFTOVER_AGE_S - 60), (".s.busy0000", 1e6)):
        (root / name / "vectors").mkdir(parents=True)
        (root / name / "vectors" / "fusion.npy").touch()
        for inner in (root / name / "vectors" / "fusion.npy", root / name / "vectors", root / name):
            os.utime(inner, (now - age, now - age))
    os.utime(root / ".s.busy0000" / "vectors" / "fusion.npy", (now, now))
    for name in (".hidden", ".s.TOOLARGE", ".s.longer_than_it"):
        (root / name).mkdir()
        os.utime(root / name, (0, 0))
    assert gc(data, None, keep=9).leftovers == (".s.old_0000",)
    assert {".s.young000", ".s.busy0000", ".hidden", ".s.TOOLARGE", ".s.longer_than_it"} < set(snapshots(data))


def test_what_another_gc_removes_at_once_is_gone_in_the_end(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, is_file, rmtree = data / "snapshots", Path.is_file, shutil.rmtree
    for name in (".s.00000000", ".s.11111111"):
        (root / name / "vectors").mkdir(parents=True)
        (root / name / "vectors" / "fusion.npy").touch()
    make_old(root)

    def seen_and_gone(path: Path) -> bool:
        found = is_file(path)
        if found and path.is_relative_to(root / ".s.00000000"):
            rmtree(root / ".s.00000000", ignore_errors=True)
        return found

    def overtaken(path: Path) -> None:
        monkeypatch.setattr(shutil, "rmtree", rmtree)
        (path / "vectors" / "fusion.npy").unlink()
        raise FileNotFoundError

    monkeypatch.setattr(Path, "is_file", seen_and_gone)
    monkeypatch.setattr(shutil, "rmtree", overtaken)
    assert gc(data, None, keep=9).leftovers == (".s.00000000", ".s.11111111")
    assert not [*root.glob(".*")]


def test_a_directory_somebody_works_in_stays_whatever_the_clock_says(data: Path) -> None:
    with work_directory(data / "snapshots", "s") as work:
        (work / "vectors").mkdir()
        make_old(data / "snapshots")
        assert gc(data, None, keep=9).leftovers == ()
        assert (work / "vectors").is_dir()
    assert not work.exists()


def test_files_of_killed_writes_are_removed_after_a_day(data: Path) -> None:
    now = time.time()
    old, young = now - LEFTOVER_AGE_S - 60, now - LEFTOVER_AGE_S + 60
    torn = [
        *(data / ".aliases.json.abcd_123", data / "photos" / "ab" / f".{'ab' * 32}.abcd_123"),
        *(data / "verified" / ".s.json.abcd_123", data / "reports" / ".s.jsonl.abcd_123"),
        data / "builds" / "s" / ".000001.npz.abcd_123",
    ]
    stay = [
        *(data / "aliases.json.lock", data / "photos" / "ab" / ("ab" * 32), data / ".hidden.txt", data / ".s.TOOLARGE"),
        data / "journal.sqlite3-wal",
    ]
    for path in (*torn, *stay):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
        os.utime(path, (old, old))
    recent = data / ".aliases.json.being_wr"
    recent.write_bytes(b"half")
    os.utime(recent, (young, young))
    done = gc(data, None, keep=9, dry_run=True)
    assert sorted(done.leftovers) == sorted(path.name for path in torn)
    assert done.freed_bytes == 4 * len(torn)
    assert all(path.exists() for path in torn)
    assert gc(data, None, keep=9).leftovers == done.leftovers
    assert not any(path.exists() for path in torn)
    assert all(path.exists() for path in (*stay, recent))


def test_of_a_linked_snapshot_only_the_link_goes(data: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    moved = (data / "snapshots" / "a").rename(tmp_path / "disk" / "a")
    (data / "snapshots" / "a").symlink_to(moved)
    assert "a" in gc(data, None, keep=1).removed
    assert snapshots(data) == ["e"]
    verify(moved)


def test_nobody_activates_what_is_about_to_go(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it decides, aliases cannot be changed."""
    seen: list[bool] = []
    rename: Callable[[Path, Path], Path] = Path.rename

    def look(path: Path, target: Path) -> Path:
        with (data / "aliases.json.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                seen.append(False)
            except BlockingIOError:
                seen.append(True)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", look)
    gc(data, None, keep=1)
    assert seen == [True] * 4


# Gc and the journal.


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of ten changes."""
    with Journal.open(sqlite(tmp_path)) as journal:
        journal.append([upsert(f"p{n}") for n in range(10)])
        yield journal


def test_the_journal_is_trimmed_to_the_oldest_that_is_kept(tmp_path: Path, journal: Journal) -> None:
    for at, name in enumerate("abcd"):
        make(tmp_path, name, journal=journal.id, position=2 * at)
    activate(tmp_path, "live", "b")
    assert gc(tmp_path, journal, keep=1, dry_run=True).trimmed == 2
    assert journal.bounds() == (0, 10)
    assert gc(tmp_path, journal, keep=1).trimmed == 2
    assert journal.bounds() == (2, 10)
    assert gc(tmp_path, journal, keep=1).trimmed == 0
    activate(tmp_path, "live", "d")
    assert gc(tmp_path, journal, keep=1).trimmed == 0  # a rollback would go to b
    activate(tmp_path, "live", "e")
    activate(tmp_path, "live", "d")
    assert gc(tmp_path, journal, keep=1).trimmed == 4
    assert journal.bounds() == (6, 10)


def test_what_other_hosts_need_of_the_journal_stays(tmp_path: Path, journal: Journal) -> None:
    make(tmp_path, "a", journal=journal.id, position=6)
    journal.need("another", 2)
    assert gc(tmp_path, journal, keep=1, dry_run=True).trimmed == 2
    assert gc(tmp_path, journal, keep=1).trimmed == 2
    assert gc(tmp_path, journal, keep=1).trimmed == 0
    journal.need("another", 8)
    assert gc(tmp_path, journal, keep=1).trimmed == 4


def test_positions_of_another_journal_trim_nothing(tmp_path: Path, journal: Journal) -> None:
    make(tmp_path, "a", journal=journal.id, position=11)
    make(tmp_path, "b", journal="0" * 32, position=5)
    assert gc(tmp_path, journal, keep=2).trimmed == 0
    assert journal.bounds() == (0, 10)


def test_without_snapshots_nothing_is_trimmed(tmp_path: Path, journal: Journal) -> None:
    assert gc(tmp_path, journal, keep=1).trimmed == 0
    assert journal.bounds() == (0, 10)


def test_nobody_knows_what_an_unreadable_one_needs(tmp_path: Path, journal: Journal) -> None:
    make(tmp_path, "a", "b", journal=journal.id, position=5)
    edit_manifest(tmp_path / "snapshots" / "a", lambda manifest: manifest.update(schema_version=99))
    assert gc(tmp_path, journal, keep=1).trimmed == 0
    shutil.rmtree(tmp_path / "snapshots" / "a")
    assert gc(tmp_path, journal, keep=1).trimmed == 5
