"""How fast and how often a key may ask: a token bucket and a count per day, in Redis, which all gateways share.

Where Redis is away, each gateway counts by itself: a key then has its limits at each of them, and nobody is shut out.
"""

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from cachetools import LRUCache
from redis.exceptions import RedisError

from catalogue.errors import QuotaExceeded, RateLimited
from catalogue.settings import CacheSettings
from service import metrics
from service.deadlines import Deadline
from service.keys import MAX_KEYS, Key
from service.redis_calls import RedisCalls, connect

DAY_S: Final = 86_400
_CONNECTIONS: Final = 8
_AT_ONCE: Final = 512
"""More than there may be requests (`service.admission`)."""

_SCRIPT: Final = """
local rate, capacity, quota = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cost, need = tonumber(ARGV[4]), tonumber(ARGV[5])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
local today = math.floor(now / 86400)
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'day', 'used')
local tokens, at = tonumber(kept[1]) or capacity, tonumber(kept[2]) or now
local used = tonumber(kept[3]) == today and tonumber(kept[4]) or 0
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
local refused = 0
if quota > 0 and used + cost > quota then
  refused = 2
elseif rate > 0 and tokens < need then
  refused = 1
else
  tokens, used = tokens - cost, used + cost
  redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now),
             'day', today, 'used', string.format('%.0f', used))
  redis.call('EXPIRE', KEYS[1], ARGV[6])
end
return {refused, string.format('%.6f', tokens), string.format('%.0f', used), string.format('%.6f', now)}
"""


@dataclass(frozen=True, slots=True)
class State:
    """What a key has left after it asked, and whether it was refused."""

    refused: str | None
    tokens: float
    used: int
    now: float

    @property
    def until_midnight(self) -> int:
        """Seconds until the day ends, rounded up; in UTC."""
        return math.ceil(DAY_S - self.now % DAY_S)


class Limiter(Protocol):
    """Counts what keys ask for."""

    async def take(self, key: Key, cost: int, need: int) -> State:
        """Take `cost` from what `key` has, if its bucket holds `need`; nothing is taken where it is refused.

        `need` may be less than `cost`: the bucket is then in debt, and the next request waits for longer.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(slots=True)
class _Counts:
    tokens: float
    at: float
    day: int
    used: int


class MemoryLimiter:
    """Counts in this process; used on the event loop only. `clock` is Unix time."""

    def __init__(self) -> None:
        self._counts: LRUCache[str, _Counts] = LRUCache(2 * MAX_KEYS)
        self.clock = time.time

    async def take(self, key: Key, cost: int, need: int) -> State:
        """See `Limiter.take`."""
        now, capacity, rate = self.clock(), key.capacity, key.rate or 0
        counts = self._counts.get(key.name) or _Counts(capacity, now, 0, 0)
        tokens = min(capacity, counts.tokens + max(0.0, now - counts.at) * rate)
        used = counts.used if counts.day == now // DAY_S else 0
        if key.quota is not None and used + cost > key.quota:
            return State("quota", tokens, used, now)
        if rate and tokens < need:
            return State("rate", tokens, used, now)
        self._counts[key.name] = _Counts(tokens - cost, now, int(now // DAY_S), used + cost)
        return State(None, tokens - cost, used + cost, now)

    async def close(self) -> None:
        """Nothing to let go of."""


class RedisLimiter:
    """Counts in Redis or Valkey, by its clock, and in this process while it is away or slow."""

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._redis = connect(url, connections=_CONNECTIONS)
        self._script = self._redis.register_script(_SCRIPT)
        self._calls = RedisCalls("limit", at_once=_AT_ONCE)
        self._fallback = MemoryLimiter()
        self._timeout_s = timeout_s

    async def take(self, key: Key, cost: int, need: int) -> State:
        """See `Limiter.take`."""
        state = await self._calls.ask(partial(self._take, key, cost, need), Deadline.after(self._timeout_s))
        if state is not None:
            return state
        metrics.LIMITS_FALLBACK.inc()
        return await self._fallback.take(key, cost, need)

    async def _take(self, key: Key, cost: int, need: int) -> State:
        full_s = key.capacity / key.rate if key.rate else 0
        keep_s = math.ceil(full_s) + (2 * DAY_S if key.quota else 60)
        arguments = [key.rate or 0, key.capacity, key.quota or 0, cost, need, keep_s]
        refused, tokens, used, now = await self._script([f"samestyle:1:limit:{key.name}"], arguments)
        return State((None, "rate", "quota")[int(refused)], float(tokens), int(used), float(now))

    async def close(self) -> None:
        """Close the connections."""
        await self._calls.close()
        with suppress(RedisError, OSError):
            await self._redis.aclose()


class Allowance:
    """What one request may still take from its key."""

    def __init__(self, limiter: Limiter, key: Key | None) -> None:
        self._limiter = limiter
        self._key = key
        self._taken = 0
        self._state: State | None = None

    async def charge(self, cost: int, *, again: bool = False) -> None:
        """Count `cost` more requests; raises RateLimited or QuotaExceeded, with the time after which all of it fits.

        What is more than the bucket ever holds passes when the bucket is full, and leaves it in debt. `again` says that
        what was charged before is done with, so that who sends without end is let through no faster than the rate.
        """
        key = self._key
        if key is None or cost < 1 or (key.rate is None and key.quota is None):
            return
        if again:
            self._taken = 0
        need = min(cost, key.capacity - self._taken)
        self._state = state = await self._limiter.take(key, cost, need)
        if state.refused == "rate":
            wait = max(1, math.ceil((need + self._taken - state.tokens) / (key.rate or 1)))
            raise RateLimited(
                f"This key may ask {key.rate:g} times a second, and {key.capacity} times at once. "
                f"Try again in {wait} s.",
                retry_after=wait,
            )
        if state.refused == "quota":
            raise QuotaExceeded(
                f"This key may ask {key.quota:,} times a day, and {max(0, (key.quota or 0) - state.used):,} are left. "
                "The day ends at midnight UTC.",
                retry_after=state.until_midnight,
            )
        self._taken += cost

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What is left, as the IETF draft `RateLimit header fields for HTTP` writes it; none without limits."""
        key, state = self._key, self._state
        if key is None or state is None:
            return []
        policies, left = [], []
        if key.rate is not None:
            full_s = math.ceil(key.capacity / key.rate)
            policies.append(f'"rate";q={key.capacity};w={full_s}')
            wait = math.ceil(max(0.0, key.capacity - state.tokens) / key.rate)
            left.append(f'"rate";r={max(0, int(state.tokens))};t={wait}')
        if key.quota is not None:
            policies.append(f'"day";q={key.quota};w={DAY_S}')
            left.append(f'"day";r={max(0, key.quota - state.used)};t={state.until_midnight}')
        return [(b"ratelimit-policy", ", ".join(policies).encode()), (b"ratelimit", ", ".join(left).encode())]


def make_limiter(settings: CacheSettings) -> Limiter:
    """The one the settings ask for."""
    if settings.redis_url is None:
        return MemoryLimiter()
    return RedisLimiter(settings.redis_url.get_secret_value(), timeout_s=settings.redis_timeout_s)
