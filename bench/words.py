"""What a shopper's few words find: `python -m bench.words [BUNDLE ...]`.

Kinds and designs of the demo shop that can be told by a photo, put as somebody would who has seen neither the shop nor
its titles; of the first five products, how many are of that design. Three in ten of its styles were held out from
training, the others were not: so it says what a bundle makes of short texts, not how it generalises.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from catalogue import demo
from models import Encoders, ProductInput
from models.embedder import Vectors
from models.evaluation.data import read_catalogue_data
from models.evaluation.embedding import Request, embed_requests
from models.evaluation.photos import Photos

FIRST: Final = 5
QUERIES: Final[Mapping[str, str]] = {
    "owl mug": "mug-owl", "mug with an owl": "mug-owl", "fox mug": "mug-fox", "mug with hearts": "mug-hearts",
    "fern mug": "mug-fern", "polka dot mug": "mug-polka", "striped mug": "mug-banded",
    "tote bag with a bicycle": "tote-bag-bicycle", "tote bag with leaves": "tote-bag-leaf",
    "sunburst tote bag": "tote-bag-sunburst", "tote bag with waves": "tote-bag-waves",
    "striped cushion": "cushion-stripe", "zigzag cushion": "cushion-zigzag", "checked cushion": "cushion-check",
}  # fmt: skip
"""With how the ids of the styles that are meant begin."""


def main() -> None:
    """Print the share for each query and bundle."""
    bundles = [Encoders.load(Path(each)) for each in sys.argv[1:] or ["models/default"]]
    found = [precision(*embedded(each)) for each in bundles]
    table = Table("query", *(f"{each.name} {each.fingerprint[:8]}" for each in bundles))
    for row, query in enumerate(QUERIES):
        table.add_row(query, *(f"{shares[row]:.1f}" for shares in found))
    table.add_section()
    table.add_row("mean", *(f"{shares.mean():.3f}" for shares in found))
    Console().print(table)


def embedded(encoders: Encoders) -> tuple[Vectors, Vectors, list[str]]:
    """The vectors of the queries and of the products of the demo shop, and the products' styles."""
    with Photos(demo.CATALOGUE.parent) as photos:
        data = read_catalogue_data(demo.CATALOGUE, photos)
        requests = [Request(row, encoders.product_text(product)) for row, product in enumerate(data.products)]
        products = embed_requests(encoders, iter(requests), photos.load).of(requests)
    styles = [product.style_id or "" for product in data.products]
    return encoders.embed([ProductInput(text=query) for query in QUERIES]), products, styles


def precision(queries: Vectors, products: Vectors, styles: Sequence[str]) -> NDArray[np.float64]:
    """For each query, which of the `FIRST` nearest products are of a style that is meant, as a share."""
    meant = np.array([[style.startswith(start) for style in styles] for start in QUERIES.values()])
    nearest = np.argsort(-(queries @ products.T), axis=1, kind="stable")[:, :FIRST]
    shares: NDArray[np.float64] = np.take_along_axis(meant, nearest, axis=1).mean(axis=1)
    return shares


if __name__ == "__main__":
    main()
