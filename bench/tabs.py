"""What the constants of the two tabs (`service/arranging.py`) rest on: `python -m bench.tabs [CATALOGUE ...]`.

As a bundle sees catalogues with style ids; the demo shop where none is named.

- From which likeness on two listings of one supplier are one: how alike a listing is to what its own supplier might
  list a second time (the photo as it is or a poor copy of it, the words as they are or as somebody else would put
  them), and how alike each is to the nearest listing of its supplier that is another product and does not say so.
- How diverse similar products should be: of the first ten, how many different styles there are and how many are of the
  query's kind (its last category), for each `diversity`.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, cast

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from catalogue import demo
from catalogue.product import Product
from catalogue.variants import contradict
from index import LiveView
from models import Encoders
from models.embedder import Vectors
from models.evaluation.data import read_catalogue_data
from models.evaluation.embedding import Request, embed_requests
from models.evaluation.photos import Photos
from models.evaluation.texts import without_attribute
from service import arranging
from service.models import threshold
from service.ranking import Ranked

FROM: Final = (0.90, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99)
DIVERSITIES: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
SHOWN: Final = 10
_TRUTH: Final = "photo_id"
"""A column that says which photos are one; as an attribute it would tell all products apart."""
_SEED: Final = 20_261_127
console = Console(width=140)


@dataclass
class Shop:
    """Products with the vector of each, float32 [n, dim], and of its copies by what was changed."""

    products: Sequence[Product]
    vectors: Vectors
    copies: dict[str, Vectors]

    def nearest_other(self, row: int) -> float | None:
        """How alike the nearest other product of the same supplier is that does not declare itself another variant."""
        own = self.products[row]
        others = [
            at
            for at, other in enumerate(self.products)
            if other.supplier_id == own.supplier_id and other.style_id != own.style_id and not contradict(own, other)
        ]
        return float((self.vectors[others] @ self.vectors[row]).max()) if others else None


def main(
    catalogues: Annotated[list[Path] | None, typer.Argument(help="With style ids; by default the demo shop.")] = None,
    bundle: Annotated[Path, typer.Option(help="The bundle that sees them.")] = Path("models/default"),
    most: Annotated[int, typer.Option("--products", help="So many products of each, chosen at random.")] = 1_000,
) -> None:
    """Print both tables for each catalogue."""
    encoders = Encoders.load(bundle)
    for path in catalogues or [demo.CATALOGUE]:
        shop = embedded(encoders, path, most)
        console.print(f"[b]{path.name}[/b], {len(shop.products):,} products, as {encoders.name} sees them")
        console.print(likeness(shop))
        console.print(diversity(shop, threshold(encoders, "same_style"), threshold(encoders, "similar")))


def embedded(encoders: Encoders, path: Path, most: int) -> Shop:
    """Some products of a catalogue, with their photos' poor copies and their words in another order."""
    with ExitStack() as stack:
        photos = stack.enter_context(Photos(path.parent))
        products = [without_attribute(each, _TRUTH) for each in read_catalogue_data(path, photos).products]
        chosen = np.sort(np.random.default_rng(_SEED).permutation(len(products))[:most]).tolist()
        rows = [row for row in chosen if row in photos]
        own = [encoders.product_text(products[row]) for row in rows]
        others = [encoders.product_text(_reworded(products[row])) for row in rows]
        requests = {
            "as it is": [Request(row, text) for row, text in zip(rows, own, strict=True)],
            "same photo, other words": [Request(row, text) for row, text in zip(rows, others, strict=True)],
            "poor photo, same words": [Request(row, text, poor=True) for row, text in zip(rows, own, strict=True)],
            "poor photo, other words": [Request(row, text, poor=True) for row, text in zip(rows, others, strict=True)],
        }
        together = (one for four in zip(*requests.values(), strict=True) for one in four)
        table = embed_requests(encoders, together, photos.load)
    vectors = {name: table.of(some) for name, some in requests.items()}
    return Shop([products[row] for row in rows], vectors.pop("as it is"), vectors)


def _reworded(product: Product) -> Product:
    """The same product as its supplier lists it a second time: the title from its end, in capitals, no description."""
    title = " ".join(reversed(product.title.split())).upper()
    return product.model_copy(update={"title": title, "description": ""})


def likeness(shop: Shop) -> Table:
    """What is one product to the eye, against what is not: quantiles, and the share from each likeness on."""
    others = [value for row in range(len(shop.products)) if (value := shop.nearest_other(row)) is not None]
    rows = {name: np.einsum("ij,ij->i", shop.vectors, copies) for name, copies in shop.copies.items()}
    if others:
        rows["nearest other of the supplier"] = np.array(others, np.float32)
    table = Table(title="Likeness (cosine), and the share at or above")
    for column in ("", "n", "1 %", "5 %", "50 %", "95 %", "99 %", *(f"{score:.2f}" for score in FROM)):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in rows.items():
        quantiles = np.percentile(values, [1, 5, 50, 95, 99])
        shares = [f"{np.mean(values >= score):.3f}" for score in FROM]
        table.add_row(name, f"{len(values):,}", *(f"{value:.3f}" for value in quantiles), *shares)
    return table


class _View:
    """The vectors of a shop, as an arrangement asks for them."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def vectors(self, _field: str, rows: NDArray[np.int64]) -> Vectors:
        found: Vectors = self._vectors[rows]
        return found


def diversity(shop: Shop, same: float | None, similar: float | None) -> Table:
    """What the first of the similar products are, by how diverse they are asked to be."""
    table = Table(title=f"Of the first {SHOWN} similar products")
    for column in ("diversity", "different styles", "of the query's kind", "score", "likeness to one another"):
        table.add_column(column, justify="right")
    candidates = [(row, _similar(shop, row, same, similar)) for row in range(len(shop.products))]
    enough = [(row, hits) for row, hits in candidates if len(hits) >= SHOWN]
    view = cast("LiveView", _View(shop.vectors))
    for share in DIVERSITIES:
        arrange = arranging.similar(share)
        firsts = [(row, arrange(view, hits, SHOWN)[:SHOWN]) for row, hits in enough]
        measured = np.mean([_look(shop, row, first) for row, first in firsts], axis=0)
        table.add_row(f"{share:.1f}", f"{measured[0]:.2f}", *(f"{value:.3f}" for value in measured[1:]))
    table.caption = f"{len(enough):,} products have as many"
    return table


def _similar(shop: Shop, row: int, same: float | None, similar: float | None) -> list[Ranked]:
    """Candidates as `service.same_style.similar` finds them."""
    scores = shop.vectors @ shop.vectors[row]
    own = shop.products[row]
    best = (int(at) for at in np.argsort(-scores, kind="stable") if at != row)
    hits: list[Ranked] = []
    for at in best:
        score = float(scores[at])
        if (similar is not None and score < similar) or len(hits) == arranging.DIVERSE:
            break
        if same is None or score < same or contradict(own, shop.products[at]):
            hits.append(Ranked(at, score))
    return hits


def _look(shop: Shop, row: int, first: Sequence[Ranked]) -> tuple[float, float, float, float]:
    """Different styles, share of the query's kind, mean score, and mean likeness to one another."""
    shown = [shop.products[hit.row] for hit in first]
    kinds = [product.category == shop.products[row].category for product in shown]
    vectors = shop.vectors[[hit.row for hit in first]]
    alike = (vectors @ vectors.T)[np.triu_indices(len(first), 1)]
    styles = len({product.style_id for product in shown})
    return styles, float(np.mean(kinds)), float(np.mean([hit.score for hit in first])), float(alike.mean())


if __name__ == "__main__":
    typer.run(main)
