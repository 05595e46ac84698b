"""A stand-in for the encoders: no weights, milliseconds, the same rules.

A photo becomes its colours on a coarse grid, a text its hashed words, so equal inputs give equal vectors and alike
inputs near ones. For tests of everything that is not about models.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import InvalidInput
from catalogue.product import Product
from models.bundle import ModePair, Threshold, Thresholds
from models.embedder import NOTHING_TO_ENCODE, EmbedderSteps, Encoded, Encoder, TokenIds, Tokens, Vectors
from models.preprocessing import TEMPLATE, Box, Pixels, PreprocessorConfig, load_pixels, normalise_text, product_text

_SIDE: Final = 32
_GRID: Final = 4
_IMAGE_DIM: Final = _GRID * _GRID * 3 + 1
_MAX_TOKENS: Final = 128
_BATCH_LIMIT: Final = 8
_PREPROCESSOR: Final = PreprocessorConfig(resize=_SIDE, crop=_SIDE, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


class StandInEncoders(EmbedderSteps):
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
        self.thresholds: Mapping[ModePair, Thresholds] = {mode: _thresholds() for mode in get_args(ModePair)}

    def product_text(self, product: Product) -> str:
        """The text the model reads for a product; empty where it has none."""
        return product_text(product, TEMPLATE)

    def clean_text(self, text: str) -> str:
        """What is read of a text."""
        return normalise_text(text, _MAX_TOKENS).casefold()

    def prepare_image(self, image: bytes, crop: Box | None = None) -> Pixels:
        """Decode a photo; raises UndecodableImage or TooLarge for it, InvalidInput for the crop."""
        return load_pixels(image, _PREPROCESSOR, crop)

    def prepare_text(self, text: str) -> TokenIds | None:
        """The hashed words, or None for a text without a single word."""
        words = self.clean_text(text).split()[:_MAX_TOKENS]
        return np.array([_word_id(word) for word in words], dtype=np.int64) if words else None

    def batch_limit(self, encoder: Encoder) -> int:
        """As many as a real one takes together."""
        return _BATCH_LIMIT

    def text_bucket(self, token_ids: TokenIds) -> int:
        """The next power of two."""
        return 1 << (len(token_ids) - 1).bit_length()

    def image_tokens(self, photos: Sequence[Pixels]) -> list[Tokens]:
        """One token a photo: its colours."""
        return [_unit(_colours(pixels))[None] for pixels in photos]

    def text_tokens(self, texts: Sequence[TokenIds]) -> list[Tokens]:
        """One token a text: how often each word stands in it."""
        width = self.dim - _IMAGE_DIM
        return [_unit(np.bincount(ids % width, minlength=width).astype(np.float32))[None] for ids in texts]

    def fuse(self, items: Sequence[Encoded]) -> Vectors:
        """Put both side by side, float32 [n, dim]."""
        return np.stack([self._vector(item) for item in items]) if items else np.empty((0, self.dim), np.float32)

    def _vector(self, item: Encoded) -> NDArray[np.float32]:
        if item.image is None and item.text is None:
            raise InvalidInput(NOTHING_TO_ENCODE)
        vector = np.zeros(self.dim, dtype=np.float32)
        if item.image is not None:
            vector[:_IMAGE_DIM] = item.image[0]
        if item.text is not None:
            vector[_IMAGE_DIM:] = item.text[0]
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
