"""How fast and how often a key may ask: in process, and against a real Valkey."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.errors import ConfigurationError, Overloaded, QuotaExceeded, RateLimited
from catalogue.settings import CacheSettings
from service import metrics
from service.breaker import State as BreakerState
from service.keys import Key
from service.limits import DAY_S, Allowance, Limiter, MemoryLimiter, RedisLimiter, make_limiter
from tests.servers.valkey import Valkey
from tests.service.gated import until

NOON = 20_000 * DAY_S + DAY_S / 2


def key_of(name: str = "shop", **limits: Any) -> Key:
    return Key(name=name, roles=("search",), sha256="0" * 64, created_at=datetime.now(UTC), **limits)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def in_memory() -> tuple[MemoryLimiter, Clock]:
    limiter, clock = MemoryLimiter(), Clock()
    limiter.clock = clock
    return limiter, clock


def charge(limiter: Limiter, key: Key, cost: int = 1) -> Overloaded | None:
    """What asking `cost` times in one request comes to."""

    async def ask() -> Overloaded | None:
        try:
            await Allowance(limiter, key).charge(cost)
        except Overloaded as error:
            return error
        return None

    return asyncio.run(ask())


class TestMemory:
    def test_a_burst_and_then_the_rate(self) -> None:
        limiter, clock = in_memory()
        key = key_of(rate=2, burst=5)
        assert [charge(limiter, key) for _ in range(5)] == [None] * 5
        refused = charge(limiter, key)
        assert isinstance(refused, RateLimited)
        assert refused.retry_after == 1
        clock.now += 0.5
        assert charge(limiter, key) is None
        assert charge(limiter, key) is not None

    def test_a_quota_ends_with_the_day(self) -> None:
        limiter, clock = in_memory()
        key = key_of(quota=3)
        assert [charge(limiter, key) for _ in range(3)] == [None] * 3
        refused = charge(limiter, key)
        assert isinstance(refused, QuotaExceeded)
        assert refused.retry_after == DAY_S / 2
        clock.now += refused.retry_after
        assert charge(limiter, key) is None

    def test_keys_do_not_share(self) -> None:
        limiter, _ = in_memory()
        assert charge(limiter, key_of("a", quota=1)) is None
        assert charge(limiter, key_of("b", quota=1)) is None
        assert charge(limiter, key_of("a", quota=1)) is not None

    def test_without_limits_nothing_is_counted(self) -> None:
        limiter, _ = in_memory()
        assert {charge(limiter, key_of()) for _ in range(100)} == {None}
        assert asyncio.run(_headers(limiter, key_of())) == {}
        assert asyncio.run(_headers(limiter, None)) == {}

    @given(
        rate=st.floats(0.1, 100),
        burst=st.integers(1, 50),
        steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 60)), max_size=60),
    )
    def test_never_more_than_burst_and_rate_allow(
        self, rate: float, burst: int, steps: list[tuple[float, int]]
    ) -> None:
        """Up to one debt: what is larger than the bucket passes when that is full."""
        limiter, clock = in_memory()
        key = key_of(rate=rate, burst=burst)
        passed, largest = 0, 0
        for pause, cost in steps:
            clock.now += pause
            if charge(limiter, key, cost) is None:
                passed, largest = passed + cost, max(largest, cost)
        assert passed <= burst + rate * (clock.now - NOON) + max(0, largest - burst) + 1e-3

    @given(rate=st.floats(0.1, 100), burst=st.integers(1, 50), before=st.integers(0, 60), cost=st.integers(1, 200))
    def test_retry_after_is_honest(self, rate: float, burst: int, before: int, cost: int) -> None:
        """After that time it passes, and a second and a bit earlier it does not."""
        limiter, clock = in_memory()
        key = key_of(rate=rate, burst=burst)
        charge(limiter, key, before)
        refused = charge(limiter, key, cost)
        if refused is None:
            return
        clock.now += refused.retry_after - 1.001
        if refused.retry_after > 1:
            assert charge(limiter, key, cost) is not None
        clock.now += 1.002
        assert charge(limiter, key, cost) is None

    def test_several_requests_in_one(self) -> None:
        """As a batch asks: one at the door, the others when it is known how many there are."""
        limiter, clock = in_memory()
        key = key_of(rate=1, burst=10)

        async def batch(count: int) -> None:
            allowance = Allowance(limiter, key)
            await allowance.charge(1)
            await allowance.charge(count - 1)

        asyncio.run(batch(6))
        with pytest.raises(RateLimited) as refused:
            asyncio.run(batch(6))
        clock.now += refused.value.retry_after
        asyncio.run(batch(6))
        clock.now += 10
        asyncio.run(batch(128))  # more than ever fits: a full bucket will do
        clock.now += 100
        with pytest.raises(RateLimited):
            asyncio.run(batch(1))  # but the debt is paid first
        clock.now += 19
        asyncio.run(batch(1))

    def test_headers_say_what_is_left(self) -> None:
        limiter, clock = in_memory()
        clock.now = NOON
        key = key_of(rate=2, burst=5, quota=100)
        assert asyncio.run(_headers(limiter, key, 3)) == {
            "ratelimit-policy": '"rate";q=5;w=3, "day";q=100;w=86400',
            "ratelimit": '"rate";r=2;t=2, "day";r=97;t=43200',
        }

    def test_a_clock_that_goes_back_takes_nothing_away(self) -> None:
        limiter, clock = in_memory()
        key = key_of(rate=1, burst=2)
        charge(limiter, key)
        clock.now -= 1_000
        assert charge(limiter, key) is None


async def _headers(limiter: Limiter, key: Key | None, cost: int = 1) -> dict[str, str]:
    allowance = Allowance(limiter, key)
    await allowance.charge(cost)
    return {name.decode(): value.decode() for name, value in allowance.headers()}


@asynccontextmanager
async def limiters(valkey: Valkey, count: int = 1, timeout_s: float = 5) -> AsyncIterator[list[RedisLimiter]]:
    made = [RedisLimiter(valkey.url, timeout_s=timeout_s) for _ in range(count)]
    try:
        yield made
    finally:
        for limiter in made:
            await limiter.close()


def fallbacks() -> float:
    return float(metrics.LIMITS_FALLBACK._value.get())


class TestRedis:
    SLOW = 1e-4
    """A rate at which nothing comes back while a test runs."""

    def test_gateways_share_a_bucket(self, valkey: Valkey) -> None:
        async def ask() -> int:
            async with limiters(valkey, 2) as gateways:
                key = key_of(rate=self.SLOW, burst=10)
                asked = [gateways[number % 2].take(key, 1, 1) for number in range(40)]
                return sum(state.refused is None for state in await asyncio.gather(*asked))

        before = fallbacks()
        assert asyncio.run(ask()) == 10
        assert fallbacks() == before

    def test_gateways_share_a_quota(self, valkey: Valkey) -> None:
        async def ask() -> int:
            async with limiters(valkey, 2) as gateways:
                key = key_of(quota=7)
                asked = [gateways[number % 2].take(key, 1, 1) for number in range(20)]
                return sum(state.refused is None for state in await asyncio.gather(*asked))

        assert asyncio.run(ask()) == 7

    @given(
        burst=st.integers(1, 20),
        quota=st.integers(1, 40) | st.none(),
        costs=st.lists(st.tuples(st.integers(1, 30), st.integers(0, 20)), max_size=12),
    )
    def test_it_decides_as_in_process(
        self, valkey_server: Valkey, burst: int, quota: int | None, costs: list[tuple[int, int]]
    ) -> None:
        async def ask() -> None:
            near = MemoryLimiter()
            key = key_of(uuid4().hex, rate=self.SLOW, burst=burst, quota=quota)
            async with limiters(valkey_server) as (far,):
                for cost, need in costs:
                    there, here = await far.take(key, cost, need), await near.take(key, cost, need)
                    assert (there.refused, there.used) == (here.refused, here.used)
                    assert there.tokens == pytest.approx(here.tokens, abs=0.01)

        asyncio.run(ask())

    def test_the_bucket_fills_again(self, valkey: Valkey) -> None:
        async def ask() -> None:
            key = key_of(rate=20, burst=1)
            async with limiters(valkey) as (limiter,):
                assert (await limiter.take(key, 1, 1)).refused is None
                deadline = time.monotonic() + 20
                while (await limiter.take(key, 1, 1)).refused is not None:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.01)

        asyncio.run(ask())

    def test_what_is_kept_is_forgotten_in_time(self, valkey: Valkey) -> None:
        async def ask() -> list[int]:
            async with limiters(valkey) as (limiter,):
                await limiter.take(key_of("rate", rate=1, burst=5), 1, 1)
                await limiter.take(key_of("quota", quota=5), 1, 1)
                return [await limiter._redis.ttl(f"samestyle:1:limit:{name}") for name in ("rate", "quota")]

        rate, quota = asyncio.run(ask())
        assert 0 < rate <= 65
        assert 0 < quota <= 2 * DAY_S

    @pytest.mark.parametrize("away", [Valkey.pause, Valkey.kill])
    def test_while_it_is_away_it_is_counted_in_process_and_then_there_again(
        self, valkey: Valkey, away: Callable[[Valkey], None]
    ) -> None:
        async def ask() -> None:
            key = key_of(rate=self.SLOW, burst=3)
            async with limiters(valkey, timeout_s=0.2) as (limiter,):
                away(valkey)
                before = fallbacks()
                began = time.monotonic()
                outcomes = [(await limiter.take(key, 1, 1)).refused for _ in range(5)]
                assert outcomes == [None, None, None, "rate", "rate"]
                assert fallbacks() == before + 5
                assert time.monotonic() - began < 30  # not for ever
                assert limiter._calls.state is BreakerState.OPEN
                await asyncio.to_thread(valkey.reset)
                limiter._timeout_s = 30  # it need not hurry any more
                deadline, passed_by = time.monotonic() + 60, fallbacks()
                back = key_of("back", rate=self.SLOW, burst=1_000)
                while (await limiter.take(back, 1, 1)).refused is not None or fallbacks() > passed_by:
                    assert time.monotonic() < deadline, "it was not asked again"
                    passed_by = fallbacks()
                    await asyncio.sleep(0.1)

        asyncio.run(ask())

    def test_a_slow_connection_is_not_thrown_away_each_time(self, valkey: Valkey) -> None:
        """Connecting takes longer than anybody waits; it goes on by itself, and then the count is shared."""

        async def ask() -> None:
            async with limiters(valkey, timeout_s=0.05) as (limiter,):
                valkey.pause()
                assert (await limiter.take(key_of(quota=1_000), 1, 1)).used == 1
                valkey.resume()
                limiter._timeout_s = 30  # what comes now need not hurry
                await until(lambda: not limiter._calls._calls)
                before = fallbacks()
                assert (await limiter.take(key_of(quota=1_000), 1, 1)).used == 2  # the first one came, too late
                assert fallbacks() == before

        asyncio.run(ask())

    def test_full_or_read_only_it_is_passed_by(self, valkey: Valkey) -> None:
        async def ask() -> str | None:
            async with limiters(valkey) as (limiter,):
                await limiter._redis.config_set("maxmemory", "1")
                return (await limiter.take(key_of(quota=1), 1, 1)).refused

        before = fallbacks()
        assert asyncio.run(ask()) is None
        assert fallbacks() == before + 1

    def test_the_settings_choose(self, valkey: Valkey) -> None:
        assert isinstance(make_limiter(CacheSettings()), MemoryLimiter)
        limiter = make_limiter(CacheSettings.model_validate({"redis_url": valkey.url}))
        assert isinstance(limiter, RedisLimiter)
        asyncio.run(limiter.close())
        with pytest.raises(ConfigurationError) as refused:
            make_limiter(CacheSettings.model_validate({"redis_url": "nonsense://:hush@host"}))
        assert "hush" not in str(refused.value)
