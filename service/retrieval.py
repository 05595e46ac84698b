"""The one place that turns a query into neighbours."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import DeadlineExceeded, InvalidInput, NotFound
from catalogue.photos import PhotoStore
from catalogue.product import Product
from catalogue.threads import ThreadBudget
from catalogue.variants import contradict
from index import Filters, IndexedProduct, LiveIndex, LiveView, Neighbours
from index.facets import Facets
from index.products import Sort
from index.search import set_faiss_threads
from models import Embedder, ProductInput
from service import metrics
from service.cache import EmbeddingCache, cache_key
from service.encoding import EncoderQueue
from service.models import threshold
from service.remote import RemotePhotos

NEGATIVE_WEIGHT: Final = 0.5
"""What all negatives together weigh against the query: more, and the answer is only 'anything but these'."""
_SMALLEST_QUERY: Final = 1e-3
_RECENT: Final = 32
_RECENT_BYTES: Final = 500_000

Vector = NDArray[np.float32]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: at most one of `product_id`, `image` and `image_url`, with or without `text`."""

    product_id: str | None = None
    image: bytes | None = None
    image_url: str | None = None
    text: str | None = None
    crop: tuple[float, float, float, float] | None = None
    weights: Mapping[str, float] = field(default_factory=lambda: {"fused": 1.0})
    negatives: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """Where it is looked for, and how much of it is answered; `keep` judges a product and its score."""

    k: int = 10
    target: str = "fusion"
    filters: Filters = field(default_factory=Filters)
    exclude: frozenset[str] = frozenset()
    min_score: float | None = None
    keep: Callable[[Product, float], bool] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A neighbour: its product, score and what each term of the query contributed to the score."""

    item: IndexedProduct
    score: float
    contributions: Mapping[str, float]


class Pools:
    """The threads requests share: photos are read and decoded in one pool, the index is scanned in the other.

    Whatever a request waits for, it waits no longer than `deadline_s`.
    """

    def __init__(self, budget: ThreadBudget, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self.decode = ThreadPoolExecutor(budget.decode, thread_name_prefix="decode")
        self.search = ThreadPoolExecutor(
            budget.search, "search", initializer=set_faiss_threads, initargs=(budget.faiss,)
        )

    def close(self) -> None:
        """Wait for what is under way."""
        self.decode.shutdown()
        self.search.shutdown()

    async def off_loop(self, work: Callable[[], Result]) -> Result:
        """Run something slow on a decoding thread; raises DeadlineExceeded."""
        return await self.in_time(asyncio.get_running_loop().run_in_executor(self.decode, work))

    async def in_search(self, work: Callable[[], Result]) -> Result:
        """Look something up on a searching thread; raises DeadlineExceeded."""
        return await self.in_time(asyncio.get_running_loop().run_in_executor(self.search, work))

    async def in_time(self, work: Awaitable[Result]) -> Result:
        """The result of `work`; raises DeadlineExceeded."""
        try:
            async with asyncio.timeout(self.deadline_s):
                return await work
        except TimeoutError:
            raise DeadlineExceeded(
                f"The answer was not ready within {self.deadline_s:g} s. Try again, or ask for less."
            ) from None


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
    """Queries over one loaded model and one live index of its space; `recent` are the last ones, to warm another up."""

    def __init__(
        self,
        live: LiveIndex,
        encoder: EncoderQueue,
        photos: PhotoStore,
        *,
        cache: EmbeddingCache,
        pools: Pools,
        remote: RemotePhotos,
    ) -> None:
        self.live = live
        self.embedder: Embedder = encoder.embedder
        self.recent: deque[tuple[Query, Scope]] = deque(maxlen=_RECENT)
        self._photos = photos
        self._encoder = encoder
        self._cache = cache
        self._pools = pools
        self._remote = remote

    @property
    def view(self) -> LiveView:
        """The catalogue as it is now."""
        return self.live.view

    @property
    def snapshot_name(self) -> str:
        """The snapshot that is served."""
        return self.live.snapshot.manifest.name

    async def search(self, query: Query, scope: Scope) -> list[Found]:
        """Neighbours of a query, best first; its own product is never among them.

        Raises InvalidInput, UndecodableImage or TooLarge for what cannot be used, FetchRefused or FetchFailed for a
        photo by URL, NotFound for an unknown product, Overloaded, and DeadlineExceeded.
        """
        return await self._pools.in_time(self._search(query, scope))

    async def same_style(self, product_id: str, k: int, *, other_suppliers: bool = True) -> list[Found]:
        """The same product, by default from other suppliers only.

        Products at or above the calibrated threshold, less those whose declared variant contradicts the product's.
        """
        own = self.product(product_id).product
        without_own = other_suppliers and own.supplier_id
        filters = Filters(not_suppliers=(own.supplier_id,)) if without_own else Filters()
        floor = self._same_style_from()
        scope = Scope(k=k, filters=filters, min_score=floor, keep=lambda other, score: self._is_same(own, other, score))
        return await self.search(Query(product_id=product_id), scope)

    async def similar(self, product_id: str, k: int) -> list[Found]:
        """Products that are alike but not the same: another variant, or below the same-style threshold."""
        own = self.product(product_id).product
        scope = Scope(
            k=k,
            min_score=threshold(self.embedder, "similar"),
            keep=lambda other, score: not self._is_same(own, other, score),
        )
        return await self.search(Query(product_id=product_id), scope)

    def product(self, product_id: str) -> IndexedProduct:
        """A product as it is now; raises NotFound."""
        view = self.view
        return view.get(view.row_of(product_id))

    async def browse(self, filters: Filters, sort: Sort, start: int, limit: int, facets: Sequence[str]) -> Page:
        """`limit` products from the `start`-th on."""

        def page() -> Page:
            view = self.view
            return Page(*view.page(view.select(filters), sort, start, limit, facets))

        return await self._pools.in_search(page)

    async def facets(self, filters: Filters, facets: Sequence[str]) -> Facets:
        """Counts over all products that pass the filters."""
        if not facets:
            return {}
        view = self.view
        return await self._pools.in_search(lambda: view.facets(view.select(filters), facets))

    def photo_digest(self, product_id: str) -> str:
        """The hex SHA-256 of a product's main photo; raises NotFound."""
        digest = self.product(product_id).photo
        if digest is None:
            raise NotFound(f"Product {product_id!r} has no photo.")
        return digest

    async def photo(self, product_id: str, transform: Callable[[bytes], bytes]) -> bytes:
        """The main photo of a product after `transform`, off the event loop; raises NotFound."""
        digest = self.photo_digest(product_id)
        return await self._pools.off_loop(lambda: transform(self._photos.get(digest)))

    async def _search(self, query: Query, scope: Scope) -> list[Found]:
        view = self.view
        view.snapshot.index(scope.target)  # refused before anything is paid for
        async with self._with_photo(query) as query:  # noqa: PLR1704  # the same query, its photo at hand
            self._remember(query, scope)
            terms = await self._terms(query, view)
        total = sum((term.weight * term.vector for term in terms), np.zeros(self.embedder.dim, np.float32))
        length = float(np.linalg.norm(total))
        if length < _SMALLEST_QUERY:
            raise InvalidInput("The terms of the query cancel each other out. Change weights or negatives.")
        excluded = scope.exclude | ({query.product_id} if query.product_id else set())

        def look_up() -> list[Found]:
            chosen = self._look_up(view, total / length, scope, excluded)
            with metrics.stage("catalogue"):
                parts = [(term.name, term.weight / length, term.vector) for term in terms]
                return self._explained(view, chosen, scope.target, parts)

        return await asyncio.get_running_loop().run_in_executor(self._pools.search, look_up)

    @asynccontextmanager
    async def _with_photo(self, query: Query) -> AsyncIterator[Query]:
        """The query with the photo its URL names, which is held no longer than it is needed."""
        if query.image_url is None:
            yield query
            return
        async with self._remote.hold(query.image_url) as image:
            yield replace(query, image=image, image_url=None)

    def _remember(self, query: Query, scope: Scope) -> None:
        if query.image is None or len(query.image) <= _RECENT_BYTES:
            self.recent.append((query, Scope(k=scope.k, target=scope.target, filters=scope.filters)))

    def _look_up(
        self, view: LiveView, query: Vector, scope: Scope, excluded: frozenset[str]
    ) -> list[tuple[int, float]]:
        """Rows and scores; fetches more as long as exclusions and `keep` leave fewer than `k`."""
        with metrics.stage("search"):
            among = view.select(scope.filters)
            fetch = scope.k + len(excluded)
            while True:
                found = view.search(scope.target, query, fetch, among)
                chosen = self._choose(view, found, scope, excluded)
                exhausted = len(found.rows) < fetch
                below = scope.min_score is not None and not exhausted and found.scores[-1] < scope.min_score
                if len(chosen) == scope.k or exhausted or below:
                    return chosen
                fetch *= 4

    def _choose(
        self, view: LiveView, found: Neighbours, scope: Scope, excluded: frozenset[str]
    ) -> list[tuple[int, float]]:
        chosen: list[tuple[int, float]] = []
        for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True):
            below = scope.min_score is not None and score < scope.min_score
            if below or len(chosen) == scope.k:
                break
            if excluded and view.id_of(row) in excluded:
                continue
            if scope.keep is None or scope.keep(view.get(row).product, score):
                chosen.append((row, score))
        return chosen

    def _explained(
        self, view: LiveView, chosen: list[tuple[int, float]], target: str, terms: list[tuple[str, float, Vector]]
    ) -> list[Found]:
        vectors = view.vectors(target, np.array([row for row, _ in chosen], np.int64))
        parts = {name: (vectors @ vector) * weight for name, weight, vector in terms}
        return [
            Found(view.get(row), score, {name: float(part[at]) for name, part in parts.items()})
            for at, (row, score) in enumerate(chosen)
        ]

    async def _terms(self, query: Query, view: LiveView) -> list[_Term]:
        """The terms with a weight, embedded side by side."""
        weights = {name: weight for name, weight in query.weights.items() if weight}
        share = -NEGATIVE_WEIGHT / max(1, len(query.negatives))
        vectors = await asyncio.gather(
            *(self._positive(name, query, view) for name in weights),
            *(self._negative(text, view) for text in query.negatives),
        )
        weights |= {f"negative {number}": share for number in range(1, len(query.negatives) + 1)}
        return [_Term(*term) for term in zip(weights.keys(), weights.values(), vectors, strict=True)]

    async def _positive(self, name: str, query: Query, view: LiveView) -> Vector:
        """One term: `fused` is all that is given together, `image` and `text` one modality of it."""
        if query.product_id is None:
            return await self._embed(_only(name, ProductInput(query.image, query.text, query.crop)))
        row = view.row_of(query.product_id)
        if name == "fused" and not query.text:
            return _stored(view, row)
        return await self._embed(_only(name, await self._as_input(view.get(row), query.text)))

    async def _as_input(self, item: IndexedProduct, words: str | None) -> ProductInput:
        """A product of the catalogue as an encoder takes it.

        Words that come with it take the place of its own text: "this mug, but white" must not also say it is red.
        Only a product without a photo keeps its text, with the words before it.
        """
        text = self.embedder.product_text(item.product)
        photo = None
        if item.photo is not None:
            loop = asyncio.get_running_loop()
            photo = await loop.run_in_executor(self._pools.decode, self._photos.get, item.photo)
        if words:
            text = words if photo is not None else f"{words}, {text}"
        return ProductInput(photo, text or None)

    async def _negative(self, negative: str, view: LiveView) -> Vector:
        """A product id where there is such a product, else words."""
        try:
            return _stored(view, view.row_of(negative))
        except NotFound:
            return await self._embed(ProductInput(text=negative))

    async def _embed(self, item: ProductInput) -> Vector:
        key = cache_key(self.embedder, item)
        with metrics.stage("cache"):
            known = await self._cache.get(key, self.embedder.dim)
        if known is not None:
            return known
        vector = await self._encoder.embed(item)
        await self._cache.put(key, vector)
        return vector

    def _is_same(self, own: Product, other: Product, score: float) -> bool:
        return score >= self._same_style_from() and not contradict(own, other)

    def _same_style_from(self) -> float:
        """Without a calibrated threshold nothing is called the same."""
        score = threshold(self.embedder, "same_style")
        return math.inf if score is None else score


def _stored(view: LiveView, row: int) -> Vector:
    """The fusion vector of a product, of length 1 again after its rounding."""
    vector: Vector = view.vectors("fusion", np.array([row]))[0]
    return vector / np.linalg.norm(vector)


def _only(name: str, item: ProductInput) -> ProductInput:
    """The modality a term is about; raises InvalidInput where the query has none of it."""
    if name == "fused":
        return item
    if name == "image" and item.image is not None:
        return ProductInput(image=item.image, crop=item.crop)
    if name == "text" and item.text:
        return ProductInput(text=item.text)
    raise InvalidInput(f"weights.{name} is set, but the query has no {name}. Give one, or set the weight to 0.")
