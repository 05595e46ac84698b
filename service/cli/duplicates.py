"""`samestyle duplicates`."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Column, Table

from catalogue.errors import InvalidInput
from catalogue.files import write_atomic
from service.cli.common import Data, err, print_table, settings_of, told

SHOWN: Final = 100
"""Lines on a terminal."""
_TITLE_WIDTH: Final = 80


def duplicates(
    supplier: Annotated[str | None, typer.Option(help="Only what this supplier lists more than once.")] = None,
    filter_: Annotated[
        str, typer.Option("--filter", help="Only listings that pass, as 'category=\"Home\" price<=20'.")
    ] = "",
    data: Data = None,
    snapshot: Annotated[
        str | None, typer.Option(help="The snapshot's name.", show_default="the one that is live")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="A .csv, .parquet or .json file.", show_default="the terminal")
    ] = None,
) -> None:
    """List products that stand more than once: same style, and not different variants by their own words.

    A CSV holds titles as the catalogue has them: a title may begin with =, +, - or @, which spreadsheets take for a
    formula. Import such columns as text.
    """
    from index import Filters  # noqa: PLC0415  # Arrow and FAISS take a second, --help should not
    from service.duplicates import KINDS, duplicate_table, find_snapshot  # noqa: PLC0415

    with told():
        if file is not None and file.suffix.lower() not in KINDS:
            raise InvalidInput(f"--out {file} is of unknown kind. Give a name that ends in {', '.join(KINDS)}.")
        path = find_snapshot(settings_of(data=data).data, snapshot)
        found = duplicate_table(path, supplier=supplier, filters=Filters.parse(filter_))
        if file is not None:
            write_atomic(file, KINDS[file.suffix.lower()](found))
    groups = len(found["style_group"].unique())
    if file is None:
        _print(found)
    where = f"in {path.name}" if file is None else f"of {path.name}, in {file}"
    err.print(f"{groups:,} groups, {len(found):,} listings {where}", markup=False, highlight=False)


def _print(found: Any) -> None:
    """The first lines, each group under its name."""
    title = Column("title", max_width=_TITLE_WIDTH)
    table = Table(Column("product", overflow="fold"), "score", Column("supplier", overflow="fold"), title, "price")
    group = None
    for line in found.slice(0, SHOWN).to_pylist():
        if line["style_group"] != group:
            group = line["style_group"]
            table.add_section()
            table.add_row(f"[bold]{escape(group)}[/bold]", "", "", f"{line['group_size']} listings", "")
        price = f"{line['price']:.2f} {line['currency'] or ''}" if line["price"] is not None else ""
        table.add_row(
            f"  {escape(line['product_id'])}",
            f"{line['score']:.3f}",
            escape(line["supplier_id"] or ""),
            escape(line["title"]),
            price,
        )
    print_table(table)
    if len(found) > SHOWN:
        err.print(f"The first {SHOWN} of {len(found):,} lines; --out FILE has them all.")
