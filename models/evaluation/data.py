"""What is evaluated: products with their photos, and which of them are right for which."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from catalogue.demo import is_held_out
from catalogue.errors import InvalidInput
from catalogue.gtin import MOST_OF_ONE_GTIN, gtin_of
from catalogue.product import Product
from catalogue.readers import CatalogueRow, read_catalogue
from models.evaluation.photos import Photos
from models.evaluation.ranking import Truth, codes_of, of_styles


@dataclass
class EvaluationData:
    """Products (the gallery), their photos, and the queries with what is right for each.

    `styles` holds the style of each product, "" where it has none; None where the truth comes from pairs.
    `left_out` says what of the input is not evaluated.
    """

    source: Path
    products: list[Product]
    photos: Photos
    truth: Truth
    styles: list[str] | None = None
    left_out: list[str] = field(default_factory=list)


def read_products(path: Path, photos: Photos) -> tuple[list[Product], list[str]]:
    """All products of a catalogue, whose photos go to `photos`, and lines about rows that are left out.

    Raises CatalogueInvalid for a file that cannot be read, InvalidInput for one without a product.
    """
    products, problems, seen = list[Product](), Counter[str](), set[str]()
    for row in read_catalogue(path):
        if not isinstance(row, CatalogueRow):
            problems["cannot be used"] += row.severity == "error"
        elif row.product.product_id in seen:
            problems["repeat a product_id; the first one is kept"] += 1
        else:
            seen.add(row.product.product_id)
            if row.photo is not None:
                photos.add(len(products), row.photo)
            elif row.product.images:
                photos.add(len(products), row.product.images[0])
            products.append(row.product)
    if not products:
        raise InvalidInput(f"{path} has no product that can be used. `samestyle build` says why, row by row.")
    return products, [f"rows that {what}: {count:,}" for what, count in problems.items() if count]


def read_catalogue_data(path: Path, photos: Photos, *, held_out: bool = False) -> EvaluationData:
    """A catalogue with style ids or GTINs: every product with another listing of its style is a query once.

    With `held_out`, only styles of the 30 % that the hash of their id holds out are asked for, among all products.
    Raises what `read_products` raises, and InvalidInput where there is nothing to ask for.
    """
    products, left_out = read_products(path, photos)
    styles, name = styles_of(products)
    check_styles(styles, path)
    sizes = Counter(styles)
    own = [row for row, style in enumerate(styles) if style and sizes[style] > 1]
    if held_out:
        own = [row for row in own if is_held_out(styles[row])]
        if not own:
            raise InvalidInput(f"{path}: no held-out style has two listings. Leave --held-out out.")
    truth = of_styles(codes_of(styles), np.array(own, np.int64))
    left_out += counted(f"products without a {name}, searched but never asked for", styles)
    return EvaluationData(path, products, photos, truth, styles, [*left_out, *lacking(products, photos)])


def styles_of(products: Sequence[Product]) -> tuple[list[str], str]:
    """What says which products are one style, empty where nothing does, and its name: GTINs where no style_id is."""
    styles = [product.style_id or "" for product in products]
    if any(styles):
        return styles, "style_id"
    codes = [gtin_of(product.attributes) or "" for product in products]
    often = Counter(codes)
    return [code if often[code] <= MOST_OF_ONE_GTIN else "" for code in codes], "GTIN"


def check_styles(styles: list[str], path: Path) -> None:
    """Raise InvalidInput unless two products share a style."""
    sizes = Counter(style for style in styles if style)
    if not sizes:
        raise InvalidInput(
            f"{path}: no product has a style_id or a GTIN (EAN, UPC), so nothing says which belong together. Add such "
            "a column, or give a file of pairs (trigger_id, recall_id, label) and this one as --catalogue."
        )
    if max(sizes.values()) < 2:
        raise InvalidInput(f"{path}: no two products share a style_id or a GTIN, so there is nothing to find.")


def counted(what: str, values: Iterable[str]) -> list[str]:
    """A line with how many of the values are empty, if any."""
    count = sum(not value for value in values)
    return [f"{what}: {count:,}"] if count else []


def lacking(products: list[Product], photos: Photos) -> list[str]:
    """Lines about products without a photo or a title."""
    lines = counted("products without a photo", ("x" if row in photos else "" for row in range(len(products))))
    return lines + counted("products without a title", (product.title.strip() for product in products))
