"""Embeddings of recent queries: in process first, then in Redis, which all gateways share.

A key names the vector space, so a vector of another model can never be an answer. Redis may be slow or gone: then
it is passed by within its time-out, counted, and asked again next time.
"""

import hashlib
from typing import Final, Protocol

import numpy as np
import redis.asyncio as redis
from cachetools import LRUCache
from numpy.typing import NDArray
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from catalogue.errors import ConfigurationError
from catalogue.settings import CacheSettings
from models import Embedder, ProductInput
from service import metrics

_PREFIX: Final = "samestyle:1:"


class EmbeddingCache(Protocol):
    """Vectors by key; both calls always return, and never raise for a cache that is gone."""

    async def get(self, key: str, dim: int) -> NDArray[np.float32] | None:
        """The vector kept under `key`, float32 [dim], or None; nothing of another size is a vector."""
        ...

    async def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """Keep a vector."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def cache_key(embedder: Embedder, item: ProductInput) -> str:
    """Space, variant, modality and a hash of the content, blanks in the text made one."""
    digest = hashlib.blake2b(digest_size=20)
    if item.image is not None:
        digest.update(hashlib.sha256(item.image).digest())
        digest.update(repr(item.crop).encode())
    if item.text is not None:
        digest.update(b"\0" + " ".join(item.text.split()).encode("utf-8", "surrogatepass"))
    modality = f"{'i' if item.image is not None else ''}{'t' if item.text is not None else ''}"
    return f"{_PREFIX}{embedder.fingerprint[:32]}:{embedder.variant}:{modality}:{digest.hexdigest()}"


class MemoryCache:
    """Least recently used vectors within a budget of bytes; used on the event loop only."""

    def __init__(self, max_bytes: int) -> None:
        self._vectors: LRUCache[str, NDArray[np.float32]] = LRUCache(max_bytes, getsizeof=lambda v: v.nbytes + 200)

    async def get(self, key: str, dim: int) -> NDArray[np.float32] | None:
        """See `EmbeddingCache.get`."""
        return self._vectors.get(key)

    async def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """See `EmbeddingCache.put`; a vector larger than the whole budget is not kept."""
        if vector.nbytes + 200 <= self._vectors.maxsize:
            self._vectors[key] = vector

    async def close(self) -> None:
        """Nothing to let go of."""


class RedisCache:
    """Vectors in Redis or Valkey as raw float32, checked when read."""

    def __init__(self, url: str, *, timeout_s: float, ttl_s: int) -> None:
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
                max_connections=32,
            )
        except ValueError:  # its message may hold the password
            raise ConfigurationError(
                "SAMESTYLE_CACHE__REDIS_URL is no Redis URL; it looks like redis://user:password@host:6379/0, "
                "with special characters in the password percent-encoded."
            ) from None
        self._ttl_s = ttl_s

    async def get(self, key: str, dim: int) -> NDArray[np.float32] | None:
        """See `EmbeddingCache.get`; a value that is no unit vector of this space counts as absent."""
        try:
            value = await self._redis.get(key)
        except (RedisError, OSError, TimeoutError):
            metrics.REDIS_ERRORS.inc()
            return None
        if not isinstance(value, bytes) or len(value) != 4 * dim:
            return None
        vector = np.frombuffer(value, np.float32)
        return vector if abs(float(vector @ vector) - 1) < 1e-3 else None

    async def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """See `EmbeddingCache.put`."""
        try:
            await self._redis.set(key, vector.tobytes(), ex=self._ttl_s)
        except (RedisError, OSError, TimeoutError):
            metrics.REDIS_ERRORS.inc()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class LayeredCache:
    """A near cache before a far one; what the far one knew is kept near."""

    def __init__(self, near: EmbeddingCache, far: EmbeddingCache | None) -> None:
        self._near = near
        self._far = far

    async def get(self, key: str, dim: int) -> NDArray[np.float32] | None:
        """See `EmbeddingCache.get`."""
        vector = await self._near.get(key, dim)
        outcome = "memory" if vector is not None else "miss"
        if vector is None and self._far is not None:
            vector = await self._far.get(key, dim)
            if vector is not None:
                outcome = "redis"
                await self._near.put(key, vector)
        metrics.CACHE.labels(outcome).inc()
        return vector

    async def put(self, key: str, vector: NDArray[np.float32]) -> None:
        """See `EmbeddingCache.put`."""
        await self._near.put(key, vector)
        if self._far is not None:
            await self._far.put(key, vector)

    async def close(self) -> None:
        """Close both."""
        await self._near.close()
        if self._far is not None:
            await self._far.close()


def make_cache(settings: CacheSettings) -> EmbeddingCache:
    """The cache the settings ask for."""
    far = None
    if settings.redis_url is not None:
        url = settings.redis_url.get_secret_value()
        far = RedisCache(url, timeout_s=settings.redis_timeout_s, ttl_s=settings.ttl_s)
    return LayeredCache(MemoryCache(settings.memory_bytes), far)
