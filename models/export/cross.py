"""A bundle of family `cross` from a run of `samestyle train`.

    python -m models.export.cross RUN --out BUNDLE --name NAME --licence LICENCE --terms TERMS

The three encoders become ONNX files with int8 weights; the products the run kept to choose by calibrate the
thresholds and give the figures in the model card. Of a run over a base, `models.export.based` makes the bundle.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnx
from rich.console import Console
from tokenizers import Tokenizer

from catalogue.errors import ConfigurationError
from catalogue.threads import ThreadBudget
from models.bundle import BundleConfig
from models.calibration import calibrate
from models.encoders import Encoders
from models.evaluation import MODE_PAIRS, cosine_drift, embed_modes, evaluate, recall_lost
from models.export.contract import export_fusion, export_images, export_texts
from models.export.cross_card import CrossFigures, cross_card
from models.export.parity import MAX_DIFFERENCE, Modules, largest_difference
from models.export.quantise import quantise_weights
from models.export.summed import SummedFusion, hear_numbers
from models.export.writer import single_variant, write_bundle
from models.preprocessing import PreprocessorConfig, product_text
from models.training.checkpoints import BEST, load_config, load_weights
from models.training.config import TrainConfig
from models.training.data import Kept, kept_products
from models.training.network import CrossEncoder
from models.training.run import TOKENIZER
from models.training.texts import query_and_gallery_words
from models.training.views import MEAN, STD

MAX_BYTES: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class About:
    """What people should know of the weights."""

    name: str
    licence: str
    terms: str
    """Of the data they were trained on."""


def export_run(
    run: Path, out: Path, about: About, *, side: int, console: Console, keep_float32: Path | None = None
) -> None:
    """Write the bundle of a run's best weights to `out`, for photos of `side` pixels.

    Raises ConfigurationError for a run that cannot be read, an export that computes something else or is too large.
    """
    config = load_config(run / BEST)
    model = CrossEncoder(config.network).eval()
    model.load_state_dict(load_weights(run / BEST))
    console.print("exporting")
    kept = kept_products(config.data)
    fusion = SummedFusion(model.fusion).eval()
    hear_numbers(fusion, model.text, Tokenizer.from_file(str(TOKENIZER)), _texts(config, kept), _longest_text(model))
    exact = export_network(model, fusion, side)
    small = {name: quantise_weights(encoder) for name, encoder in exact.items()}
    modules = Modules(model.photo, model.text, fusion)
    with tempfile.TemporaryDirectory() as temporary:
        reference, probe = keep_float32 or Path(temporary) / "float32", Path(temporary) / "int8"
        bundle = _config(config, model, about, side)
        _write(reference, bundle, exact, f"The float32 files bundle {about.name} was rounded from.\n")
        _write(probe, bundle, small, "")
        parity = largest_difference(modules, reference)
        if parity > MAX_DIFFERENCE:
            raise ConfigurationError(
                f"The export differs from PyTorch by {parity:.1e}; {MAX_DIFFERENCE:.0e} is allowed."
            )
        console.print(f"largest difference from PyTorch: {parity:.1e}")
        figures = _measure(config, kept, Encoders.load(probe), Encoders.load(reference), about, parity)
    thresholds = {pair: figures.thresholds[pair] for pair in MODE_PAIRS if pair in figures.thresholds}
    _write(out, bundle.model_copy(update={"thresholds": thresholds}), small, cross_card(figures))
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    if size > MAX_BYTES:
        raise ConfigurationError(f"{out} has {size:,} bytes; {MAX_BYTES:,} are allowed. Train a smaller network.")
    console.print(f"wrote {out}: {size / 1e6:.1f} MB")


def export_network(model: CrossEncoder, fusion: SummedFusion, side: int) -> dict[str, onnx.ModelProto]:
    """The three encoders in float32; folds the photo tower's convolutions."""
    model.photo.tower.fold()
    model.text.tower.network.set_attn_implementation("eager")  # the other kinds do not export
    return {
        "image_encoder": export_images(model.photo, side),
        "text_encoder": export_texts(model.text),
        "fusion_encoder": export_fusion(fusion, model.fusion.start.shape[0]),
    }


def _config(config: TrainConfig, model: CrossEncoder, about: About, side: int) -> BundleConfig:
    return BundleConfig(
        schema_version=1,
        name=about.name,
        family="cross",
        embedding_dim=config.network.width,
        image_size=side,
        max_text_tokens=_longest_text(model),
        product_text=config.views.template,
        variants=(single_variant("int8"),),
        licence=about.licence,
    )


def _longest_text(model: CrossEncoder) -> int:
    longest: int = model.text.tower.network.embeddings.position_embeddings.num_embeddings
    return longest


def _texts(config: TrainConfig, kept: Sequence[Kept]) -> list[str]:
    """What is said of the products in all the ways they are asked for and told."""
    return [
        text
        for item in kept
        for text in (
            item.product.title,
            product_text(item.product, config.views.template),
            *query_and_gallery_words(item.product),
        )
    ]


def _write(out: Path, config: BundleConfig, models: Mapping[str, onnx.ModelProto], card: str) -> None:
    side = config.image_size
    preprocessor = PreprocessorConfig(
        resize=side, crop=side, fit="stretch", mean=(MEAN, MEAN, MEAN), std=(STD, STD, STD)
    )
    write_bundle(out, config, preprocessor, TOKENIZER.read_bytes(), dict(models), card)


def _measure(
    config: TrainConfig, kept: Sequence[Kept], small: Encoders, exact: Encoders, about: About, parity: float
) -> CrossFigures:
    """What the products kept to choose by tell about the files."""
    products, styles = [item.product for item in kept], [item.group for item in kept]
    photos, texts = [item.photo for item in kept], [small.product_text(product) for product in products]
    vectors, wanted = embed_modes(small, photos, texts), embed_modes(exact, photos, texts)
    present = {mode: rows.any(axis=1) for mode, rows in vectors.items()}
    drift = {
        mode: cosine_drift(wanted[mode][rows], vectors[mode][rows]) for mode, rows in present.items() if rows.any()
    }
    return CrossFigures(
        name=about.name,
        licence=about.licence,
        terms=about.terms,
        config=config,
        side=small.bundle.config.image_size,
        parity=parity,
        drift=drift,
        recall_lost={mode: recall_lost(wanted[mode], vectors[mode]) for mode in drift},
        scores=evaluate(vectors, vectors, styles),
        thresholds=calibrate(vectors, styles, products),
        products=len(products),
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.cross", description="A bundle from a training run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--licence", required=True, help="of the weights; `samestyle serve` tells it")
    parser.add_argument("--terms", required=True, help="of the data they were trained on, for the model card")
    parser.add_argument(
        "--side", type=int, default=224, help="pixels of the square a photo becomes; a base has its own"
    )
    parser.add_argument("--keep-float32", type=Path, metavar="DIR", help="also write a float32 bundle here")
    given = parser.parse_args()
    about = About(given.name, given.licence, given.terms)
    if load_config(given.run / BEST).network.base is not None:
        from models.export.based import export_based  # noqa: PLC0415  # it builds on what is here

        export_based(given.run, given.out, about, threads=ThreadBudget.of().onnx, console=Console())
        return
    export_run(given.run, given.out, about, side=given.side, console=Console(), keep_float32=given.keep_float32)


if __name__ == "__main__":
    main()
