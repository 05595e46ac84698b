"""The threads all searches of this process share: FAISS runs on at most so many at once, whoever calls it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore, Lock
from typing import TypeVar

import faiss

from catalogue.threads import ThreadBudget

Part = TypeVar("Part")
Result = TypeVar("Result")


class Workers:
    """A fixed number of threads for parts of searches.

    One part runs on the caller's thread, several on the pool's; either way `threads` parts run at once and no more.
    FAISS itself gets one thread per part: a single query gains nothing from OpenMP, whose threads wait by spinning.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._slots = BoundedSemaphore(threads)
        self._pool = ThreadPoolExecutor(threads, "faiss")

    def map(self, work: Callable[[Part], Result], parts: Sequence[Part]) -> list[Result]:
        """`work` of every part, in their order, side by side; it must not call `map`, or it waits for itself."""

        def run(part: Part) -> Result:
            with self._slots:
                faiss.omp_set_num_threads(1)  # OpenMP keeps the number per thread
                return work(part)

        if len(parts) <= 1 or self.threads == 1:
            return [run(part) for part in parts]
        return list(self._pool.map(run, parts))


_lock = Lock()
_shared: Workers | None = None


def shared_workers() -> Workers:
    """The workers of this process; without `set_faiss_threads`, as many as the budget of this machine."""
    global _shared  # noqa: PLW0603  # the threads of a process are one thing
    with _lock:
        if _shared is None:
            _shared = Workers(ThreadBudget.of().faiss)
        return _shared


def set_faiss_threads(count: int) -> None:
    """How many threads all searches of this process use together."""
    global _shared  # noqa: PLW0603
    with _lock:
        if _shared is None or _shared.threads != count:
            _shared = Workers(count)  # the one before ends with the searches that still hold it
