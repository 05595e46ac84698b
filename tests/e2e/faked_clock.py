"""`python -m tests.e2e.faked_clock FILE COMMAND...`: samestyle, whose wall clock is so many seconds off as FILE says.

What measures time (`time.monotonic`, `time.perf_counter`) goes on as it does. Debian's libfaketime would do it for any
program, but its threads wait for each other by polling then, and every answer takes a second.
"""

import datetime
import sys
import time
from pathlib import Path
from typing import Self

_OFF = Path(sys.argv[1])
_REAL_NS = time.time_ns


def _off_s() -> int:
    return int(_OFF.read_text() or 0)  # empty for the moment that it is written anew


class _Faked(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        return super().now(tz) + datetime.timedelta(seconds=_off_s())


if __name__ == "__main__":
    time.time_ns = lambda: _REAL_NS() + _off_s() * 10**9
    time.time = lambda: time.time_ns() / 1e9
    datetime.datetime = _Faked  # type: ignore[misc]
    sys.argv[:] = ["samestyle", *sys.argv[2:]]
    from service.cli import app

    app()
