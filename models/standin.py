"""A stand-in for the encoders: no weights, milliseconds, the same rules.

A photo becomes its colours on a coarse grid, a text its hashed words, so equal inputs give equal vectors and alike
inputs near ones. For tests of everything that is not about models.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import InvalidInput
from catalogue.product import Product
from models.bundle import ModePair, Threshold, Thresholds
from models.embedder import NOTHING_TO_ENCODE, Prepared, ProductInput, Vectors, prepare_pixels
from models.preprocessing import Pixels, PreprocessorConfig, normalise_text, product_text

_SIDE: Final = 32
_GRID: Final = 4
_IMAGE_DIM: Final = _GRID * _GRID * 3 + 1
_MAX_TOKENS: Final = 128
_PREPROCESSOR: Final = PreprocessorConfig(resize=_SIDE, crop=_SIDE, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
_TEMPLATE: Final = "{title}, {category}, {attributes}. {description}"
_MODES: Final[tuple[ModePair, ...]] = ("i-i", "i-t", "i-m", "t-i", "t-t", "t-m", "m-i", "m-t", "m-m")


class StandInEncoders:
    """Implements `Embedder`: the first 49 numbers of a vector come from the photo, the rest from the text.

    Stand-ins of different `name` or `dim` have different fingerprints, to play a change of the model.
    """

    def __init__(self, *, name: str = "standin", dim: int = 128) -> None:
        if dim <= _IMAGE_DIM:
            raise ValueError(f"dim must be above {_IMAGE_DIM}")
        self.name = name
        self.dim = dim
        self.fingerprint = hashlib.sha256(f"{name}:{dim}".encode()).hexdigest()
        self.variant = "standin"
        self.licence = "none: no weights"
        self.thresholds: Mapping[ModePair, Thresholds] = {mode: _thresholds() for mode in _MODES}

    def product_text(self, product: Product) -> str:
        """The text the model reads for a product; empty where it has none."""
        return product_text(product, _TEMPLATE)

    def prepare(self, item: ProductInput) -> Prepared:
        """Decode and tokenise one input.

        Raises InvalidInput where there is nothing to encode, UndecodableImage or TooLarge for the photo.
        """
        words = normalise_text(item.text or "", _MAX_TOKENS).casefold().split()[:_MAX_TOKENS]
        pixels = prepare_pixels(item, _PREPROCESSOR)
        if pixels is None and not words:
            raise InvalidInput(NOTHING_TO_ENCODE)
        return Prepared(pixels, np.array([_word_id(word) for word in words], dtype=np.int64) if words else None)

    def encode(self, items: Sequence[Prepared]) -> Vectors:
        """Embed prepared inputs, float32 [n, dim], unit rows in the order given."""
        return np.stack([self._vector(item) for item in items]) if items else np.empty((0, self.dim), np.float32)

    def embed(self, items: Sequence[ProductInput]) -> Vectors:
        """Prepare and encode, float32 [n, dim]."""
        return self.encode([self.prepare(item) for item in items])

    def _vector(self, item: Prepared) -> NDArray[np.float32]:
        if item.pixels is None and item.token_ids is None:
            raise InvalidInput(NOTHING_TO_ENCODE)
        vector = np.zeros(self.dim, dtype=np.float32)
        if item.pixels is not None:
            vector[:_IMAGE_DIM] = _unit(_colours(item.pixels))
        if item.token_ids is not None:
            slots = item.token_ids % (self.dim - _IMAGE_DIM)
            vector[_IMAGE_DIM:] = _unit(np.bincount(slots, minlength=self.dim - _IMAGE_DIM).astype(np.float32))
        return _unit(vector)


def _colours(pixels: Pixels) -> NDArray[np.float32]:
    """Mean colours of a 4 x 4 grid, and a constant that keeps a plain grey photo from being nothing."""
    cell = _SIDE // _GRID
    cells = pixels.reshape(_GRID, cell, _GRID, cell, 3).mean(axis=(1, 3), dtype=np.float32)
    return np.append(cells.ravel() / 127.5 - 1, np.float32(0.1))


def _word_id(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big")


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / np.linalg.norm(vector)


def _thresholds() -> Thresholds:
    def at(score: float) -> Threshold:
        return Threshold(score=score, precision=0.95, interval=(0.9, 1.0), pairs=100)

    return Thresholds(same_style=at(0.9), similar=at(0.6))
