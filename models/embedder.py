"""The seam between the encoders and those who use them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import InvalidInput
from catalogue.product import Product
from models.bundle import ModePair, Thresholds
from models.preprocessing import Box, Pixels, PreprocessorConfig, load_pixels

Vectors: TypeAlias = NDArray[np.float32]
"""[n, dim], rows of length 1."""

NOTHING_TO_ENCODE: Final = "There is nothing to encode: give a photo, a text with at least one word, or both."


@dataclass(frozen=True, slots=True)
class ProductInput:
    """A photo (the bytes of a file), a text, or both; `crop` cuts the photo first."""

    image: bytes | None = None
    text: str | None = None
    crop: Box | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An input decoded and tokenised, ready to be put into a batch: uint8 [side, side, 3] and int64 [tokens]."""

    pixels: Pixels | None
    token_ids: NDArray[np.int64] | None


class Embedder(Protocol):
    """Turns photos and texts into vectors of one joint space.

    `prepare` may run on any thread; `encode` and `embed` belong to one owner thread at a time.
    """

    @property
    def name(self) -> str:
        """The bundle's name, for people."""

    @property
    def fingerprint(self) -> str:
        """The name of the vector space; vectors of different fingerprints are never compared."""

    @property
    def variant(self) -> str:
        """Which variant of the bundle runs."""

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""

    @property
    def licence(self) -> str:
        """The licence of the weights."""

    @property
    def thresholds(self) -> Mapping[ModePair, Thresholds]:
        """From which cosine a pair is the same style, or similar, per query mode and target mode."""

    def product_text(self, product: Product) -> str:
        """The text the model reads for a product; empty where it has none."""

    def prepare(self, item: ProductInput) -> Prepared:
        """Decode and tokenise one input.

        Raises InvalidInput where there is nothing to encode, UndecodableImage or TooLarge for the photo.
        """

    def encode(self, items: Sequence[Prepared]) -> Vectors:
        """Embed prepared inputs, float32 [n, dim], unit rows in the order given."""

    def embed(self, items: Sequence[ProductInput]) -> Vectors:
        """Prepare and encode, float32 [n, dim]."""


def prepare_pixels(item: ProductInput, config: PreprocessorConfig) -> Pixels | None:
    """The pixels of an input, or None where it has no photo.

    Raises what `load_pixels` raises, and InvalidInput for a crop without a photo.
    """
    if item.image is None:
        if item.crop is not None:
            raise InvalidInput("A crop needs a photo. Send the photo too, or leave the crop out.")
        return None
    return load_pixels(item.image, config, item.crop)
