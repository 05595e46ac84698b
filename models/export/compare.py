"""Which samples to fit the projections of bundle v0 on: the figures behind the choice.

    python -m models.export.compare

Prints the MRR of i-i and t-t over the demo catalogue's tuning styles. Projections fitted on the demo catalogue are
fitted on one half of those styles and scored on the other, and the other way round.
"""

import argparse
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from tokenizers import Tokenizer

from catalogue.images import decode_image
from models.evaluation import first_positive_ranks
from models.export.backbones import IMAGE_MEAN, IMAGE_SIZE, IMAGE_STD, PhotoBackbone, TextBackbone, tokenizer_file
from models.export.demo import Listing, read_listings
from models.export.projection import Matrix, fit_directions
from models.export.v0 import IMAGE_DIM, MAX_TOKENS, TEXT_DIM, text_features, word_groups
from models.preprocessing import TEMPLATE, PreprocessorConfig, load_pixels, normalise, product_text

POWERS: Final = (0.0, 0.25, 0.5)
_CROPS_PER_PHOTO: Final = 8
_PREPROCESSOR: Final = PreprocessorConfig(
    resize=IMAGE_SIZE, crop=IMAGE_SIZE, mean=(IMAGE_MEAN,) * 3, std=(IMAGE_STD,) * 3
)

Styles: TypeAlias = NDArray[np.int64]
Samples: TypeAlias = Callable[[int], Matrix]
"""The half of the styles that is scored (0 or 1) -> what to fit on."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.compare", description="Compare projections.")
    parser.add_argument("--demo", type=Path, default=Path("catalogue/demo/products.jsonl"))
    tuning, _ = read_listings(parser.parse_args().demo)
    console = Console()
    style = np.unique([listing.style_id for listing in tuning], return_inverse=True)[1].astype(np.int64)
    photo, text = PhotoBackbone(), TextBackbone(MAX_TOKENS)
    features = _photo_features(photo, [_bytes(listing) for listing in tuning])
    crops = _photo_features(photo, [crop for listing in tuning for crop in _random_crops(_bytes(listing))])
    crop_style = style.repeat(_CROPS_PER_PHOTO)
    head, classes = photo.head_directions(), photo.class_directions()
    _print_table(
        console,
        f"photo, {IMAGE_DIM} dimensions",
        features,
        style,
        IMAGE_DIM,
        {
            "last convolution": lambda _: head,
            "classifier": lambda _: classes,
            "demo crops": lambda half: crops[crop_style % 2 != half],
        },
    )
    words = text_features(text, word_groups(Tokenizer.from_file(str(tokenizer_file()))))
    fragments = [_fragments(listing) for listing in tuning]
    fragment_style = style.repeat([len(some) for some in fragments])
    written = text_features(text, [fragment for some in fragments for fragment in some])
    _print_table(
        console,
        f"text, {TEXT_DIM} dimensions",
        text_features(text, [product_text(listing.product, TEMPLATE) for listing in tuning]),
        style,
        TEXT_DIM,
        {
            "word groups": lambda _: words,
            "demo fragments": lambda half: written[fragment_style % 2 != half],
            "both": lambda half: np.concatenate([words, written[fragment_style % 2 != half]]),
        },
    )


def _print_table(
    console: Console, title: str, features: Matrix, style: Styles, dim: int, sources: Mapping[str, Samples]
) -> None:
    console.print(f"{title}; not projected: MRR {_mrr(features, style):.3f}")
    for name, samples in sources.items():
        for power in POWERS:
            scores = []
            for half in (0, 1):
                scored = style % 2 == half
                directions = fit_directions(samples(half), dim, power=power)
                scores.append(_ranks(features @ directions, style)[scored])
            console.print(f"  {name}, power {power:g}: MRR {np.mean(1 / np.concatenate(scores)):.3f}")


def _mrr(features: Matrix, style: Styles) -> float:
    return float(np.mean(1 / _ranks(features, style)))


def _ranks(features: Matrix, style: Styles) -> Matrix:
    rows = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    return first_positive_ranks(rows, rows, style).astype(np.float64)


def _photo_features(backbone: PhotoBackbone, photos: list[bytes]) -> Matrix:
    parts = []
    for start in range(0, len(photos), 16):
        pixels = normalise([load_pixels(photo, _PREPROCESSOR) for photo in photos[start : start + 16]], _PREPROCESSOR)
        with torch.inference_mode():
            parts.append(backbone(torch.from_numpy(pixels)).numpy())
    return np.concatenate(parts).astype(np.float64)


def _bytes(listing: Listing) -> bytes:
    if listing.photo is None:
        raise SystemExit(f"{listing.product.product_id} has no photo; every listing of the demo needs one.")
    return listing.photo


def _random_crops(photo: bytes) -> list[bytes]:
    """Random squares of 40 to 100 % of the shorter side, every second one mirrored, as PNG files."""
    image = decode_image(photo, min_side=2 * IMAGE_SIZE)
    random = np.random.default_rng(len(photo))
    crops = []
    for number in range(_CROPS_PER_PHOTO):
        side = int(min(image.size) * random.uniform(0.4, 1))
        left, top = (int(random.integers(0, length - side + 1)) for length in image.size)
        crop = image.crop((left, top, left + side, top + side))
        out = io.BytesIO()
        (crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else crop).save(out, "PNG", compress_level=1)
        crops.append(out.getvalue())
    return crops


def _fragments(listing: Listing) -> list[str]:
    """The title, the whole text, and the sentences and clauses of the description."""
    clauses = re.split(r"[.;,]\s", listing.product.description)
    texts = [listing.product.title, product_text(listing.product, TEMPLATE), *clauses]
    return [text for text in texts if text.strip()]


if __name__ == "__main__":
    main()
