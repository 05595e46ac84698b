"""The demo catalogue as tuning and test data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalogue.demo import is_held_out
from catalogue.errors import CatalogueInvalid
from catalogue.product import Product
from catalogue.readers import CatalogueRow, usable_rows
from models.bundle import ModePair
from models.embedder import Embedder
from models.evaluation import Scores, embed_modes, evaluate


@dataclass(frozen=True, slots=True)
class Listing:
    """A product with its style and the bytes of its main photo."""

    product: Product
    style_id: str
    photo: bytes | None


def read_listings(catalogue: Path) -> tuple[list[Listing], list[Listing]]:
    """The listings to tune on (about 70 % of the styles) and those held out for the final figures.

    Raises CatalogueInvalid for a row without a style.
    """
    listings = [_listing(row, catalogue.parent) for row in usable_rows(catalogue)]
    tuning = [listing for listing in listings if not is_held_out(listing.style_id)]
    return tuning, [listing for listing in listings if is_held_out(listing.style_id)]


def columns(
    listings: Sequence[Listing], text_of: Callable[[Product], str]
) -> tuple[list[bytes | None], list[str], list[str]]:
    """Photos, texts and styles of listings, as `embed_modes` and `evaluate` take them."""
    return (
        [listing.photo for listing in listings],
        [text_of(listing.product) for listing in listings],
        [listing.style_id for listing in listings],
    )


def held_out_scores(
    embedder: Embedder, tuning: Sequence[Listing], held_out: Sequence[Listing]
) -> dict[ModePair, Scores]:
    """Figures of the held-out listings as queries, searched among all listings of the demo."""
    photos, texts, styles = columns([*held_out, *tuning], embedder.product_text)
    gallery = embed_modes(embedder, photos, texts)
    queries = {mode: vectors.copy() for mode, vectors in gallery.items()}
    for vectors in queries.values():
        vectors[len(held_out) :] = 0  # a row of zeros is no query
    return evaluate(queries, gallery, styles)


def _listing(row: CatalogueRow, folder: Path) -> Listing:
    product = row.product
    if product.style_id is None:
        raise CatalogueInvalid(f"Line {row.line} has no style_id; a catalogue to tune on needs one in every row.")
    return Listing(product, product.style_id, row.main_photo(folder))
