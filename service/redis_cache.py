"""Bytes in Redis or Valkey, shared by all gateways: an answer within a few milliseconds, or none.

Redis may be slow, full, read-only, restarting, flushed or gone. A caller then goes on without it after the little time
it gave, and after a few failures all do at once (`Breaker`), until a trial each second succeeds. What takes longer goes
on by itself, so that a connection being made, or an answer on its way, is not thrown away each time.
"""

import asyncio
from contextlib import suppress
from typing import Final

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from catalogue.errors import ConfigurationError
from service import metrics
from service.breaker import Breaker
from service.deadlines import Deadline

MAX_READS: Final = 32
MAX_UNWRITTEN: Final = 256
"""Values waiting to be written; more are not kept."""
_TOGETHER: Final = 32
_CALL_S: Final = 1.0
"""Longest time of one call, whether or not anybody waits for it."""


class RedisCache:
    """Values by key; nothing here raises because of Redis. Used on one event loop."""

    def __init__(self, url: str) -> None:
        """Connect when first used; raises ConfigurationError for a URL that is none."""
        try:
            self._redis = redis.Redis.from_url(
                url,
                socket_timeout=_CALL_S,
                socket_connect_timeout=_CALL_S,
                retry=Retry(NoBackoff(), 0),
                max_connections=MAX_READS + 1,  # and the writer
            )
        except ValueError:  # its message may hold the password
            raise ConfigurationError(
                "SAMESTYLE_CACHE__REDIS_URL is no Redis URL; it looks like redis://user:password@host:6379/0, "
                "with special characters in the password percent-encoded."
            ) from None
        self._reads = Breaker(tell=metrics.REDIS_STATE.labels("read").set)
        self._writes = Breaker(tell=metrics.REDIS_STATE.labels("write").set)
        self._calls: set[asyncio.Task[bytes | None]] = set()
        self._unwritten: asyncio.Queue[tuple[str, bytes, int]] = asyncio.Queue(MAX_UNWRITTEN)
        self._writer: asyncio.Task[None] | None = None

    async def get(self, key: str, until: Deadline) -> bytes | None:
        """The value of a key if Redis has it and says so in time."""
        if until.has_passed or len(self._calls) >= MAX_READS or not self._reads.allows():
            metrics.REDIS_BYPASSED.labels("read").inc()
            return None
        call = asyncio.ensure_future(self._read(key, until))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        done, _ = await asyncio.wait([call], timeout=until.left_s)
        if not done:
            self._failed(self._reads, "read")
            return None
        return call.result()

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
        tasks = [*self._calls, *([self._writer] if self._writer is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(RedisError, OSError):
            await self._redis.aclose()

    async def _read(self, key: str, until: Deadline) -> bytes | None:
        try:
            value = await self._redis.get(key)
        except Exception:  # noqa: BLE001  # whatever it is, no caller may suffer from it
            self._failed(self._reads, "read")
            return None
        if until.has_passed:  # an answer nobody waited for is none
            return None
        self._reads.succeeded()
        return value if isinstance(value, bytes) else None

    async def _write_all(self) -> None:
        """One writer: what gathered while it was writing goes in one round trip."""
        while True:
            batch = [await self._unwritten.get()]
            while len(batch) < _TOGETHER and not self._unwritten.empty():
                batch.append(self._unwritten.get_nowait())
            if not self._writes.allows():
                metrics.REDIS_BYPASSED.labels("write").inc(len(batch))
                continue
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for key, value, ttl_s in batch:
                        pipeline.set(key, value, ex=ttl_s)
                    await pipeline.execute()
            except Exception:  # noqa: BLE001  # full, read-only, gone; the writer must outlive it
                self._failed(self._writes, "write")
            else:
                self._writes.succeeded()

    @staticmethod
    def _failed(breaker: Breaker, operation: str) -> None:
        metrics.REDIS_ERRORS.labels(operation).inc()
        breaker.failed()
