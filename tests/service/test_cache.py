"""What is kept of queries, in process and in a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
import redis
from numpy.typing import NDArray
from pydantic import SecretStr

from catalogue.errors import ConfigurationError
from catalogue.settings import CacheSettings
from models import StandInEncoders
from service.cache import MAX_ENTRY_BYTES, EmbeddingCache, Keys, Shelf, pack, photo_digest, unpack
from service.deadlines import Deadline
from tests.servers.valkey import Valkey
from tests.service.gated import until

DIM = 16


def unit(seed: int, dim: int = DIM) -> NDArray[np.float32]:
    vector = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


def fits(array: NDArray[np.float32]) -> bool:
    return array.shape == (DIM,)


@asynccontextmanager
async def cache_of(valkey: Valkey | None = None) -> AsyncIterator[EmbeddingCache]:
    url = SecretStr(valkey.url) if valkey is not None else None
    cache = EmbeddingCache(CacheSettings(redis_url=url, redis_timeout_s=5))
    try:
        yield cache
    finally:
        await cache.close()


class TestKeys:
    KEYS = Keys(StandInEncoders())

    def test_name_space_variant_kind_and_modality(self) -> None:
        fingerprint = StandInEncoders().fingerprint[:32]
        photo = photo_digest(b"photo", None)
        assert self.KEYS.vector(photo, "red mug").startswith(f"samestyle:2:{fingerprint}:standin:vector:it:")
        assert self.KEYS.tokens(photo).startswith(f"samestyle:2:{fingerprint}:standin:tokens:i:")

    def test_differ_with_the_content(self) -> None:
        crops = [None, (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 0.5, 0.9)]
        photos = [None, *(photo_digest(image, crop) for image in (b"photo", b"photo2") for crop in crops)]
        keys = {self.KEYS.vector(photo, text) for photo in photos for text in (None, "red mug", "red mugs")}
        assert len(keys) == len(photos) * 3

    def test_differ_with_the_model_of_equal_dimension(self) -> None:
        other = Keys(StandInEncoders(name="other"))
        assert other.vector(None, "mug") != self.KEYS.vector(None, "mug")
        assert other.tokens(b"0" * 32) != self.KEYS.tokens(b"0" * 32)

    def test_the_whole_photo_is_no_crop_and_surrogates_do_no_harm(self) -> None:
        assert photo_digest(b"photo", (0.0, 0.0, 1.0, 1.0)) == photo_digest(b"photo", None)
        assert self.KEYS.vector(None, "\ud800")


class TestNear:
    def test_keeps_to_its_budget_and_drops_the_oldest(self) -> None:
        shelf = Shelf("vector", np.float32, 10 * (DIM * 4 + 700), None, 60)
        for number in range(20):
            shelf.put(str(number), unit(number))
        assert [shelf.near(str(number)) is not None for number in range(20)] == [False] * 10 + [True] * 10

    def test_a_budget_of_nothing_keeps_nothing(self) -> None:
        shelf = Shelf("vector", np.float32, 0, None, 60)
        shelf.put("a", unit(1))
        assert shelf.near("a") is None

    def test_what_is_kept_cannot_be_written_to_from_outside(self) -> None:
        shelf = Shelf("vector", np.float32, 10_000, None, 60)
        vector = unit(1)
        shelf.put("a", vector)
        vector[:] = 0
        kept = shelf.near("a")
        assert kept is not None
        np.testing.assert_array_equal(kept, unit(1))
        with pytest.raises(ValueError, match="read-only"):
            kept[:] = 0

    def test_tokens_are_halved_and_what_cannot_be_is_not_kept(self) -> None:
        shelf = Shelf("tokens", np.float16, 10**6, None, 60)
        tokens = np.random.default_rng(0).normal(size=(50, 256)).astype(np.float32)
        shelf.put("a", tokens)
        kept = shelf.near("a")
        assert kept is not None
        assert kept.dtype == np.float32
        np.testing.assert_allclose(kept, tokens, rtol=1e-3, atol=1e-6)
        for bad in (tokens * 1e6, tokens * np.nan, np.zeros((1, MAX_ENTRY_BYTES), np.float32)):
            shelf.put("bad", bad)
            assert shelf.near("bad") is None

    def test_vectors_and_tokens_have_budgets_of_their_own(self) -> None:
        async def run() -> None:
            async with cache_of() as cache:
                cache.vectors.put("a", unit(1))
                for number in range(2_000):
                    cache.tokens.put(str(number), np.zeros((50, 256), np.float32))
                assert cache.vectors.near("a") is not None
                assert cache.tokens.near("0") is None

        asyncio.run(run())


class TestPacking:
    @pytest.mark.parametrize("number", [np.float16, np.float32])
    @pytest.mark.parametrize("shape", [(DIM,), (1, DIM), (50, 256)])
    def test_gives_back_what_was_packed(
        self, number: type[np.float16] | type[np.float32], shape: tuple[int, ...]
    ) -> None:
        array = np.random.default_rng(0).normal(size=shape).astype(number)
        if array.nbytes > MAX_ENTRY_BYTES:
            return
        again = unpack("key", pack("key", array), number)
        assert again is not None
        assert again.shape == shape
        np.testing.assert_array_equal(again, array)

    def test_only_under_its_own_key_and_undamaged(self) -> None:
        value = pack("key", unit(1))
        assert unpack("another", value, np.float32) is None
        for at in range(len(value)):
            damaged = bytearray(value)
            damaged[at] ^= 0x80
            assert unpack("key", bytes(damaged), np.float32) is None
            assert unpack("key", value[:at], np.float32) is None
        assert unpack("key", value + b"\0", np.float32) is None
        assert unpack("key", b"x" * 10**6, np.float32) is None


class TestFar:
    def test_what_one_gateway_made_another_finds_and_keeps(self, valkey: Valkey) -> None:
        async def run() -> None:
            async with cache_of(valkey) as one, cache_of(valkey) as other:
                one.vectors.put("a", unit(1))
                one.tokens.put("t", np.ones((2, 3), np.float32))
                with redis.Redis.from_url(valkey.url) as client:
                    await until(lambda: client.exists("a", "t") == 2)
                    assert 86_000 < client.ttl("a") <= 86_400
                    assert 3_500 < client.ttl("t") <= 3_600
                found = await other.vectors.far("a", other.patience(), fits)
                np.testing.assert_array_equal(np.asarray(found), unit(1))
                assert await other.vectors.far("b", other.patience(), fits) is None
                tokens = await other.tokens.far("t", other.patience(), lambda array: array.shape == (2, 3))
                np.testing.assert_array_equal(np.asarray(tokens), np.ones((2, 3)))
                valkey.kill()
                assert other.vectors.near("a") is not None
                assert other.tokens.near("t") is not None

        asyncio.run(run())

    @pytest.mark.parametrize("bad", [b"", b"x" * 7, b"\0" * 75, pack("b", unit(1)), pack("a", unit(1, DIM + 1))])
    def test_a_value_that_is_none_counts_as_absent(self, valkey: Valkey, bad: bytes) -> None:
        async def run() -> None:
            with redis.Redis.from_url(valkey.url) as client:
                client.set("a", bad)
            async with cache_of(valkey) as cache:
                assert await cache.vectors.far("a", cache.patience(), fits) is None
                assert cache.vectors.near("a") is None

        asyncio.run(run())

    def test_a_key_that_holds_something_else_counts_as_absent(self, valkey: Valkey) -> None:
        async def run() -> None:
            with redis.Redis.from_url(valkey.url) as client:
                client.rpush("a", "x")
            async with cache_of(valkey) as cache:
                assert await cache.vectors.far("a", cache.patience(), fits) is None

        asyncio.run(run())

    def test_without_time_left_redis_is_not_asked(self, valkey: Valkey) -> None:
        async def run() -> None:
            async with cache_of(valkey) as cache:
                assert await cache.vectors.far("a", Deadline.after(-1), fits) is None
                assert not cache._redis._reads._calls if cache._redis is not None else False

        asyncio.run(run())


def test_a_url_that_is_none_does_not_show_its_password() -> None:
    settings = CacheSettings(redis_url=SecretStr("redis://:hunter/2@host"))
    with pytest.raises(ConfigurationError, match="REDIS_URL") as failure:
        EmbeddingCache(settings)
    assert failure.value.__suppress_context__
    assert "hunter" not in str(failure.value)
