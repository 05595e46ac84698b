"""Where the parts of a search say how long they took. Whoever serves the index listens; by itself nobody does."""

import time
from collections.abc import Callable
from typing import Final

Listener = Callable[[str, float, float], None]
"""Takes what was done, and when it began and ended (time.monotonic); called on the thread that did it."""

RESCORE: Final = "rescore"
EXACT: Final = "exact"
DELTA: Final = "delta"

_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Have `listener` hear of every part from now on: `rescore`, `delta`, `exact` (a scan), or a shard's number."""
    _listeners[:] = [listener]  # a process serves one thing


class timed:  # noqa: N801  # used as a statement
    """Tell how long a block takes."""

    __slots__ = ("_part", "_started")

    def __init__(self, part: str) -> None:
        self._part = part

    def __enter__(self) -> None:
        self._started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        for listener in _listeners:
            listener(self._part, self._started, time.monotonic())
