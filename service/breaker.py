"""Something that may be gone is left alone for a while, then tried again."""

import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

FAILURES: Final = 5
PAUSE_S: Final = 1.0


class State(IntEnum):
    """What a breaker is doing; its value is what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """Opens after `FAILURES` in a row; then one may try each `PAUSE_S`, until one succeeds.

    A trial that never reports costs nothing but its turn. Used on one thread.
    """

    def __init__(
        self, *, tell: Callable[[State], object] = lambda _: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._failures = 0
        self._next_trial = 0.0
        self.state = State.CLOSED
        tell(self.state)

    def allows(self) -> bool:
        """Whether to try now."""
        if self.state is State.CLOSED:
            return True
        now = self._clock()
        if now < self._next_trial:
            return False
        self._next_trial = now + PAUSE_S
        self._become(State.HALF_OPEN)
        return True

    def succeeded(self) -> None:
        """It worked."""
        self._failures = 0
        self._become(State.CLOSED)

    def failed(self) -> None:
        """It did not, or took too long."""
        self._failures += 1
        if self.state is State.HALF_OPEN or self._failures >= FAILURES:
            self._next_trial = self._clock() + PAUSE_S
            self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self._tell(state)
