"""Calls to Redis or Valkey, shared by all gateways: an answer within a few milliseconds, or none.

Redis may be slow, full, read-only, restarting, flushed or gone. A caller then goes on without it after the little time
it gave, and after a few failures all do at once (`Breaker`), until a trial each second succeeds. What takes longer goes
on by itself, so that a connection being made, or an answer on its way, is not thrown away each time.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, Literal, TypeVar

import redis.asyncio as redis
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from catalogue.errors import ConfigurationError
from service import metrics
from service.breaker import Breaker, State
from service.deadlines import Deadline

log = structlog.get_logger(__name__)

_CALL_S: Final = 1.0
"""Longest time of one call, whether or not anybody waits for it."""

Operation = Literal["read", "write", "limit"]
Result = TypeVar("Result")


def connect(url: str, *, connections: int) -> redis.Redis:
    """A client that connects when first used; raises ConfigurationError for a URL that is none."""
    try:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=connections,
            timeout=_CALL_S,
            socket_timeout=_CALL_S,
            socket_connect_timeout=_CALL_S,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:  # its message may hold the password
        raise ConfigurationError(
            "SAMESTYLE_CACHE__REDIS_URL is no Redis URL; it looks like redis://user:password@host:6379/0, "
            "with special characters in the password percent-encoded."
        ) from None
    return redis.Redis.from_pool(pool)


class RedisCalls:
    """The calls of one operation, at most `at_once`; nothing here raises because of Redis. Used on one event loop."""

    def __init__(self, operation: Operation, *, at_once: int) -> None:
        self._operation = operation
        self._at_once = at_once
        self._breaker = Breaker(tell=metrics.REDIS_STATE.labels(operation).set)
        self._errors = metrics.REDIS_ERRORS.labels(operation)  # there from the start, so that a rate sees the first
        self._bypassed = metrics.REDIS_BYPASSED.labels(operation)
        self._calls: set[asyncio.Task[Any]] = set()

    @property
    def state(self) -> State:
        """Whether Redis is used."""
        return self._breaker.state

    async def ask(
        self, call: Callable[[], Coroutine[Any, Any, Result]], until: Deadline, *, counts: int = 1
    ) -> Result | None:
        """What `call` answers in time, else None; `counts` is how much goes without Redis where it is not called."""
        if until.has_passed or len(self._calls) >= self._at_once or not self._breaker.allows():
            self._bypassed.inc(counts)
            return None
        task = asyncio.ensure_future(self._answer(call, until))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        done, _ = await asyncio.wait([task], timeout=until.left_s)
        if not done:
            self._failed("too slow")
            return None
        return task.result()

    async def close(self) -> None:
        """Give up what is under way."""
        calls = [*self._calls]
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _answer(self, call: Callable[[], Coroutine[Any, Any, Result]], until: Deadline) -> Result | None:
        try:
            answer = await call()
        except Exception as error:  # noqa: BLE001  # whatever it is, no caller may suffer from it
            self._failed(type(error).__name__)
            return None
        if until.has_passed:  # an answer nobody waited for is none
            return None
        if self.state is not State.CLOSED:
            log.info("redis_is_used_again", operation=self._operation)
        self._breaker.succeeded()
        return answer

    def _failed(self, reason: str) -> None:
        self._errors.inc()
        was_used = self.state is State.CLOSED
        self._breaker.failed()
        if was_used and self.state is State.OPEN:
            log.warning("redis_is_left_alone", operation=self._operation, reason=reason)
