"""The one place that turns a query into neighbours."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import InvalidInput, NotFound, SnapshotDamaged
from catalogue.photos import PhotoStore
from index import Filters, IndexedProduct, LiveIndex, LiveView
from index.facets import Facets
from index.live import Page
from index.products import Listing, Place, Sort
from models import Embedder, ProductInput
from models.preprocessing import Box
from service import lexical, metrics
from service.cache import EmbeddingCache
from service.drift import QueryDrift
from service.embedding import Embeddings, Photo
from service.encoding import EncoderQueues
from service.flights import together
from service.pools import Pools, Result
from service.problems import note_damage
from service.query import Found, Hits, Query
from service.ranking import Ranked, Scope, Start, Term, Vector, Words, begin_after, combined, contributions, rank
from service.remote import RemotePhotos
from service.unlike import unlike

_SMALLEST_QUERY: Final = 1e-3
_RECENT: Final = 32
_RECENT_BYTES: Final = 500_000


class Retrieval:
    """Queries over one loaded model and one live index of its space; `recent` are the last ones, to warm another up.

    Lookups run on the threads of `pools`.
    """

    def __init__(
        self,
        live: LiveIndex,
        encoder: EncoderQueues,
        photos: PhotoStore,
        *,
        cache: EmbeddingCache,
        pools: Pools,
        remote: RemotePhotos,
    ) -> None:
        self.live = live
        self.embedder: Embedder = encoder.embedder
        self.recent: deque[tuple[Query, Scope]] = deque(maxlen=_RECENT)
        self.drift = QueryDrift(live.snapshot.stored("fusion"))
        self.pools = pools
        self._photos = photos
        self._embeddings = Embeddings(encoder, cache, pools.work)
        self._remote = remote

    @property
    def view(self) -> LiveView:
        """The catalogue as it is now."""
        return self.live.view

    @property
    def snapshot_name(self) -> str:
        """The snapshot that is served."""
        return self.live.snapshot.manifest.name

    async def search(self, query: Query, scope: Scope, start: Start | None = None) -> Hits:
        """Neighbours of a query, best first; its own product is never among them.

        From `start` on, of which the query then has nothing but its product. Raises InvalidInput, UndecodableImage or
        TooLarge for what cannot be used, FetchRefused or FetchFailed for a photo by URL, NotFound for an unknown
        product, Conflict for groups the snapshot lacks, Overloaded, and DeadlineExceeded.
        """
        return await self.pools.in_time(self._search(query, scope, start))

    async def vector(self, query: Query) -> Vector:
        """The unit vector of all that is given, together, float32 [dim]; raises as `search`."""
        return await self.pools.in_time(self._vector(query))

    def listing(self, product_id: str) -> Listing:
        """A product as it is kept now; raises NotFound."""
        view = self.view
        return view.listing(view.row_of(product_id))

    def product(self, product_id: str) -> IndexedProduct:
        """A product as it is now; raises NotFound."""
        view = self.view
        return view.get(view.row_of(product_id))

    async def browse(
        self, filters: Filters, sort: Sort, after: Place | None, limit: int, facets: Sequence[str]
    ) -> Page:
        """The first `limit` products behind a place."""

        def page(view: LiveView) -> Page:
            return view.page(view.select(filters), sort, after, limit, facets)

        return await self.pools.in_search(lambda: self.listed(self.view, page))

    def listed(self, view: LiveView, work: Callable[[LiveView], Result]) -> Result:
        """A list that `work` makes of a view, and of one without them where it comes upon products that cannot be read.

        These are said and counted once, and left out by all lists from then on; raises SnapshotDamaged where they are
        too many.
        """
        while True:
            try:
                return work(view)
            except SnapshotDamaged as error:
                known = len(view.damaged)
                if error.row is not None and self.live.leave_out(error.row):
                    note_damage(error)
                view = self.view
                if len(view.damaged) == known:
                    raise

    async def facets(self, filters: Filters, facets: Sequence[str]) -> Facets:
        """Counts over all products that pass the filters."""
        if not facets:
            return {}
        view = self.view
        return await self.pools.in_search(lambda: view.facets(view.select(filters), facets))

    async def embed(self, item: ProductInput) -> Vector:
        """The unit vector of one photo, text or both, float32 [dim], through cache and queues; not to be written to.

        Raises InvalidInput, UndecodableImage or TooLarge for what cannot be used, Overloaded, and DeadlineExceeded.
        """
        return await self.pools.in_time(self._embeddings.vector(item))

    def photo_digest(self, product_id: str) -> str:
        """The hex SHA-256 of a product's main photo; raises NotFound."""
        digest = self.product(product_id).photo
        if digest is None:
            raise NotFound(f"Product {product_id!r} has no photo.")
        return digest

    async def _vector(self, query: Query) -> Vector:
        async with self._with_photo(query) as at_hand:
            return await self._positive("fused", at_hand, self.view)

    async def _search(self, query: Query, scope: Scope, start: Start | None) -> Hits:
        view = self.view
        view.snapshot.index(scope.target)  # refused before anything is paid for
        photo: Photo | None = None
        if start is None:
            async with self._with_photo(query) as at_hand:
                self._remember(at_hand, scope)
                parts, photo = await together(self._terms(at_hand, scope, view), self._photo_of(at_hand))
                terms = _normalised(parts, apart=scope.explain)
            self.drift.add(query.modality, terms)
        else:
            terms = start.terms
        excluded = _excluded(query, scope)

        def look_up(view: LiveView) -> Hits:
            with metrics.stage("search"):
                words = lexical.looked_for(query, view) if start is None else start.words
                ranked, more, total = rank(view, terms, _said_first(query, words, scope, view), excluded, start)
            with metrics.stage("catalogue"):
                shares = contributions(view, ranked, scope.target, terms) if scope.explain else [None] * len(ranked)
                found = [
                    Found(view.listing(hit.row), hit.score, share, hit.group, hit.words_said)
                    for hit, share in zip(ranked, shares, strict=True)
                ]
                if not more:
                    return Hits(found, photo=photo, total=total)
                ids = [neighbour.listing.product_id for neighbour in found]
                return Hits(found, begin_after([*zip(ids, ranked, strict=True)], terms, start, words), photo, total)

        return await self._looked_up(lambda: self.listed(view, look_up))

    @asynccontextmanager
    async def _with_photo(self, query: Query) -> AsyncIterator[Query]:
        """The query with the photo its URL names, which is held no longer than it is needed."""
        if query.image_url is None:
            yield query
            return
        async with self._remote.hold(query.image_url) as image:
            yield replace(query, image=image, image_url=None)

    async def _photo_of(self, query: Query) -> Photo | None:
        """The query's photo as it is read for its terms, side by side with them and so once for all."""
        return query.photo if query.image is None else await self._embeddings.photo(query.image, query.crop)

    def _remember(self, query: Query, scope: Scope) -> None:
        if query.photo is not None:  # another model reads photos in another way
            return
        if query.image is None or len(query.image) <= _RECENT_BYTES:
            self.recent.append((query, Scope(k=scope.k, target=scope.target, filters=scope.filters)))

    async def _terms(self, query: Query, scope: Scope, view: LiveView) -> list[Term]:
        """The terms with a weight, embedded side by side."""
        weights = {name: weight for name, weight in query.weights.items() if weight}
        vectors, negatives = await together(
            together(*(self._positive(name, query, view) for name in weights)),
            together(*(self._negative(text, view) for text in query.negatives)),
        )
        terms = [Term(*term) for term in zip(weights.keys(), weights.values(), vectors, strict=True)]
        if not negatives:
            return terms
        own = view.rows_of(_excluded(query, scope))
        return terms + await self._looked_up(lambda: unlike(view, terms, negatives, scope, own))

    def _looked_up(self, work: Callable[[], Result]) -> Awaitable[Result]:
        """What a searching thread makes of the index."""
        context = copy_context()
        return asyncio.wrap_future(self.pools.search.submit(lambda: context.run(work)))

    async def _positive(self, name: str, query: Query, view: LiveView) -> Vector:
        """One term: `fused` is all that is given together, `image` and `text` one modality of it."""
        if query.photo is not None and name != "text":
            return await self._embeddings.vector_of(query.photo, query.text if name == "fused" else None)
        if query.product_id is None:
            return await self.embed(_only(name, ProductInput(query.image, query.text, query.crop)))
        row = view.row_of(query.product_id)
        if name == "fused" and not query.text and query.crop is None:
            return _stored(view, row)
        item = _only(name, await self._as_input(view.get(row), query.text, query.crop))
        return await self._embeddings.vector(item, catalogue_photo=True)

    async def _as_input(self, item: IndexedProduct, words: str | None, crop: Box | None = None) -> ProductInput:
        """A product of the catalogue as an encoder takes it; raises InvalidInput for a crop of no photo.

        Words that come with it take the place of its own text: "this mug, but white" must not also say it is red. So
        does a crop: its text is about all of it. Only a product without a photo keeps its text, the words before it.
        """
        text = self.embedder.product_text(item.product)
        photo = None
        if item.photo is not None:
            photo = await self.pools.work.run(partial(self._photos.get, item.photo))
        if crop is not None:
            if photo is None:
                raise InvalidInput(f"crop needs a photo, and product {item.product.product_id!r} has none.")
            return ProductInput(photo, words or None, crop)
        if words:
            text = words if photo is not None else f"{words}, {text}"
        return ProductInput(photo, text or None)

    async def _negative(self, negative: str, view: LiveView) -> tuple[Vector, int | None]:
        """A product id where there is such a product, with its row, else words."""
        row = view.find(negative)
        return (_stored(view, row) if row is not None else await self.embed(ProductInput(text=negative))), row


