"""`samestyle model`: bundles that are here, and bundles made of models that others trained."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.table import Table

from catalogue.errors import ConfigurationError, InvalidInput, SamestyleError
from service.cli.common import AsJson, Data, err, out, print_table, settings_of, told

model_app = typer.Typer(no_args_is_help=True, help="Model bundles: what is here, and what others trained.")

_SAMPLE: Final = 200
"""Products that drift is measured on."""
_DEMO: Final = Path(__file__).parents[2] / "catalogue" / "demo" / "products.jsonl"

Out = Annotated[Path, typer.Option("--out", help="The bundle's directory; it must not be there yet.")]
Name = Annotated[str | None, typer.Option(help="The bundle's name.", show_default="the source's")]
Licence = Annotated[
    str | None, typer.Option(help="Of the weights, where the source does not say it.", show_default="the source's")
]
Variants = Annotated[
    str, typer.Option(help="Variants, the one to be preferred on a device first; float32 is the reference.")
]
Dim = Annotated[int | None, typer.Option(min=1, help="Narrow to so many dimensions, by PCA on --catalogue.")]
Catalogue = Annotated[
    Path | None, typer.Option(help="Whose photos and texts PCA and drift go by.", show_default="the demo's, for drift")
]
Template = Annotated[
    str | None,
    typer.Option(help="How a product becomes text.", show_default="title, category, properties, description"),
]
Weight = Annotated[float, typer.Option(min=0, max=1, help="What the photo weighs beside the text.")]


@model_app.command("list")
def list_models(data: Data = None, as_json: AsJson = False) -> None:
    """The bundles that snapshots can be served with."""
    from models.bundle import Bundle  # noqa: PLC0415  # importing the models takes a second
    from service.models import DEFAULT_BUNDLE  # noqa: PLC0415

    settings = settings_of(data=data)
    rows: list[dict[str, Any]] = []
    for path in (settings.bundle or DEFAULT_BUNDLE, *sorted((settings.data / "bundles").glob("[!.]*"))):
        try:
            rows.append({"path": str(path), **_facts(Bundle.load(path))})
        except SamestyleError as error:
            rows.append({"path": str(path), "error": str(error)})
    if as_json:
        out.print_json(json.dumps(rows))
        return
    table = Table("name", "family", "dim", "variants", "fingerprint", "licence", "path")
    for row in rows:
        if "error" in row:
            table.add_row("", "", "", "", "", "", row["error"])
            continue
        cells = (row["name"], row["family"], str(row["dim"]), ", ".join(row["variants"]), row["fingerprint"][:12])
        table.add_row(*cells, row["licence"], row["path"])
    print_table(table)


@model_app.command()
def verify(bundle: Annotated[Path, typer.Argument(help="A bundle's directory.")], as_json: AsJson = False) -> None:
    """Check every file of a bundle, and run each variant that can run here once."""
    from models.bundle import Bundle  # noqa: PLC0415
    from models.encoders import Encoders  # noqa: PLC0415

    settings = settings_of()
    with told():
        Encoders.load(bundle, device=settings.device, threads=settings.threads.onnx)
        facts = _facts(Bundle.load(bundle))
    if as_json:
        out.print_json(json.dumps(facts))
        return
    out.print(f"{bundle} is whole and runs: {facts['name']}, fingerprint {facts['fingerprint']}", soft_wrap=True)


@model_app.command()
def card(bundle: Annotated[Path, typer.Argument(help="A bundle's directory.")]) -> None:
    """Print a bundle's model card."""
    with told():
        out.print((bundle / "README.md").read_text(), markup=False, highlight=False, soft_wrap=True)


@model_app.command()
def export(
    source: Annotated[Path, typer.Argument(help="A model's directory, in the format of transformers or OpenCLIP.")],
    to: Out,
    name: Name = None,
    licence: Licence = None,
    variants: Variants = "float32,float16,int8",
    dim: Dim = None,
    catalogue: Catalogue = None,
    product_text: Template = None,
    image_weight: Weight = 0.5,
    as_json: AsJson = False,
) -> None:
    """Make a bundle of a CLIP, SigLIP or Jina-CLIP on this disk; see docs/zoo.md."""
    how = _How(to, name, licence, variants, dim, catalogue, product_text, image_weight)
    with told():
        figures = _export(source, str(source), source.resolve().name, how)
    _print(to, figures, as_json=as_json)


