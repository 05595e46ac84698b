"""Small shops with styles, for evaluations on the stand-in encoders."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from models.evaluation.data import EvaluationData, read_catalogue_data
from models.evaluation.photos import Photos
from tests.catalogue.pictures import encode

COLOURS = ("red", "green", "blue")
RGB = {"red": (200, 30, 30), "green": (30, 180, 30), "blue": (40, 40, 220)}


def unit(rows: list[list[float]]) -> np.ndarray:
    vectors = np.array(rows, dtype=np.float32)
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))


def picture(style: int, colour: str) -> bytes:
    """A plate of some colour with a pattern of its style."""
    image = Image.new("RGB", (64, 64), RGB[colour])
    for at in np.random.default_rng(style).integers(0, 48, (3, 2)).tolist():
        image.paste((240, 240, 10 * style), (at[0], at[1], at[0] + 16, at[1] + 16))
    return encode(image, "JPEG")


def rows(folder: Path, styles: int = 6) -> list[dict[str, Any]]:
    """One listing of each style in each colour; the photos are written to the folder."""
    found = []
    for style in range(styles):
        for colour in COLOURS:
            name = f"{style}-{colour}.jpg"
            (folder / name).write_bytes(picture(style, colour))
            found.append(
                {
                    "product_id": f"p{style}-{colour}",
                    "style_id": f"s{style}",
                    "title": f"plate{style} made of clay",
                    "description": f"pattern{style} glaze{style}",
                    "category": f"Home > {'Plates' if style % 2 else 'Bowls'}",
                    "colour": colour,
                    "photo_id": f"photo-{style}",
                    "images": [name],
                }
            )
    return found


def write_jsonl(path: Path, content: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def shop(folder: Path, content: list[dict[str, Any]] | None = None) -> Path:
    """A catalogue of these rows, or of `rows`."""
    return write_jsonl(folder / "shop.jsonl", rows(folder) if content is None else content)


@contextmanager
def opened(catalogue: Path, *, held_out: bool = False) -> Iterator[EvaluationData]:
    with Photos(catalogue.parent) as photos:
        yield read_catalogue_data(catalogue, photos, held_out=held_out)
