"""Changes of the live catalogue: embedded for every model in use, durable, and then visible."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import (
    Conflict,
    DeltaFull,
    InvalidInput,
    NotFound,
    NotReady,
    ProductChanged,
    SamestyleError,
    SnapshotDamaged,
)
from catalogue.product import Product
from index import Change, IndexedProduct, LiveView
from index.aliases import LIVE
from index.products import id_hash
from service import metrics
from service.deadlines import current
from service.encoding import EncoderQueues
from service.flights import together
from service.models import field_inputs
from service.serving import Serving
from service.trail import noted

_VISIBLE_S: Final = 1.0
"""How long an answer waits until searches see the change; it is durable already."""
_ATTEMPTS: Final = 5
"""How often a write that keeps a photo is made anew because another gateway changed the product meanwhile."""
_LOCKS: Final = 256
_OWN_IMAGE: Final = "image"
"""Stands for a photo that came with the product, not from a place of the catalogue."""

Vectors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Upsert:
    """A product put in place of what was there.

    `photo` are the bytes of its main photo, or `photo_url` is where they are; without either it has none, or with
    `keeps_photo` the one it had.
    """

    product: Product
    photo: bytes | None = None
    photo_url: str | None = None
    keeps_photo: bool = False

    @property
    def product_id(self) -> str:
        """Whose change it is."""
        return self.product.product_id


@dataclass(frozen=True, slots=True)
class Delete:
    """A product taken away, whether or not it is there."""

    product_id: str


@dataclass(frozen=True, slots=True)
class Patch:
    """A product that is there, with what `changed` makes of it in its place; the photo as in an `Upsert`."""

    product_id: str
    changed: Callable[[Product], Product]
    photo: bytes | None = None
    photo_url: str | None = None
    keeps_photo: bool = True


Write = Upsert | Delete | Patch
Outcome = int | SamestyleError
"""The position in the journal as of which it holds the change, or why nothing was written."""


@dataclass(frozen=True, slots=True)
class _Before:
    """A product as it is live, in its view and row."""

    item: IndexedProduct
    view: LiveView
    row: int


class Writer:
    """Writes through the journal, seen by searches of this gateway before they are acknowledged."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]

    async def write(self, write: Write) -> int:
        """One change; returns its position in the journal, or the last one there was where it changes nothing.

        Raises InvalidInput, UndecodableImage or TooLarge for what cannot be stored, DeltaFull, JournalUnavailable,
        Overloaded, DeadlineExceeded.
        """
        (outcome,) = await self.write_all([write])
        if isinstance(outcome, SamestyleError):
            raise outcome
        return outcome

    async def write_all(self, writes: Sequence[Write]) -> list[Outcome]:
        """Changes of different products, in one commit and by one deadline.

        Raises for all of them what the journal raises, and DeadlineExceeded.
        """
        self._check_room()
        async with AsyncExitStack() as stack:
            stack.enter_context(self._serving.pools.one_deadline())
            # before the locks: a slow host holds up no other write
            ready = await asyncio.gather(*(self._with_photo(write, stack) for write in writes))
            # a photo that is kept must be the last one written
            for number in sorted({id_hash(write.product_id) % _LOCKS for write in writes}):
                await self._serving.pools.in_time(stack.enter_async_context(self._locks[number]))
            outcomes = await self._write(ready)
        for write, outcome in zip(writes, outcomes, strict=True):
            operation = "delete" if isinstance(write, Delete) else "upsert"
            metrics.WRITES.labels(operation, "done" if isinstance(outcome, int) else "refused").inc()
        return outcomes

    async def _write(self, writes: Sequence[Write | SamestyleError]) -> list[Outcome]:
        """Made, and made anew where another gateway changed a product after its photo was looked up here."""
        attempts = 0
        while True:
            head = await self._see_all() if any(_builds_on(write) for write in writes) else 0
            changes = await asyncio.gather(*(self._change(write, head) for write in writes))
            try:
                positions = iter(await self._append([change for change in changes if isinstance(change, Change)]))
            except ProductChanged:
                attempts += 1
                if attempts == _ATTEMPTS:
                    raise
            else:
                return [next(positions) if isinstance(change, Change) else change for change in changes]

    def _check_room(self) -> None:
        with self._serving.lease(LIVE) as retrieval:
            if retrieval.view.delta.full:
                raise DeltaFull(
                    f"Too many products changed since snapshot {retrieval.snapshot_name} was cut. Cut a new one "
                    "(samestyle build --from-live) and activate it; searches go on meanwhile."
                )

    async def _see_all(self) -> int:
        """Wait until what is live shows all that was written, by other gateways too: up to the position returned.

        Unless it cannot, as long as another index can: what builds on it is then refused by the journal.
        """
        head = await self._serving.pools.in_journal(self._serving.journal.head)
        with self._serving.lease(LIVE) as retrieval:
            if retrieval.view.position < head:
                await self._serving.pools.in_time(asyncio.wrap_future(self._serving.feed.reached(head)))
        return head

    async def _with_photo(self, write: Write, stack: AsyncExitStack) -> Write | SamestyleError:
        """The change with the photo its URL names, held as long as `stack`."""
        if isinstance(write, Delete) or write.photo_url is None:
            return write
        try:
            held = stack.enter_async_context(self._serving.remote.hold(write.photo_url))
            return replace(write, photo=await self._serving.pools.in_time(held), photo_url=None)
        except SamestyleError as error:
            return error

    async def _change(self, write: Write | SamestyleError, head: int) -> Change | Outcome:
        """What is to be appended, or the outcome where nothing is; `head` was the journal's."""
        if isinstance(write, SamestyleError):
            return write
        try:
            if isinstance(write, Delete):
                return Change.delete(write.product_id)
            try:
                return await self._serving.pools.in_time(self._put(write, head))
            except NotReady:  # a swap has closed a model that was no more needed
                return await self._serving.pools.in_time(self._put(write, head))
        except SamestyleError as error:
            return error

    async def _append(self, changes: list[Change]) -> list[int]:
        """Durable, then visible."""
        if not changes:
            return []
        with noted("journal"):
            positions = await self._serving.pools.in_time(asyncio.wrap_future(self._serving.journal.submit(changes)))
        with noted("visible"), suppress(TimeoutError):  # durable all the same; the feed goes on trying
            async with asyncio.timeout(min(_VISIBLE_S, current().left_s)):
                await asyncio.wrap_future(self._serving.feed.reached(positions[-1]))
        return positions

    async def _put(self, write: Upsert | Patch, head: int) -> Change | int:
        """A patch goes through only if the product is as it was looked up; raises NotFound where there is none.

        Of one that changes nothing, the position at which that was so: prices that are sent every night stay, mostly.
        """
        if isinstance(write, Upsert):
            return await self._upsert(write)
        before, seen = self._before(write.product_id, needed=True)
        if before is None:
            raise NotFound(f"There is no product {write.product_id[:128]!r} to change. PUT it as a whole.")
        product = write.changed(before.item.product)
        photo_stays = write.photo is None and (write.keeps_photo or not _has_photo(before.item))
        if photo_stays and product == before.item.product and seen >= head:  # what lags behind cannot tell
            return seen
        upsert = Upsert(product, write.photo, keeps_photo=write.keeps_photo)
        return replace(await self._upsert(upsert), seen=seen)

    async def _upsert(self, write: Upsert) -> Change:
        """A new photo is decoded for the encoders, and so known to be good, before it is stored."""
        before, seen = self._before(write.product_id, needed=write.keeps_photo and write.photo is None)
        kept = before.item if before is not None and write.keeps_photo and write.photo is None else None
        digest = kept.photo if kept is not None else None
        if write.photo is not None:
            images: tuple[str, ...] = (_OWN_IMAGE,)
        else:  # of a photo that could not be had at the build, where it is
            images = kept.product.images if kept is not None else ()
        product = write.product.model_copy(update={"images": images})
        if not images and not product.title.strip():
            raise InvalidInput("A product needs a title or a photo.")
        photo = write.photo
        vectors = {}
        for fingerprint, encoder in self._serving.models.loaded.items():
            fields = self._serving.fields_of(fingerprint)
            is_kept = write.photo is None and digest == _photo(before)
            known = _known_vectors(before, product, encoder, fields) if is_kept else {}
            if not known and photo is None and digest is not None:
                photo = await self._serving.pools.off_loop(partial(self._kept_photo, digest))
            vectors[fingerprint] = known or await self._embed(encoder, product, photo, fields)
        if write.photo is not None:
            digest = await self._serving.pools.off_loop(partial(self._serving.photos.put, write.photo))
        # What is kept was looked up here, and another gateway may be putting another photo in its place.
        seen_at = seen if write.keeps_photo and write.photo is None else None
        return Change.upsert(IndexedProduct(product=product, photo=digest), vectors, seen=seen_at)

    def _kept_photo(self, digest: str) -> bytes:
        try:
            return self._serving.photos.get(digest)
        except NotFound:
            raise Conflict("The photo of this product is lost. Send it again, or null for none.") from None

    async def _embed(
        self, encoder: EncoderQueues, product: Product, photo: bytes | None, fields: Collection[str]
    ) -> Vectors:
        inputs = field_inputs(encoder.embedder, product, photo, fields)
        if "fusion" not in inputs:
            raise InvalidInput("There is nothing to embed: give a title with at least one word, or a photo.")
        made = await together(*(encoder.embed(item) for item in inputs.values()))
        return dict(zip(inputs, made, strict=True))

    def _before(self, product_id: str, *, needed: bool) -> tuple[_Before | None, int]:
        """The product, if there is one, and the journal's position it was looked up at.

        Raises SnapshotDamaged where it cannot be read and is `needed`: something of it should stay.
        """
        with self._serving.lease(LIVE) as retrieval:
            view = retrieval.view
            try:
                row = view.row_of(product_id)
                return _Before(view.get(row), view, row), view.position
            except NotFound:
                return None, view.position
            except SnapshotDamaged:
                if needed:
                    raise
                return None, view.position


def _builds_on(write: Write | SamestyleError) -> bool:
    """Whether what is there goes into what is written."""
    return isinstance(write, Patch) or (isinstance(write, Upsert) and write.keeps_photo)


def _has_photo(item: IndexedProduct) -> bool:
    return item.photo is not None or bool(item.product.images)


def _photo(before: _Before | None) -> str | None:
    return None if before is None else before.item.photo


def _known_vectors(
    before: _Before | None, product: Product, encoder: EncoderQueues, fields: Collection[str]
) -> Vectors:
    """The vectors it has, where nothing changed that a model sees (a price, the stock); none otherwise."""
    if before is None or before.view.snapshot.manifest.fingerprint != encoder.embedder.fingerprint:
        return {}
    if encoder.embedder.product_text(before.item.product) != encoder.embedder.product_text(product):
        return {}
    if not set(fields) <= set(before.view.snapshot.manifest.fields):
        return {}
    found = {name: before.view.vectors(name, np.array([before.row]))[0] for name in fields}
    return {name: vector for name, vector in found.items() if vector.any()}
