"""The catalogue's photos as they are shown: each made once for all who ask at the same time, and kept for a while."""

from functools import partial
from typing import Final

from cachetools import LRUCache

from catalogue.images import thumbnail
from catalogue.photos import PhotoStore
from service.flights import Flights
from service.pools import Pools

_CACHE_BYTES: Final = 16_000_000
_OVERHEAD: Final = 400
"""Bytes that a key, its photo's object and the cache's own bookkeeping take."""
_PATIENCE_S: Final = 30.0
"""Of a grid that is asked for at once the last photos come late; refused, they would be broken pictures."""


class Thumbnails:
    """Small JPEGs of stored photos, the last ones used within a budget of bytes; used on one event loop."""

    def __init__(self, photos: PhotoStore, pools: Pools) -> None:
        self._photos = photos
        self._pools = pools
        self._kept: LRUCache[str, bytes] = LRUCache(_CACHE_BYTES, getsizeof=lambda jpeg: len(jpeg) + _OVERHEAD)
        self._flights: Flights[bytes] = Flights()

    async def get(self, digest: str, width: int) -> bytes:
        """A photo by its digest, at most `width` wide.

        Raises what reading and decoding it raise, Overloaded where too many wait, and DeadlineExceeded.
        """
        key = f"{digest}-{width}"
        kept: bytes | None = self._kept.get(key)
        if kept is not None:
            return kept
        make = partial(self._made, key, digest, width)
        return await self._pools.in_time(self._flights.share(key, make), within_s=_PATIENCE_S)

    async def _made(self, key: str, digest: str, width: int) -> bytes:
        made = await self._pools.thumbnail.run(lambda: thumbnail(self._photos.get(digest), width))
        if len(made) + _OVERHEAD <= _CACHE_BYTES:
            self._kept[key] = made
        return made
