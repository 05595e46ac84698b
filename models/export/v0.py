"""Bundle v0: two pretrained networks, late fusion, nothing trained.

    python -m models.export.v0 --out v0

EfficientNet-lite0 sees the photo, MiniLM reads the text; each is projected into its own block of the joint space.
The projections come from the networks' own weights and vocabulary. The demo catalogue's tuning styles choose the
weight of photo against text and the thresholds; its held-out styles give the figures in the model card.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from rich.console import Console
from tokenizers import Tokenizer

from models.bundle import BundleConfig
from models.calibration import calibrate
from models.encoders import Encoders
from models.evaluation import MODE_PAIRS, Scores, cosine_drift, embed_modes, evaluate, recall_lost
from models.export.backbones import IMAGE_MEAN, IMAGE_SIZE, IMAGE_STD, PhotoBackbone, TextBackbone, tokenizer_file
from models.export.card import CardFigures, model_card
from models.export.contract import export_fusion, export_images, export_texts
from models.export.demo import Listing, columns, held_out_scores, read_listings
from models.export.dual import DualFusion, ImageEncoder, TextEncoder
from models.export.parity import MAX_DIFFERENCE, Modules, largest_difference
from models.export.projection import Matrix, fit_directions
from models.export.quantise import quantise_weights
from models.export.writer import single_variant, write_bundle
from models.preprocessing import TEMPLATE, PreprocessorConfig

NAME: Final = "v0"
LICENCE: Final = "Apache-2.0"
IMAGE_DIM: Final = 160
TEXT_DIM: Final = 96
JOINT_DIM: Final = IMAGE_DIM + TEXT_DIM
POWER: Final = 0.5
MAX_TOKENS: Final = 128
WEIGHTS: Final = tuple(round(0.05 * step, 2) for step in range(4, 17))
_WORD_GROUPS: Final = 4_000


def build(out: Path, demo: Path, keep_float32: Path | None, console: Console) -> None:
    """Build the bundle and write it to `out`; the float32 files go to `keep_float32` where given."""
    torch.manual_seed(0)
    tuning, held_out = read_listings(demo)
    console.print(f"{len(tuning)} listings to tune on, {len(held_out)} held out")
    modules = _modules()
    console.print("exporting")
    exact = export(modules)
    small = {name: quantise_weights(model) for name, model in exact.items()}
    with tempfile.TemporaryDirectory() as temporary:
        probe = Path(temporary) / "probe"
        _write(probe, small, "int8", "")
        weight = _best_weight(Encoders.load(probe), tuning)
        console.print(f"weight of the photo: {weight}")
        modules = Modules(modules.image_encoder, modules.text_encoder, DualFusion(weight))
        fusion = export_fusion(modules.fusion_encoder, JOINT_DIM)
        exact["fusion_encoder"] = small["fusion_encoder"] = fusion
        reference = keep_float32 or Path(temporary) / "float32"
        _write(reference, exact, "float32", "The float32 files bundle v0 was rounded from.\n")
        parity = largest_difference(modules, reference)
        console.print(f"largest difference from PyTorch: {parity:.2e}")
        if parity > MAX_DIFFERENCE:
            raise SystemExit(f"The export differs from PyTorch by {parity:.2e}; {MAX_DIFFERENCE:.0e} is allowed.")
        _write(probe, small, "int8", "")
        _finish(out, small, weight, parity, Encoders.load(probe), Encoders.load(reference), tuning, held_out)
    console.print(f"wrote {out}")


def export(modules: Modules) -> dict[str, onnx.ModelProto]:
    """The three encoders in float32."""
    return {
        "image_encoder": export_images(modules.image_encoder, IMAGE_SIZE),
        "text_encoder": export_texts(modules.text_encoder),
        "fusion_encoder": export_fusion(modules.fusion_encoder, JOINT_DIM),
    }


def word_groups(tokenizer: Tokenizer, count: int = _WORD_GROUPS) -> list[str]:
    """Groups of two to seven random words of the vocabulary: texts that nobody wrote."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    words = [word for word, _ in vocabulary if word.isascii() and word.isalpha() and len(word) > 2]
    random = np.random.default_rng(0)
    return [" ".join(random.choice(words, size=random.integers(2, 8))) for _ in range(count)]


