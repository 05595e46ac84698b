"""Arrays in files of their own, larger than memory need hold."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def write_array(path: Path, shape: tuple[int, ...], dtype: DTypeLike, blocks: Iterable[NDArray[Any]]) -> None:
    """Write an array of `shape` as np.save does, from blocks of its rows; fsynced.

    Written, not mapped: of a full disk a mapping tells by a signal that ends the process. This raises OSError.
    """
    kind = np.dtype(dtype)
    with path.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks:
            file.write(block.astype(kind, copy=False).tobytes())
        file.flush()
        os.fsync(file.fileno())
