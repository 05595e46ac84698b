"""Rows that are alike lie side by side, and are the same products in every file."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.order import by_likeness
from index.plan import Choice
from index.snapshot import Snapshot
from tests.index.builders import FINGERPRINT, build, items, unit

DIM = 16
KINDS = 8


def of_kinds(count: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors of some kinds of product, shuffled, and the kind of each."""
    random = np.random.default_rng(seed)
    kinds = random.integers(0, KINDS, count)
    centres = np.eye(KINDS, DIM)
    return unit(centres[kinds] + 0.05 * random.normal(size=(count, DIM))), kinds


def test_those_of_a_cell_are_of_a_kind() -> None:
    vectors, kinds = of_kinds(512 * KINDS)
    cells = by_likeness(vectors)
    assert len(np.unique(cells)) == KINDS
    for cell in np.unique(cells):
        shares = np.bincount(kinds[cells == cell]) / np.count_nonzero(cells == cell)
        assert shares.max() > 0.9


def test_too_few_rows_keep_their_order() -> None:
    assert not by_likeness(of_kinds(1_000)[0]).any()
    assert len(by_likeness(np.empty((0, DIM), np.float16))) == 0


def test_equal_vectors_lie_in_one_cell() -> None:
    vectors = np.repeat(of_kinds(1_024)[0], 4, axis=0)
    cells = by_likeness(vectors).reshape(-1, 4)
    assert (cells == cells[:, :1]).all()


def test_a_snapshot_lies_in_that_order_and_every_file_agrees(tmp_path: Path) -> None:
    vectors, kinds = of_kinds(512 * KINDS)
    path = build(
        tmp_path,
        products=items(len(vectors)),
        vectors={"fusion": vectors},
        choice=Choice(0.9, "hnsw", {"m": 8, "ef_construction": 40}),
    )
    snapshot = Snapshot.open(path, fingerprint=FINGERPRINT)
    given = {item.product.product_id: number for number, item in enumerate(items(len(vectors)))}
    row_to_given = np.array([given[snapshot.products.id_of(row)] for row in range(len(vectors))])
    np.testing.assert_array_equal(snapshot.stored("fusion"), vectors[row_to_given].astype(np.float16))
    changes = np.count_nonzero(np.diff(kinds[row_to_given]))
    assert changes < 0.1 * np.count_nonzero(np.diff(kinds))
    found = snapshot.index("fusion").search(vectors[17], 1).rows[0]
    assert snapshot.products.id_of(int(found)) == items(18)[17].product.product_id
