"""What the benchmark of the index is fed with: as hard as what it is made from, and with the right answers."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.index import expansion, photos
from bench.index.cells import LEVELS, Cells
from bench.index.data import Data
from bench.index.expansion import Expansion, nearest, statistics
from bench.index.memory import Memory
from catalogue.errors import InvalidInput
from tests.index.builders import unit


def flat_sheet(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """Unit vectors spread evenly over so many of 32 dimensions."""
    random = np.random.default_rng(seed)
    coordinates = np.zeros((count, 32))
    coordinates[:, :dimensions] = random.uniform(-0.2, 0.2, (count, dimensions))
    coordinates[:, -1] = 1
    return unit(coordinates)


@pytest.mark.parametrize("dimensions", [2, 4, 8])
def test_the_intrinsic_dimension_is_that_of_what_was_drawn(dimensions: int) -> None:
    found = statistics(flat_sheet(4_000, dimensions), flat_sheet(500, dimensions, seed=1))
    assert found.intrinsic_dimension == pytest.approx(dimensions, rel=0.2)
    assert found.query_dimension == pytest.approx(dimensions, rel=0.2)


def test_the_contrast_is_greater_where_neighbours_are_near() -> None:
    sheet, queries = flat_sheet(2_000, 4), flat_sheet(200, 4, seed=1)
    alone = statistics(sheet, queries).relative_contrast
    twins = unit(np.repeat(sheet, 2, axis=0) + 1e-3 * np.random.default_rng(2).normal(size=(4_000, 32)))
    assert statistics(twins, queries).relative_contrast > 2 * alone


def test_drawn_vectors_stay_in_the_sheet_they_come_from() -> None:
    sheet = flat_sheet(1_000, 4)
    drawn = Expansion(sheet)(3_000, 0.5, seed=1).astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, atol=2e-3)
    assert np.abs(drawn[:, 4:-1]).max() < 1e-3
    assert len(np.unique(drawn, axis=0)) == 3_000
    assert nearest(sheet, drawn, 1)[1].min() > 0.98


def test_what_is_prepared_is_kept_and_its_figures_are_near_the_source(tmp_path: Path) -> None:
    fill(tmp_path)
    said: list[str] = []
    made = expansion.prepare(tmp_path, None, 5_000, said.append)
    assert made["furthest"] <= 0.1
    assert said == ["Fitting the scale", "Drawing 5,000 vectors"]
    assert expansion.prepare(tmp_path, None, 5_000, said.append) == made
    assert len(said) == 2
    base, truth = np.load(tmp_path / "base-5000.npy"), np.load(tmp_path / "truth-5000.npy")
    queries = np.load(tmp_path / "queries.npy")
    exact = -np.sort(-(queries @ base.astype(np.float32).T), axis=1)[:, :10]
    np.testing.assert_allclose(truth, exact, atol=1e-5)


def test_recall_counts_true_neighbours_and_takes_any_of_equal_ones() -> None:
    base = np.repeat(np.eye(16, dtype=np.float16), 10, axis=0)
    queries = np.eye(16, dtype=np.float32)[:3]
    data = Data(base, queries, nearest(base.astype(np.float32), queries, 10)[1])
    right = np.arange(30).reshape(3, 10)
    assert data.recall(right, slice(0, 3)) == 1
    assert data.recall(right[:, ::-1] + np.array([[0], [0], [10]]), slice(0, 3)) == pytest.approx(2 / 3)
    assert data.recall(np.where(right % 10 < 4, right, -1), slice(0, 3)) == pytest.approx(0.4)
    assert (data.tuning, data.measured) == (slice(0, 1), slice(1, 3))


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.0005, 0.7), lie=st.sampled_from(["random", "correlated", "anti-correlated"]))
def test_cells_hold_the_share_asked_for_and_lie_where_they_should(share: float, lie: str) -> None:
    base = CELLS_BASE
    query = base[7].astype(np.float32)
    level, cells = CELLS.choose(query, share, lie)
    assert 0 <= level < LEVELS
    assert 1 <= len(cells) <= 100
    inside = np.isin(CELLS.of_row[:, level], cells)
    largest = CELLS.sizes[level].max()
    assert abs(inside.sum() - share * len(base)) <= largest
    scores = base.astype(np.float32) @ query
    if lie == "correlated":
        assert scores[inside].mean() > scores.mean()
    if lie == "anti-correlated":
        assert scores[inside].mean() < scores.mean()


CELLS_BASE = flat_sheet(3_000, 6).astype(np.float16)
CELLS = Cells.of(CELLS_BASE)


def test_cells_are_cut_finer_level_by_level() -> None:
    distinct = [len(sizes) for sizes in CELLS.sizes]
    assert distinct == sorted(distinct)
    for coarse, fine in ((0, 1), (1, 2)):
        pairs = np.unique(CELLS.of_row[:, [coarse, fine]], axis=0)
        assert len(pairs) == distinct[fine]  # each finer cell lies in one coarser one
    assert (np.sort(CELLS.at_random(), axis=0) == np.sort(CELLS.of_row, axis=0)).all()


def test_photos_come_from_a_folder_or_else_from_the_demo(tmp_path: Path) -> None:
    picture = jpeg()
    for split, count in (("train", 3), ("val", 2)):
        pq.write_table(pa.table({"image_jpeg": [picture] * count + [None]}), tmp_path / f"some_{split}.parquet")
    pq.write_table(pa.table({"reference_id": ["a"]}), tmp_path / "triplets_train.parquet")
    found = photos.read_photos(tmp_path)
    assert (len(found.searched), len(found.asked)) == (3, 2)
    with pytest.raises(InvalidInput, match="has no"):
        photos.read_photos(tmp_path / "nothing")
    demo = photos.read_photos(None)
    assert "demo catalogue" in demo.origin
    assert min(len(demo.searched), len(demo.asked)) > 100
    assert not set(demo.searched) & set(demo.asked)


def test_a_changed_photo_is_another_photo_of_it() -> None:
    random = np.random.default_rng(0)
    made = [photos.changed(jpeg(), random) for _ in range(5)]
    assert len(set(made)) == 5
    for photo in made:
        with Image.open(io.BytesIO(photo)) as image:
            assert 0.74 * 64 <= image.width <= 64
            assert image.format == "JPEG"


def test_embeddings_are_of_each_photo_once_then_changed() -> None:
    vectors = photos.embed([jpeg(), jpeg(200)], 5, seed=0)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    assert vectors.shape[0] == 5
    assert len(np.unique(vectors.round(4), axis=0)) == 5
    np.testing.assert_allclose(vectors[:2], photos.embed([jpeg(), jpeg(200)], 2, seed=9), atol=1e-5)


def test_memory_is_read_from_the_kernels_account() -> None:
    smaps = """\
