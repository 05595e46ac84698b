"""Training pairs from a behaviour log and a catalogue, from the first row to the last."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from catalogue.errors import InvalidInput
from catalogue.files import sync_directory, write_atomic
from catalogue.readers import check_catalogue
from models.pairs.constraints import constraints, judge, with_roles
from models.pairs.database import database, one_row
from models.pairs.log import Log, find_files
from models.pairs.options import SCALE, Options
from models.pairs.report import Report, apply_partners, sample, steps
from models.pairs.shop import load_products
from models.pairs.windows import WindowCounts, load_windows

if TYPE_CHECKING:
    from models.pairs.database import Connection

SCHEMA: Final = pa.schema(
    {
        "trigger_id": pa.string(),
        "recall_id": pa.string(),
        "weight": pa.int64(),  # in how many windows they came together
        "title_relevance": pa.float32(),  # 0..1; null where one of the two has no title
        "query_relevance": pa.float32(),  # 0..1; null where they were never found with a query
        "category": pa.string(),  # that both have
    }
)
"""A pair stands once; which of the two is the trigger says nothing (it is drawn evenly)."""
_ROW_GROUP: Final = 131_072

Say = Callable[[str], None]


def mine(log: Path, catalogue: Path, out: Path, options: Options, say: Say = lambda _: None) -> Report:
    """Write the pairs to `out` (Parquet, SCHEMA, by trigger and recall) and the report beside it (JSON).

    The same input and options give the same bytes. `say` is told what is being done.

    Raises InvalidInput for a log that cannot be used or gives no pairs, CatalogueInvalid for a catalogue that cannot be
    read, NotEnoughMemory where memory or disk do not suffice, ConfigurationError without DuckDB. Then nothing is
    written.
    """
    if out.suffix.lower() != ".parquet":
        raise InvalidInput(f"{out}: pairs are written as Parquet; give a name that ends in .parquet")
    check_catalogue(catalogue)
    find_files(log)
    folder = options.temporary or out.parent
    with database(folder, memory_bytes=options.memory_bytes, threads=options.threads) as connection:
        reader = Log(connection, log, options)
        say("reading the catalogue")
        left_out = load_products(connection, catalogue, options.category_level)
        say("reading the log")
        rows = reader.load()
        say("cutting it into windows")
        windows = load_windows(connection, options)
        if not windows.of_several:
            raise InvalidInput(f"{log}: {_nothing_together(windows, options)}")
        report = _choose(connection, reader, left_out, rows, windows, options, say)
        if not report.pairs:
            raise InvalidInput(f"{log}: {_nothing_left(report)}")
        say("writing the pairs")
        _write(connection, out)
    write_atomic(out.with_suffix(".json"), json.dumps(asdict(report), indent=1, ensure_ascii=False).encode() + b"\n")
    return report


def _choose(
    connection: "Connection",
    reader: Log,
    left_out: int,
    rows: dict[str, int],
    windows: WindowCounts,
    options: Options,
    say: Say,
) -> Report:
    say("pairing what came together")
    chosen = constraints(connection, options)
    judge(connection, chosen)
    connection.execute("DROP TABLE visits")
    say("keeping the best pairs of each product")
    capped_alone = apply_partners(connection, options.max_partners)
    say("counting")
    precision, found = steps(connection, chosen, options.max_partners, capped_alone)
    (products,) = one_row(connection, "SELECT count(*) FROM products")
    (candidates,) = one_row(connection, "SELECT count(*) FROM candidates")
    (paired,) = one_row(
        connection, "SELECT count(DISTINCT product) FROM (SELECT unnest([one, other]) AS product FROM kept)"
    )
    return Report(
        products=int(products),
        products_left_out=left_out,
        columns=reader.columns,
        rows=rows,
        windows=windows,
        candidates=int(candidates),
        candidates_precision=precision,
        steps=found,
        pairs=found[-1].left,
        products_in_pairs=int(paired),
        sample=sample(connection, chosen, options),
    )


def _write(connection: "Connection", out: Path) -> None:
    """Stream the pairs into a file of a temporary name, and rename it into place."""
    rows = connection.sql(
        f"""
        SELECT a.product_id AS trigger_id, b.product_id AS recall_id, weight,
          (title_relevance / {SCALE})::FLOAT AS title_relevance, (query_relevance / {SCALE})::FLOAT AS query_relevance,
          if(a.category = b.category, a.category, NULL) AS category
        FROM ({with_roles("FROM kept")}) JOIN products a ON a.code = trigger_code
          JOIN products b ON b.code = recall_code
        ORDER BY trigger_id, recall_id"""  # noqa: S608  # numbers of ours
    ).to_arrow_reader(_ROW_GROUP)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
            for group in _row_groups(rows):
                writer.write_table(group)
        sync_directory(temporary)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(out.parent)


def _row_groups(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Tables of _ROW_GROUP rows, however the batches are cut: the bytes must not depend on that."""
    waiting: list[pa.RecordBatch] = []
    for batch in rows:
        waiting.append(batch)
        if sum(part.num_rows for part in waiting) >= _ROW_GROUP:
            table = pa.Table.from_batches(waiting).cast(SCHEMA)
            while len(table) >= _ROW_GROUP:
                yield table.slice(0, _ROW_GROUP).combine_chunks()
                table = table.slice(_ROW_GROUP)
            waiting = table.combine_chunks().cast(rows.schema).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting).cast(SCHEMA).combine_chunks()


def _nothing_together(windows: WindowCounts, options: Options) -> str:
    if windows.crowded:
        return (
            f"no two known products came together in one {options.window}, but for {windows.crowded:,} of more than "
            f"{options.max_products} products. Allow more with --max-products."
        )
    return (
        f"no two known products came together in any of {windows.used:,} windows ({options.window}). Take a log of a "
        "longer time, more --action, or longer sessions with --minutes."
    )


def _nothing_left(report: Report) -> str:
    removed = ", ".join(f"{step.name} {step.removed:,} ({step.setting})" for step in report.steps if step.removed)
    return (
        f"no pair is left of {report.candidates:,}. Removed by {removed}. Loosen the constraint that removes too many; "
        "0 switches one off."
    )
