"""Measures one bundle on one set of data: nine modes, poor photos, fusion, categories, and the composed task."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from catalogue.threads import FETCH_THREADS
from models.bundle import ModePair
from models.embedder import Embedder, Vectors
from models.evaluation.bootstrap import Scores, paired, score, scored
from models.evaluation.composed import Triplets
from models.evaluation.data import EvaluationData
from models.evaluation.embedding import Progress, Request, VectorTable, embed_requests, mode_request
from models.evaluation.modes import MODES, Mode, pair_modes
from models.evaluation.ranking import (
    Answer,
    Rows,
    answers_of,
    giveaways,
    hidden_for,
    mode_ranks,
    ranks_of,
)
from models.evaluation.texts import TextOf, column, text_by_template, without_attribute

_WITH_PHOTO: Final[tuple[Mode, ...]] = ("i", "m")
SHOWN: Final = 5
"""Products shown of what a query found."""


@dataclass(frozen=True, slots=True)
class Options:
    """How products are read and what is measured; see `samestyle evaluate --help`."""

    query_text: str | None = None
    gallery_text: str | None = None
    same_photo: str | None = None
    same_text: str | None = None
    poor_photos: bool = False
    category_level: int = 1
    worst: int = 0


@dataclass
class Measured:
    """The figures of one bundle.

    `ranks` [q] are those behind `modes`. `fusion` says by how much photo and text together beat the better of the two
    alone, and their late fusion, each on the same queries with the same products hidden. `composed_gain` says by how
    much photo and words together beat either alone.
    """

    modes: dict[ModePair, Scores] = field(default_factory=dict)
    ranks: dict[ModePair, Rows] = field(default_factory=dict)
    poor: dict[ModePair, Scores] = field(default_factory=dict)
    fusion: dict[str, Scores] = field(default_factory=dict)
    categories: dict[str, dict[ModePair, Scores]] = field(default_factory=dict)
    composed: dict[str, Scores] = field(default_factory=dict)
    composed_gain: dict[str, Scores] = field(default_factory=dict)
    composed_ranks: dict[str, Rows] = field(default_factory=dict)
    worst: dict[ModePair, list[Answer]] = field(default_factory=dict)
    gallery: dict[Mode, Vectors] = field(default_factory=dict)
    texts: tuple[list[str], list[str]] = ([], [])
    """What was read of each product as a query, and in the gallery."""


def measure(
    embedder: Embedder,
    data: EvaluationData,
    options: Options = Options(),
    *,
    triplets: Triplets | None = None,
    threads: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Measured:
    """Embed what is asked for and score it; photos that cannot be used are left out and noted in `data.photos`.

    Raises InvalidInput for a template or column that no product has.
    """
    plan = _Plan(embedder, data, options, triplets)
    photos = data.photos
    threads = FETCH_THREADS if photos.on_the_web else threads
    table = embed_requests(
        embedder, plan.requests(), photos.load, threads=threads, refused=photos.refuse, progress=progress
    )
    return plan.measured(table)


class _Plan:
    """Which vectors are needed, and what is made of them."""

    def __init__(self, embedder: Embedder, data: EvaluationData, options: Options, triplets: Triplets | None) -> None:
        self._data, self._options, self._triplets = data, options, triplets
        self._own = data.truth.own.tolist()
        given = [
            self._texts(template, embedder, option)
            for template, option in ((options.query_text, "--query-text"), (options.gallery_text, "--gallery-text"))
        ]
        self._query_texts, self._gallery_texts = given
        self._words: defaultdict[int, list[str]] = defaultdict(list)
        if triplets is not None:
            for reference, words in zip(triplets.references, triplets.words, strict=True):
                self._words[reference].append(words)
        self._hidden = giveaways(
            column(options.same_photo, data.products, "--same-photo-column") if options.same_photo else None,
            column(options.same_text, data.products, "--same-text-column") if options.same_text else None,
        )

    def requests(self) -> Iterator[Request]:
        """Everything that is to be embedded, product by product."""
        asked = set(self._own)
        for row in range(len(self._data.products)):
            wanted = [self._gallery(mode, row) for mode in MODES]
            if row in asked:
                wanted += [self._query(mode, row) for mode in MODES]
                if self._options.poor_photos:
                    wanted += [self._query(mode, row, poor=True) for mode in _WITH_PHOTO]
            for words in self._words.get(row, ()):
                wanted += [self._composed(mode, row, words) for mode in MODES]
            yield from (request for request in wanted if request is not None)

    def measured(self, table: VectorTable) -> Measured:
        """All figures."""
        everything = range(len(self._data.products))
        gallery: dict[Mode, Vectors] = {
            mode: table.of([self._gallery(mode, row) for row in everything]) for mode in MODES
        }
        queries: dict[Mode, Vectors] = {mode: table.of([self._query(mode, row) for row in self._own]) for mode in MODES}
        result = Measured(gallery=gallery, texts=(self._query_texts, self._gallery_texts))
        ranks = mode_ranks(queries, gallery, self._data.truth, self._hidden)
        result.ranks = {pair: found for pair, found in ranks.items() if found.any()}
        result.modes = scored(result.ranks, self._data.truth.clusters)
        if self._options.poor_photos:
            copies = {mode: table.of([self._query(mode, row, poor=True) for row in self._own]) for mode in _WITH_PHOTO}
            poor = mode_ranks(copies, gallery, self._data.truth, self._hidden)
            result.poor = scored(poor, self._data.truth.clusters)
        result.fusion = self._fusion(queries, gallery)
        result.categories = self._categories(result.ranks)
        if self._triplets is not None:
            self._measure_composed(table, gallery["m"], result)
        if self._options.worst:
            result.worst = {
                pair: self._worst(queries[query], gallery[searched], query, found)
                for pair, found in result.ranks.items()
                for query, searched in [pair_modes(pair)]
            }
        return result

    def _texts(self, template: str | None, embedder: Embedder, option: str) -> list[str]:
        """The text of every product; what tells the same photo must not stand in it."""
        hidden = self._options.same_photo
        text_of: TextOf = embedder.product_text
        if template is not None:
            text_of = text_by_template(template, self._data.products, option)
        elif hidden is not None:
            return [text_of(without_attribute(product, hidden)) for product in self._data.products]
        return [text_of(product) for product in self._data.products]

    def _photo(self, row: int) -> int | None:
        return row if row in self._data.photos else None

    def _gallery(self, mode: Mode, row: int) -> Request | None:
        return mode_request(mode, self._photo(row), self._gallery_texts[row])

    def _query(self, mode: Mode, row: int, *, poor: bool = False) -> Request | None:
        return mode_request(mode, self._photo(row), self._query_texts[row], poor=poor)

    def _composed(self, mode: Mode, row: int, words: str) -> Request | None:
        return mode_request(mode, self._photo(row), words)

    def _fusion(self, queries: Mapping[Mode, Vectors], gallery: Mapping[Mode, Vectors]) -> dict[str, Scores]:
        """What m-m gains over the better of photo and text alone, and over the sum of their vectors.

        All of them answer the queries of m-m, and nothing is searched that m-m does not search.
        """
        truth, hidden = self._data.truth, hidden_for("m", self._hidden)
        ranks = {
            f"{mode}-{mode}": ranks_of(
                _where(queries[mode], queries["m"]), _where(gallery[mode], gallery["m"]), truth, hidden
            )
            for mode in MODES
        }
        late = ranks_of(_late(queries), _late(gallery), truth, hidden)
        alone = scored({pair: ranks[pair] for pair in ("i-i", "t-t")}, truth.clusters)
        rivals = {"late fusion": late}
        if alone:
            better = max(alone, key=lambda pair: alone[pair].mrr)
            rivals = {better: ranks[better]} | rivals
        gains = {name: paired(ranks["m-m"], rival, truth.clusters) for name, rival in rivals.items()}
        return {name: gain for name, gain in gains.items() if gain is not None}

    def _categories(self, ranks: Mapping[ModePair, Rows]) -> dict[str, dict[ModePair, Scores]]:
        """Figures of the queries of each category, the one with most queries first."""
        members: defaultdict[str, list[int]] = defaultdict(list)
        for query, row in enumerate(self._own):
            levels = self._data.products[row].category_levels[: self._options.category_level]
            members[" > ".join(levels) or "(none)"].append(query)
        clusters = self._data.truth.clusters
        result: dict[str, dict[ModePair, Scores]] = {}
        for name, own in sorted(members.items(), key=lambda entry: (-len(entry[1]), entry[0])):
            if found := scored({pair: every[own] for pair, every in ranks.items()}, clusters[own]):
                result[name] = found
        return result

    def _measure_composed(self, table: VectorTable, gallery: Vectors, result: Measured) -> None:
        """Photo and words, the photo alone, and the words alone, among products by photo and text."""
        assert self._triplets is not None  # noqa: S101  # for mypy: the caller looked
        asked = list(zip(self._triplets.references, self._triplets.words, strict=True))
        truth = self._triplets.truth
        names: dict[str, Mode] = {"photo and words": "m", "photo alone": "i", "words alone": "t"}
        for name, mode in names.items():
            queries = table.of([self._composed(mode, row, words) for row, words in asked])
            ranks = ranks_of(queries, gallery, truth)
            scores = score(ranks, truth.clusters)
            if scores is not None:
                result.composed[name], result.composed_ranks[name] = scores, ranks
        both = result.composed_ranks.get("photo and words")
        for name in ("photo alone", "words alone"):
            alone = result.composed_ranks.get(name)
            gain = paired(both, alone, truth.clusters) if both is not None and alone is not None else None
            if gain is not None:
                result.composed_gain[name] = gain

    def _worst(self, queries: Vectors, gallery: Vectors, query: Mode, ranks: Rows) -> list[Answer]:
        """What the queries of the highest ranks found, one of each style."""
        chosen: dict[int, int] = {}
        for at in np.argsort(-ranks, kind="stable").tolist():
            if ranks[at] <= 1 or len(chosen) == self._options.worst:
                break
            chosen.setdefault(int(self._data.truth.clusters[at]), at)
        hidden = hidden_for(query, self._hidden)
        return answers_of(queries, gallery, self._data.truth, hidden, ranks, list(chosen.values()), SHOWN)


def _where(vectors: Vectors, others: Vectors) -> Vectors:
    """The rows that are there in `others` too, zeros elsewhere."""
    kept: Vectors = np.where(others.any(axis=1, keepdims=True), vectors, np.float32(0))
    return kept


def _late(vectors: Mapping[Mode, Vectors]) -> Vectors:
    """Photo and text vectors added with equal weight, unit rows; zeros where one of them is missing."""
    both = _where(vectors["i"], vectors["t"]) + _where(vectors["t"], vectors["i"])
    lengths = np.linalg.norm(both, axis=1, keepdims=True)
    unit: Vectors = np.divide(both, lengths, out=np.zeros_like(both), where=lengths > 1e-6)
    return unit