7f0000000000-7f0000002000 r--s 00000000 08:01 42                         /work/snap/vectors/fusion.npy
Size:               2048 kB
Anonymous:             0 kB
7f0000004000-7f0000006000 rw-p 00000000 00:00 0
Size:               4096 kB
Anonymous:           100 kB
7f0000007000-7f0000008000 r-xp 00000000 08:01 43                         /usr/lib/libc.so
Size:                512 kB
Anonymous:             8 kB
"""
    assert Memory.of(smaps, "/work/snap") == Memory(private=108 * 1024, mapped=2048 * 1024)
    assert Memory(5, 7) - Memory(2, 3) == Memory(3, 4)


def test_a_process_holds_what_it_allocates(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
import numpy as np
from bench.index.memory import Memory
before = Memory.now(Path({str(tmp_path)!r}))
held = np.ones(8_000_000)
print((Memory.now(Path({str(tmp_path)!r})) - before).private)
"""
    # in a process of its own: what other tests left here may be freed in between
    grown = int(subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout)
    assert 60_000_000 < grown < 80_000_000


def jpeg(shade: int = 90) -> bytes:
    pixels = np.random.default_rng(shade).integers(shade - 50, shade + 50, (64, 64, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


def fill(work: Path) -> None:
    """What the photos would have given."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(400, 32))
    rows = unit(centres[random.integers(0, 400, 1_500)] + 0.4 * random.normal(size=(1_500, 32)))
    np.save(work / "source.npy", rows[:1_200])
    np.save(work / "queries.npy", rows[1_200:])
    (work / "origin.txt").write_text("made up")
