"""`samestyle build`: a snapshot of a catalogue, or of what is live."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from catalogue.errors import InvalidInput
from catalogue.settings import Settings
from service.cli.common import AsJson, Bundle, Data, err, out, progress_bar, settings_of, told

if TYPE_CHECKING:
    from index.plan import Choice
    from service.build import BuildReport


def build(
    name: Annotated[str, typer.Option(help="The snapshot's name.")],
    catalogue: Annotated[Path | None, typer.Argument(help="A .jsonl, .csv or .parquet file.")] = None,
    from_live: Annotated[
        bool, typer.Option("--from-live", help="Cut it from what is live now, beside the gateway, without encoding.")
    ] = False,
    journal_position: Annotated[
        int, typer.Option(min=0, help="The last change of the journal that the catalogue holds already.")
    ] = 0,
    data: Data = None,
    bundle: Bundle = None,
    recall: Annotated[
        float | None,
        typer.Option(
            help="Recall@10 the index is tuned for; 1 scans everything.", show_default="0.99, or as what is live"
        ),
    ] = None,
    index_type: Annotated[
        str | None,
        typer.Option(
            help="flat, hnsw, ivf-flat, ivf-sq8 or ivf-pq.",
            show_default="by the number of products, or as what is live",
        ),
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
    from index.plan import DEFAULT_RECALL, Choice  # noqa: PLC0415

    settings = settings_of(data=data, bundle=bundle)
    with told():
        if (catalogue is None) != from_live:
            raise InvalidInput("Give a catalogue to build from, or --from-live.")
        parameters = dict(map(_parameter, index_parameter or ()))
        asked = Choice(DEFAULT_RECALL if recall is None else recall, index_type, parameters)
        if catalogue is None:
            is_said = recall is not None or index_type is not None or parameters
            _cut(settings, name, asked if is_said else None, as_json=as_json)
            return
        report = build_with_progress(settings, catalogue, name, asked, journal_position=journal_position)
    if as_json:
        out.print_json(json.dumps(asdict(report), default=str))
        return
    rate = report.products / report.seconds
    out.print(f"Built {report.snapshot}: {report.products:,} products in {report.seconds:.1f} s ({rate:.1f}/s).")
    _print_index(report.index_type, report.recall_at_10, asked.recall)
    if report.reused:
        out.print(f"{report.reused:,} vectors came from an interrupted build.")
    if report.errors or report.warnings:
        out.print(f"Rows left out: {report.errors:,}, warnings: {report.warnings:,}; see {report.report}")
    for note in report.notes:
        out.print(f"- {escape(note)}", soft_wrap=True)


def _cut(settings: Settings, name: str, choice: "Choice | None", *, as_json: bool) -> None:
    from index.search import set_faiss_threads  # noqa: PLC0415
    from service.cutting import cut_from_live  # noqa: PLC0415

    set_faiss_threads(settings.threads.faiss)
    with err.status("cutting a snapshot from what is live"):
        manifest = cut_from_live(settings, name, choice=choice)
    if as_json:
        out.print_json(manifest.model_dump_json(exclude={"files"}))
        return
    out.print(
        f"Cut {name}: {manifest.products:,} products, with the journal up to {manifest.journal_position:,}. "
        f"Serve it with: samestyle snapshot activate {name}",
        soft_wrap=True,
    )
    _print_index(manifest.index_type, manifest.recall_at_10, (choice or manifest.choice).recall)


def _print_index(index_type: str, reached: float, asked: float) -> None:
    out.print(f"Index: {index_type}, recall@10 {reached:.3f} against exact search.")
    if index_type != "flat" and reached < asked:
        err.print(f"That is below {asked:g}. Give greater --index-parameter values, or --index-type flat.")


def _parameter(given: str) -> tuple[str, int]:
    """`name=value`; raises InvalidInput for what is not."""
    name, _, value = given.partition("=")
    if not name or not value.isascii() or not value.isdigit() or len(value) > 18:
        raise InvalidInput(f"--index-parameter {given[:100]!r} is not name=value with a whole number, as nprobe=32.")
    return name, int(value)


def build_with_progress(
    settings: Settings, catalogue: Path, name: str, choice: "Choice | None" = None, *, journal_position: int = 0
) -> "BuildReport":
    """Build with a bar: rows, rate and time left."""
    from catalogue.readers import count_rows  # noqa: PLC0415  # Arrow takes a moment, a healthcheck should not
    from index.search import set_faiss_threads  # noqa: PLC0415
    from service import build as building  # noqa: PLC0415
    from service.cutting import check_position  # noqa: PLC0415
    from service.models import default_model  # noqa: PLC0415

    choice = choice or building.DEFAULT_CHOICE
    building.check(catalogue, settings.data, name, choice)
    journal = check_position(settings, journal_position)
    set_faiss_threads(settings.threads.faiss)
    embedder = default_model(settings)
    with progress_bar("embedding", count_rows(catalogue)) as advance:
        return building.build(
            catalogue,
            settings.data,
            name,
            embedder,
            decode_threads=settings.threads.decode,
            choice=choice,
            journal=journal,
            journal_position=journal_position,
            progress=advance,
        )
