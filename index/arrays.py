"""Named arrays of any lengths in one file of Arrow's IPC format, mapped into memory and used where they lie.

The file holds one row: a list for each array. Of texts, where each begins is copied (4 or 8 bytes a text): Arrow looks
there unasked, and a file that changes under it would end the process.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays of Arrow under their names."""
    lists = {name: pa.LargeListArray.from_arrays([0, len(array)], array) for name, array in arrays.items()}
    batch = pa.RecordBatch.from_pydict(lists)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
        writer.write_batch(batch)


def read_arrays(path: Path) -> dict[str, Any]:
    """The arrays by name, in the mapped file; raises ValueError for a file that is not whole.

    What lies inside them is not looked at; see `index.whole`.
    """
    batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
    batch.validate()
    if batch.num_rows != 1:
        raise ValueError(f"{path.name} has {batch.num_rows} rows, not one list for each array")
    return {name: _with_own_starts(batch.column(name).flatten()) for name in batch.schema.names}


def _with_own_starts(array: Any) -> Any:
    if len(array.buffers()) != 3 or array.buffers()[1] is None:  # no texts, or none of them
        return array
    validity, starts, texts = array.buffers()
    own = pa.py_buffer(starts.to_pybytes())
    return pa.Array.from_buffers(array.type, len(array), [validity, own, texts], offset=array.offset)
