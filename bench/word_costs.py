"""What words cost: `python -m bench.word_costs [--products N] [--work DIR]`.

CPU of `service.ranking.rank` for a query by vectors alone, and with words, on a made-up catalogue (`bench.planted`)
whose products say twenty words each, of 50,000 that are said as often as those of a language (Zipf). Words are strewn
over the catalogue, whatever its vectors say: what says them is nowhere near the query, which is the dearest there is.
The snapshot is kept in DIR. And what it takes to tell the words of the demo's products, as a build does.
"""

import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Final

import numpy as np
import orjson
import pyarrow as pa
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.machine import machine
from bench.planted import plant
from catalogue import demo
from catalogue.readers import usable_rows
from index import Filters, IndexedProduct, LiveIndex, LiveView, Snapshot, write_snapshot
from index.products import to_table
from index.words import RULES, Postings, numbers_of
from index.workers import set_faiss_threads
from service.lexical import ALONE, with_words
from service.ranking import Scope, Term, Words, rank

RUNS: Final = 60
VOCABULARY: Final = 50_000
_SAID: Final = 20
_TENTH: Final = 17
"""A word that is said by 9 in 100."""
_FINGERPRINT: Final = "0" * 64
_FILTER: Final = "price<=5.6"
_TIMES: Final = 100
"""The demo's products, so that what does not grow with them is nothing beside them."""
_LETTERS: Final = "bcdfghjklmnpqrtvwxyz"
console = Console(width=120)
Numbers = NDArray[np.int64]


def main(
    products: Annotated[int, typer.Option(help="Size of the catalogue.")] = 100_000,
    work: Annotated[Path, typer.Option(help="Where its snapshot is kept.")] = Path("data/bench"),
) -> None:
    """Print milliseconds of CPU a query, on one thread."""
    set_faiss_threads(1)
    path = work / "snapshots" / f"words-{products}-{RULES}"
    said = _said(products)
    if not path.exists():
        _write(path, said)
    view = LiveIndex(Snapshot.open(path, fingerprint=_FINGERPRINT)).view
    among = view.select(Filters.parse(_FILTER))
    passing = 0 if among.base is None else np.count_nonzero(among.base) / len(view)
    table = Table("words", "say all of them", "ms of CPU", f"{passing:.1%} pass a filter")
    for name, some in _queries(said):
        by_filter = [_measured(view, some, Scope(filters=Filters.parse(text))) for text in ("", _FILTER)]
        said_by = f"{median(_all_saying(said, words) for words in some):,.0f}" if len(some[0]) else "-"
        table.add_row(name, said_by, *(f"{ms:.2f}" for ms in by_filter))
    console.print(machine(), f"{products:,} products, {view.snapshot.manifest.index_type}", table, _told(), sep="\n")


def _told() -> str:
    """Words, bytes kept, microseconds of CPU and bytes at most for each product of the demo."""
    items = [IndexedProduct(product=row.product) for row in usable_rows(demo.CATALOGUE)]
    documents = to_table(items * _TIMES)["document"]
    began = time.process_time()
    postings = Postings.of(documents)
    cpu_s = time.process_time() - began
    tracemalloc.start()
    Postings.of(documents)
    _, most = tracemalloc.get_traced_memory()
    count = len(documents)
    kept = postings.rows.nbytes / count
    return (
        f"A product of the demo: {len(postings.rows) / count:.0f} words, kept in {kept:.0f} bytes and told in "
        f"{cpu_s / count * 1e6:.0f} us, with {most / count:.0f} bytes at most"
    )


def _said(products: int) -> Numbers:
    """The words of each product, by number, the most said first, int64 [products, `_SAID`]."""
    random = np.random.default_rng(3)
    share = 1 / np.arange(1, VOCABULARY + 1)
    ends = np.cumsum(share / share.sum())
    return np.searchsorted(ends, random.random((products, _SAID))).clip(max=VOCABULARY - 1)


def _write(path: Path, said: Numbers) -> None:
    planted = plant(len(said))
    names = np.array([_word_of(number) for number in range(VOCABULARY)], dtype=object)
    documents = [
        orjson.dumps({"product_id": name, "title": " ".join(names[words])})
        for name, words in zip(planted.products["product_id"].to_pylist(), said, strict=True)
    ]
    at = planted.products.schema.get_field_index("document")
    table = planted.products.set_column(at, planted.products.schema.field(at), pa.array(documents, pa.large_binary()))
    write_snapshot(
        path.parent,
        path.name,
        table,
        {"fusion": planted.vectors},
        model="planted",
        fingerprint=_FINGERPRINT,
        variant="none",
    )


def _queries(said: Numbers) -> Iterator[tuple[str, list[Numbers]]]:
    """Kinds of queries, each as the words of products."""
    rows = np.random.default_rng(4).permutation(len(said))[:RUNS]
    told = [np.unique(said[row]) for row in rows]
    yield "none, by vectors alone", [words[:0] for words in told]
    yield "one that few say", [words[-1:] for words in told]
    yield "three", [words[len(words) // 2 :][:3] for words in told]
    yield "twelve", [words[-12:] for words in told]
    yield "one that almost a tenth say", [np.array([_TENTH])] * len(told)
    yield "two that everybody says", [np.array([0, 1])] * len(told)


def _word_of(number: int) -> str:
    """A word with no digits in it, which is no other one's plural."""
    return "q" + "".join(_LETTERS[number // 20**place % 20] for place in range(4))


def _all_saying(said: Numbers, words: Numbers) -> int:
    """How many products say all of some words."""
    return int(np.all([(said == word).any(axis=1) for word in words], axis=0).sum())


def _measured(view: LiveView, queries: Sequence[Numbers], scope: Scope) -> float:
    """Median milliseconds of CPU."""
    times = []
    random = np.random.default_rng(5)
    for words in queries:
        row = random.integers(0, len(view))
        vector = view.vectors("fusion", np.array([row]))[0] + random.normal(0, 0.02, view.snapshot.manifest.dim)
        term = Term("query", 1.0, (vector / np.linalg.norm(vector)).astype(np.float32))
        numbers = tuple(numbers_of(map(_word_of, words.tolist())).tolist())
        asked = with_words(scope, Words(numbers, alone=True, weight=ALONE)) if numbers else scope
        began = time.process_time()
        rank(view, [term], asked, frozenset(), None)
        times.append((time.process_time() - began) * 1000)
    return median(times)


if __name__ == "__main__":
    typer.run(main)
