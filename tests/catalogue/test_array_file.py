from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.array_file import write_array


@given(cuts=st.lists(st.integers(0, 7), max_size=3), dtype=st.sampled_from([np.float16, np.uint8, np.float32]))
def test_blocks_become_one_array(tmp_path_factory: pytest.TempPathFactory, cuts: list[int], dtype: type) -> None:
    path: Path = tmp_path_factory.mktemp("array") / "a.npy"
    rows = np.arange(7 * 3 * 2).reshape(7, 3, 2)
    write_array(path, rows.shape, dtype, np.split(rows, sorted(cuts)))
    read = np.load(path, mmap_mode="r")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, rows)


def test_a_full_disk_is_an_error() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_array(Path("/dev/full"), (1 << 20,), np.uint8, [np.zeros(1 << 20, np.uint8)])
