from pathlib import Path

import numpy as np
import pytest

from catalogue.errors import InvalidInput
from index import snapshot_writer
from index.manifest import list_snapshots
from tests.index.builders import build, item, reopen, unit_rows
from tests.index.test_snapshot import FILES, visible


def test_a_name_is_given_once(tmp_path: Path) -> None:
    built = build(tmp_path)
    before = (built / "manifest.json").read_bytes()
    with pytest.raises(InvalidInput, match="is there already"):
        build(built.parent)
    assert (built / "manifest.json").read_bytes() == before
    assert visible(built.parent) == ["snap"]


def test_duplicate_ids_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        build(tmp_path, products=[item("1"), item("2"), item("1")])
    assert visible(tmp_path) == []


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


@pytest.mark.parametrize(
    "step", ["pq.write_table", "write_array", "np.savez", "write_atomic", "sync_tree", "Path.rename"]
)
def test_an_interrupted_write_leaves_nothing_and_the_name_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt(step)

    with monkeypatch.context() as patch:
        patch.setattr(f"index.snapshot_writer.{step}", interrupted)
        with pytest.raises(KeyboardInterrupt, match=step):
            build(tmp_path)
    assert visible(tmp_path) == []
    reopen(build(tmp_path))


def test_before_it_is_renamed_nobody_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Path, object]] = []
    monkeypatch.setattr(snapshot_writer, "sync_tree", lambda work: seen.append((work, list_snapshots(tmp_path))))
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

    monkeypatch.setattr(snapshot_writer, "sync_tree", record)
    monkeypatch.setattr(snapshot_writer, "sync_directory", lambda root: synced.update(after={root.name}))
    build(tmp_path)
    assert synced == {"before": {*FILES, "manifest.json"}, "after": {tmp_path.name}}
