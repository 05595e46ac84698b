"""`samestyle evaluate`."""

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from catalogue.errors import ConfigurationError, InvalidInput
from catalogue.files import write_atomic
from catalogue.settings import Settings
from service.cli.common import AsJson, err, out, progress_bar, settings_of, told
from service.cli.scores import print_evaluation

if TYPE_CHECKING:
    from models.bundle import Thresholds
    from models.evaluation.composed import Triplets
    from models.evaluation.data import EvaluationData
    from models.evaluation.photos import Photos
    from models.evaluation.report import BundleFigures
    from models.evaluation.run import Options
    from models.tuning import Tuned

_REASONS_SHOWN: Final = 3


def evaluate(
    source: Annotated[
        Path,
        typer.Argument(metavar="CATALOGUE_OR_PAIRS", help="A catalogue with style_id or GTINs, or labelled pairs."),
    ],
    bundle: Annotated[
        list[Path] | None,
        typer.Option("--bundle", help="A model bundle; several are compared.", show_default="the default one"),
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="The catalogue that pairs are from, where they do not bring their products.")
    ] = None,
    query_text: Annotated[
        str | None,
        typer.Option(help="What is read of a query, as '{title}, {category}'.", show_default="the bundle's own"),
    ] = None,
    gallery_text: Annotated[
        str | None,
        typer.Option(help="What is read of what is searched, as '{description}'.", show_default="the bundle's own"),
    ] = None,
    same_photo_column: Annotated[
        str | None, typer.Option(help="Equal values mean one photo; it must not give the answer away.")
    ] = None,
    same_text_column: Annotated[
        str | None, typer.Option(help="Equal values mean one text, as title; it must not give the answer away.")
    ] = None,
    poor_photos: Annotated[
        bool, typer.Option("--poor-photos", help="Ask once more with cropped, mirrored, darker, compressed photos.")
    ] = False,
    triplets: Annotated[
        Path | None, typer.Option(help="A file of reference_id, target_id and words: this photo, but in white.")
    ] = None,
    words: Annotated[
        str, typer.Option(help="The words of a triplet; a field with ? counts only where it differs.")
    ] = "{words}",
    category_level: Annotated[int, typer.Option(min=1, help="How many levels of the category to tell apart.")] = 1,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Ask only for the 30 % of styles that `train --held-out` leaves out.")
    ] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Write thresholds of 95 % precision into the bundle.")
    ] = False,
    tune_weights: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Choose what photo and text weigh, and write the dual bundle anew into DIR."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="A folder for report.json and a sheet of the worst cases per bundle.")
    ] = None,
    worst: Annotated[int, typer.Option(min=1, max=50, help="Cases of each mode on the sheet.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Measure how well bundles find the other listings of a style, by photo (i), text (t) and both (m).

    A catalogue needs style_id, or GTINs (EAN, UPC) in its place: every product with another listing of its style is a
    query. Pairs need trigger_id, recall_id and mostly label (1 or 0), and titles and photos or --catalogue.
    """
    from models.evaluation.photos import Photos  # noqa: PLC0415  # importing the models takes a second
    from models.evaluation.run import Options  # noqa: PLC0415
    from service.models import DEFAULT_BUNDLE  # noqa: PLC0415

    settings = settings_of()
    options = Options(
        query_text=query_text,
        gallery_text=gallery_text,
        same_photo=same_photo_column,
        same_text=same_text_column,
        poor_photos=poor_photos,
        category_level=category_level,
        worst=worst if folder is not None else 0,
    )
    with told(), ExitStack() as stack:
        if calibrate:
            _check_calibration(bundle, options)
        if tune_weights is not None:
            _check_tuning(bundle, options, tune_weights)
        labels = _labels(bundle or [settings.bundle or DEFAULT_BUNDLE])
        photos = stack.enter_context(Photos((catalogue or source).parent))
        data = _read(source, photos, catalogue, held_out=held_out)
        if calibrate and data.styles is None:
            raise InvalidInput(
                "Thresholds are calibrated on a catalogue with style_id or GTINs. Give one, or no --calibrate."
            )
        asked = _triplets(triplets, words, data) if triplets is not None else None
        found = [_measure(settings, path, label, data, options, asked) for label, path in labels.items()]
        left_out = [*data.left_out, *(asked.left_out if asked is not None else []), *_bad_photos(data)]
        if not any(one.measured.modes for one in found):
            raise InvalidInput(f"{source}: not one query has anything to find. {'; '.join(left_out)}".rstrip("; "))
        if calibrate:
            found = [_calibrated(data, one, held_out=held_out) for one in found]
        if tune_weights is not None:
            found = [replace(found[0], tuned=_tuned(data, found[0], tune_weights))]
        if folder is not None:
            _write(folder, data, left_out, found)
    if as_json:
        from models.evaluation.report import as_json as report_of  # noqa: PLC0415

        out.print_json(json.dumps(report_of(data, left_out, found)))
    else:
        print_evaluation(data, left_out, found)


def _check_calibration(bundles: list[Path] | None, options: "Options") -> None:
    if not bundles:
        raise InvalidInput("--calibrate writes into a bundle. Name it with --bundle.")
    if options.query_text is not None or options.gallery_text is not None or options.same_photo is not None:
        raise InvalidInput(
            "--calibrate is for the texts that are served. Leave --query-text, --gallery-text and --same-photo-column "
            "out."
        )


def _check_tuning(bundles: list[Path] | None, options: "Options", out_dir: Path) -> None:
    from models.bundle import Bundle  # noqa: PLC0415

    if not bundles or len(bundles) > 1:
        raise InvalidInput("--tune-weights is for one bundle. Name it with --bundle.")
    if options.query_text is not None or options.gallery_text is not None:
        raise InvalidInput(
            "--tune-weights is for the texts that are served. Leave --query-text and --gallery-text out."
        )
    family = Bundle.load(bundles[0]).config.family
    if family != "dual":
        raise InvalidInput(f"{bundles[0]} is of family {family}; only dual bundles have weights to tune.")
    if out_dir.exists():
        raise InvalidInput(f"{out_dir} is there already. Give --tune-weights another directory, or remove it.")


def _tuned(data: "EvaluationData", figures: "BundleFigures", out_dir: Path) -> "Tuned":
    """Choose the weights, and write the bundle that has them where that gains anything."""
    from models.tuning import tune  # noqa: PLC0415

    with err.status("tuning weights"):
        tuned = tune(figures.measured.gallery, data.truth)
        if not tuned.is_better:
            return tuned
        try:
            from models.export.reweighted import write_reweighted  # noqa: PLC0415  # PyTorch takes seconds
        except ModuleNotFoundError as error:
            raise ConfigurationError(f"Writing a bundle needs {error.name}. Install samestyle[train].") from error
        made = write_reweighted(Path(figures.path), out_dir, tuned)
    err.print(f"Written into {out_dir}: {made.config.name}, fingerprint {made.fingerprint[:12]}", soft_wrap=True)
    return tuned


def _labels(paths: list[Path]) -> dict[str, Path]:
    """Bundles by name, or by path where names repeat; raises BundleInvalid before anything takes long."""
    from models.bundle import Bundle  # noqa: PLC0415

    if len({path.resolve() for path in paths}) < len(paths):
        raise InvalidInput("A bundle is named twice. Give each --bundle once.")
    names = [Bundle.load(path).config.name for path in paths]
    return {name if names.count(name) == 1 else str(path): path for name, path in zip(names, paths, strict=True)}


def _read(source: Path, photos: "Photos", catalogue: Path | None, *, held_out: bool) -> "EvaluationData":
    from models.evaluation.data import read_catalogue_data  # noqa: PLC0415
    from models.evaluation.pairs import is_pairs_file, read_pairs  # noqa: PLC0415

    with err.status(f"reading {escape(str(source))}"):
        if is_pairs_file(source):
            if held_out:
                raise InvalidInput("--held-out goes by style_id, which pairs do not have. Leave it out.")
            return read_pairs(source, photos, catalogue)
        if catalogue is not None:
            raise InvalidInput(f"--catalogue is for pairs, and {source} has no trigger_id and recall_id.")
        return read_catalogue_data(source, photos, held_out=held_out)


def _measure(
    settings: Settings,
    path: Path,
    label: str,
    data: "EvaluationData",
    options: "Options",
    triplets: "Triplets | None",
) -> "BundleFigures":
    from models import Encoders  # noqa: PLC0415
    from models.evaluation.report import BundleFigures  # noqa: PLC0415
    from models.evaluation.run import measure  # noqa: PLC0415

    encoders = Encoders.load(path, device=settings.device, threads=settings.threads.onnx)
    with progress_bar(f"embedding with {label}") as bar:
        measured = measure(encoders, data, options, triplets=triplets, threads=settings.threads.decode, progress=bar)
    return BundleFigures(label, str(path), encoders.fingerprint, encoders.variant, encoders.licence, measured)


def _triplets(path: Path, words: str, data: "EvaluationData") -> "Triplets":
    from models.evaluation.composed import read_triplets  # noqa: PLC0415

    return read_triplets(path, words, data)


def _calibrated(data: "EvaluationData", figures: "BundleFigures", *, held_out: bool) -> "BundleFigures":
    """Set a bundle's thresholds anew, on the styles that are not held out."""
    from catalogue.demo import is_held_out  # noqa: PLC0415
    from models.bundle import Bundle, write_thresholds  # noqa: PLC0415
    from models.calibration import calibrate  # noqa: PLC0415

    styles = data.styles or []
    rows = [row for row, style in enumerate(styles) if not (held_out and is_held_out(style))]
    vectors = {mode: one[rows] for mode, one in figures.measured.gallery.items() if one[rows].any()}
    before = Bundle.load(figures.path).config.thresholds
    with err.status(f"calibrating {escape(figures.label)}"):
        after = calibrate(vectors, [styles[row] for row in rows], [data.products[row] for row in rows])
    if not any(both.same_style or both.similar for both in after.values()):
        raise InvalidInput(
            f"{data.source} has too few pairs to calibrate on; {figures.path} is as it was. Give a larger catalogue."
        )
    after = {pair: _or_before(both, before.get(pair)) for pair, both in after.items()}
    write_thresholds(Path(figures.path), after)
    return replace(figures, before=before, calibrated=after)


def _or_before(after: "Thresholds", before: "Thresholds | None") -> "Thresholds":
    """What the catalogue says nothing of stays as it was."""
    if before is None:
        return after
    return after.model_copy(update={kind: value for kind, value in before if getattr(after, kind) is None})


def _bad_photos(data: "EvaluationData") -> list[str]:
    """A line about photos that could not be used, with some of the reasons."""
    problems = data.photos.problems
    if not problems:
        return []
    some = "; ".join(list(problems.values())[:_REASONS_SHOWN])
    return [f"photos that cannot be used: {len(problems):,} ({some}{'; …' if len(problems) > _REASONS_SHOWN else ''})"]


def _write(folder: Path, data: "EvaluationData", left_out: list[str], found: "list[BundleFigures]") -> None:
    """report.json, and the contact sheet of each bundle."""
    from models.evaluation.report import as_json  # noqa: PLC0415
    from models.evaluation.sheet import contact_sheet  # noqa: PLC0415

    write_atomic(folder / "report.json", (json.dumps(as_json(data, left_out, found), indent=2) + "\n").encode())
    for number, figures in enumerate(found, 1):
        sheet = contact_sheet(f"{figures.label} on {data.source.name}: the worst cases", data, figures.measured)
        name = "worst.html" if len(found) == 1 else f"worst-{number}.html"
        write_atomic(folder / name, sheet.encode())
        err.print(f"{folder / name}", markup=False, highlight=False, soft_wrap=True)
