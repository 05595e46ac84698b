"""Catalogue files (CSV, JSON Lines, Parquet) read row by row; a bad row is reported and never stops the rest."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException
from pydantic import ValidationError

from catalogue.errors import CatalogueInvalid
from catalogue.product import Product, optional_number

MAX_LINE_BYTES: Final = 4_000_000
_FIELDS: Final = frozenset(Product.model_fields) - {"attributes", "images"}
_TRUE: Final = frozenset({"true", "1", "1.0", "yes", "y", "t"})
_FALSE: Final = frozenset({"false", "0", "0.0", "no", "n", "f"})


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """A product as read; `photo` holds the main photo's bytes where the catalogue carries them itself."""

    line: int
    product: Product
    photo: bytes | None = None


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row was left out (`error`) or an optional field of it was set to null (`warning`)."""

    line: int
    product_id: str | None
    severity: Literal["error", "warning"]
    reason: str


def check_catalogue(path: Path) -> None:
    """Raise CatalogueInvalid when the file is missing or of an unknown kind."""
    if path.suffix.lower() not in _READERS:
        raise CatalogueInvalid(f"{path}: unknown kind of catalogue; use .jsonl, .csv or .parquet")
    if not path.is_file():
        raise CatalogueInvalid(f"{path}: no such file")


def read_catalogue(path: Path) -> Iterator[CatalogueRow | RowProblem]:
    """Rows and problems in the order of the file, told apart by their type.

    `line` counts from 1 in the file for JSON Lines and CSV (whose header is line 1), and is the row for Parquet.
    Raises CatalogueInvalid when the file is missing, of an unknown kind, or not readable as what it says it is.
    """
    check_catalogue(path)
    reader = _READERS[path.suffix.lower()]
    try:
        for line, row in reader(path):
            if isinstance(row, str):
                yield RowProblem(line, None, "error", row)
            else:
                yield from _parse(line, row)
    except (OSError, ArrowException, csv.Error) as error:
        raise CatalogueInvalid(f"{path}: cannot be read: {error}") from error


def count_rows(path: Path) -> int | None:
    """The number of rows where it costs next to nothing to know, for a progress bar; else None."""
    try:
        if path.suffix.lower() == ".parquet":
            return int(pq.ParquetFile(path).metadata.num_rows)
        if path.stat().st_size > 200_000_000:
            return None
        with path.open("rb") as file:
            lines = sum(1 for line in file if line.strip())
    except (OSError, ArrowException):
        return None
    return max(0, lines - 1) if path.suffix.lower() == ".csv" else lines


def _read_jsonl(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            if not line.endswith(b"\n") and len(line) == MAX_LINE_BYTES:
                while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield number, f"the line is over {MAX_LINE_BYTES:,} bytes"
            elif line.strip():
                yield number, _json_object(line)


def _json_object(line: bytes) -> Mapping[str, Any] | str:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    return row if isinstance(row, dict) else "not a JSON object"


def _read_csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    csv.field_size_limit(MAX_LINE_BYTES)
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        if "product_id" not in (rows.fieldnames or ()):
            raise CatalogueInvalid(f"{path}: the first line must name the columns, product_id among them")
        for row in rows:
            if None in row:
                yield rows.line_num, f"{len(row[None])} cells more than the header has; is a comma unquoted?"
            else:
                yield rows.line_num, row


def _read_parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    number = 0
    with pq.ParquetFile(path) as file:
        if "product_id" not in file.schema_arrow.names:
            raise CatalogueInvalid(f"{path}: has no column product_id")
        for batch in file.iter_batches(batch_size=256):
            for row in batch.to_pylist():
                number += 1
                yield number, row


_READERS: Final[Mapping[str, Callable[[Path], Iterator[tuple[int, Mapping[str, Any] | str]]]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}


def _parse(line: int, row: Mapping[str, Any]) -> Iterator[CatalogueRow | RowProblem]:
    """One row; first the warnings of its optional fields, then the row itself or its error."""
    product_id = None if row.get("product_id") is None else str(row["product_id"])
    fields: dict[str, Any] = {"attributes": {}}
    for name, value in row.items():
        try:
            _read_field(name, value, fields)
        except ValueError as error:
            yield RowProblem(line, product_id, "warning", f"{name}: {error}; taken as absent")
    photo = fields.pop("photo", None)
    if photo is not None and not fields.get("images"):
        fields["images"] = ("image_jpeg",)
    try:
        yield CatalogueRow(line, Product.model_validate(fields), photo)
    except ValidationError as error:
        yield RowProblem(line, product_id, "error", _first_reason(error))


def _read_field(name: str, value: Any, fields: dict[str, Any]) -> None:
    """Put one column into `fields`; raises ValueError for an optional one that cannot be read."""
    if value is None or value == "":
        return
    if name == "image_jpeg":
        if not isinstance(value, bytes):
            raise ValueError("not bytes")
        fields["photo"] = value
    elif name == "price":
        fields["price"] = optional_number(value)
    elif name == "in_stock":
        fields["in_stock"] = _boolean(value)
    elif name in {"images", "image"}:
        fields.setdefault("images", _images(value))
    elif name == "attributes":
        fields["attributes"].update(_attributes(value))
    elif name in _FIELDS:
        fields[name] = str(value)
    elif not isinstance(value, bytes):
        fields["attributes"][name] = _attribute(value)


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"{value!r} is neither true nor false")


def _images(value: Any) -> tuple[str, ...]:
    """A list, or text with `|` between several."""
    parts = value.split("|") if isinstance(value, str) else value
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise ValueError("neither a path or URL nor a list of them")
    return tuple(part.strip() for part in parts if part.strip())


def _attributes(value: Any) -> dict[str, str]:
    """An object, JSON text of one (CSV), or a list of pairs (a Parquet map)."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            raise ValueError("not a JSON object") from None
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = dict(value)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return {str(key): _attribute(item) for key, item in value.items() if item is not None and item != ""}


def _attribute(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _first_reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
