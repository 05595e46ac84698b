"""From a catalogue to a snapshot."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.errors import CatalogueInvalid, InvalidInput
from catalogue.photos import PhotoStore
from index import Snapshot, verify
from index.plan import Choice
from index.work_directories import work_directory
from models import Prepared, ProductInput, StandInEncoders
from models.embedder import Vectors
from service import build as building
from service.build import BuildReport, build
from tests.service.conftest import photo, write_shop


def run(catalogue: Path, data: Path, name: str = "s", embedder: StandInEncoders | None = None) -> BuildReport:
    return build(catalogue, data, name, embedder or StandInEncoders(), decode_threads=2)


def write(folder: Path, *rows: Any) -> Path:
    catalogue = folder / "rows.jsonl"
    catalogue.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return catalogue


def problems(report: BuildReport) -> list[tuple[int, str, str]]:
    rows = [json.loads(line) for line in report.report.read_text().splitlines()]
    return [(row["line"], row["severity"], row["reason"]) for row in rows]


class Interrupted(StandInEncoders):
    """Stops, as if by Ctrl-C, when so many products are encoded."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after
        self.encoded = 0

    def encode(self, items: Sequence[Prepared]) -> Vectors:
        self.left -= len(items)
        if self.left < 0:
            raise KeyboardInterrupt
        self.encoded += len(items)
        return super().encode(items)


def test_every_product_is_there_with_its_vector_and_photo(tmp_path: Path) -> None:
    report = run(write_shop(tmp_path), tmp_path / "data")
    embedder = StandInEncoders()
    snapshot = Snapshot.open(report.snapshot, fingerprint=embedder.fingerprint)
    assert (report.products, report.errors, report.warnings) == (36, 0, 0)
    assert verify(report.snapshot).products == 36
    row = snapshot.products.row_of("kestrel-05")
    item = snapshot.products.get(row)
    assert item.photo is not None
    assert PhotoStore(tmp_path / "data" / "photos").get(item.photo) == (tmp_path / "5-kestrel.jpg").read_bytes()
    expected = embedder.embed(
        [ProductInput((tmp_path / "5-kestrel.jpg").read_bytes(), embedder.product_text(item.product))]
    )
    assert np.allclose(snapshot.vectors("fusion", np.array([row])), expected, atol=1e-3)
    assert [path.name for path in (tmp_path / "data" / "builds").iterdir()] == ["s.lock"]


def test_the_index_is_the_one_asked_for(tmp_path: Path) -> None:
    choice = Choice(0.9, "ivf-flat", {"nlist": 4})
    catalogue = write_shop(tmp_path)
    report = build(catalogue, tmp_path / "data", "s", StandInEncoders(), decode_threads=2, choice=choice)
    assert report.index_type == "ivf-flat"
    assert report.recall_at_10 >= 0.9
    snapshot = Snapshot.open(report.snapshot, fingerprint=StandInEncoders().fingerprint)
    assert snapshot.manifest.index_parameters == {"nlist": 4}
    assert run(catalogue, tmp_path / "data", "by-size").index_type == "flat"


def test_an_index_that_does_not_fit_is_refused_and_the_vectors_are_kept(tmp_path: Path) -> None:
    catalogue = write_shop(tmp_path)
    choice = Choice(0.9, "ivf-flat", {"nlist": 400})
    with pytest.raises(InvalidInput, match="only 36 products"):
        build(catalogue, tmp_path / "data", "s", StandInEncoders(), decode_threads=2, choice=choice)
    assert run(catalogue, tmp_path / "data").reused == 36


def test_bad_rows_are_reported_and_never_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "good.jpg").write_bytes(photo((1, 2, 3)))
    (tmp_path / "bad.jpg").write_bytes(photo((1, 2, 3))[:200])
    report = run(
        write(
            tmp_path,
            {"product_id": "a", "title": "fine", "images": ["good.jpg"]},
            "not json",
            {"product_id": "b"},
            {"product_id": "a", "title": "the same id"},
            {"product_id": "c", "title": "missing photo", "images": ["nowhere.jpg"]},
            {"product_id": "d", "images": ["nowhere.jpg"]},
            {"product_id": "e", "title": "broken photo", "images": ["bad.jpg"], "price": "₹10,999"},
            {"product_id": "f", "images": ["bad.jpg"]},
            {"product_id": "g", "title": "\u0007"},
            {"product_id": "h", "images": ["good.jpg"]},
        ),
        tmp_path / "data",
    )
    assert report.products == 4
    assert (report.errors, report.warnings) == (6, 3)
    assert [(line, severity) for line, severity, _ in problems(report)] == [
        (2, "error"), (3, "error"), (4, "error"), (5, "warning"), (6, "error"),
        (7, "warning"), (7, "warning"), (8, "error"), (9, "error"),
    ]  # fmt: skip


