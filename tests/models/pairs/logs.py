"""Small logs and catalogues, written as shops would."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from models.pairs import Options, Report, mine

Row = dict[str, Any]

COLUMNS = {"user": "user_id", "session": "session_id", "query": "query", "product": "product_id", "time": "time"}
OPEN = Options(
    min_title=0, min_query=0, min_weight=0, min_association=0, max_partners=0, category_level=0,
    memory_bytes=500_000_000, threads=2,
)  # fmt: skip
"""Every constraint off."""


def event(product: str | None, user: str | None = "u1", time: int | None = 0, **more: Any) -> Row:
    return {"user": user, "session": None, "query": None, "product": product, "time": time, "action": "click"} | more


def write_log(folder: Path, events: Sequence[Row], name: str = "log.parquet") -> Path:
    """Times are in seconds."""
    path = folder / name
    rows = [{COLUMNS.get(role, role): value for role, value in row.items()} for row in events]
    names = list(rows[0])
    schema = pa.schema({name: pa.int64() if name == "time" else pa.string() for name in names})
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def write_catalogue(folder: Path, products: Sequence[Mapping[str, Any]]) -> Path:
    path = folder / "shop.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in products))
    return path


def products(*ids: str, **fields: Any) -> list[Row]:
    return [{"product_id": name, "title": f"title {name}", **fields} for name in ids]


def mined(
    folder: Path, events: Sequence[Row], shop: Sequence[Mapping[str, Any]], options: Options = OPEN, **changes: Any
) -> tuple[list[Row], Report]:
    """The pairs of the file, and the report."""
    out = folder / "pairs.parquet"
    report = mine(write_log(folder, events), write_catalogue(folder, shop), out, replace(options, **changes))
    return pq.read_table(out).to_pylist(), report


def names(pairs: Sequence[Row]) -> set[str]:
    return {"-".join(sorted((row["trigger_id"], row["recall_id"]))) for row in pairs}
