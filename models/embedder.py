"""The seam between the encoders and those who use them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import InvalidInput
from catalogue.product import Product
from models.bundle import ModePair, Thresholds
from models.preprocessing import Box, Pixels

Vectors: TypeAlias = NDArray[np.float32]
"""[n, dim], rows of length 1."""
Tokens: TypeAlias = NDArray[np.float32]
"""[tokens, width] of one photo or one text, without padding."""
TokenIds: TypeAlias = NDArray[np.int64]
"""[tokens] of one text, without padding."""
Encoder: TypeAlias = Literal["image", "text", "fusion"]

NOTHING_TO_ENCODE: Final = "There is nothing to encode: give a photo, a text with at least one word, or both."


@dataclass(frozen=True, slots=True)
class ProductInput:
    """A photo (the bytes of a file), a text, or both; `crop` cuts the photo first."""

    image: bytes | None = None
    text: str | None = None
    crop: Box | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """An input decoded and tokenised, ready for the image and text encoders."""

    pixels: Pixels | None
    token_ids: TokenIds | None


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the image and the text encoder made of one input, ready for the fusion encoder."""

    image: Tokens | None
    text: Tokens | None


class Embedder(Protocol):
    """Turns photos and texts into vectors of one joint space.

    What prepares may run on any thread. The three encoders (`image_tokens`, `text_tokens`, `fuse`) run side by side,
    each on one thread at a time; `encode` and `embed` use all three. No result depends on what else is in its batch.
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

    def clean_text(self, text: str) -> str:
        """The text the model reads for what somebody wrote: equal ones give equal vectors. May be empty."""

    def prepare_image(self, image: bytes, crop: Box | None = None) -> Pixels:
        """Decode a photo; raises UndecodableImage or TooLarge for it, InvalidInput for the crop."""

    def prepare_text(self, text: str) -> TokenIds | None:
        """Tokenise a text; None for one without a single word."""

    def prepare(self, item: ProductInput) -> Prepared:
        """Decode and tokenise one input.

        Raises InvalidInput where there is nothing to encode, UndecodableImage or TooLarge for the photo.
        """

    def batch_limit(self, encoder: Encoder) -> int:
        """The most inputs worth one batch here: beyond that none is done sooner."""

    def text_bucket(self, token_ids: TokenIds) -> int:
        """The length a text is padded to; texts of one bucket make a batch."""

    def image_tokens(self, photos: Sequence[Pixels]) -> list[Tokens]:
        """Run the image encoder."""

    def text_tokens(self, texts: Sequence[TokenIds]) -> list[Tokens]:
        """Run the text encoder."""

    def fuse(self, items: Sequence[Encoded]) -> Vectors:
        """Run the fusion encoder, float32 [n, dim]; raises InvalidInput for an item that has neither."""

    def encode(self, items: Sequence[Prepared]) -> Vectors:
        """Run what prepared inputs need, float32 [n, dim], unit rows in the order given."""

    def embed(self, items: Sequence[ProductInput]) -> Vectors:
        """Prepare and encode, float32 [n, dim]."""


class EmbedderSteps:
    """What every `Embedder` makes of its steps."""

    def prepare(self: Embedder, item: ProductInput) -> Prepared:
        """See `Embedder`."""
        check_crop(item)
        token_ids = self.prepare_text(item.text) if item.text is not None else None
        if item.image is None and token_ids is None:
            raise InvalidInput(NOTHING_TO_ENCODE)
        pixels = self.prepare_image(item.image, item.crop) if item.image is not None else None
        return Prepared(pixels, token_ids)

    def encode(self: Embedder, items: Sequence[Prepared]) -> Vectors:
        """See `Embedder`."""
        images = iter(self.image_tokens([item.pixels for item in items if item.pixels is not None]))
        texts = iter(self.text_tokens([item.token_ids for item in items if item.token_ids is not None]))
        return self.fuse(
            [
                Encoded(
                    next(images) if item.pixels is not None else None,
                    next(texts) if item.token_ids is not None else None,
                )
                for item in items
            ]
        )

    def embed(self: Embedder, items: Sequence[ProductInput]) -> Vectors:
        """See `Embedder`."""
        return self.encode([self.prepare(item) for item in items])


def check_crop(item: ProductInput) -> None:
    """Raise InvalidInput for a crop without a photo."""
    if item.image is None and item.crop is not None:
        raise InvalidInput("A crop needs a photo. Send the photo too, or leave the crop out.")
