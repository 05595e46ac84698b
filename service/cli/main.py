"""`samestyle` itself, `serve` and `demo`, and where all other commands are put together."""

import asyncio
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from service.cli.backup import backup_app
from service.cli.bench import app as bench_app
from service.cli.build import build, build_with_progress
from service.cli.common import Bundle, Data, out, settings_of, told
from service.cli.duplicates import duplicates
from service.cli.evaluate import evaluate
from service.cli.events import events_app
from service.cli.experiment import experiment_app
from service.cli.keys import keys_app
from service.cli.model import model_app
from service.cli.ops import config_app, healthcheck, status
from service.cli.pairs import pairs_app
from service.cli.snapshot import snapshot_app
from service.cli.train import train
from service.signals import end_well_on_signals

app = typer.Typer(
    no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, help="Same-style product retrieval."
)
app.command()(build)
app.command()(duplicates)
app.command()(evaluate)
app.command()(train)
app.command()(status)
app.command()(healthcheck)
app.add_typer(snapshot_app, name="snapshot")
app.add_typer(model_app, name="model")
app.add_typer(keys_app, name="keys")
app.add_typer(pairs_app, name="pairs")
app.add_typer(events_app, name="events")
app.add_typer(experiment_app, name="experiment")
app.add_typer(backup_app, name="backup")
app.add_typer(config_app, name="config")
app.add_typer(bench_app, name="bench")


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
def serve(
    data: Data = None,
    bundle: Bundle = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
) -> None:
    """Serve what `live` should stand for, or else the newest snapshot of the data directory."""
    end_well_on_signals()
    from service.server import run  # noqa: PLC0415  # importing the server takes a second, --help should not

    with told():
        run(settings_of(data=data, bundle=bundle, host=host, port=port))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Answer once and leave, without serving.")] = False,
    data: Annotated[Path, typer.Option(help="The data directory.")] = Path("data/demo"),
    port: Annotated[int | None, typer.Option(help="Port to listen on.", show_default="8000")] = None,
) -> None:
    """Build the demo catalogue's index where needed, print one real answer, and serve."""
    from service import demo as shop  # noqa: PLC0415

    settings = settings_of(data=data, port=port)
    with told():
        shop.prepare(settings, lambda catalogue, name: build_with_progress(settings, catalogue, name))
        _print_demo(asyncio.run(shop.ask(settings)))
        if not once:
            from service.server import run  # noqa: PLC0415

            run(settings)


def _print_demo(answers: list[tuple[str, list[Any]]]) -> None:
    for question, found in answers:
        table = Table("score", "product", "supplier", "title", "price", title=escape(question), title_justify="left")
        for hit in found:
            product = hit.item.product
            price = f"{product.price:.2f} {product.currency}" if product.price is not None else ""
            table.add_row(f"{hit.score:.3f}", product.product_id, product.supplier_id, escape(product.title), price)
        out.print(table)
