"""A product table that cannot be used is refused when it is mapped, with the reason, whoever made it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catalogue.errors import SnapshotInvalid
from index import ProductTable
from index.arrays import read_arrays, write_arrays
from index.whole import check_whole
from tests.index.builders import accept, build, item, items, reopen, table

ROWS = 20


@pytest.fixture
def written(tmp_path: Path) -> Path:
    products = [*items(ROWS - 1), item("m", attributes={"colour": "red", "size": "M"}, currency="EUR", category="A")]
    table(products).write(tmp_path / "products.arrow")
    return tmp_path / "products.arrow"


def changed(written: Path, name: str, array: Any) -> Path:
    """The file with other values under a name."""
    arrays = read_arrays(written) | {name: array}
    path = written.with_name("changed.arrow")
    write_arrays(path, {name: array for name, array in arrays.items() if array is not None})
    return path


def outside(array: Any, value: int, at: int = 0) -> Any:
    """The array with another value."""
    numbers = array.to_numpy().copy()
    numbers[at] = value
    return pa.array(numbers)


@pytest.mark.parametrize("count", [0, 1, ROWS])
def test_what_was_written_is_whole(tmp_path: Path, count: int) -> None:
    table(items(count)).write(tmp_path / "products.arrow")
    assert len(ProductTable.map(tmp_path / "products.arrow")) == count


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("category.codes", 9, "category.codes name a text"),
        ("supplier_id.codes", 200, "supplier_id.codes name a text"),
        ("currency.codes", 2, "currency.codes name a text"),
        ("style.medoids", ROWS, "style.medoids name a row"),
        ("style.medoids", -2, "style.medoids name a row"),
        ("hash.rows", ROWS, "hash.rows does not name each row"),
        ("hash.sorted", 2**64 - 1, "hash.sorted is not sorted"),
        ("order.title", ROWS, "order.title does not name each row"),
        ("order.-price", 2**32 - 1, "order.-price does not name each row"),
        ("attributes.first", 1, "attributes.first does not divide"),
        ("attributes.start", -1, "attributes.start does not divide"),
        ("attributes.rows", ROWS, "attributes.rows name a row"),
        ("words.start", 1, "words.start does not divide"),
        ("words.keys", 2**32 - 1, "words.keys is not sorted"),
    ],
)
def test_a_number_that_leads_nowhere(written: Path, name: str, value: int, reason: str) -> None:
    array = outside(read_arrays(written)[name], value)
    with pytest.raises(ValueError, match=reason):
        ProductTable.map(changed(written, name, array))


@pytest.mark.parametrize("name", ["title", "price", "order.price", "hash.sorted", "photo"])
def test_one_too_few(written: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has 19 values for 20 products"):
        ProductTable.map(changed(written, name, read_arrays(written)[name][1:]))


def test_every_array_must_be_there_and_of_its_type_and_without_nulls(written: Path) -> None:
    for name, array in read_arrays(written).items():
        with pytest.raises(ValueError, match=f"there is no {name}"):
            ProductTable.map(changed(written, name, None))
        with pytest.raises(ValueError, match=f"{name} holds bool"):
            ProductTable.map(changed(written, name, pa.array([True] * len(array), pa.bool_())))
        if name != "photo" and len(array):
            with pytest.raises(ValueError, match=f"{name} has values that are null"):
                ProductTable.map(changed(written, name, pa.nulls(len(array), array.type)))


@pytest.mark.parametrize("starts", [[0, 5, 3], [0, 1_000_000, 3], [0, -5, 3]])
def test_a_text_that_lies_elsewhere(written: Path, starts: list[int]) -> None:
    """Arrow looks at the first and the last one only, and would read beyond the file."""
    offsets = np.array([*starts, *[starts[-1]] * (ROWS - 2)], np.int64)
    texts = pa.py_buffer(b"a" * 10)
    array = pa.Array.from_buffers(pa.large_string(), ROWS, [None, pa.py_buffer(offsets.tobytes()), texts])
    arrays = read_arrays(written) | {"title": array}
    with pytest.raises(ValueError, match="title has texts that lie outside"):
        check_whole(arrays)


def test_a_value_that_is_no_text(written: Path) -> None:
    values = read_arrays(written)["attributes.values"].cast(pa.large_binary()).to_pylist()
    array = pa.array([*values[:-1], b"\xff"], pa.large_binary()).view(pa.large_string())
    with pytest.raises(ValueError, match="UTF8"):
        ProductTable.map(changed(written, "attributes.values", array))


def test_a_snapshot_says_so_and_is_not_served(tmp_path: Path) -> None:
    built = build(tmp_path, count=ROWS)
    file = built / "products.arrow"
    changed(file, "hash.rows", outside(read_arrays(file)["hash.rows"], 2**31)).replace(file)
    accept(built, "products.arrow")
    with pytest.raises(SnapshotInvalid, match=r"cannot be loaded: hash\.rows does not name each row once"):
        reopen(built)
