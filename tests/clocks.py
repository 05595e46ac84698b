"""Clocks that jump to what is due: tests of deadlines that wait for nothing, and that no slow machine disturbs."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class _Selector(selectors.DefaultSelector):
    """Instead of waiting for its timeout it lets it pass."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout is not None:
            self.clock.sleep(timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._own = _Selector()
        super().__init__(self._own)

    def time(self) -> float:
        return self._own.clock.now


def run_at_once(main: Coroutine[Any, Any, Result]) -> Result:
    """As `asyncio.run`, with hours that pass in no time; not for what waits for other threads or processes."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
