"""Catalogue files (CSV, JSON Lines, Parquet) read row by row; a bad row is reported and never stops the rest."""

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.lib import ArrowException
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from catalogue.errors import CatalogueInvalid
from catalogue.photos import load_photo
from catalogue.product import CATEGORY_SEPARATOR, MAX_ATTRIBUTE, Product, optional_number
from catalogue.prose import without_html
from catalogue.versioned import first_reason

MAX_LINE_BYTES: Final = 4_000_000
_TOGETHER: Final = 256
_TOGETHER_WITH_PHOTOS: Final = 8
"""Rows of Parquet that are unpacked at once: photos may have 20 MB each, whatever they take in the file."""
_FIELDS: Final = frozenset(Product.model_fields) - {"attributes", "images"}
_OTHER_FIELDS: Final = frozenset({"attributes", "image", "image_jpeg", "images"})
_ESCAPED: Final = re.compile("[\udc80-\udcff]")
_TRUE: Final = frozenset({"true", "1", "1.0", "yes", "y", "t"})
_FALSE: Final = frozenset({"false", "0", "0.0", "no", "n", "f"})


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """A product as read; `photo` holds the main photo's bytes where the catalogue carries them itself."""

    line: int
    product: Product
    photo: bytes | None = None

    def main_photo(self, folder: Path) -> bytes | None:
        """From wherever it is, relative to the catalogue's folder; raises InvalidInput when it cannot be read."""
        if self.photo is not None or not self.product.images:
            return self.photo
        return load_photo(self.product.images[0], folder)


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
    except (OSError, UnicodeError, ArrowException, csv.Error) as error:
        raise CatalogueInvalid(f"{path}: cannot be read: {error}") from error


def usable_rows(path: Path) -> Iterator[CatalogueRow]:
    """The rows without the problems; raises as `read_catalogue`."""
    return (row for row in read_catalogue(path) if isinstance(row, CatalogueRow))


def count_rows(path: Path) -> int | None:
    """The number of rows where it costs next to nothing to know, for a progress bar; else None."""
    try:
        if path.suffix.lower() == ".parquet":
            return int(pq.ParquetFile(path).metadata.num_rows)
        if path.stat().st_size > 200_000_000:
            return None
        with path.open("rb") as file:
            lines = sum(1 for line in file if line.strip())
    except (OSError, UnicodeError, ArrowException):
        return None
    return max(0, lines - 1) if path.suffix.lower() == ".csv" else lines


def _read_jsonl(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    with path.open("rb") as file:
        head = file.read(4096).removeprefix(codecs.BOM_UTF8)
        if b"\0" in head and not head.lstrip().startswith(b"{"):
            raise CatalogueInvalid(f"{path}: is binary, not JSON Lines in UTF-8")
        file.seek(0)
        number = 0
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            if not line.endswith(b"\n") and len(line) == MAX_LINE_BYTES:
                while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                    pass
                yield number, f"the line is over {MAX_LINE_BYTES:,} bytes"
            elif line.strip():
                yield number, _json_object(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)


def _json_object(line: bytes) -> Mapping[str, Any] | str:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"not JSON: {error}"
    return row if isinstance(row, dict) else "not a JSON object"


def _read_csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    """Columns may be separated by commas, semicolons, tabs or bars; their names have any case."""
    csv.field_size_limit(MAX_LINE_BYTES)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        separator = _separator(path, file.readline(MAX_LINE_BYTES))
        file.seek(0)
        rows = csv.reader(file, strict=True, delimiter=separator)
        header = _columns(next(rows, []))
        if "product_id" not in header:
            names = ", ".join(name[:40] for name in header[:20]).encode(errors="replace").decode()
            raise CatalogueInvalid(
                f"{path}: the first line must name the columns, product_id among them. It names: {names or 'none'}. "
                "Rename the one that tells the products apart."
            )
        while True:
            line = rows.line_num + 1
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, f"not CSV: {error}"
                continue
            if len(cells) > len(header):
                yield line, f"{len(cells) - len(header)} cells more than the header has; is a {separator!r} unquoted?"
            elif any(cells):
                yield line, dict(zip(header, map(_decoded, cells), strict=False))


def _separator(path: Path, first: str) -> str:
    """What separates the columns that the first line names."""
    if first.startswith(("\udcff\udcfe", "\udcfe\udcff")):
        raise CatalogueInvalid(f"{path}: is UTF-16. Save it as UTF-8: iconv -f UTF-16 -t UTF-8 {path.name} > new.csv")
    return max(",;\t|", key=first.count)  # of none the comma


def _columns(names: list[str]) -> list[str]:
    """With a field's own name where it is only written another way: " Product ID" is product_id."""
    fields = [re.sub(r"[\s-]+", "_", name.strip().lower()) for name in names]
    known = (_FIELDS | _OTHER_FIELDS) - set(names)
    return [field if field in known else name for name, field in zip(names, fields, strict=True)]


def _decoded(cell: str) -> str:
    """What is not UTF-8 is what spreadsheets on Windows write."""
    return cell.encode("utf-8", "surrogateescape").decode("cp1252", "replace") if _ESCAPED.search(cell) else cell


def _read_parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    number = 0
    with pq.ParquetFile(path) as file:
        if "product_id" not in file.schema_arrow.names:
            raise CatalogueInvalid(f"{path}: has no column product_id")
        has_photos = any(map(_is_binary, file.schema_arrow.types))
        for batch in file.iter_batches(batch_size=_TOGETHER_WITH_PHOTOS if has_photos else _TOGETHER):
            for row in _parquet_rows(batch):
                number += 1
                yield number, row


def _is_binary(kind: pa.DataType) -> bool:
    told = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(told) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary))


