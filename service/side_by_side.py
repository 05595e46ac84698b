"""Many small jobs of one request, side by side within bounds, each with its own outcome."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from fastapi.exceptions import RequestValidationError

from catalogue.errors import DeadlineExceeded, Overloaded, SamestyleError
from service.deadlines import Deadline, under

AT_ONCE: Final = 16
"""Of all requests of this kind together: enough to fill the encoder's batches, few enough to let others through."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Failure = SamestyleError | RequestValidationError


class SideBySide:
    """Runs the jobs of a request; all of a gateway's requests share `AT_ONCE` places, and take turns."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._places = asyncio.Semaphore(AT_ONCE)

    async def run(
        self, items: Sequence[Item | RequestValidationError], work: Callable[[Item], Awaitable[Result]]
    ) -> list[Result | Failure]:
        """What `work` makes of each item, or what it raises; DeadlineExceeded for those not done in time.

        An item that could not be read is its own outcome. One that is refused for want of room is tried again when
        there is time for it: who asks for many at once would be refused for the sake of his own. When there is none
        left it is Overloaded, and so is what was not begun for having stood behind it.
        """
        outcomes: dict[int, Result | Failure] = {
            at: item for at, item in enumerate(items) if isinstance(item, RequestValidationError)
        }
        begun: set[int] = set()
        refusal: Overloaded | None = None
        waiting = ((at, item) for at, item in enumerate(items) if not isinstance(item, RequestValidationError))

        async def worker() -> None:
            nonlocal refusal
            for at, item in waiting:
                while True:
                    async with self._places:
                        begun.add(at)
                        outcome = await _outcome(work, item)
                    if isinstance(outcome, Overloaded):
                        refusal = outcome
                    if not (isinstance(outcome, DeadlineExceeded) and at in outcomes):  # else it was refused before
                        outcomes[at] = outcome
                    pause_s = outcome.retry_after if isinstance(outcome, Overloaded) else math.inf
                    if pause_s >= deadline.left_s:
                        break
                    await asyncio.sleep(pause_s)  # others have the place meanwhile

        with under(Deadline.after(self._deadline_s)) as deadline:  # also for a job that is begun late
            workers = [asyncio.create_task(worker()) for _ in range(min(AT_ONCE, len(items)))]
        try:
            async with asyncio.timeout(deadline.left_s):
                await asyncio.gather(*workers)
        except TimeoutError:
            pass
        finally:
            for task in workers:
                task.cancel()
        late = DeadlineExceeded(f"It was not ready within {self._deadline_s:g} s. Try again, or ask for less at once.")
        unbegun = refusal or late  # it stood behind what was refused, where anything was
        return [outcomes.get(at, late if at in begun else unbegun) for at in range(len(items))]


async def _outcome(work: Callable[[Item], Awaitable[Result]], item: Item) -> Result | Failure:
    try:
        return await work(item)
    except (SamestyleError, RequestValidationError) as error:
        return error.with_traceback(None)  # on Python 3.13 its frames would hold all outcomes
