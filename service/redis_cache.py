"""Bytes in Redis or Valkey, shared by all gateways; written in the background."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from redis.exceptions import RedisError

from service import metrics
from service.deadlines import Deadline
from service.redis_calls import RedisCalls, connect

MAX_READS: Final = 32
MAX_UNWRITTEN: Final = 256
"""Values waiting to be written; more are not kept."""
_TOGETHER: Final = 32

_Value = tuple[str, bytes, int]
"""Key, value, and seconds it lives."""


class RedisCache:
    """Values by key; nothing here raises because of Redis. Used on one event loop."""

    def __init__(self, url: str) -> None:
        """Connect when first used; raises ConfigurationError for a URL that is none."""
        self._redis = connect(url, connections=MAX_READS + 1)  # and the writer
        self._reads = RedisCalls("read", at_once=MAX_READS)
        self._writes = RedisCalls("write", at_once=1)
        self._unwritten: asyncio.Queue[_Value] = asyncio.Queue(MAX_UNWRITTEN)
        self._writer: asyncio.Task[None] | None = None

    async def get(self, key: str, until: Deadline) -> bytes | None:
        """The value of a key if Redis has it and says so in time."""
        value = await self._reads.ask(partial(self._read, key), until)
        return value if isinstance(value, bytes) else None

    def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Write a value in the background, unless too much waits to be written."""
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_all())
        try:
            self._unwritten.put_nowait((key, value, ttl_s))
        except asyncio.QueueFull:
            metrics.REDIS_BYPASSED.labels("write").inc()

    async def close(self) -> None:
        """Close the connections; what is not written is not kept."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await asyncio.gather(self._reads.close(), self._writes.close())
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    async def _read(self, key: str) -> object:
        return await self._redis.get(key)

    async def _write_all(self) -> None:
        """One writer: what gathered while it was writing goes in one round trip."""
        while True:
            batch = [await self._unwritten.get()]
            while len(batch) < _TOGETHER and not self._unwritten.empty():
                batch.append(self._unwritten.get_nowait())
            await self._writes.ask(partial(self._write, batch), Deadline(), counts=len(batch))

    async def _write(self, batch: Sequence[_Value]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, value, ttl_s in batch:
                pipeline.set(key, value, ex=ttl_s)
            await pipeline.execute()
