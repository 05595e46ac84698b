"""Embeddings of recent queries, and the tokens of their photos: in process first, then in Redis.

A key names the vector space, so a vector of another model can never be an answer. A value in Redis carries a checksum
over itself and its key, so one that was damaged or stands under another key is none.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final, Literal

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray

from catalogue.settings import CacheSettings
from models import Embedder
from models.preprocessing import Box
from service import metrics
from service.deadlines import Deadline
from service.redis_cache import RedisCache

Kind = Literal["vector", "tokens"]
Number = type[np.float16] | type[np.float32]
Numbers = NDArray[Any]
"""Of one of these."""

MAX_ENTRY_BYTES: Final = 32_768
_PREFIX: Final = "samestyle:2"
_OVERHEAD: Final = 700
"""Bytes that key, array and the cache's own bookkeeping take beside the numbers, measured."""
_CHECKSUM: Final = 8
_OUTCOMES: Final = ("memory", "redis", "shared", "miss")
_WHOLE: Final = (0.0, 0.0, 1.0, 1.0)


class Keys:
    """Names of what one model makes of a content."""

    def __init__(self, embedder: Embedder) -> None:
        self._space = f"{_PREFIX}:{embedder.fingerprint[:32]}:{embedder.variant}"

    def tokens(self, photo: bytes) -> str:
        """The tokens of a photo, by its `photo_digest`."""
        return f"{self._space}:tokens:i:{photo[:20].hex()}"

    def vector(self, photo: bytes | None, text: str | None) -> str:
        """The vector of a photo (by its `photo_digest`), a clean text, or both."""
        digest = hashlib.blake2b(photo or b"", digest_size=20)
        if text is not None:
            digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))
        modality = f"{'i' if photo is not None else ''}{'t' if text is not None else ''}"
        return f"{self._space}:vector:{modality}:{digest.hexdigest()}"


def photo_digest(image: bytes, crop: Box | None) -> bytes:
    """32 bytes that name a photo and what is cut out of it."""
    digest = hashlib.sha256(image)
    if crop is not None and tuple(crop) != _WHOLE:
        digest.update(b"\0" + np.asarray(crop, "<f8").tobytes())
    return digest.digest()


class Shelf:
    """Arrays of one kind and number type by key: the last ones used in process, within a budget of bytes, and in Redis.

    Used on one event loop.
    """

    def __init__(
        self,
        kind: Kind,
        number: Number,
        max_bytes: int,
        far: RedisCache | None,
        ttl_s: int,
    ) -> None:
        self._number = number
        self._arrays: LRUCache[str, Numbers] = LRUCache(max_bytes, getsizeof=_size)
        self._far = far
        self._ttl_s = ttl_s
        self._counters = {outcome: metrics.CACHE.labels(kind, outcome) for outcome in _OUTCOMES}

    def near(self, key: str) -> NDArray[np.float32] | None:
        """What is kept in process, as float32."""
        known = self._arrays.get(key)
        if known is None:
            return None
        self._count("memory")
        return known.astype(np.float32, copy=False)

    def __contains__(self, key: str) -> bool:
        """Whether it is kept in process."""
        return key in self._arrays

    async def far(
        self, key: str, until: Deadline, fits: Callable[[NDArray[np.float32]], bool]
    ) -> NDArray[np.float32] | None:
        """What Redis knows and says in time, as float32, if it `fits`; kept in process from then on."""
        value = await self._far.get(key, until) if self._far is not None else None
        array = unpack(key, value, self._number) if value is not None else None
        wide = array.astype(np.float32, copy=False) if array is not None else None
        if array is None or wide is None or not fits(wide):
            self._count("miss")
            return None
        self._count("redis")
        self._keep(key, array)
        return wide

    def put(self, key: str, array: NDArray[np.float32]) -> None:
        """Keep an array at once in process, and in Redis a little later; never one that is too large or not finite."""
        with np.errstate(over="ignore"):
            kept = array.astype(self._number)
        if kept.nbytes > MAX_ENTRY_BYTES or not np.isfinite(kept).all():  # a float16 ends at 65,504
            return
        kept.setflags(write=False)
        self._keep(key, kept)
        if self._far is not None:
            self._far.put(key, pack(key, kept), self._ttl_s)

    def count_shared(self) -> None:
        """One more that neither had to look nor to encode: somebody else was at it."""
        self._count("shared")

    def _keep(self, key: str, array: Numbers) -> None:
        if _size(array) <= self._arrays.maxsize:
            self._arrays[key] = array

    def _count(self, outcome: str) -> None:
        self._counters[outcome].inc()


class EmbeddingCache:
    """Vectors (float32) and the tokens of photos (float16), each within a budget of its own."""

    def __init__(self, settings: CacheSettings) -> None:
        """Raises ConfigurationError for a Redis URL that is none."""
        url = settings.redis_url
        self._redis = RedisCache(url.get_secret_value()) if url is not None else None
        self._wait_s = settings.redis_timeout_s
        self.vectors = Shelf("vector", np.float32, settings.memory_bytes, self._redis, settings.ttl_s)
        self.tokens = Shelf("tokens", np.float16, settings.tokens_memory_bytes, self._redis, settings.tokens_ttl_s)

    def patience(self) -> Deadline:
        """Until when somebody who asks now waits for Redis, all his calls together."""
        return Deadline.after(self._wait_s)

    async def close(self) -> None:
        """Let go of connections."""
        if self._redis is not None:
            await self._redis.close()


def pack(key: str, array: Numbers) -> bytes:
    """An array of 1 or 2 dimensions as bytes: checksum, dimensions, width, numbers."""
    body: bytes = array.ndim.to_bytes(1, "little") + array.shape[-1].to_bytes(2, "little") + array.tobytes()
    return _checksum(key, body) + body


def unpack(key: str, value: bytes, number: Number) -> Numbers | None:
    """What was packed under this very key, finite and not empty, or None."""
    checksum, body = value[:_CHECKSUM], value[_CHECKSUM:]
    if len(value) > MAX_ENTRY_BYTES + _CHECKSUM + 3 or checksum != _checksum(key, body):
        return None
    dimensions, width = body[0], int.from_bytes(body[1:3], "little")
    array = np.frombuffer(body, number, offset=3)
    return array.reshape(-1, width) if dimensions == 2 else array


def _checksum(key: str, body: bytes) -> bytes:
    digest = hashlib.blake2b(key.encode(), digest_size=_CHECKSUM)
    digest.update(body)
    return digest.digest()


def _size(array: Numbers) -> int:
    return array.nbytes + _OVERHEAD
