"""`samestyle pairs`: training pairs from behaviour."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape
from rich.table import Column, Table

from catalogue.errors import InvalidInput
from catalogue.threads import available_cores
from service.cli.common import AsJson, err, out, print_table, told

if TYPE_CHECKING:
    from models.pairs import Precision, Report

pairs_app = typer.Typer(no_args_is_help=True, help="Training pairs.")
_TITLE_WIDTH: Final = 60


@pairs_app.callback()
def pairs() -> None:
    """Pairs of products that shoppers took for the same, to train on."""


@pairs_app.command()
def mine(
    log: Annotated[Path, typer.Argument(help="The behaviour log: a .parquet or .csv file, or a folder of them.")],
    catalogue: Annotated[Path, typer.Argument(help="A .jsonl, .csv or .parquet file.")],
    file: Annotated[Path, typer.Option("--out", help="The pairs; their report goes beside it.")] = Path(
        "pairs.parquet"
    ),
    user: Annotated[str | None, typer.Option(help="The log's column for the user.", show_default="user_id")] = None,
    session: Annotated[str | None, typer.Option(help="... the session.", show_default="session_id")] = None,
    query: Annotated[str | None, typer.Option(help="... the query.", show_default="query")] = None,
    product: Annotated[str | None, typer.Option(help="... the product.", show_default="product_id")] = None,
    time: Annotated[str | None, typer.Option(help="... the time.", show_default="time")] = None,
    action_column: Annotated[str | None, typer.Option(help="... the action.", show_default="action")] = None,
    time_format: Annotated[
        str | None, typer.Option(help="As of strptime: '%d/%m/%Y %H:%M'.", show_default="ISO 8601 or since 1970")
    ] = None,
    action: Annotated[
        list[str] | None,
        typer.Option(help="An action that counts, and how much: purchase=3.", show_default="click, cart, purchase"),
    ] = None,
    window: Annotated[
        str, typer.Option(help="Together in one session, or in one query of it: session or query.")
    ] = "session",
    minutes: Annotated[
        int, typer.Option(min=1, help="A user without session ids has a new session after so long.")
    ] = 30,
    max_products: Annotated[int, typer.Option(min=2, help="Windows of more products are left out: no shopper's.")] = 30,
    category_level: Annotated[
        int | None,
        typer.Option(min=0, help="Levels of the category that must be equal; 0: none.", show_default="all of them"),
    ] = None,
    min_title: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of words that the titles have in common, by weight.")
    ] = 0.15,
    min_query: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of the query that stands in both titles, by weight.")
    ] = 0.1,
    min_weight: Annotated[int, typer.Option(min=0, help="Least number of windows with both.")] = 2,
    min_association: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of their windows in which both are (docs/pairs.md).")
    ] = 0.1,
    max_partners: Annotated[int, typer.Option(min=0, help="Most pairs of one product; 0: no limit.")] = 20,
    sample: Annotated[int, typer.Option(min=0, max=1_000, help="How many pairs of each kind are shown.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Which ones.")] = 0,
    memory_gb: Annotated[
        float | None, typer.Option(min=0.1, help="What DuckDB may take.", show_default="half of what is free")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of DuckDB.", show_default="one a core")] = None,
    temp: Annotated[
        Path | None, typer.Option(help="Folder for what does not fit into memory.", show_default="beside the pairs")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Mine training pairs from what shoppers clicked or bought together, constrained until most are one style.

    Each constraint says how many pairs it removed, and, where the catalogue has styles, how right those left are; 0
    switches one off. Needs the extra `train`.
    """
    from models.pairs import Options  # noqa: PLC0415  # NumPy and Arrow take a moment, --help should not
    from models.pairs import mine as run  # noqa: PLC0415
    from service.memory import available_bytes  # noqa: PLC0415

    roles = {
        "user": user,
        "session": session,
        "query": query,
        "product": product,
        "time": time,
        "action": action_column,
    }
    with told():
        if window not in {"session", "query"}:
            raise InvalidInput(f"--window {window!r} is neither session nor query.")
        options = Options(
            columns={role: name for role, name in roles.items() if name is not None},
            time_format=time_format,
            **({"actions": dict(map(_action, action))} if action else {}),
            window="query" if window == "query" else "session",
            minutes=minutes,
            max_products=max_products,
            category_level=category_level,
            min_title=min_title,
            min_query=min_query,
            min_weight=min_weight,
            min_association=min_association,
            max_partners=max_partners,
            sample=sample,
            seed=seed,
            memory_bytes=int(memory_gb * 1e9) if memory_gb else available_bytes() // 2,
            threads=threads or available_cores(),
            temporary=temp,
        )
        with err.status("mining pairs") as status:
            report = run(log, catalogue, file, options, status.update)
    if as_json:
        out.print_json(json.dumps(asdict(report)))
    else:
        _print(report, file)


def _action(given: str) -> tuple[str, int]:
    """`name` or `name=weight`; raises InvalidInput for what is neither."""
    match = re.fullmatch(r"([^=]*[^=\s][^=]*)(?:=([1-9][0-9]{0,2}))?", given)
    if match is None:
        raise InvalidInput(
            f"--action {given[:100]!r} is neither an action nor action=weight with a weight from 1 to 999."
        )
    return match[1], int(match[2] or 1)


def _print(report: "Report", file: Path) -> None:
    rows = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in report.rows.items() if count)
    columns = ", ".join(f"{role} {name}" for role, name in report.columns.items())
    out.print(f"Log: {rows} (columns: {columns}).", markup=False, highlight=False, soft_wrap=True)
    windows = report.windows
    out.print(
        f"Windows: {windows.used:,}, {windows.of_several:,} of several products; {windows.crowded:,} of too many.",
        highlight=False,
    )
    table = Table(
        "constraint",
        Column("removed alone", justify="right"),
        Column("removed", justify="right"),
        Column("left", justify="right"),
        "one style",
    )
    table.add_row("came together", "", "", f"{report.candidates:,}", _share(report.candidates_precision))
    for step in report.steps:
        table.add_row(
            f"{step.name}: {step.setting}",
            f"{step.removed_alone:,}",
            f"{step.removed:,}",
            f"{step.left:,}",
            _share(step.precision),
        )
    print_table(table)
    if report.sample:
        _print_sample(report)
    out.print(
        f"{report.pairs:,} pairs of {report.products_in_pairs:,} products (of {report.products:,}), in {file}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _print_sample(report: "Report") -> None:
    one, other = (Column(name, max_width=_TITLE_WIDTH) for name in ("one", "other"))
    table = Table("", one, other, "weight", "title", "query", "one style")
    removed_by: str | None = ""
    for pair in report.sample:
        if pair.removed_by != removed_by:
            table.add_section()
            removed_by = pair.removed_by
        table.add_row(
            f"not {removed_by}" if removed_by else "kept",
            escape(pair.trigger_title or pair.trigger_id),
            escape(pair.recall_title or pair.recall_id),
            str(pair.weight),
            "" if pair.title_relevance is None else f"{pair.title_relevance:.2f}",
            "" if pair.query_relevance is None else f"{pair.query_relevance:.2f}",
            {True: "yes", False: "no", None: ""}[pair.same_style],
        )
    print_table(table)


def _share(precision: "Precision | None") -> str:
    if precision is None:
        return ""
    low, high = precision.interval
    return f"{precision.share:.3f} ({low:.3f} to {high:.3f})"
