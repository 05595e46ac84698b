"""Work that many wait for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.deadlines import Deadline, current, under
from service.flights import Flights, both, together
from tests.service.gated import until


class Work:
    """Counts its calls, and waits to be let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = self.cancelled = 0
        self.go = asyncio.Event()
        self.deadline: Deadline | None = None
        self._error = error

    async def __call__(self) -> str:
        self.calls += 1
        self.deadline = current()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self._error is not None:
            raise self._error
        return "done"


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def shared_by(count: int, flights: Flights[str], work: Work) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(flights.share("key", work)) for _ in range(count)]


def test_a_hundred_at_once_are_one() -> None:
    async def test() -> None:
        flights, work = Flights[str](), Work()
        asking = shared_by(100, flights, work)
        await until(lambda: work.calls == 1)
        work.go.set()
        assert await asyncio.gather(*asking) == ["done"] * 100
        assert work.calls == 1
        assert await flights.share("key", work) == "done"  # what has landed is not kept
        assert work.calls == 2

    run(test)


def test_a_leader_who_leaves_takes_nobody_along() -> None:
    async def test() -> None:
        flights, work = Flights[str](), Work()
        leader, *others = shared_by(5, flights, work)
        await until(lambda: work.calls == 1)
        leader.cancel()
        others[0].cancel()
        await asyncio.wait([leader, others[0]])
        work.go.set()
        assert await asyncio.gather(*others[1:]) == ["done"] * 3
        assert (work.calls, work.cancelled) == (1, 0)

    run(test)


def test_when_all_have_left_it_ends_and_who_comes_then_starts_anew() -> None:
    async def test() -> None:
        flights, work = Flights[str](), Work()
        asking = shared_by(3, flights, work)
        await until(lambda: work.calls == 1)
        for task in asking:
            task.cancel()
        again = asyncio.create_task(flights.share("key", work))
        await asyncio.wait(asking)
        await until(lambda: work.calls == 2 or again.done())
        work.go.set()
        assert await again == "done"
        await asyncio.sleep(0)
        assert "key" not in flights

    run(test)


def test_an_error_goes_to_all_and_is_not_kept() -> None:
    async def test() -> None:
        flights, work = Flights[str](), Work(ValueError("no"))
        asking = shared_by(3, flights, work)
        await until(lambda: work.calls == 1)
        work.go.set()
        results: list[Any] = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(error) for error in results] == ["no"] * 3
        fine = Work()
        fine.go.set()
        assert await flights.share("key", fine) == "done"

    run(test)


def test_it_lasts_as_long_as_the_one_with_the_most_time() -> None:
    async def test() -> None:
        flights, work = Flights[str](), Work()
        with under(Deadline.after(1)) as short:
            first = asyncio.create_task(flights.share("key", work))
        await until(lambda: work.deadline is not None)
        assert work.deadline is not None
        assert work.deadline.at == short.at
        with under(Deadline.after(100)) as long:
            second = asyncio.create_task(flights.share("key", work))
        await asyncio.sleep(0)
        assert work.deadline.at == long.at
        work.go.set()
        assert set(await asyncio.gather(first, second)) == {"done"}

    run(test)


def test_a_flight_within_a_flight_lasts_as_long_too() -> None:
    async def test() -> None:
        outer, inner, work = Flights[str](), Flights[str](), Work()

        async def nested() -> str:
            return await inner.share("inner", work)

        with under(Deadline.after(1)):
            first = asyncio.create_task(outer.share("outer", nested))
        await until(lambda: work.calls == 1)
        with under(Deadline.after(100)) as long:
            second = asyncio.create_task(outer.share("outer", nested))
        await asyncio.sleep(0)
        assert work.deadline is not None
        assert work.deadline.at == long.at
        work.go.set()
        await asyncio.gather(first, second)

    run(test)


def test_side_by_side_one_failure_gives_the_others_up() -> None:
    async def fail() -> Any:
        raise ValueError("no")

    async def test() -> None:
        work = Work()
        with pytest.raises(ValueError, match="no"):
            await together(work(), fail())
        await until(lambda: work.cancelled == 1)
        work.go.set()
        assert await both(work(), None) == ("done", None)
        assert await both(None, work()) == (None, "done")
        assert set(await both(work(), work())) == {"done"}
        assert await both(None, None) == (None, None)
        assert await together() == []

    run(test)
