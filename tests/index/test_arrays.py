"""Named arrays in a mapped file."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.arrays import read_arrays, write_arrays

TYPES = (
    (st.text(max_size=5), pa.large_string()),
    (st.none() | st.text(max_size=5), pa.string()),
    (st.binary(max_size=5), pa.large_binary()),
    (st.integers(0, 2**32 - 1), pa.uint32()),
    (st.floats(allow_nan=False), pa.float64()),
)


def arrays_of(values: st.SearchStrategy[object], kind: pa.DataType) -> st.SearchStrategy[pa.Array]:
    return st.lists(values, max_size=9).map(lambda found: pa.array(found, kind))


ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=8), st.one_of([arrays_of(*kind) for kind in TYPES]), min_size=1, max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(arrays=ARRAYS)
def test_what_is_written_is_read(tmp_path: Path, arrays: dict[str, pa.Array]) -> None:
    write_arrays(tmp_path / "a.arrow", arrays)
    read = read_arrays(tmp_path / "a.arrow")
    assert read.keys() == arrays.keys()
    assert all(read[name].equals(array) and read[name].type == array.type for name, array in arrays.items())


def test_nothing_is_copied(tmp_path: Path) -> None:
    before = pa.total_allocated_bytes()
    write_arrays(tmp_path / "a.arrow", {"numbers": pa.array(range(1_000_000), pa.int64())})
    read = read_arrays(tmp_path / "a.arrow")
    assert len(read["numbers"]) == 1_000_000
    assert pa.total_allocated_bytes() - before < 100_000


def test_a_file_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.arrow"
    write_arrays(path, {"words": pa.array(["a", "b"]), "numbers": pa.array([1, 2])})
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError):  # noqa: PT011  # Arrow has many words for it
            read_arrays(path)


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    batch = pa.record_batch({"numbers": pa.array([[1], [2]], pa.large_list(pa.int64()))})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(ValueError, match="has 2 rows"):
        read_arrays(tmp_path / "a.arrow")
