"""What words find: `python -m bench.words [BUNDLE ...] [--catalogue FILE [--triplets FILE]]`.

By vectors alone, and as served, where what products say counts as well (`service.lexical`).

Of the demo shop: kinds and designs that can be told by a photo, put as somebody would who has seen neither the shop nor
its titles. Three in ten of its styles were held out from training, the others were not: so it says what a bundle makes
of short texts, not how it generalises. Of another catalogue up to a thousand queries are made of its own words as
training makes them (kind, and one to three words of title, attributes or description); what has all of them is right,
so as served it is found almost by definition.

Of both: titles of its listings (the demo's held-out ones) find their own listing, and another one of its style, the
own one left out; so do a photo and title together. With triplets (`reference_id`, `target_id`) the photo of the first
with words for what should differ finds the second, the first left out; of the demo, photos of mugs, bags and cushions
with the words for another design find one that has it, and photos of all kinds with "blue" and the like their own kind.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from catalogue import demo
from catalogue.demo import is_held_out
from catalogue.product import Product
from index import IndexedProduct, LiveIndex, LiveView, Snapshot, write_snapshot
from index.products import to_table
from models import Encoders
from models.evaluation.composed import read_triplets
from models.evaluation.data import EvaluationData, read_products, styles_of
from models.evaluation.embedding import Request, embed_requests
from models.evaluation.photos import Photos
from models.evaluation.ranking import codes_of, of_styles
from models.training.texts import content_words, few_words, fitting, told_words
from service.lexical import looked_for, with_words
from service.query import Query
from service.ranking import Scope, Term, rank

FIRST: Final = 5
MOST: Final = 1_000
WORDS: Final = "{target_colour} {target_pattern?}"
QUERIES: Final[Mapping[str, str]] = {
    "owl mug": "mug-owl", "mug with an owl": "mug-owl", "fox mug": "mug-fox", "mug with hearts": "mug-hearts",
    "fern mug": "mug-fern", "polka dot mug": "mug-polka", "striped mug": "mug-banded",
    "tote bag with a bicycle": "tote-bag-bicycle", "tote bag with leaves": "tote-bag-leaf",
    "sunburst tote bag": "tote-bag-sunburst", "tote bag with waves": "tote-bag-waves",
    "striped cushion": "cushion-stripe", "zigzag cushion": "cushion-zigzag", "checked cushion": "cushion-check",
}  # fmt: skip
"""With how the ids of the styles that are meant begin."""
DESIGNS: Final[Mapping[str, str]] = {
    "mug-owl": "with an owl", "mug-fox": "fox", "mug-hearts": "hearts", "mug-fern": "fern", "mug-polka": "polka dots",
    "mug-banded": "striped", "tote-bag-bicycle": "bicycle", "tote-bag-leaf": "leaves", "tote-bag-sunburst": "sunburst",
    "tote-bag-waves": "waves", "cushion-stripe": "striped", "cushion-zigzag": "zigzag", "cushion-check": "checked",
}  # fmt: skip
"""What is said beside a photo of another one of the kind."""
ANY: Final = ("blue", "white", "steel", "striped", "large")
"""What is said beside a photo of anything."""
_FINGERPRINT: Final = "0" * 64
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Task:
    """Queries of one kind: their words, perhaps the photo of a product (by number) beside them, and what is right."""

    name: str
    words: Sequence[str]
    right: Mask
    """[queries, products]."""
    photos: Sequence[int | None]
    without: Sequence[int | None]
    """A product that is not searched."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares of queries: the first hit is right, any of `FIRST` is; and of these hits, of as many as are right."""

    first: float
    among: float
    of: float


def main() -> None:
    """Print what each kind of query finds, by each bundle."""
    parser = argparse.ArgumentParser(prog="python -m bench.words", description=__doc__)
    parser.add_argument("bundles", type=Path, nargs="*", default=[Path("models/default")])
    parser.add_argument("--catalogue", type=Path, default=demo.CATALOGUE)
    parser.add_argument("--triplets", type=Path, metavar="FILE", help=f"with the columns of {WORDS!r}")
    arguments = parser.parse_args()
    for bundle in arguments.bundles:
        encoders = Encoders.load(bundle)
        table = Table("", "queries", "", "first", f"among {FIRST}", f"of {FIRST}")
        for task, by_vectors, served in found(encoders, arguments.catalogue, arguments.triplets):
            for name, figures in (("by vectors", by_vectors), ("as served", served)):
                shown = (f"{share:.3f}" for share in (figures.first, figures.among, figures.of))
                table.add_row(task.name, f"{len(task.words):,}", name, *shown)
        Console().print(f"{encoders.name} {encoders.fingerprint[:8]}, {arguments.catalogue.name}", table, sep="\n")


def found(encoders: Encoders, catalogue: Path, triplets: Path | None) -> Iterator[tuple[Task, Figures, Figures]]:
    """What each task finds, by vectors and as served."""
    with Photos(catalogue.parent) as photos:
        products, _ = read_products(catalogue, photos)
        tasks = list(tasks_of(catalogue, products))
        if triplets is not None:
            tasks.append(_composed(catalogue, products, photos, triplets))
        asked = [
            [Request(photo, words) for photo, words in zip(task.photos, task.words, strict=True)] for task in tasks
        ]
        texts = [encoders.product_text(product) for product in products]
        kept = [Request(row if row in photos else None, text) for row, text in enumerate(texts)]
        table = embed_requests(encoders, iter([*kept, *(one for some in asked for one in some)]), photos.load)
    with indexed(products, table.of(kept)) as view:
        for task, requests in zip(tasks, asked, strict=True):
            yield task, *measured(task, table.of(requests), view)


