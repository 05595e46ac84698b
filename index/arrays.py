"""Named arrays of any lengths in one file of Arrow's IPC format, mapped into memory and used where they lie.

The file holds one row: a list for each array.
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
    return {name: batch.column(name).flatten() for name in batch.schema.names}
