"""The command line."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from catalogue.errors import InvalidInput, SamestyleError
from catalogue.readers import count_rows
from catalogue.settings import Settings

if TYPE_CHECKING:
    from index.plan import Choice

app = typer.Typer(
    no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, help="Same-style product retrieval."
)
snapshot_app = typer.Typer(no_args_is_help=True, help="Index snapshots.")
app.add_typer(snapshot_app, name="snapshot")
out = Console()
err = Console(stderr=True)

Data = Annotated[Path | None, typer.Option("--data", help="The data directory.", show_default="SAMESTYLE_DATA or data")]
Bundle = Annotated[Path | None, typer.Option("--bundle", help="A model bundle.", show_default="the default one")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@contextmanager
def _told() -> Iterator[None]:
    """Errors raised on purpose become one line and exit code 1; anything else is a fault and keeps its trace."""
    try:
        yield
    except SamestyleError as error:
        raise _failure(str(error)) from None
    except OSError as error:
        raise _failure(f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")) from None


def _failure(message: str) -> typer.Exit:
    """Say what went wrong, as it is: a path or title may look like markup."""
    err.print("error:", style="red", end=" ")
    err.print(message, markup=False, highlight=False)
    return typer.Exit(1)


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "__".join(str(part) for part in first["loc"]).upper()
        raise _failure(f"SAMESTYLE_{name} (or its option): {first['msg']}") from None


def _version(asked: bool) -> None:  # Typer's way
    if asked:
        out.print(version("samestyle"))
        raise typer.Exit


@app.callback()
def main(
    show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Same-style product retrieval."""


@app.command()
def build(
    catalogue: Annotated[Path, typer.Argument(help="A .jsonl, .csv or .parquet file.")],
    name: Annotated[str, typer.Option(help="The snapshot's name.")],
    data: Data = None,
    bundle: Bundle = None,
    recall: Annotated[float, typer.Option(help="Recall@10 the index is tuned for; 1 scans everything.")] = 0.99,
    index_type: Annotated[
        str | None,
        typer.Option(help="flat, hnsw, ivf-flat, ivf-sq8 or ivf-pq.", show_default="by the number of products"),
    ] = None,
    index_parameter: Annotated[
        list[str] | None,
        typer.Option(
            help="name=value, any number of times: m, ef_construction, ef_search; nlist, nprobe; pq_m, refine."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build an index snapshot from a catalogue; interrupted, it goes on where it was."""
    from index.plan import Choice  # noqa: PLC0415

    settings = _settings(data=data, bundle=bundle)
    with _told():
        choice = Choice(recall, index_type, dict(map(_parameter, index_parameter or ())))
        report = build_with_progress(settings, catalogue, name, choice)
    if as_json:
        out.print_json(json.dumps(asdict(report), default=str))
        return
    rate = report.products / report.seconds
    out.print(f"Built {report.snapshot}: {report.products:,} products in {report.seconds:.1f} s ({rate:.1f}/s).")
    out.print(f"Index: {report.index_type}, recall@10 {report.recall_at_10:.3f} against exact search.")
    if report.index_type != "flat" and report.recall_at_10 < recall:
        err.print(f"That is below {recall:g}. Give greater --index-parameter values, or --index-type flat.")
    if report.reused:
        out.print(f"{report.reused:,} vectors came from an interrupted build.")
    if report.errors or report.warnings:
        out.print(f"Rows left out: {report.errors:,}, warnings: {report.warnings:,}; see {report.report}")


@app.command()
def serve(
    data: Data = None,
    bundle: Bundle = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
) -> None:
    """Serve the newest snapshot of the data directory."""
    from service.server import run  # noqa: PLC0415  # importing the server takes a second, --help should not

    with _told():
        run(_settings(data=data, bundle=bundle, host=host, port=port))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Answer once and leave, without serving.")] = False,
    data: Annotated[Path, typer.Option(help="The data directory.")] = Path("data/demo"),
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
) -> None:
    """Build the demo catalogue's index where needed, print one real answer, and serve."""
    from service import demo as shop  # noqa: PLC0415

    settings = _settings(data=data, port=port)
    with _told():
        shop.prepare(settings, lambda catalogue, name: build_with_progress(settings, catalogue, name))
        _print_demo(asyncio.run(shop.ask(settings)))
        if not once:
            from service.server import run  # noqa: PLC0415

            run(settings)


@snapshot_app.command("list")
def snapshot_list(data: Data = None, as_json: AsJson = False) -> None:
    """List the snapshots of a data directory, the newest first."""
    from index.snapshot import list_snapshots  # noqa: PLC0415

    manifests, refused = list_snapshots(_settings(data=data).data / "snapshots")
    if as_json:
        out.print_json(json.dumps([manifest.model_dump(mode="json", exclude={"files"}) for manifest in manifests]))
        return
    if not manifests and not refused:
        out.print("There are no snapshots yet; `samestyle build` makes one.")
        return
    table = Table("name", "created", "products", "model", "fingerprint", "index", "recall@10")
    for manifest in manifests:
        table.add_row(
            manifest.name,
            f"{manifest.created_at:%Y-%m-%d %H:%M:%S}",
            f"{manifest.products:,}",
            manifest.model,
            manifest.fingerprint[:12],
            manifest.index_type,
            f"{manifest.recall_at_10:.3f}",
        )
    out.print(table)
    for error in refused:
        err.print(f"refused: {error}", markup=False, highlight=False)


@snapshot_app.command("verify")
def snapshot_verify(name: Annotated[str, typer.Argument()], data: Data = None) -> None:
    """Check every byte of a snapshot against its manifest."""
    from index.snapshot import snapshot_path, verify  # noqa: PLC0415

    with _told():
        manifest = verify(snapshot_path(_settings(data=data).data / "snapshots", name))
    out.print(f"{name}: {len(manifest.files)} files, {manifest.products:,} products, all as written.")


def _parameter(given: str) -> tuple[str, int]:
    """`name=value`; raises InvalidInput for what is not."""
    name, _, value = given.partition("=")
    if not name or not value.isascii() or not value.isdigit() or len(value) > 18:
        raise InvalidInput(f"--index-parameter {given[:100]!r} is not name=value with a whole number, as nprobe=32.")
    return name, int(value)


def build_with_progress(settings: Settings, catalogue: Path, name: str, choice: "Choice | None" = None) -> Any:
    """Build with a bar: rows, rate and time left."""
    from index.search import set_faiss_threads  # noqa: PLC0415
    from service import build as building  # noqa: PLC0415
    from service.state import load_embedder  # noqa: PLC0415

    choice = choice or building.DEFAULT_CHOICE
    building.check(catalogue, settings.data, name, choice)
    set_faiss_threads(settings.threads.faiss)
    embedder = load_embedder(settings)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("embedding", total=count_rows(catalogue), rate="")

        def advance(rows: int) -> None:
            bar.advance(task, rows)
            bar.update(task, rate=f"{bar.tasks[task].speed or 0:.1f}/s")

        return building.build(
            catalogue,
            settings.data,
            name,
            embedder,
            decode_threads=settings.threads.decode,
            choice=choice,
            progress=advance,
        )


def _print_demo(answers: list[tuple[str, list[Any]]]) -> None:
    for question, found in answers:
        table = Table("score", "product", "supplier", "title", "price", title=escape(question), title_justify="left")
        for hit in found:
            product = hit.item.product
            price = f"{product.price:.2f} {product.currency}" if product.price is not None else ""
            table.add_row(f"{hit.score:.3f}", product.product_id, product.supplier_id, escape(product.title), price)
        out.print(table)
