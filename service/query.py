"""What is looked for, and what is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from catalogue.gtin import read_gtin
from index import IndexedProduct
from index.products import Listing
from models.preprocessing import Box
from service.drift import Modality
from service.embedding import Photo
from service.ranking import Group, Start, Total

_MAX_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: at most one of `product_id`, `image`, `image_url` and `photo`, with or without `text`.

    `photo` is one that the model has read before. `crop` is of the photo, also of the product's.
    """

    product_id: str | None = None
    image: bytes | None = None
    image_url: str | None = None
    text: str | None = None
    crop: Box | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: {"fused": 1.0})
    negatives: Sequence[str] = ()
    photo: Photo | None = None

    @property
    def name(self) -> str | None:
        """All there is of it, where that may be the id of a product: one word that is not too long."""
        name = (self.text or "").strip()
        return name if self.modality == "text" and len(name) <= _MAX_ID and " " not in name else None

    @property
    def barcode(self) -> str | None:
        """The GTIN that is all the words say, where nothing else is given."""
        return read_gtin(self.text) if self.text and self.modality == "text" else None

    @property
    def modality(self) -> Modality:
        """What is given."""
        if self.product_id is not None and self.crop is None:
            return "product+text" if self.text else "product"
        has_photo = any(given is not None for given in (self.product_id, self.image, self.image_url, self.photo))
        return ("image+text" if self.text else "image") if has_photo else "text"


@dataclass(frozen=True, slots=True)
class Found:
    """A neighbour: its product, score and group, and what each term of the query added to the score, if asked.

    `words_said` is how much of the query's words it says, 0 to 1; None where they were not looked for.
    """

    listing: Listing
    score: float
    contributions: Mapping[str, float] | None = None
    group: Group | None = None
    words_said: float | None = None

    @property
    def item(self) -> IndexedProduct:
        """The product itself, which no answer needs."""
        return self.listing.item


@dataclass(frozen=True, slots=True)
class Hits:
    """A page of neighbours, best first, and where the next one begins; None when it was the last.

    `photo` is what the query's photo was read as, `total` how many hits all pages have, where they are counted.
    """

    found: list[Found]
    next: Start | None = None
    photo: Photo | None = None
    total: Total | None = None
