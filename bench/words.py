"""What a shopper's few words find: `python -m bench.words [BUNDLE ...] [--catalogue FILE]`.

Kinds and designs of the demo shop that can be told by a photo, put as somebody would who has seen neither the shop nor
its titles; of the first five products, how many are of that design. Three in ten of its styles were held out from
training, the others were not: so it says what a bundle makes of short texts, not how it generalises.

Of another catalogue, up to a thousand queries are made of its own words as training makes them (kind, and one to three
words of title, attributes or description): of the first five products, how many have all of them, of as many as there
are. On products that no training has seen it says how that generalises.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from catalogue import demo
from catalogue.product import Product
from models import Encoders, ProductInput
from models.embedder import Vectors
from models.evaluation.data import read_products
from models.evaluation.embedding import Request, embed_requests
from models.evaluation.photos import Photos
from models.training.texts import content_words, few_words, fitting, told_words

FIRST: Final = 5
MOST: Final = 1_000
QUERIES: Final[Mapping[str, str]] = {
    "owl mug": "mug-owl", "mug with an owl": "mug-owl", "fox mug": "mug-fox", "mug with hearts": "mug-hearts",
    "fern mug": "mug-fern", "polka dot mug": "mug-polka", "striped mug": "mug-banded",
    "tote bag with a bicycle": "tote-bag-bicycle", "tote bag with leaves": "tote-bag-leaf",
    "sunburst tote bag": "tote-bag-sunburst", "tote bag with waves": "tote-bag-waves",
    "striped cushion": "cushion-stripe", "zigzag cushion": "cushion-zigzag", "checked cushion": "cushion-check",
}  # fmt: skip
"""With how the ids of the styles that are meant begin."""


def main() -> None:
    """Print the share for each query and bundle, or the mean over a catalogue's own words."""
    parser = argparse.ArgumentParser(prog="python -m bench.words", description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="*", default=[Path("models/default")])
    parser.add_argument("--catalogue", type=Path)
    arguments = parser.parse_args()
    bundles = [Encoders.load(each) for each in arguments.bundles]
    table = Table("query", *(f"{each.name} {each.fingerprint[:8]}" for each in bundles))
    if arguments.catalogue is None:
        found = [of_the_demo(each) for each in bundles]
        for row, query in enumerate(QUERIES):
            table.add_row(query, *(f"{shares[row]:.1f}" for shares in found))
        table.add_section()
    else:
        found = [of_its_own_words(each, arguments.catalogue) for each in bundles]
    table.add_row(f"mean of {len(found[0]):,}", *(f"{shares.mean():.3f}" for shares in found))
    Console().print(table)


def of_the_demo(encoders: Encoders) -> NDArray[np.float64]:
    """The share of each of `QUERIES`."""
    products, vectors = embedded(encoders, demo.CATALOGUE)
    queries = encoders.embed([ProductInput(text=query) for query in QUERIES])
    return precision(queries, vectors, [product.style_id or "" for product in products])


def of_its_own_words(encoders: Encoders, catalogue: Path) -> NDArray[np.float64]:
    """The share of each query made of the words of a catalogue's products, of as many as fit and can be shown."""
    products, vectors = embedded(encoders, catalogue)
    random = np.random.default_rng(0)
    some = random.permutation(len(products))[:MOST]
    asked = [words for row in some if content_words(words := few_words(products[row], random))]
    fits = fitting(asked, [told_words(product) for product in products])
    found = shown(encoders.embed([ProductInput(text=words) for words in asked]), vectors, fits)
    shares: NDArray[np.float64] = found.sum(axis=1) / fits.sum(axis=1).clip(max=FIRST)
    return shares


def embedded(encoders: Encoders, catalogue: Path) -> tuple[Sequence[Product], Vectors]:
    """A catalogue's products, and their vectors by photo and text."""
    with Photos(catalogue.parent) as photos:
        products, _ = read_products(catalogue, photos)
        requests = [Request(row, encoders.product_text(product)) for row, product in enumerate(products)]
        return products, embed_requests(encoders, iter(requests), photos.load).of(requests)


def precision(queries: Vectors, products: Vectors, styles: Sequence[str]) -> NDArray[np.float64]:
    """For each of `QUERIES`, which of the `FIRST` nearest products are of a style that is meant, as a share."""
    meant = np.array([[style.startswith(start) for style in styles] for start in QUERIES.values()])
    shares: NDArray[np.float64] = shown(queries, products, meant).mean(axis=1)
    return shares


def shown(queries: Vectors, products: Vectors, right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each query, whether each of the `FIRST` nearest products is right."""
    nearest = np.argsort(-(queries @ products.T), axis=1, kind="stable")[:, :FIRST]
    return np.take_along_axis(right, nearest, axis=1)


if __name__ == "__main__":
    main()
