"""The one place that turns a query into neighbours."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import DeadlineExceeded, InvalidInput, NotFound
from catalogue.photos import PhotoStore
from catalogue.product import Product
from catalogue.threads import ThreadBudget
from catalogue.variants import contradict
from index import Filters, IndexedProduct, Neighbours, Snapshot, VectorIndex
from index.facets import Facets, count
from index.parts import page as page_of
from index.products import Sort
from index.search import set_faiss_threads
from models import Embedder, ProductInput
from service import metrics
from service.cache import EmbeddingCache, cache_key
from service.encoding import EncoderQueue

NEGATIVE_WEIGHT: Final = 0.5
"""What all negatives together weigh against the query: more, and the answer is only 'anything but these'."""
_SMALLEST_QUERY: Final = 1e-3

Vector = NDArray[np.float32]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; at least one of `product_id`, `image` and `text`, not both of the first two."""

    product_id: str | None = None
    image: bytes | None = None
    text: str | None = None
    crop: tuple[float, float, float, float] | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: {"fused": 1.0})
    negatives: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Where it is looked for, and how much of it is answered; `keep` judges a row and its score."""

    k: int = 10
    target: str = "fusion"
    filters: Filters = field(default_factory=Filters)
    exclude: frozenset[str] = frozenset()
    min_score: float | None = None
    keep: Callable[[int, float], bool] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A neighbour: its product, score and what each term of the query contributed to the score."""

    item: IndexedProduct
    score: float
    contributions: Mapping[str, float]


