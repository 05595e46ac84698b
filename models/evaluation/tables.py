"""Tables of pairs and triplets in CSV, JSON Lines or Parquet, read whole, every cell a text."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

from catalogue.errors import CatalogueInvalid, InvalidInput

MAX_ROWS: Final = 1_000_000
"""Beyond it a file is no evaluation, and would not fit into memory."""
MAX_LINE: Final = 4_000_000
KINDS: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def column_names(path: Path) -> list[str]:
    """The columns of a file without reading it all; raises InvalidInput or CatalogueInvalid."""
    suffix = _checked(path)
    try:
        if suffix == ".parquet":
            return list(pq.read_schema(path).names)
        if suffix in {".csv", ".tsv"}:
            return _csv_header(path)
        with path.open(encoding="utf-8-sig") as file:
            first = json.loads(file.readline(MAX_LINE) or "{}")
    except (OSError, ValueError, RecursionError, ArrowException, csv.Error) as error:
        raise _unreadable(path, error) from None
    if not isinstance(first, dict):
        raise CatalogueInvalid(f"{path}: the first line is no JSON object; each line must be one.")
    return list(first)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Every row, absent cells as ""; raises InvalidInput or CatalogueInvalid."""
    return _texts(read_table(path), path)


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """All columns without a nested type, or some; those of CSV as texts. Raises InvalidInput or CatalogueInvalid."""
    suffix = _checked(path)
    try:
        if suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                flat = [field.name for field in file.schema_arrow if not pa.types.is_nested(field.type)]
                return file.read(columns=flat if columns is None else list(columns))
        table = _csv_table(path, columns) if suffix in {".csv", ".tsv"} else _json_table(path)
        return table if columns is None else table.select(list(columns))
    except (OSError, ValueError, KeyError, AttributeError, RecursionError, ArrowException, csv.Error) as error:
        raise _unreadable(path, error) from None


def require_columns(path: Path, names: Mapping[str, str], what: str) -> None:
    """Raise InvalidInput unless all these columns are there; `names` says what each is for."""
    there = column_names(path)
    for name, purpose in names.items():
        if name not in there:
            raise InvalidInput(f"{path}: {what} need a column {name} ({purpose}); there are {', '.join(there)}.")


def _checked(path: Path) -> str:
    if path.suffix.lower() not in KINDS:
        raise InvalidInput(f"{path}: unknown kind of file; use {', '.join(KINDS)}.")
    if not path.is_file():
        raise InvalidInput(f"{path}: no such file. Check the path.")
    return path.suffix.lower()


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _csv_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader([file.readline(MAX_LINE)], delimiter=_delimiter(path)), [])


def _csv_table(path: Path, columns: Sequence[str] | None) -> pa.Table:
    parse = pa.csv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True)
    texts = {name: pa.string() for name in _csv_header(path)}
    text = pa.csv.ConvertOptions(column_types=texts, include_columns=list(columns or ()))
    return pa.csv.read_csv(path, parse_options=parse, convert_options=text)


def _json_table(path: Path) -> pa.Table:
    """What is text in the first row is text in all: Arrow by itself would make dates of ids that look like some."""
    with path.open(encoding="utf-8-sig") as file:
        first = json.loads(file.readline(MAX_LINE) or "{}")
    texts = [(name, pa.string()) for name, cell in first.items() if isinstance(cell, str)]
    parse = pa.json.ParseOptions(explicit_schema=pa.schema(texts), unexpected_field_behavior="infer")
    return pa.json.read_json(path, pa.json.ReadOptions(block_size=MAX_LINE), parse)


def _texts(table: pa.Table, path: Path) -> list[dict[str, str]]:
    if table.num_rows > MAX_ROWS:
        raise InvalidInput(f"{path} has {table.num_rows:,} rows; at most {MAX_ROWS:,} are evaluated. Give a sample.")
    if len(set(table.column_names)) < table.num_columns:
        raise InvalidInput(f"{path}: two columns have the same name; there are {', '.join(table.column_names)}.")
    columns = {name: [_text(cell) for cell in table.column(name).to_pylist()] for name in table.column_names}
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    whole = isinstance(value, float) and value.is_integer()  # Parquet holds whole numbers with gaps as floats
    return str(int(value) if whole else value).strip()


def _unreadable(path: Path, error: Exception) -> CatalogueInvalid:
    return CatalogueInvalid(f"{path}: cannot be read as {path.suffix.lower()}: {str(error)[:300]}. Is it complete?")