def _parquet_rows(batch: pa.RecordBatch) -> Iterator[Mapping[str, Any] | str]:
    try:
        yield from batch.to_pylist()
    except (ValueError, OverflowError):  # text that is no UTF-8, a date no calendar has: only that row is lost
        for at in range(batch.num_rows):
            try:
                yield batch.slice(at, 1).to_pylist()[0]
            except (ValueError, OverflowError) as error:
                yield f"cannot be read: {error}"


_READERS: Final[Mapping[str, Callable[[Path], Iterator[tuple[int, Mapping[str, Any] | str]]]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}


def _parse(line: int, row: Mapping[str, Any]) -> Iterator[CatalogueRow | RowProblem]:
    """One row; first the warnings of its optional fields, then the row itself or its error."""
    fields: dict[str, Any] = {"attributes": {}}
    absent: list[str] = []
    for name, value in row.items():
        try:
            _read_field(name, value, fields)
        except (ValueError, RecursionError) as error:
            absent.append(f"{name}: {error}")
    photo = fields.pop("photo", None)
    if photo is not None and not fields.get("images"):
        fields["images"] = ("image_jpeg",)
    product_id = fields.get("product_id", "")[:128] or None
    read: CatalogueRow | RowProblem
    try:
        read = CatalogueRow(line, _product(fields, absent), photo)
    except ValidationError as error:
        read = RowProblem(line, product_id, "error", first_reason(error))
    for reason in absent:
        yield RowProblem(line, product_id, "warning", f"{_short(reason)}; taken as absent")
    yield read


def _product(fields: Mapping[str, Any], absent: list[str]) -> Product:
    """Leave out optional fields over their limits and say so in `absent`; raises ValidationError."""
    try:
        return Product.model_validate(fields)
    except ValidationError as error:
        unfit = {str(part["loc"][0]): str(part["msg"]) for part in _parts(error) if part["loc"]}
        if not unfit or "product_id" in unfit:
            raise
    absent += [f"{name}: {reason}" for name, reason in unfit.items()]
    return Product.model_validate({name: value for name, value in fields.items() if name not in unfit})


def _read_field(name: str, value: Any, fields: dict[str, Any]) -> None:
    """Put one column into `fields`; raises ValueError for an optional one that cannot be read."""
    if value is None or value in ("", b""):
        return
    if name == "image_jpeg" or (name == "image" and isinstance(value, bytes)):
        if not isinstance(value, bytes):
            raise ValueError("not bytes")
        fields["photo"] = value
    elif name == "price":
        fields["price"] = optional_number(value)
    elif name == "in_stock":
        fields["in_stock"] = _boolean(value)
    elif name in {"images", "image"}:
        fields["images"] = fields.get("images") or _images(value)
    elif name == "attributes":
        _read_attributes(_attributes(value), fields["attributes"])
    elif name in _FIELDS:
        fields[name] = _field(name, value)
    elif not isinstance(value, bytes):
        fields["attributes"][name] = _attribute(value)


def _field(name: str, value: Any) -> str:
    if name == "category" and isinstance(value, list):
        return CATEGORY_SEPARATOR.join(map(_text, value))
    text = _text(value)
    return without_html(text) if name in {"title", "description"} else text


def _text(value: Any) -> str:
    if isinstance(value, (list, dict)):
        raise ValueError("neither text nor a number")
    if isinstance(value, bytes):
        return value.decode()
    whole = isinstance(value, float) and value.is_integer()  # Parquet holds whole numbers with gaps as floats
    return str(int(value) if whole else value)


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


def _read_attributes(given: Mapping[str, Any], attributes: dict[str, str]) -> None:
    """Keep those that can be read; raises ValueError about the others."""
    unfit: list[str] = []
    for name, value in given.items():
        try:
            attributes[name] = _attribute(value)
        except ValueError as error:
            unfit.append(f"{name}: {error}")
    if unfit:
        raise ValueError("; ".join(unfit))


def _attributes(value: Any) -> dict[str, Any]:
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
    return {str(key): item for key, item in value.items() if item is not None and item != ""}


def _attribute(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, bool | list | dict) else _text(value)
    if len(text) > MAX_ATTRIBUTE:
        raise ValueError(f"has {len(text):,} characters; at most {MAX_ATTRIBUTE:,} are kept")
    return text


def _parts(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_input=False, include_context=False)


def _short(reason: str) -> str:
    return reason if len(reason) <= 300 else f"{reason[:300]}…"
