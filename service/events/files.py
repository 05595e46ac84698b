"""The files: Parquet, a folder a day, each file written whole or not at all.

    events/events/date=2026-11-27/<name>.parquet      what shoppers did
    events/searches/date=2026-11-27/<name>.parquet    what they were shown

Whatever changes files holds a lock beside them. They are kept for so many days and bytes; the oldest days go first.
Each names the version of its schema (`catalogue.event_files`).
"""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalogue.event_files import SCHEMA_KEY, SCHEMA_VERSION, check_schema
from catalogue.files import lock_file, write_atomic

_MOMENT: Final = pa.timestamp("ms", "UTC")
SCHEMAS: Final = {
    "events": pa.schema(
        {
            "event_id": pa.string(),
            "type": pa.string(),
            "time": _MOMENT,
            "product_id": pa.string(),
            "query": pa.string(),
            "user_id": pa.string(),
            "session_id": pa.string(),
            "request_id": pa.string(),
            "position": pa.int32(),
            "experiment": pa.string(),
            "arm": pa.string(),
            "received_at": _MOMENT,
            "value": pa.float64(),
            "currency": pa.string(),
        }
    ),
    "searches": pa.schema(
        {
            "request_id": pa.string(),
            "time": _MOMENT,
            "kind": pa.string(),
            "product_id": pa.string(),
            "query": pa.string(),
            "has_photo": pa.bool_(),
            "user_id": pa.string(),
            "shown": pa.list_(pa.string()),
            "snapshot": pa.string(),
            "experiment": pa.string(),
            "arm": pa.string(),
            "took_ms": pa.float32(),
            "status": pa.int16(),
        }
    ),
}
"""By the name of the folder. `session_id` stands where an event says no user: what came of one answer is one visit."""
_DAY_MS: Final = 86_400_000


def locked(root: Path) -> AbstractContextManager[None]:
    """Nobody else on this host writes, rewrites or removes files meanwhile."""
    return lock_file(root / ".lock")


def write(root: Path, table: str, name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows, in the order of the schema's columns, into one file of that name for each of their days."""
    schema = SCHEMAS[table]
    time = schema.get_field_index("time")
    by_day: dict[int, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_day.setdefault(row[time] // _DAY_MS, []).append(row)
    for day, some in by_day.items():
        columns = [_column(field, values) for field, values in zip(schema, zip(*some, strict=True), strict=True)]
        folder = root / table / f"date={datetime.fromtimestamp(day * 86_400, UTC):%Y-%m-%d}"
        write_atomic(folder / f"{name}.parquet", _bytes(pa.table(columns, schema=schema)))


def days(root: Path, table: str) -> list[tuple[date, Path]]:
    """The folders there are, the oldest first."""
    found = []
    for folder in (root / table).glob("date=*"):
        try:
            found.append((date.fromisoformat(folder.name.removeprefix("date=")), folder))
        except ValueError:
            continue  # somebody else's
    return sorted(found)


def read(root: Path, table: str, since: date, columns: Sequence[str], keep: pc.Expression) -> pa.Table:
    """Some columns of the rows that pass, from a day on; raises EventsUnavailable for a newer schema."""
    parts = [pa.table([pa.array([], SCHEMAS[table].field(name).type) for name in columns], list(columns))]
    for day, folder in days(root, table):
        if day >= since:
            for file in sorted(folder.glob("*.parquet")):
                whole = _read(file, table)
                parts.append(whole.filter(keep).select(list(columns)))
    return pa.concat_tables(parts)


def trim(root: Path, *, retention_days: int, max_bytes: int) -> int:
    """Remove days that are too old, and then the oldest while there are too many bytes; returns how many went.

    Today's stays, whatever its size. Hold `locked`.
    """
    today = datetime.now(UTC).date()
    by_day: dict[date, list[Path]] = {}
    for table in SCHEMAS:
        for day, folder in days(root, table):
            by_day.setdefault(day, []).append(folder)
    sizes = {day: sum(_size(folder) for folder in folders) for day, folders in by_day.items()}
    total, gone = sum(sizes.values()), 0
    for day in sorted(by_day):
        if day >= today or (day >= today - timedelta(days=retention_days) and total <= max_bytes):
            break
        for folder in by_day[day]:
            shutil.rmtree(folder)
        total -= sizes[day]
        gone += 1
    return gone


def rewrite(root: Path, table: str, gone: Callable[[pa.Table], Any], advance: Callable[[int], None]) -> pa.Table:
    """Write files anew without the rows that `gone` (a mask) names; returns those rows. Hold `locked`.

    A file without such rows is not touched, and one that has nothing else is removed. `advance` hears of each file.
    """
    removed = [SCHEMAS[table].empty_table()]
    for file in _files(root, table):
        rows = _read(file, table)
        mask = gone(rows)
        if pc.any(mask).as_py():
            removed.append(rows.filter(mask))
            left = rows.filter(pc.invert(mask))
            if len(left):
                write_atomic(file, _bytes(left))
            else:
                file.unlink()
        advance(1)
    return pa.concat_tables(removed)


def count(root: Path) -> int:
    """How many files there are."""
    return sum(len(_files(root, table)) for table in SCHEMAS)


def check(root: Path) -> None:
    """Raise EventsUnavailable where any file is of a newer schema."""
    for table in SCHEMAS:
        for file in _files(root, table):
            check_schema(file, _version(pq.ParquetFile(file)))


def _files(root: Path, table: str) -> list[Path]:
    return [file for _, folder in days(root, table) for file in sorted(folder.glob("*.parquet"))]


def _read(file: Path, table: str) -> pa.Table:
    """A file as it would be written now; what an earlier version did not know is null."""
    opened = pq.ParquetFile(file)
    check_schema(file, _version(opened))
    rows = opened.read()
    for field in SCHEMAS[table]:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(len(rows), field.type))
    return rows.select(SCHEMAS[table].names)


def _version(opened: pq.ParquetFile) -> bytes | None:
    version: bytes | None = (opened.metadata.metadata or {}).get(SCHEMA_KEY.encode())
    return version


def _column(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    if pa.types.is_boolean(field.type):
        values = [bool(value) for value in values]
    if pa.types.is_list(field.type):
        values = [json.loads(value) for value in values]
    return pa.array(values, field.type)


def _bytes(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({SCHEMA_KEY: str(SCHEMA_VERSION)}), out, compression="zstd")
    return out.getvalue()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())