@model_app.command()
def pull(
    repository: Annotated[str, typer.Argument(metavar="REPO@REVISION", help="On the hub; the revision is a commit.")],
    to: Out,
    name: Name = None,
    licence: Licence = None,
    variants: Variants = "float32,float16,int8",
    dim: Dim = None,
    catalogue: Catalogue = None,
    product_text: Template = None,
    image_weight: Weight = 0.5,
    as_json: AsJson = False,
) -> None:
    """Fetch a CLIP, SigLIP or Jina-CLIP from the Hugging Face hub and make a bundle of it; see docs/zoo.md."""
    how = _How(to, name, licence, variants, dim, catalogue, product_text, image_weight)
    with told():
        if to.exists():
            raise InvalidInput(f"{to} is there already. Give another directory, or remove it.")
        hub = _room("hub")
        to.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".pull.") as folder:
            commit = hub.fetch(
                repository,
                Path(folder),
                progress=lambda file, size: _say(f"{file}, {size / 1e6:,.1f} MB"),
                check=_room("source").check_architecture,
            )
            own = repository.partition("@")[0]
            figures = _export(Path(folder), f"{own} at commit {commit}", own.rpartition("/")[2], how)
    _print(to, figures, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _How:
    to: Path
    name: str | None
    licence: str | None
    variants: str
    dim: int | None
    catalogue: Path | None
    product_text: str | None
    image_weight: float


def _export(path: Path, origin: str, own_name: str, how: _How) -> Any:
    """What `models.export.zoo.export_zoo` gives."""
    zoo, narrow, sources = _room("zoo"), _room("narrow"), _room("source")
    if how.dim is not None and how.catalogue is None:
        raise InvalidInput("--dim is fitted on a catalogue. Name one with --catalogue.")
    source = sources.read_source(path)
    licence = how.licence or source.licence
    if licence is None:
        raise InvalidInput("The source does not say under which licence its weights are. Say it with --licence.")
    template = how.product_text or zoo.TEMPLATE
    photos, texts, styles = _sample(how.catalogue or _DEMO, template, None if how.dim is not None else _SAMPLE)
    few = slice(None, None, max(1, len(texts) // _SAMPLE))
    wanted = zoo.Wanted(
        name=how.name or own_name,
        licence=licence,
        origin=origin,
        product_text=template,
        variants=tuple(one.strip() for one in how.variants.split(",")),
        image_weight=how.image_weight,
        sample=(photos[few], texts[few]),
        narrow=narrow.Narrow(how.dim, photos, texts, styles) if how.dim is not None else None,
    )
    return zoo.export_zoo(source, how.to, wanted, _say)


def _sample(catalogue: Path, template: str, count: int | None) -> tuple[list[bytes | None], list[str], list[str]]:
    """Photos, texts and styles of products that have both, from all over the catalogue; raises CatalogueInvalid."""
    from catalogue.readers import usable_rows  # noqa: PLC0415
    from models.preprocessing import check_template, product_text  # noqa: PLC0415

    try:
        check_template(template)
    except ValueError as error:
        raise InvalidInput(f"--product-text: {error}.") from None
    rows = list(usable_rows(catalogue))
    step = max(1, len(rows) // count) if count is not None else 1
    photos, texts, styles = list[bytes | None](), list[str](), list[str]()
    for row in rows[::step]:
        text = product_text(row.product, template)
        try:
            photo = row.main_photo(catalogue.parent)
        except InvalidInput:
            continue  # a photo that cannot be read is one product less to measure on
        if photo is not None and text:
            photos.append(photo)
            texts.append(text)
            styles.append(row.product.style_id or "")
    if len(texts) < 2:
        raise InvalidInput(f"{catalogue} has no two products with photo and text to measure on. Give another.")
    return photos, texts, styles


def _room(name: str) -> Any:
    """A module of the export; PyTorch takes seconds to import, and `--help` should not."""
    try:
        from models.export import hub, narrow, source, zoo  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"This needs the package {error.name}. Install samestyle[train,hub].") from error
    return {"hub": hub, "narrow": narrow, "source": source, "zoo": zoo}[name]


def _facts(bundle: Any) -> dict[str, Any]:
    config = bundle.config
    return {
        "name": config.name,
        "family": config.family,
        "dim": config.embedding_dim,
        "variants": [variant.name for variant in config.variants],
        "fingerprint": bundle.fingerprint,
        "licence": config.licence,
    }


def _say(text: str) -> None:
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def _print(to: Path, figures: Any, *, as_json: bool) -> None:
    if as_json:
        found = {
            "bundle": str(to),
            "parity": figures.parity,
            "from_own_files": figures.from_own,
            "drift": {name: drift.model_dump() for name, drift in figures.drift.items()},
            "left_out": {name: drift.model_dump() for name, drift in figures.refused.items()},
            "narrowing": figures.kept_of_width,
        }
        out.print_json(json.dumps(found))
        return
    for name, value in figures.kept_of_width.items():
        out.print(f"{name}: {value:.4f}", highlight=False)
    out.print(f"{to} is ready; its README.md is the model card.", soft_wrap=True)
