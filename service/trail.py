"""What happened to one request, and when: for the log of slow ones, and for traces."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

_MOST_STAGES: Final = 256
"""Of one request; a batch of many searches has more than anybody reads."""
_MOST_ANSWERS: Final = 16

Stage = tuple[str, float, float]
"""What was done, and when it began and ended (time.monotonic)."""


class Trail:
    """One request's id and stages, in the order they ended; `span` is what a trace knows it by, if it is traced."""

    __slots__ = ("answers", "body_s", "reason", "request_id", "span", "stages", "started", "started_ns")

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.started = time.monotonic()
        self.started_ns = time.time_ns()
        self.body_s = 0.0
        """How long its client kept it waiting for its body."""
        self.stages: list[Stage] = []
        self.answers: list[str] = []
        """The `request_id`s of the answers in it; a batch has several."""
        self.reason: str | None = None
        """Why it was refused, as its answer says."""
        self.span: Any = None

    def add(self, name: str, began: float, ended: float) -> None:
        """Note a stage; from any thread."""
        if len(self.stages) < _MOST_STAGES:
            self.stages.append((name, began, ended))

    def answered(self, request_id: str) -> None:
        """Note the id that an answer was given."""
        if len(self.answers) < _MOST_ANSWERS:
            self.answers.append(request_id)

    def milliseconds(self) -> dict[str, float]:
        """The time in each stage; what ran side by side is added up."""
        total: dict[str, float] = {}
        for name, began, ended in [*self.stages]:
            total[name] = total.get(name, 0.0) + (ended - began) * 1000
        return {name: round(value, 2) for name, value in total.items()}

    def nanoseconds(self, moment: float) -> int:
        """A moment of time.monotonic in Unix time."""
        return self.started_ns + int((moment - self.started) * 1e9)


CURRENT: Final[ContextVar[Trail | None]] = ContextVar("trail", default=None)
"""The trail of the request this runs for; None where it runs for none."""


def asked_at() -> float:
    """When the current request came, less the wait for its body; now, where there is none."""
    trail = CURRENT.get()
    return trail.started + trail.body_s if trail is not None else time.monotonic()


@contextmanager
def noted(name: str) -> Iterator[None]:
    """Note how long a block takes, as a stage of the current request that no metric has."""
    trail, began = CURRENT.get(), time.monotonic()
    try:
        yield
    finally:
        if trail is not None:
            trail.add(name, began, time.monotonic())
