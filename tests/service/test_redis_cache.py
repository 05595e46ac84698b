"""Redis paused, killed, full, read-only and flushed under load: nobody gets an error or waits, and it is used again.

Every test asks for vectors all the while, through the whole of cache, flights and encoders, and compares each.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
import redis
from pydantic import SecretStr

from catalogue.settings import CacheSettings
from models import ProductInput, StandInEncoders
from service.breaker import State
from service.cache import EmbeddingCache
from service.embedding import Embeddings
from service.encoding import EncoderQueues, WorkPool
from service.redis_cache import MAX_READS, MAX_UNWRITTEN, RedisCache
from tests.servers.valkey import Valkey
from tests.service.gated import until

ASKING = 4
GENEROUS_S = 5.0
"""Far above the 20 ms given to Redis: the machine may be busy."""


class Load:
    """Clients that ask without a pause for ever new texts, and check every answer."""

    def __init__(self, embeddings: Embeddings, cache: EmbeddingCache) -> None:
        assert cache._redis is not None
        self.redis: RedisCache = cache._redis
        self.cache = cache
        self.answered = 0
        self.slowest = 0.0
        self.stopped = False
        self._embeddings = embeddings
        self._embedder = StandInEncoders()

    async def ask(self, client: int) -> None:
        """Until stopped."""
        number = 0
        while not self.stopped:
            number += 1
            item = ProductInput(text=f"client{client} asks {number}")
            started = time.monotonic()
            vector = await self._embeddings.vector(item)
            self.slowest = max(self.slowest, time.monotonic() - started)
            np.testing.assert_allclose(vector, self._embedder.embed([item])[0], atol=1e-6)
            self.answered += 1
            await asyncio.sleep(0.001)

    async def goes_on(self, answers: int = 100) -> None:
        """Until so many more are answered."""
        target = self.answered + answers
        await until(lambda: self.answered >= target)

    @property
    def reads(self) -> State:
        """The state of its breaker for reads."""
        return self.redis._reads.state

    @property
    def writes(self) -> State:
        """And for writes."""
        return self.redis._writes.state


@asynccontextmanager
async def under_load(valkey: Valkey) -> AsyncIterator[Load]:
    cache = EmbeddingCache(CacheSettings(redis_url=SecretStr(valkey.url), memory_bytes=0))
    pool = WorkPool("decode", 1, max_waiting=64)
    queues = EncoderQueues(StandInEncoders(), max_batch=8, max_queue=64, decode=pool)
    load = Load(Embeddings(queues, cache, pool), cache)
    clients = [asyncio.create_task(load.ask(number)) for number in range(ASKING)]
    try:
        await load.goes_on()
        yield load
    finally:
        load.stopped = True
        await asyncio.gather(*clients)  # an error of any of them fails the test
        await cache.close()
        await asyncio.to_thread(queues.close)
        await asyncio.to_thread(pool.close)
        assert load.slowest < GENEROUS_S


async def used_again(valkey: Valkey, load: Load) -> None:
    """Until reads and writes are back, and something is written."""
    await until(lambda: load.reads is State.CLOSED and load.writes is State.CLOSED)
    with redis.Redis.from_url(valkey.url) as client:
        before = client.dbsize()
        await until(lambda: client.dbsize() > before)


def run(valkey: Valkey, test: Callable[[Load], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(120), under_load(valkey) as load:
            await test(load)

    asyncio.run(bounded())


def test_paused(valkey: Valkey) -> None:
    async def test(load: Load) -> None:
        valkey.pause()
        try:
            await until(lambda: load.reads is State.OPEN)
            await load.goes_on()
            assert len(load.redis._reads._calls) <= MAX_READS
            assert load.redis._unwritten.qsize() <= MAX_UNWRITTEN
        finally:
            valkey.resume()
        await used_again(valkey, load)

    run(valkey, test)


def test_killed_and_started_again(valkey: Valkey) -> None:
    async def test(load: Load) -> None:
        valkey.kill()
        await until(lambda: load.reads is State.OPEN and load.writes is State.OPEN)
        await load.goes_on()
        await asyncio.to_thread(valkey.start)
        await used_again(valkey, load)

    run(valkey, test)


def test_full(valkey: Valkey) -> None:
    async def test(load: Load) -> None:
        with redis.Redis.from_url(valkey.url) as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1")
            await until(lambda: load.writes is State.OPEN)
            await load.goes_on()
            # what it has can still be read; a busy machine may have had a late read just now
            await until(lambda: load.reads is State.CLOSED and load.writes is not State.CLOSED)
            client.config_set("maxmemory", "0")
        await used_again(valkey, load)

    run(valkey, test)


def test_read_only(valkey: Valkey) -> None:
    async def test(load: Load) -> None:
        with redis.Redis.from_url(valkey.url) as client:
            client.replicaof("127.0.0.1", "1")  # nobody is there: what it has it keeps, and takes nothing more
            await until(lambda: load.writes is State.OPEN)
            await load.goes_on()
            await until(lambda: load.reads is State.CLOSED and load.writes is not State.CLOSED)
            client.replicaof("NO", "ONE")
        await used_again(valkey, load)

    run(valkey, test)


def test_flushed(valkey: Valkey) -> None:
    async def test(load: Load) -> None:
        with redis.Redis.from_url(valkey.url) as client:
            for _ in range(5):
                client.flushall()
                await load.goes_on(50)
        await used_again(valkey, load)

    run(valkey, test)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://:wrong@127.0.0.1:1/0"])
def test_never_there(url: str) -> None:
    async def run() -> None:
        cache = EmbeddingCache(CacheSettings(redis_url=SecretStr(url)))
        for number in range(20):
            assert await cache.vectors.far("a", cache.patience(), lambda _: True) is None
            cache.vectors.put(f"a{number}", np.ones(1, np.float32))
        assert cache._redis is not None
        assert cache._redis._reads.state is State.OPEN
        await cache.close()

    asyncio.run(run())


def test_a_password_that_is_wrong_is_no_error_either(valkey: Valkey) -> None:
    async def run() -> None:
        url = valkey.url.replace("redis://", "redis://somebody:wrong@")
        cache = EmbeddingCache(CacheSettings(redis_url=SecretStr(url), redis_timeout_s=5))
        for _ in range(6):
            assert await cache.vectors.far("a", cache.patience(), lambda _: True) is None
        assert cache._redis is not None
        assert cache._redis._reads.state is State.OPEN
        await cache.close()

    asyncio.run(run())


def test_what_waits_to_be_written_is_bounded(valkey: Valkey) -> None:
    async def run() -> None:
        cache = EmbeddingCache(CacheSettings(redis_url=SecretStr(valkey.url)))
        for number in range(3 * MAX_UNWRITTEN):
            cache.vectors.put(f"a{number}", np.ones(1, np.float32))
        assert cache._redis is not None
        assert cache._redis._unwritten.qsize() == MAX_UNWRITTEN
        await cache.close()

    asyncio.run(run())
