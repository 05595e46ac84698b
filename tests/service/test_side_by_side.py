"""Jobs of one request side by side: all bounds hold, and each has its own outcome."""

import asyncio
import time
from collections import Counter

import pytest
from fastapi.exceptions import RequestValidationError

from catalogue.errors import DeadlineExceeded, NotFound, Overloaded
from service.deadlines import current
from service.side_by_side import AT_ONCE, SideBySide


def test_no_more_at_once_than_there_are_places_and_requests_take_turns() -> None:
    running = most = 0
    order: list[str] = []

    async def work(item: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        order.append(item)
        return item

    async def run() -> None:
        places = SideBySide(30)
        many = asyncio.create_task(places.run(["many"] * 200, work))
        await asyncio.sleep(0)
        assert await places.run(["few"] * 3, work) == ["few"] * 3
        assert not many.done()
        assert await many == ["many"] * 200

    asyncio.run(run())
    assert most == AT_ONCE
    assert order.index("few") < 100


def test_each_has_its_own_outcome_in_its_place() -> None:
    unreadable = RequestValidationError([])

    async def work(item: int) -> int:
        if item % 3 == 0:
            raise NotFound(str(item))
        return item

    items: list[int | RequestValidationError] = [1, 3, unreadable, 5]
    outcomes = asyncio.run(SideBySide(30).run(items, work))
    assert (outcomes[0], outcomes[3]) == (1, 5)
    assert isinstance(outcomes[1], NotFound)
    assert outcomes[2] is unreadable
    assert asyncio.run(SideBySide(30).run([], work)) == []


def test_what_takes_too_long_is_late_and_stopped_and_the_rest_is_not() -> None:
    stopped: list[int] = []

    async def work(item: int) -> int:
        try:
            await asyncio.sleep(0 if item == 0 else 60)
        except asyncio.CancelledError:
            stopped.append(item)
            raise
        return item

    outcomes = asyncio.run(SideBySide(0.05).run(range(AT_ONCE + 5), work))
    assert outcomes[0] == 0
    assert all(isinstance(outcome, DeadlineExceeded) for outcome in outcomes[1:])
    assert len(stopped) == AT_ONCE


def test_all_have_one_deadline_however_late_they_begin() -> None:
    async def work(_: int) -> float:
        await asyncio.sleep(0.01)
        return current().at

    outcomes = asyncio.run(SideBySide(30).run(range(3 * AT_ONCE), work))
    assert len(set(outcomes)) == 1
    assert 0 < float(outcomes[0]) - time.monotonic() < 30  # type: ignore[arg-type]


def test_what_finds_no_room_is_tried_again_while_there_is_time() -> None:
    tries: Counter[int] = Counter()

    async def work(item: int) -> int:
        tries[item] += 1
        if item == 0:
            raise Overloaded("for long", retry_after=60)
        if tries[item] <= item:
            raise Overloaded("for a moment", retry_after=0.01)
        return item

    outcomes = asyncio.run(SideBySide(30).run([0, 1, 2], work))
    assert isinstance(outcomes[0], Overloaded)
    assert outcomes[1:] == [1, 2]
    assert tries == {0: 1, 1: 2, 2: 3}


def test_what_was_refused_says_so_when_time_is_up_and_so_does_what_stood_behind_it() -> None:
    async def work(item: int) -> int:
        if item == 0:
            return item
        if item == 1:
            await asyncio.sleep(60)  # begun, and late
        raise Overloaded("full", retry_after=0.3)

    unreadable = RequestValidationError([])
    items: list[int | RequestValidationError] = [*range(3 * AT_ONCE), unreadable]
    outcomes = asyncio.run(SideBySide(0.1).run(items, work))
    assert outcomes[0] == 0
    assert isinstance(outcomes[1], DeadlineExceeded)
    assert outcomes[-1] is unreadable
    assert {(type(outcome), outcome.retry_after) for outcome in outcomes[2:-1] if isinstance(outcome, Overloaded)} == {
        (Overloaded, 0.3)
    }
    assert all(isinstance(outcome, Overloaded) for outcome in outcomes[2:-1])


def test_what_was_refused_and_then_came_too_late_was_refused() -> None:
    tries: Counter[int] = Counter()

    async def work(item: int) -> int:
        tries[item] += 1
        if tries[item] == 1:
            raise Overloaded("full", retry_after=0.01)
        if item:
            await asyncio.sleep(60)
        raise DeadlineExceeded("late")

    outcomes = asyncio.run(SideBySide(0.3).run([0, 1], work))
    assert [type(outcome) for outcome in outcomes] == [Overloaded, Overloaded]
    assert tries == {0: 2, 1: 2}


def test_a_fault_is_a_fault() -> None:
    async def work(item: int) -> int:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(SideBySide(30).run([1, 2], work))
