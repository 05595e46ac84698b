"""Until when an answer is of use, known to whatever works for it."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from catalogue.errors import DeadlineExceeded


class Deadline:
    """A moment on `time.monotonic`; with others joined to it, the last of all."""

    __slots__ = ("_at", "_joined")

    def __init__(self, at: float = math.inf, *joined: "Deadline") -> None:
        self._at = at
        self._joined = list(joined)

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def at(self) -> float:
        """The moment as it is now: deadlines that joined may have been joined themselves."""
        return max(self._at, *(other.at for other in self._joined)) if self._joined else self._at

    @property
    def has_passed(self) -> bool:
        """Whether nobody waits any more."""
        return time.monotonic() >= self.at

    @property
    def left_s(self) -> float:
        """Seconds left."""
        return self.at - time.monotonic()

    def join(self, other: "Deadline") -> None:
        """Last as long as `other` at least."""
        self._joined.append(other)


_CURRENT: ContextVar[Deadline] = ContextVar("deadline")


def current() -> Deadline:
    """The deadline of the request this runs for; far away where it runs for none."""
    return _CURRENT.get(None) or Deadline()


@contextmanager
def under(deadline: Deadline) -> Iterator[Deadline]:
    """Make it the current one."""
    token = _CURRENT.set(deadline)
    try:
        yield deadline
    finally:
        _CURRENT.reset(token)


def check_deadline() -> None:
    """Raises DeadlineExceeded where nobody waits any more."""
    if current().has_passed:
        raise exceeded()


def exceeded(seconds: float | None = None) -> DeadlineExceeded:
    """What is raised when it has passed."""
    within = f" within {seconds:g} s" if seconds is not None else " in time"
    return DeadlineExceeded(f"The answer was not ready{within}. Try again, or ask for less.")
