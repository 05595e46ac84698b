"""Real embeddings to measure with: photos of products, as they are and changed a little, through the product's model.

Photos come from the columns `image_jpeg` of Parquet files, or else from the demo catalogue. Those that are asked about
(`*_val.parquet`, the held-out styles) are never among those that are searched.
"""

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from catalogue import Product, demo
from catalogue.errors import InvalidInput
from catalogue.readers import usable_rows
from catalogue.threads import ThreadBudget
from models import Encoders, ProductInput
from service.models import DEFAULT_BUNDLE

_CHUNK: Final = 256


@dataclass(frozen=True)
class Photos:
    """JPEGs to be searched and JPEGs to ask with, and where they come from, in words."""

    origin: str
    searched: Sequence[bytes]
    asked: Sequence[bytes]


def read_photos(folder: Path | None) -> Photos:
    """The photos of a folder's Parquet files (`*_train` to search, `*_val` to ask); without, of the demo catalogue."""
    if folder is not None:
        train, val = (_column(sorted(folder.glob(f"*_{split}.parquet"))) for split in ("train", "val"))
        if not train or not val:
            raise InvalidInput(f"{folder} has no *_train.parquet and *_val.parquet with photos in image_jpeg.")
        return Photos(f"{len(train):,} photos, {len(val):,} others ask", train, val)
    rows = [row.product for row in usable_rows(demo.CATALOGUE)]
    train, val = _demo(rows, held_out=False), _demo(rows, held_out=True)
    return Photos(f"{len(train):,} photos of the demo catalogue, {len(val):,} others ask", train, val)


def embed(photos: Sequence[bytes], count: int, seed: int) -> NDArray[np.float32]:
    """`count` unit vectors [count, dim]: each photo as it is, then, as long as more are wanted, changed."""
    encoders = Encoders.load(DEFAULT_BUNDLE)
    random = np.random.default_rng(seed)
    given = (
        ProductInput(photo if turn == 0 else changed(photo, random))
        for turn in range(-(-count // len(photos)))
        for photo in photos
    )
    with ThreadPoolExecutor(ThreadBudget.of().decode) as pool:
        chunks = _chunks(islice(given, count))
        return np.concatenate([encoders.encode(list(pool.map(encoders.prepare, chunk))) for chunk in chunks])


def changed(photo: bytes, random: np.random.Generator) -> bytes:
    """The photo as another seller might show it: cropped, mirrored, lighter or darker, saved anew."""
    with Image.open(io.BytesIO(photo)) as opened:
        image = opened.convert("RGB")
    share = random.uniform(0.75, 1.0)
    width, height = max(1, round(image.width * share)), max(1, round(image.height * share))
    left, top = random.integers(0, (image.width - width + 1, image.height - height + 1)).tolist()
    image = image.crop((left, top, left + width, top + height))
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    image = ImageEnhance.Brightness(image).enhance(random.uniform(0.75, 1.25))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(random.integers(40, 95)))
    return file.getvalue()


def _column(files: Sequence[Path]) -> list[bytes]:
    named = [file for file in files if "image_jpeg" in pq.read_schema(file).names]
    found = [photo for file in named for photo in pq.read_table(file, columns=["image_jpeg"])[0].to_pylist()]
    return [photo for photo in found if photo is not None]


def _demo(products: Sequence[Product], *, held_out: bool) -> list[bytes]:
    chosen = [product for product in products if demo.is_held_out(product.style_id or "") == held_out]
    return [(demo.CATALOGUE.parent / image).read_bytes() for product in chosen for image in product.images[:1]]


def _chunks(items: Iterator[ProductInput]) -> Iterator[list[ProductInput]]:
    while chunk := list(islice(items, _CHUNK)):
        yield chunk
