"""From a query's photo and words to its vector: known already, being made for somebody else, or made now."""

from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np

from catalogue.errors import InvalidInput
from models import ProductInput
from models.embedder import NOTHING_TO_ENCODE, Tokens, check_crop
from models.preprocessing import Box
from service import metrics
from service.cache import EmbeddingCache, Keys, photo_digest
from service.deadlines import Deadline
from service.encoding import EncoderQueues, Vector, WorkPool
from service.flights import Flights, both

_SMALL_PHOTO: Final = 100_000
"""Bytes; hashing fewer takes less than handing them to another thread."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that an encoder has read: its `photo_digest` and its tokens, float32 [P, Di]."""

    digest: bytes
    tokens: Tokens = field(compare=False)


class Embeddings:
    """The vectors of one model, through cache and queues; used on one event loop."""

    def __init__(self, encoder: EncoderQueues, cache: EmbeddingCache, pool: WorkPool) -> None:
        self._encoder = encoder
        self._cache = cache
        self._pool = pool
        self._keys = Keys(encoder.embedder)
        self._vectors: Flights[Vector] = Flights()
        self._tokens: Flights[Tokens] = Flights()

    async def vector(self, item: ProductInput, *, catalogue_photo: bool = False) -> Vector:
        """The unit vector of an input, float32 [dim], not to be written to.

        A photo of the catalogue leaves nothing in the cache that is not about words of the caller's too.

        Raises what `EncoderQueues.embed` raises.
        """
        check_crop(item)
        text = (self._encoder.embedder.clean_text(item.text) or None) if item.text is not None else None
        if item.image is None and text is None:
            raise InvalidInput(NOTHING_TO_ENCODE)
        photo = await self._digest(item.image, item.crop) if item.image is not None else None
        key = self._keys.vector(photo, text)
        if (known := self._cache.vectors.near(key)) is not None:
            return known
        make = partial(self._vector, key, item, photo, text, keeps_photo=not catalogue_photo)
        if key in self._vectors:
            self._cache.vectors.count_shared()
        return await self._vectors.share(key, make)

    async def photo(self, image: bytes, crop: Box | None) -> Photo:
        """A photo as it is read, or was; raises what `EncoderQueues.image_tokens` raises."""
        check_crop(ProductInput(image, crop=crop))
        digest = await self._digest(image, crop)
        return Photo(digest, await self._photo_tokens(image, crop, digest, self._cache.patience(), keeps=True))

    async def vector_of(self, photo: Photo, text: str | None) -> Vector:
        """As `vector`, of a photo that was read by this model before."""
        text = (self._encoder.embedder.clean_text(text) or None) if text is not None else None
        key = self._keys.vector(photo.digest, text)
        if (known := self._cache.vectors.near(key)) is not None:
            return known
        return await self._vectors.share(key, partial(self._fused, key, photo, text))

    async def _fused(self, key: str, photo: Photo, text: str | None) -> Vector:
        words = await self._encoder.text_tokens(text) if text is not None else None
        vector = await self._encoder.fuse(photo.tokens, words)
        vector.setflags(write=False)
        self._cache.vectors.put(key, vector)
        return vector

    async def _digest(self, image: bytes, crop: Box | None) -> bytes:
        if len(image) <= _SMALL_PHOTO:
            return photo_digest(image, crop)
        return await self._pool.run(partial(photo_digest, image, crop))

    async def _vector(
        self, key: str, item: ProductInput, photo: bytes | None, text: str | None, *, keeps_photo: bool
    ) -> Vector:
        with metrics.stage("cache"):
            patience = self._cache.patience()
            known = await self._cache.vectors.far(key, patience, self._is_vector)
        if known is not None:
            return known
        waits = photo is not None and self._keys.tokens(photo) not in self._cache.tokens
        image_tokens, text_tokens = await both(
            self._photo_tokens(item.image, item.crop, photo, patience, keeps=keeps_photo)
            if item.image is not None and photo is not None
            else None,
            self._encoder.text_tokens(text, beside_photo=waits) if text is not None else None,
        )
        vector = await self._encoder.fuse(image_tokens, text_tokens)
        vector.setflags(write=False)
        if keeps_photo or text is not None:
            self._cache.vectors.put(key, vector)
        return vector

    async def _photo_tokens(
        self, image: bytes, crop: Box | None, photo: bytes, patience: Deadline, *, keeps: bool
    ) -> Tokens:
        key = self._keys.tokens(photo)
        if (known := self._cache.tokens.near(key)) is not None:
            return known
        if key in self._tokens:
            self._cache.tokens.count_shared()
        return await self._tokens.share(key, partial(self._make_tokens, key, image, crop, patience, keeps=keeps))

    async def _make_tokens(
        self, key: str, image: bytes, crop: Box | None, patience: Deadline, *, keeps: bool
    ) -> Tokens:
        with metrics.stage("cache"):
            known = await self._cache.tokens.far(key, patience, _are_tokens) if keeps else None
        if known is not None:
            return known
        tokens = await self._encoder.image_tokens(image, crop)
        if keeps:
            self._cache.tokens.put(key, tokens)
        return tokens

    def _is_vector(self, array: Vector) -> bool:
        return array.shape == (self._encoder.embedder.dim,) and abs(float(array @ array) - 1) < 1e-3


def _are_tokens(array: Tokens) -> bool:
    return array.ndim == 2 and len(array) > 0 and bool(np.isfinite(array).all())
