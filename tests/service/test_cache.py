"""The embedding cache, against a real Valkey."""

import asyncio
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import SecretStr

from catalogue.errors import ConfigurationError
from catalogue.settings import CacheSettings
from models import ProductInput, StandInEncoders
from service.cache import EmbeddingCache, MemoryCache, RedisCache, cache_key, make_cache
from tests.servers.valkey import Valkey

DIM = 16


def unit(seed: int) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return vector / np.linalg.norm(vector)


def redis_cache(valkey: Valkey) -> RedisCache:
    return RedisCache(valkey.url, timeout_s=0.5, ttl_s=60)


class TestKey:
    A = ProductInput(b"photo", "red mug")

    def test_names_space_variant_and_modality(self) -> None:
        embedder = StandInEncoders()
        key = cache_key(embedder, self.A)
        assert embedder.fingerprint[:32] in key
        assert ":standin:it:" in key

    @pytest.mark.parametrize(
        "other",
        [
            ProductInput(b"photo2", "red mug"),
            ProductInput(b"photo", "red  mugs"),
            ProductInput(b"photo"),
            ProductInput(None, "red mug"),
            ProductInput(b"photo", "red mug", (0.0, 0.0, 0.5, 1.0)),
        ],
    )
    def test_differs_with_the_content(self, other: ProductInput) -> None:
        embedder = StandInEncoders()
        assert cache_key(embedder, self.A) != cache_key(embedder, other)

    def test_differs_with_the_model_of_equal_dimension(self) -> None:
        assert cache_key(StandInEncoders(name="a"), self.A) != cache_key(StandInEncoders(name="b"), self.A)

    def test_blanks_do_not_matter_and_surrogates_do_no_harm(self) -> None:
        embedder = StandInEncoders()
        assert cache_key(embedder, ProductInput(None, " red\n mug ")) == cache_key(
            embedder, ProductInput(None, "red mug")
        )
        assert cache_key(embedder, ProductInput(None, "\ud800"))


class TestMemory:
    def test_keeps_to_its_budget_and_drops_the_oldest(self) -> None:
        async def run() -> list[bool]:
            cache = MemoryCache(10 * (DIM * 4 + 200))
            for number in range(20):
                await cache.put(str(number), unit(number))
            return [await cache.get(str(number), DIM) is not None for number in range(20)]

        assert asyncio.run(run()) == [False] * 10 + [True] * 10

    def test_a_budget_of_nothing_keeps_nothing(self) -> None:
        async def run() -> object:
            cache = MemoryCache(0)
            await cache.put("a", unit(1))
            return await cache.get("a", DIM)

        assert asyncio.run(run()) is None


class TestRedis:
    def test_gives_back_what_was_put(self, valkey: Valkey) -> None:
        async def run() -> tuple[object, object]:
            cache = redis_cache(valkey)
            await cache.put("a", unit(1))
            found = await cache.get("a", DIM), await cache.get("b", DIM)
            await cache.close()
            return found

        found, missing = asyncio.run(run())
        assert np.array_equal(np.asarray(found), unit(1))
        assert missing is None

    @pytest.mark.parametrize(
        "bad", [b"", b"x" * 7, b"\0" * DIM * 4, b"\xff" * DIM * 4, np.ones(DIM, np.float32).tobytes()]
    )
    def test_a_value_that_is_no_unit_vector_counts_as_absent(self, valkey: Valkey, bad: bytes) -> None:
        async def run() -> object:
            cache = redis_cache(valkey)
            await cache._redis.set("a", bad)
            found = await cache.get("a", DIM)
            await cache.close()
            return found

        assert asyncio.run(run()) is None

    def test_a_server_that_hangs_costs_no_more_than_the_time_out(self, valkey: Valkey) -> None:
        async def run() -> float:
            cache: EmbeddingCache = RedisCache(valkey.url, timeout_s=0.02, ttl_s=60)
            await cache.put("a", unit(1))
            valkey.pause()
            started = time.perf_counter()
            try:
                assert await cache.get("a", DIM) is None
                return time.perf_counter() - started
            finally:
                valkey.resume()
                await cache.close()

        assert asyncio.run(run()) < 2  # generous: the point is that it ends, 0.02 s on an idle machine

    def test_a_server_that_is_gone_and_back(self, valkey: Valkey) -> None:
        async def run() -> None:
            settings = CacheSettings(memory_bytes=0, redis_url=SecretStr(valkey.url), redis_timeout_s=0.5)
            cache = make_cache(settings)
            await cache.put("a", unit(1))
            valkey.kill()
            await cache.put("b", unit(2))
            assert await cache.get("a", DIM) is None
            valkey.start()
            await cache.put("c", unit(3))
            found = await cache.get("c", DIM)
            assert found is not None
            await cache.close()

        asyncio.run(run())


def test_a_url_that_is_none_does_not_show_its_password() -> None:
    settings = CacheSettings(redis_url=SecretStr("redis://:hunter/2@host"))
    with pytest.raises(ConfigurationError, match="REDIS_URL") as failure:
        make_cache(settings)
    assert failure.value.__suppress_context__
    assert "hunter" not in str(failure.value)


def test_what_the_far_cache_knew_is_kept_near(valkey: Valkey) -> None:
    async def run() -> None:
        settings = CacheSettings(redis_url=SecretStr(valkey.url), redis_timeout_s=0.5)
        first, second = make_cache(settings), make_cache(settings)
        await first.put("a", unit(1))
        assert await second.get("a", DIM) is not None
        valkey.kill()
        assert await second.get("a", DIM) is not None
        valkey.start()
        await first.close()
        await second.close()

    asyncio.run(run())