class Pools:
    """The threads searches share: photos are read and decoded in one pool, the index is scanned in the other."""

    def __init__(self, budget: ThreadBudget) -> None:
        self.decode = ThreadPoolExecutor(budget.decode, thread_name_prefix="decode")
        self.search = ThreadPoolExecutor(
            budget.search, "search", initializer=set_faiss_threads, initargs=(budget.faiss,)
        )

    def close(self) -> None:
        """Wait for what is under way."""
        self.decode.shutdown()
        self.search.shutdown()


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the filtered and sorted catalogue; `total` and `facets` count all that pass the filters."""

    items: list[IndexedProduct]
    total: int
    facets: Facets


@dataclass(frozen=True, slots=True)
class _Term:
    name: str
    weight: float
    vector: Vector


class Retrieval:
    """Queries over one loaded model and one loaded snapshot of its space."""

    def __init__(
        self,
        snapshot: Snapshot,
        embedder: Embedder,
        photos: PhotoStore,
        *,
        encoder: EncoderQueue,
        cache: EmbeddingCache,
        pools: Pools,
        deadline_s: float,
    ) -> None:
        self.snapshot = snapshot
        self.embedder = embedder
        self.photos = photos
        self._encoder = encoder
        self._cache = cache
        self._pools = pools
        self._deadline_s = deadline_s

    async def search(self, query: Query, scope: Scope) -> list[Found]:
        """Neighbours of a query, best first; its own product is never among them.

        Raises InvalidInput, UndecodableImage or TooLarge for what cannot be used, NotFound for an unknown product,
        Overloaded, and DeadlineExceeded.
        """
        return await self._within_deadline(self._search(query, scope))

    async def same_style(self, product_id: str, k: int, *, other_suppliers: bool = True) -> list[Found]:
        """The same product, by default from other suppliers only.

        Products at or above the calibrated threshold, less those whose declared variant contradicts the product's.
        """
        own = self.product(product_id).product
        without_own = other_suppliers and own.supplier_id
        filters = Filters(not_suppliers=(own.supplier_id,)) if without_own else Filters()
        floor = self._same_style_from()
        scope = Scope(k=k, filters=filters, min_score=floor, keep=lambda row, score: self._is_same(own, row, score))
        return await self.search(Query(product_id=product_id), scope)

    async def similar(self, product_id: str, k: int) -> list[Found]:
        """Products that are alike but not the same: another variant, or below the same-style threshold."""
        own = self.product(product_id).product
        floor = self._threshold("similar", without=-math.inf)
        scope = Scope(k=k, min_score=floor, keep=lambda row, score: not self._is_same(own, row, score))
        return await self.search(Query(product_id=product_id), scope)

    def product(self, product_id: str) -> IndexedProduct:
        """A product of the snapshot; raises NotFound."""
        return self.snapshot.products.get(self.snapshot.products.row_of(product_id))

    async def browse(self, filters: Filters, sort: Sort, start: int, limit: int, facets: Sequence[str]) -> Page:
        """`limit` products from the `start`-th on."""

        def page() -> Page:
            products = self.snapshot.products
            mask = products.mask(filters)
            parts = [(products, mask)]
            items = [parts[part][0].get(row) for part, row in page_of(parts, sort, start, limit)]
            return Page(items, int(mask.sum()), count(parts, facets))

        loop = asyncio.get_running_loop()
        return await self._within_deadline(loop.run_in_executor(self._pools.search, page))

    async def facets(self, filters: Filters, facets: Sequence[str]) -> Facets:
        """Counts over all products that pass the filters."""
        if not facets:
            return {}
        products = self.snapshot.products
        loop = asyncio.get_running_loop()
        counting = loop.run_in_executor(self._pools.search, lambda: count([(products, products.mask(filters))], facets))
        return await self._within_deadline(counting)

    def photo_digest(self, product_id: str) -> str:
        """The hex SHA-256 of a product's main photo; raises NotFound."""
        digest = self.product(product_id).photo
        if digest is None:
            raise NotFound(f"Product {product_id!r} has no photo.")
        return digest

    async def photo(self, product_id: str, transform: Callable[[bytes], bytes]) -> bytes:
        """The main photo of a product after `transform`, off the event loop; raises NotFound."""
        digest = self.photo_digest(product_id)
        return await self.off_loop(lambda: transform(self.photos.get(digest)))

    async def close(self) -> None:
        """Finish what is under way and let go of threads and connections."""
        await asyncio.to_thread(self._encoder.close)
        self._pools.close()
        await self._cache.close()

    async def off_loop(self, work: Callable[[], Result]) -> Result:
        """Run something slow on a decoding thread, within the deadline."""
        loop = asyncio.get_running_loop()
        return await self._within_deadline(loop.run_in_executor(self._pools.decode, work))

    async def _within_deadline(self, work: Awaitable[Result]) -> Result:
        try:
            async with asyncio.timeout(self._deadline_s):
                return await work
        except TimeoutError:
            raise DeadlineExceeded(
                f"The answer was not ready within {self._deadline_s:g} s. Try again, or ask for less."
            ) from None

    async def _search(self, query: Query, scope: Scope) -> list[Found]:
        index = self.snapshot.index(scope.target)  # before anything is paid for
        terms = await self._terms(query)
        total = sum((term.weight * term.vector for term in terms), np.zeros(self.embedder.dim, np.float32))
        length = float(np.linalg.norm(total))
        if length < _SMALLEST_QUERY:
            raise InvalidInput("The terms of the query cancel each other out. Change weights or negatives.")
        excluded = scope.exclude | ({query.product_id} if query.product_id else set())

        def look_up() -> list[Found]:
            chosen = self._look_up(index, total / length, scope, excluded)
            with metrics.stage("catalogue"):
                return self._explained(chosen, scope.target, [(t.name, t.weight / length, t.vector) for t in terms])

        return await asyncio.get_running_loop().run_in_executor(self._pools.search, look_up)

    def _look_up(
        self, index: VectorIndex, query: Vector, scope: Scope, excluded: frozenset[str]
    ) -> list[tuple[int, float]]:
        """Rows and scores; fetches more as long as exclusions and `keep` leave fewer than `k`."""
        with metrics.stage("search"):
            allowed = None if scope.filters.is_open else self.snapshot.products.mask(scope.filters)
            fetch = scope.k + len(excluded)
            while True:
                found = index.search(query, fetch, allowed)
                chosen = self._choose(found, scope, excluded)
                exhausted = len(found.rows) < fetch
                below = scope.min_score is not None and not exhausted and found.scores[-1] < scope.min_score
                if len(chosen) == scope.k or exhausted or below:
                    return chosen
                fetch *= 4

    def _choose(self, found: Neighbours, scope: Scope, excluded: frozenset[str]) -> list[tuple[int, float]]:
        chosen: list[tuple[int, float]] = []
        for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
            below = scope.min_score is not None and score < scope.min_score
            if below or len(chosen) == scope.k:
                break
            if excluded and self.snapshot.products.id_of(row) in excluded:
                continue
            if scope.keep is None or scope.keep(row, score):
                chosen.append((row, score))
        return chosen

    def _explained(
        self, chosen: list[tuple[int, float]], target: str, terms: list[tuple[str, float, Vector]]
    ) -> list[Found]:
        vectors = self.snapshot.vectors(target, np.array([row for row, _ in chosen], np.int64))
        parts = {name: (vectors @ vector) * weight for name, weight, vector in terms}
        return [
            Found(self.snapshot.products.get(row), score, {name: float(part[at]) for name, part in parts.items()})
            for at, (row, score) in enumerate(chosen)
        ]

    async def _terms(self, query: Query) -> list[_Term]:
        """The terms with a weight, embedded side by side."""
        weights = {name: weight for name, weight in query.weights.items() if weight}
        share = -NEGATIVE_WEIGHT / max(1, len(query.negatives))
        vectors = await asyncio.gather(
            *(self._positive(name, query) for name in weights), *(self._negative(text) for text in query.negatives)
        )
        weights |= {f"negative {number}": share for number in range(1, len(query.negatives) + 1)}
        return [_Term(*term) for term in zip(weights.keys(), weights.values(), vectors, strict=True)]

    async def _positive(self, name: str, query: Query) -> Vector:
        """One term: `fused` is all that is given together, `image` and `text` one modality of it."""
        if query.product_id is None:
            return await self._embed(_only(name, ProductInput(query.image, query.text, query.crop)))
        row = self.snapshot.products.row_of(query.product_id)
        if name == "fused" and not query.text:
            return self._stored(row)
        return await self._embed(_only(name, await self._as_input(row, query.text)))

    async def _as_input(self, row: int, words: str | None) -> ProductInput:
        """A product of the snapshot as an encoder takes it.

        Words that come with it take the place of its own text: "this mug, but white" must not also say it is red.
        Only a product without a photo keeps its text, with the words before it.
        """
        item = self.snapshot.products.get(row)
        text = self.embedder.product_text(item.product)
        photo = None
        if item.photo is not None:
            loop = asyncio.get_running_loop()
            photo = await loop.run_in_executor(self._pools.decode, self.photos.get, item.photo)
        if words:
            text = words if photo is not None else f"{words}, {text}"
        return ProductInput(photo, text or None)

    async def _negative(self, negative: str) -> Vector:
        """A product id where there is such a product, else words."""
        try:
            return self._stored(self.snapshot.products.row_of(negative))
        except NotFound:
            return await self._embed(ProductInput(text=negative))

    def _stored(self, row: int) -> Vector:
        vector: Vector = self.snapshot.vectors("fusion", np.array([row]))[0]
        return vector / np.linalg.norm(vector)

    async def _embed(self, item: ProductInput) -> Vector:
        key = cache_key(self.embedder, item)
        with metrics.stage("cache"):
            known = await self._cache.get(key)
        if known is not None:
            return known
        vector = await self._encoder.embed(item)
        await self._cache.put(key, vector)
        return vector

    def _is_same(self, own: Product, row: int, score: float) -> bool:
        return score >= self._same_style_from() and not contradict(own, self.snapshot.products.get(row).product)

    def _same_style_from(self) -> float:
        """Without a calibrated threshold nothing is called the same."""
        return self._threshold("same_style", without=math.inf)

    def _threshold(self, kind: Literal["same_style", "similar"], *, without: float) -> float:
        """The calibrated score for product against product, or `without` where the bundle has none."""
        thresholds = self.embedder.thresholds.get("m-m")
        calibrated = getattr(thresholds, kind, None)
        return calibrated.score if calibrated is not None else without


def _only(name: str, item: ProductInput) -> ProductInput:
    """The modality a term is about; raises InvalidInput where the query has none of it."""
    if name == "fused":
        return item
    if name == "image" and item.image is not None:
        return ProductInput(image=item.image, crop=item.crop)
    if name == "text" and item.text:
        return ProductInput(text=item.text)
    raise InvalidInput(f"weights.{name} is set, but the query has no {name}. Give one, or set the weight to 0.")
