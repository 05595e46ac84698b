"""`samestyle bench`: measurements on this machine."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from service.cli.common import AsJson, err, told

app = typer.Typer(no_args_is_help=True, help="Measure on this machine.")
out = Console(width=160)  # the tables are kept in files


@app.callback()
def bench() -> None:
    """Measure the index beside other libraries (extra `bench`), and the gateway beside its own models and index."""


@app.command("index")
def bench_index(
    rows: Annotated[int, typer.Option(min=1_000, help="How many vectors.")] = 1_000_000,
    work: Annotated[Path, typer.Option(help="Where vectors and indexes are kept for the next run.")] = Path(
        "/tmp/samestyle-bench"  # noqa: S108  # gigabytes that no one misses
    ),
    photos: Annotated[
        Path | None, typer.Option(help="A folder of Parquet files with photos.", show_default="the demo catalogue's")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="speed or filters; both by default.")] = None,
    peer: Annotated[list[str] | None, typer.Option(help="A library to compare with; all by default.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How many times all are measured in turn.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Search speed, build time, memory and filters of the index, beside other libraries (docs/benchmarks.md)."""
    from bench.index.main import run  # noqa: PLC0415  # FAISS and the encoders take a second
    from bench.index.report import show  # noqa: PLC0415

    with told():
        found = run(work, photos, rows, peers=peer, steps=only, rounds=rounds, say=err.print)
    _print(found, show, as_json=as_json)


@app.command("gateway")
def bench_gateway(
    data: Annotated[Path, typer.Option(help="A data directory; nothing is written to it.")] = Path("data/demo"),
    only: Annotated[
        list[str] | None, typer.Option(help="answers, cpu, latency, cached, batching, overload; all by default.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each measurement takes.")] = 4.0,
    redis: Annotated[
        str | None, typer.Option(help="redis://host:port/db: photos that it knows are measured, too.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the gateway adds to its models and index called directly, and how it takes overload (docs/benchmarks.md)."""
    from bench.gateway.main import run  # noqa: PLC0415  # FAISS and the encoders take a second
    from bench.gateway.report import show  # noqa: PLC0415

    with told():
        found = run(data, only=only, seconds=seconds, redis=redis, say=err.print)
    _print(found, show, as_json=as_json)


def _print(found: dict[str, Any], show: Callable[[dict[str, Any], Console], None], *, as_json: bool) -> None:
    if as_json:
        out.print_json(json.dumps(found))
    else:
        show(found, out)
