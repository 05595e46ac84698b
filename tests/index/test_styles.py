"""Style groups in a snapshot: written with it, read by row, and listed for a selection of rows."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalogue.variants import SameFrom
from index import Filters, IndexedProduct, ProductTable, Snapshot, write_snapshot
from index.groups import Groups
from index.near import background
from index.plan import Choice
from index.products import to_table
from index.styles import with_groups
from tests.index.builders import FINGERPRINT, item, reopen, unit, unit_rows


def write(
    root: Path,
    products: list[IndexedProduct],
    vectors: NDArray[np.float32],
    same_style: float | None,
    kind: str = "flat",
) -> Snapshot:
    path = write_snapshot(
        root,
        "styles",
        to_table(products),
        {"fusion": vectors},
        model="stand-in",
        fingerprint=FINGERPRINT,
        variant="cpu",
        choice=Choice(index_type=kind),
        same=None if same_style is None else SameFrom(same_style, same_style),
    )
    return reopen(path)


def listings(styles: int, each: int) -> tuple[list[IndexedProduct], NDArray[np.float32]]:
    """So many listings of each style, near each other, the styles by turns; supplier s0 has the first two of each."""
    products = [item(f"p{at}-{style}", supplier_id=f"s{at // 2}") for at in range(each) for style in range(styles)]
    noise = np.random.default_rng(4).normal(size=(len(products), 8)) * 0.02
    return products, unit(np.tile(np.eye(8)[:styles], (each, 1)) + noise)


def style_group(products: ProductTable, row: int) -> str | None:
    medoid = products.styles.medoid(row)
    return None if medoid is None else products.id_of(medoid)


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_a_snapshot_knows_the_group_of_every_product(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("index.snapshot_writer.PRODUCTS_PER_SHARD", 10)  # rows are not in the order given
    products, vectors = listings(4, 5)
    snapshot = write(tmp_path, products, vectors, 0.9, kind)
    assert (snapshot.manifest.schema_version, snapshot.manifest.same_style) == (3, 0.9)
    table = snapshot.products
    rows = {entry.product.product_id: table.row_of(entry.product.product_id) for entry in products}
    names = {product_id: style_group(table, row) for product_id, row in rows.items()}
    assert len(set(names.values())) == 4
    for product_id, row in rows.items():
        name = names[product_id]
        assert name is not None
        assert name.partition("-")[2] == product_id.partition("-")[2]
        pair = snapshot.vectors("fusion", np.array([row, rows[name]]))
        assert table.styles.scores[row] == pytest.approx(float(pair[0] @ pair[1]), abs=1e-3)


def test_without_a_threshold_there_are_no_groups_whatever_the_table_says(tmp_path: Path) -> None:
    products, vectors = listings(2, 2)
    grouped = write(tmp_path, products, vectors, 0.9)
    again = write_snapshot(
        tmp_path,
        "again",
        pq.read_table(grouped.path / "products.parquet"),
        {"fusion": vectors},
        model="stand-in",
        fingerprint=FINGERPRINT,
        variant="cpu",
    )
    table = reopen(again).products
    assert reopen(again).manifest.same_style is None
    assert [style_group(table, row) for row in range(4)] == [None] * 4
    assert np.isnan(table.styles.scores).all()
    assert len(table.styles.groups(np.ones(4, np.bool_))) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_tiny_snapshots(tmp_path: Path, count: int) -> None:
    snapshot = write(tmp_path, [item("only")][:count], unit_rows(count), 0.9)
    assert [style_group(snapshot.products, row) for row in range(count)] == ["only"] * count
    assert len(snapshot.products.styles.groups(np.ones(count, np.bool_))) == 0


def test_a_group_named_after_no_product_is_none() -> None:
    table = with_groups(to_table([item("a"), item("b")]), Groups(np.array([0, 0]), np.ones(2, np.float32)))
    alone = ProductTable.of(table.slice(1))
    assert style_group(alone, 0) is None
    assert len(alone.styles.groups(np.ones(1, np.bool_))) == 0


some_groups = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.9, 0.95, 1.0]), st.booleans()), max_size=12)


@given(some_groups)
def test_lists_what_is_selected_more_than_once(rows: list[tuple[int, float, bool]]) -> None:
    first = {group: row for row, (group, _, _) in reversed(list(enumerate(rows)))}
    medoid = np.array([first[group] for group, _, _ in rows], np.int64)
    score = np.array([score for _, score, _ in rows], np.float32)
    ids = [f"p{number * 7 % 13:02d}" for number in range(len(rows))]
    table = ProductTable.of(with_groups(to_table([item(product_id) for product_id in ids]), Groups(medoid, score)))
    selected = np.array([chosen for _, _, chosen in rows], np.bool_)
    found = table.styles.groups(selected)
    expected = []
    for group in sorted(set(medoid[selected].tolist()), key=lambda row: ids[row]):
        members = [row for row in np.flatnonzero(selected).tolist() if medoid[row] == group]
        if len(members) > 1:
            expected.append((group, sorted(members, key=lambda row: (-score[row], row))))
    expected.sort(key=lambda group: -len(group[1]))
    assert [(int(one), [row for row, _ in found.of(at)]) for at, one in enumerate(found.medoids)] == expected


def test_one_gtin_asks_for_what_is_unusual_among_many_products(tmp_path: Path) -> None:
    vectors = unit_rows(400)
    usual = background(vectors)
    assert usual is not None
    for count, floor in ((199, 0.5), (400, usual)):
        path = write_snapshot(
            tmp_path, f"of-{count}", to_table([item(f"p{row}") for row in range(count)]), {"fusion": vectors[:count]},
            model="stand-in", fingerprint=FINGERPRINT, variant="cpu", same=SameFrom(0.95, 0.5),
        )  # fmt: skip
        assert reopen(path).manifest.same_from == SameFrom(0.95, floor)


def test_groups_of_one_supplier(tmp_path: Path) -> None:
    products, vectors = listings(3, 5)
    table = write(tmp_path, products, vectors, 0.9).products
    own = table.styles.groups(table.mask(Filters(suppliers=("s0",))))
    found = [sorted(table.id_of(row) for row, _ in own.of(group)) for group in range(len(own))]
    assert sorted(found) == [["p0-0", "p1-0"], ["p0-1", "p1-1"], ["p0-2", "p1-2"]]
    assert len(table.styles.groups(table.mask(Filters(suppliers=("s2",))))) == 0  # one listing of each