def text_features(backbone: TextBackbone, texts: list[str]) -> Matrix:
    """MiniLM's features, [n, 384]."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file()))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    texts_by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    features = np.empty((len(texts), backbone.width))
    for start in range(0, len(texts), 64):
        rows = texts_by_length[start : start + 64]
        encodings = tokenizer.encode_batch([texts[row] for row in rows])
        ids = torch.tensor([encoding.ids for encoding in encodings])
        mask = torch.tensor([encoding.attention_mask for encoding in encodings])
        with torch.inference_mode():
            features[rows] = backbone(ids, mask).numpy()
    return features


def _modules() -> Modules:
    photo, text = PhotoBackbone(), TextBackbone(MAX_TOKENS)
    words = word_groups(Tokenizer.from_file(str(tokenizer_file())))
    photo_directions = fit_directions(photo.head_directions(), IMAGE_DIM, power=POWER)
    text_directions = fit_directions(text_features(text, words), TEXT_DIM, power=POWER)
    return Modules(
        ImageEncoder(photo, photo_directions, 0, JOINT_DIM),
        TextEncoder(text, text_directions, IMAGE_DIM, JOINT_DIM),
        DualFusion(0.5),
    )


def _config(precision: str) -> BundleConfig:
    return BundleConfig(
        schema_version=1,
        name=NAME,
        family="dual",
        embedding_dim=JOINT_DIM,
        image_size=IMAGE_SIZE,
        max_text_tokens=MAX_TOKENS,
        product_text=TEMPLATE,
        variants=(single_variant(precision),),
        licence=LICENCE,
    )


def _write(
    out: Path, models: dict[str, onnx.ModelProto], precision: str, card: str, config: BundleConfig | None = None
) -> None:
    preprocessor = PreprocessorConfig(
        resize=IMAGE_SIZE,
        crop=IMAGE_SIZE,
        resample="bicubic",
        mean=(IMAGE_MEAN, IMAGE_MEAN, IMAGE_MEAN),
        std=(IMAGE_STD, IMAGE_STD, IMAGE_STD),
    )
    write_bundle(out, config or _config(precision), preprocessor, tokenizer_file().read_bytes(), models, card)


def _best_weight(encoders: Encoders, tuning: list[Listing]) -> float:
    """The photo's weight: the one nearest to even whose m-m MRR is within one standard error of the best."""
    photos, texts, styles = columns(tuning, encoders.product_text)
    single = embed_modes(encoders, photos, texts)
    scores: dict[float, Scores] = {}
    for weight in WEIGHTS:
        both = weight * single["i"] + (1 - weight) * single["t"]
        both /= np.linalg.norm(both, axis=1, keepdims=True)
        scores[weight] = evaluate({"m": both}, {"m": both}, styles)["m-m"]
    best = max(scores.values(), key=lambda score: score.mrr)
    standard_error = (best.mrr_interval[1] - best.mrr_interval[0]) / 3.92
    good = [weight for weight in WEIGHTS if scores[weight].mrr >= best.mrr - standard_error]
    return min(good, key=lambda weight: abs(weight - 0.5))


def _finish(
    out: Path,
    models: dict[str, onnx.ModelProto],
    weight: float,
    parity: float,
    small: Encoders,
    exact: Encoders,
    tuning: list[Listing],
    held_out: list[Listing],
) -> None:
    """Calibrate, measure, and write the bundle with its card."""
    photos, texts, styles = columns(tuning, small.product_text)
    vectors = embed_modes(small, photos, texts)
    exact_vectors = embed_modes(exact, photos, texts)
    products = [listing.product for listing in tuning]
    thresholds = calibrate(vectors, styles, products)
    figures = CardFigures(
        image_weight=weight,
        parity=parity,
        drift={mode: cosine_drift(exact_vectors[mode], vectors[mode]) for mode in vectors},
        recall_lost={mode: recall_lost(exact_vectors[mode], vectors[mode]) for mode in vectors},
        scores=held_out_scores(small, tuning, held_out),
        thresholds=thresholds,
        tuning_listings=len(tuning),
        held_out_listings=len(held_out),
    )
    config = _config("int8").model_copy(update={"thresholds": {pair: thresholds[pair] for pair in MODE_PAIRS}})
    _write(out, models, "int8", model_card(figures), config)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.v0", description="Build bundle v0.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--demo", type=Path, default=Path("catalogue/demo/products.jsonl"))
    parser.add_argument("--keep-float32", type=Path, metavar="DIR", help="also write a float32 bundle here")
    arguments = parser.parse_args()
    build(arguments.out, arguments.demo, arguments.keep_float32, Console())


if __name__ == "__main__":
    main()