def _normalised(terms: Sequence[Term], *, apart: bool) -> tuple[Term, ...]:
    """The terms with weights that make their sum a unit vector, or that sum as the only one.

    Raises InvalidInput where nothing is left of them.
    """
    length = _length(combined(terms))
    if length < _SMALLEST_QUERY:
        raise InvalidInput("The terms of the query cancel each other out. Change weights or negatives.")
    scaled = tuple(Term(term.name, term.weight / length, term.vector) for term in terms)
    return scaled if apart else (Term("query", 1.0, combined(scaled)),)


def _excluded(query: Query, scope: Scope) -> frozenset[str]:
    """What is never in the answer: the query's own product among them."""
    return scope.exclude | ({query.product_id} if query.product_id else set())


def _said_first(query: Query, words: Words | None, scope: Scope, view: LiveView) -> Scope:
    """The scope in which what the query names comes first, if there is such a product, and then what says its words."""
    if words is not None and scope.target != "image":
        scope = lexical.with_words(scope, words)
    if query.name is None and query.barcode is None:
        return scope
    # Also where there is none, as there may be one on a later page, or none any more.
    named = replace(scope, first=lambda view: _named(query, view))
    return named if scope.arrange is not None else replace(named, arrange=_as_found, arranged=0)


def _named(query: Query, view: LiveView) -> NDArray[np.int64]:
    """The rows of products whose barcode or id is all that the query says."""
    row = None if query.name is None else view.find(query.name)
    of_id = np.array([] if row is None else [row], np.int64)
    return of_id if query.barcode is None else np.union1d(of_id, view.of_gtin(query.barcode))


def _as_found(_: LiveView, hits: Sequence[Ranked], __: int) -> list[Ranked]:
    return [*hits]


def _stored(view: LiveView, row: int) -> Vector:
    """The fusion vector of a product, of length 1 again after its rounding."""
    vector: Vector = view.vectors("fusion", np.array([row]))[0]
    return vector / np.float32(_length(vector))


def _length(vector: Vector) -> float:
    return math.sqrt(vector @ vector)


def _only(name: str, item: ProductInput) -> ProductInput:
    """The modality a term is about; raises InvalidInput where the query has none of it."""
    if name == "fused":
        return item
    if name == "image" and item.image is not None:
        return ProductInput(image=item.image, crop=item.crop)
    if name == "text" and item.text:
        return ProductInput(text=item.text)
    raise InvalidInput(f"weights.{name} is set, but the query has no {name}. Give one, or set the weight to 0.")
