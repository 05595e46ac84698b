"""The threads that all requests share, and how long a request waits for them."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Final, TypeVar

from catalogue.threads import JOURNAL_THREADS, ThreadBudget
from index.search import set_faiss_threads
from service.deadlines import Deadline, current, exceeded, under
from service.encoding import WorkPool

_MAX_WORK: Final = 512
"""More than there may be requests (`service.admission`)."""
_MAX_THUMBNAILS: Final = 208
"""A grid of two hundred; of the requests there may be, it leaves room for others."""

Result = TypeVar("Result")


class Pools:
    """The threads requests share: for bodies and stored photos, decoding, thumbnails, scanning the index, the journal.

    Whatever a request waits for, it waits no longer than `deadline_s`.
    """

    def __init__(self, budget: ThreadBudget, deadline_s: float, *, max_decoding: int) -> None:
        self.deadline_s = deadline_s
        self.work = WorkPool("work", budget.work, max_waiting=_MAX_WORK)
        self.decode = WorkPool("decode", budget.decode, max_waiting=max_decoding)
        self.thumbnail = WorkPool("thumbnail", budget.thumbnail, max_waiting=_MAX_THUMBNAILS)
        self.search = ThreadPoolExecutor(
            budget.search, "search", initializer=set_faiss_threads, initargs=(budget.faiss,)
        )
        self.journal = ThreadPoolExecutor(JOURNAL_THREADS, "journal-head")

    def close(self) -> None:
        """Wait for what is under way."""
        self.work.close()
        self.decode.close()
        self.thumbnail.close()
        self.search.shutdown()
        self.journal.shutdown()

    async def off_loop(self, work: Callable[[], Result]) -> Result:
        """Run something slow on a working thread; raises DeadlineExceeded, Overloaded."""
        return await self.in_time(self.work.run(work))

    async def in_search(self, work: Callable[[], Result]) -> Result:
        """Look something up on a searching thread; raises DeadlineExceeded."""
        return await self.in_time(asyncio.get_running_loop().run_in_executor(self.search, work))

    async def in_journal(self, work: Callable[[], Result]) -> Result:
        """Ask the journal; raises DeadlineExceeded. A database that hangs must hold no thread that searches need."""
        return await self.in_time(asyncio.get_running_loop().run_in_executor(self.journal, work))

    async def in_time(self, work: Awaitable[Result], *, within_s: float | None = None) -> Result:
        """The result of `work`, which knows its deadline (`service.deadlines`); raises DeadlineExceeded.

        It has `deadline_s`, or `within_s`.
        """
        within_s = self.deadline_s if within_s is None else within_s
        try:
            with self.one_deadline(within_s) as deadline:
                async with asyncio.timeout(deadline.left_s):
                    return await work
        except TimeoutError:
            raise exceeded(within_s) from None

    def one_deadline(self, within_s: float | None = None) -> AbstractContextManager[Deadline]:
        """`deadline_s` (or `within_s`) from now for all that is waited for in it, or what the request has left."""
        within_s = self.deadline_s if within_s is None else within_s
        return under(Deadline(min(Deadline.after(within_s).at, current().at)))