def test_fails_only_when_no_row_can_be_used(tmp_path: Path) -> None:
    with pytest.raises(CatalogueInvalid, match=r"line 1: .*not JSON.*s\.jsonl"):
        run(write(tmp_path, "nonsense", {"product_id": "b"}), tmp_path / "data")
    with pytest.raises(CatalogueInvalid, match="no rows"):
        run(write(tmp_path), tmp_path / "data")
    assert not (tmp_path / "data" / "snapshots").exists()


def test_a_name_that_is_taken_or_leaves_the_directory_is_refused(tmp_path: Path) -> None:
    catalogue = write_shop(tmp_path)
    run(catalogue, tmp_path / "data")
    for name in ("s", "../s", "", ".hidden", "a/b", "x" * 65):
        with pytest.raises(InvalidInput):
            run(catalogue, tmp_path / "data", name)


def test_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "BATCH", 8)
    catalogue = write_shop(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(catalogue, tmp_path / "data", embedder=Interrupted(20))
    assert not (tmp_path / "data" / "snapshots").exists()
    second = Interrupted(1000)
    report = run(catalogue, tmp_path / "data", embedder=second)
    assert report.products == 36
    assert second.encoded == 36 - 16 == 36 - report.reused
    whole = run(catalogue, tmp_path / "other")
    resumed, uninterrupted = (
        Snapshot.open(path, fingerprint=second.fingerprint).vectors("fusion", np.arange(36))
        for path in (report.snapshot, whole.snapshot)
    )
    assert np.array_equal(resumed, uninterrupted)


def test_vectors_of_another_model_are_not_reused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "BATCH", 8)
    catalogue = write_shop(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(catalogue, tmp_path / "data", embedder=Interrupted(20))
    assert run(catalogue, tmp_path / "data", embedder=StandInEncoders(name="other")).reused == 0


def test_a_half_written_vector_file_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "BATCH", 8)
    catalogue = write_shop(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(catalogue, tmp_path / "data", embedder=Interrupted(20))
    (part,) = (tmp_path / "data" / "builds").rglob("*.npz")
    part.write_bytes(part.read_bytes()[:100])
    report = run(catalogue, tmp_path / "data")
    assert (report.products, report.reused) == (36, 0)


def test_progress_counts_every_row_once(tmp_path: Path) -> None:
    done: list[int] = []
    catalogue = write_shop(tmp_path)
    catalogue.write_text(catalogue.read_text() + 'bad\n{"product_id": "acme-01", "title": "again"}\n')
    build(catalogue, tmp_path / "data", "s", StandInEncoders(), decode_threads=2, progress=done.append)
    assert sum(done) == 38


def test_two_builds_of_one_name_do_not_disturb_each_other(tmp_path: Path) -> None:
    catalogue = write_shop(tmp_path)

    class Nosy(StandInEncoders):
        """Starts a second build while the first is under way."""

        def encode(self, items: Sequence[Prepared]) -> Vectors:
            with pytest.raises(InvalidInput, match="Another build of s is running"):
                run(catalogue, tmp_path / "data")
            run(catalogue, tmp_path / "data", f"other-{id(items)}")
            return super().encode(items)

    assert run(catalogue, tmp_path / "data", embedder=Nosy()).products == 36


def test_what_a_killed_build_left_is_swept_away(tmp_path: Path) -> None:
    snapshots = tmp_path / "data" / "snapshots"
    for name in (".s.abcdefgh", ".s.1.abcdefgh"):
        (snapshots / name).mkdir(parents=True)
    with work_directory(snapshots, "s") as busy:  # of another command
        run(write_shop(tmp_path), tmp_path / "data")
        assert {path.name for path in snapshots.iterdir()} == {".s.1.abcdefgh", "s", busy.name}


def test_a_pipe_for_a_photo_does_not_hold_the_build(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    rows = write(tmp_path, {"product_id": "a", "title": "mug", "images": ["pipe.jpg"]})
    assert run(rows, tmp_path / "data").warnings == 1
