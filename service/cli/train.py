"""`samestyle train`: an encoder from a catalogue, its styles, and pairs from behaviour."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from catalogue.errors import ConfigurationError
from service.cli.common import AsJson, err, out, settings_of, told


def train(
    catalogues: Annotated[
        list[Path] | None, typer.Argument(help="Catalogues with style_id, in place of those in the configuration.")
    ] = None,
    out_dir: Annotated[Path, typer.Option("--out", help="The run's directory.")] = Path("training"),
    config: Annotated[Path | None, typer.Option(help="A .toml or .json file; see docs/training.md.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Pairs, as `samestyle pairs mine` writes them, or triplets.")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(help="A `dual` bundle: its encoders stay as they are, a fusion encoder over them is trained."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="name=value on top, as losses.hinge=0; any number of times.")
    ] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Leave out the 30 % of styles that `evaluate --held-out` asks for.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")] = False,
    photos: Annotated[
        Path | None, typer.Option(help="Where decoded photos are kept, for several runs.", show_default="in --out")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train the cross-modal encoder; interrupted, it goes on with --resume as if nothing had happened."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait by spinning take the cores from each other
    with told():
        running = _training()
        changes = _changes(catalogues, pairs, base, settings, held_out=held_out)
        run = running.Run(
            running.configuration(config, changes, out_dir, resume=resume),
            out_dir,
            resume=resume,
            threads=settings_of().threads.onnx,
        )
        with _bar("reading products", shown=run.is_main) as (bar, task):
            corpus = run.read(lambda rows: bar.advance(task, rows), photos)
        if run.is_main:
            err.print(corpus.summary, soft_wrap=True)
        figures: dict[str, float] = {}
        with _bar("training", run.config.steps, shown=run.is_main) as (bar, task):

            def report(line: Mapping[str, Any]) -> None:
                if scores := line.get("late_fusion"):
                    bar.console.print(f"late fusion  {_scores(scores)}", soft_wrap=True, highlight=False)
                    return
                bar.update(task, completed=line["step"], description=f"loss {line['loss']:.3f}")
                if scores := line.get("scores"):
                    figures.update(scores)
                    bar.console.print(_figures(line, scores), soft_wrap=True, highlight=False)

            encoded = 0

            def encoding(photos: int) -> None:
                nonlocal encoded
                encoded += photos
                bar.update(task, description=f"{encoded:,} photos encoded")

            try:
                run.train(corpus, report, encoding)
            except KeyboardInterrupt:
                if run.is_main and run.has_checkpoint:
                    err.print("Stopped. The same command with --resume goes on from the last checkpoint.")
                raise
    if not run.is_main:
        return
    if as_json:
        out.print_json(json.dumps({"weights": str(run.weights), "figures": figures}))
        return
    out.print(f"{run.weights} holds the weights with the best figures.", soft_wrap=True)


def _training() -> ModuleType:
    """What trains; PyTorch takes seconds to import, and `--help` should not."""
    try:
        from models.training import run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"Training needs the package {error.name}. Install samestyle[train].") from error
    return run


def _changes(
    catalogues: list[Path] | None,
    pairs: Path | None,
    base: Path | None,
    settings: list[str] | None,
    *,
    held_out: bool,
) -> tuple[str, ...]:
    changes = list(settings or ())
    if catalogues:
        changes.append("data.catalogues=" + json.dumps([{"path": str(path)} for path in catalogues]))
    if pairs:
        changes.append("data.pairs=" + json.dumps(str(pairs)))
    if base:
        changes.append("network.base=" + json.dumps(str(base)))
    if held_out:
        changes.append("data.held_out=true")
    return tuple(changes)


@contextmanager
def _bar(what: str, total: int | None = None, *, shown: bool) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=err, transient=True, disable=not shown) as bar:
        yield bar, bar.add_task(what, total=total)


def _figures(line: Mapping[str, Any], scores: Mapping[str, float]) -> str:
    return f"step {line['step']:,}  loss {line['loss']:.3f}  {_scores(scores)}"


def _scores(scores: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in scores.items())
