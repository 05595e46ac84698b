"""Work that many wait for at once and one does."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from service.deadlines import Deadline, current, under

Result = TypeVar("Result")
First = TypeVar("First")
Second = TypeVar("Second")


@dataclass(slots=True, eq=False)
class _Flight(Generic[Result]):
    task: asyncio.Task[Result]
    deadline: Deadline
    waiting: int = 0


class Flights(Generic[Result]):
    """At most one task per key at any moment; used on one event loop.

    Whoever asks while it runs gets its result, or its error. It ends early only when all of them have gone, and lasts
    as long as the one with the most time.
    """

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[Result]] = {}

    async def share(self, key: str, make: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """The result of `make`, called unless somebody's is under way."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._start(key, make)
        else:
            flight.deadline.join(current())
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._end(key, flight)
                flight.task.cancel()
            del flight  # an error knows this frame, and the flight's task the error

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    def _start(self, key: str, make: Callable[[], Coroutine[Any, Any, Result]]) -> _Flight[Result]:
        with under(Deadline(-math.inf, current())) as deadline:  # its own: it may outlast the one of who starts it
            task = asyncio.get_running_loop().create_task(make(), context=copy_context())
        flight = self._flights[key] = _Flight(task, deadline)
        task.add_done_callback(lambda done: self._landed(key, flight, done))
        return flight

    def _landed(self, key: str, flight: _Flight[Result], done: asyncio.Task[Result]) -> None:
        self._end(key, flight)
        if not done.cancelled():
            done.exception()  # those who waited may all have gone; nobody need hear of it then

    def _end(self, key: str, flight: _Flight[Result]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


async def both(
    first: Coroutine[Any, Any, First] | None, second: Coroutine[Any, Any, Second] | None
) -> tuple[First | None, Second | None]:
    """The results of two, side by side; when one fails the other is given up. None stays None."""
    if first is None or second is None:
        return (None if first is None else await first), (None if second is None else await second)
    one, other = await together(first, second)
    return one, other


async def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """The results of all, side by side; when one fails the others are given up."""
    if len(work) == 1:
        return [await work[0]]
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