@contextmanager
def indexed(products: Sequence[Product], vectors: NDArray[np.float32]) -> Iterator[LiveView]:
    """The products with vectors float32 [n, dim] as a catalogue, their numbers being their ids."""
    numbered = [product.model_copy(update={"product_id": str(row)}) for row, product in enumerate(products)]
    shop = to_table([IndexedProduct(product=product) for product in numbered])
    with TemporaryDirectory() as folder:
        written = write_snapshot(
            Path(folder), "shop", shop, {"fusion": vectors}, model="bench", fingerprint=_FINGERPRINT, variant="bench"
        )
        snapshot = Snapshot.open(written, fingerprint=_FINGERPRINT)
        try:
            yield LiveIndex(snapshot).view
        finally:
            snapshot.release()


def measured(task: Task, queries: NDArray[np.float32], view: LiveView) -> tuple[Figures, Figures]:
    """What queries [q, dim] find in an `indexed` catalogue, by vectors and as served."""
    by_vectors: list[list[int]] = []
    served: list[list[int]] = []
    scope = Scope(k=FIRST)
    for number, query in enumerate(queries):
        photo = None if task.photos[number] is None else b"only says how much words count"
        words = looked_for(Query(text=task.words[number], image=photo), view)
        own = task.without[number]
        without = frozenset() if own is None else frozenset({str(own)})
        for found, asked in ((by_vectors, scope), (served, with_words(scope, words) if words else scope)):
            hits, *_ = rank(view, [Term("query", 1.0, query)], asked, without, None)
            found.append([int(view.id_of(hit.row)) for hit in hits])
    return _figures(task.right, by_vectors), _figures(task.right, served)


def _figures(right: Mask, shown: Sequence[Sequence[int]]) -> Figures:
    hits = [right[number, rows] for number, rows in enumerate(shown)]
    most = right.sum(axis=1).clip(1, FIRST)
    return Figures(
        first=float(np.mean([row[0] for row in hits])),
        among=float(np.mean([row.any() for row in hits])),
        of=float(np.mean([row.sum() / count for row, count in zip(hits, most, strict=True)])),
    )


def tasks_of(catalogue: Path, products: Sequence[Product]) -> Iterator[Task]:
    """Few words, titles for their own listing, titles for another one."""
    is_demo = catalogue == demo.CATALOGUE
    styles = np.array(styles_of(products)[0])
    if is_demo:
        meant = [np.char.startswith(styles, start) for start in QUERIES.values()]
        yield _of_words("few words", list(QUERIES), np.array(meant))
    else:
        yield _of_its_own_words(products)
    rows = [row for row, product in enumerate(products) if product.title and (not is_demo or is_held_out(styles[row]))]
    rows = sorted(np.random.default_rng(0).permutation(rows)[:MOST].tolist())
    titles = [products[row].title for row in rows]
    own = np.arange(len(products)) == np.array(rows)[:, None]
    yield _of_words("title, its own listing", titles, own)
    others = (styles == styles[rows][:, None]) & (styles != "") & ~own
    some = np.flatnonzero(others.any(axis=1)).tolist()
    if some:
        own_rows, own_titles = [rows[at] for at in some], [titles[at] for at in some]
        yield Task("title, another of its style", own_titles, others[some], [None] * len(some), own_rows)
        yield Task("photo and title, the same", own_titles, others[some], own_rows, own_rows)
    if is_demo:
        yield _of_other_designs(styles)
        yield _of_their_kind(np.array([product.category or "" for product in products]))


def _of_its_own_words(products: Sequence[Product]) -> Task:
    random = np.random.default_rng(0)
    some = random.permutation(len(products))[:MOST]
    asked = [words for row in some if content_words(words := few_words(products[row], random))]
    return _of_words("few words", asked, fitting(asked, [told_words(product) for product in products]))


def _of_other_designs(styles: NDArray[np.str_]) -> Task:
    """Photos of products with the words for each other design of their kind."""
    asked = [
        (row, design)
        for own in DESIGNS
        for row in np.flatnonzero(np.char.startswith(styles, own)).tolist()
        for design in DESIGNS
        if design != own and design.rpartition("-")[0] == own.rpartition("-")[0]
    ]
    right = np.array([np.char.startswith(styles, design) for _, design in asked])
    photos = [row for row, _ in asked]
    return Task("photo and words", [DESIGNS[design] for _, design in asked], right, photos, photos)


def _of_their_kind(categories: NDArray[np.str_]) -> Task:
    """A photo of each kind with each of `ANY`."""
    _, rows = np.unique(categories, return_index=True)
    photos = np.repeat(rows, len(ANY)).tolist()
    return Task("photo and words, its kind", ANY * len(rows), categories == categories[photos][:, None], photos, photos)


def _of_words(name: str, words: Sequence[str], right: Mask) -> Task:
    return Task(name, words, right, [None] * len(words), [None] * len(words))


def _composed(catalogue: Path, products: list[Product], photos: Photos, triplets: Path) -> Task:
    everything = of_styles(codes_of([product.product_id for product in products]))
    read = read_triplets(triplets, WORDS, EvaluationData(catalogue, products, photos, everything))
    right = read.truth.right(np.arange(len(read.words)))
    return Task("photo and words", read.words, right, read.references, read.references)


if __name__ == "__main__":
    main()
