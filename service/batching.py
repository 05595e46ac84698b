"""A bounded queue of jobs and the threads that do them, several at a time where several have gathered."""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from catalogue.errors import NotReady, Overloaded
from service import metrics
from service.deadlines import Deadline, current, exceeded
from service.trail import CURRENT, Trail

_SMOOTHING: Final = 0.1
"""What the last batch weighs against all before it in the time a job takes."""

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class _Job(Generic[Item, Result]):
    item: Item
    kind: Hashable
    deadline: Deadline
    queued_at: float
    due_at: float
    trail: Trail | None = field(default_factory=CURRENT.get)
    done: Future[Result] = field(default_factory=Future)


class Batcher(Generic[Item, Result]):
    """Does jobs oldest first, others of the same kind together with it, up to `max_batch`.

    An idle thread takes what comes at once, and otherwise what has gathered meanwhile: nothing waits for company, but a
    job whose result is not needed yet. So a job waits for those before it and no more. One that nobody waits for any
    more (its future cancelled, its deadline passed) is never done.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_batch: int,
        max_waiting: int,
        threads: int = 1,
        kind: Callable[[Item], Hashable] = lambda _: None,
    ) -> None:
        self.name = name
        self._queue_name = f"{name} queue"
        self._work = work
        self._kind = kind
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._waiting: list[_Job[Item, Result]] = []
        self._running = 0
        self._seconds = 0.0
        self._closed = False
        self._changed = threading.Condition()
        self._queued_s, self._batch, self._stage = (
            metric.labels(name) for metric in (metrics.QUEUE, metrics.BATCH, metrics.STAGE)
        )
        metrics.CAPACITY.labels(name).set(max_waiting)
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, item: Item, *, slack_s: float = 0.0) -> Future[Result]:
        """The result of a job for the current deadline; the future may be cancelled as long as it has not begun.

        It may wait `slack_s` for company: so long its result is of no use. Then it is as old as one that comes now.

        Raises Overloaded when too many wait or this one would come too late, DeadlineExceeded when it does already,
        NotReady once closed.
        """
        now = time.monotonic()
        job = _Job[Item, Result](item, self._kind(item), current(), now, now + slack_s)
        with self._changed:
            self.check()
            self._waiting.append(job)
            self._changed.notify()
        job.done.add_done_callback(self._forget)
        return job.done

    def check(self) -> None:
        """Raise what `submit` would raise now."""
        deadline = current()
        if deadline.has_passed:
            raise exceeded()
        if self._closed:
            raise NotReady("This model is served no more. Ask again.")
        wait_s = self.wait_s
        if len(self._waiting) >= self._max_waiting or wait_s > deadline.left_s:
            raise Overloaded("Too many queries are waiting. Try again later.", retry_after=max(1.0, wait_s))

    @property
    def waiting(self) -> int:
        """Jobs that nobody has begun."""
        return len(self._waiting)

    @property
    def fullness(self) -> float:
        """How much of its room is taken, 0 to 1."""
        return len(self._waiting) / self._max_waiting

    @property
    def wait_s(self) -> float:
        """How long a new job would wait, from what is ahead of it and how long jobs took lately."""
        return self.jobs * self.pace_s

    @property
    def jobs(self) -> int:
        """Those waiting and those being done."""
        return len(self._waiting) + self._running

    @property
    def pace_s(self) -> float:
        """The seconds from one job to the next when all threads are busy, as they were lately."""
        return self._seconds / len(self._threads)

    def close(self) -> None:
        """Finish what is waiting and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _forget(self, done: Future[Result]) -> None:
        """Make room at once for others when a job is cancelled, and free what it holds.

        A future that knew its job would be known by what it knows, and both stay until garbage is collected.
        """
        if not done.cancelled():
            return
        with self._changed:
            left = [job for job in self._waiting if job.done is not done]
            was_waiting = len(left) < len(self._waiting)  # or a thread has it, and will see that it is cancelled
            self._waiting = left
        if was_waiting:
            done.set_running_or_notify_cancel()

    def _run(self) -> None:
        while batch := self._gather():
            wanted = [job for job in batch if _still_wanted(job)]
            if wanted:
                self._do(wanted)
            with self._changed:
                self._running -= len(batch)
            del batch, wanted  # an idle thread holds nobody's photo

    def _gather(self) -> list[_Job[Item, Result]]:
        """The first job that is due and others of its kind; nothing once the queue is closed and empty."""
        with self._changed:
            while (pause_s := self._pause_s()) != 0:
                self._changed.wait(pause_s)
            if not self._waiting:
                return []
            first = min(self._waiting, key=lambda job: job.due_at)
            alike = [job for job in self._waiting if job is not first and job.kind == first.kind]
            batch = [first, *alike[: self._max_batch - 1]]
            taken = set(map(id, batch))
            self._waiting = [job for job in self._waiting if id(job) not in taken]
            self._running += len(batch)
            return batch

    def _pause_s(self) -> float | None:
        """The seconds until a job must be begun; None while there is none."""
        if self._closed or len(self._waiting) >= self._max_batch:
            return 0
        if not self._waiting:
            return None
        return max(0.0, min(job.due_at for job in self._waiting) - time.monotonic())

    def _do(self, jobs: list[_Job[Item, Result]]) -> None:
        started, count = time.monotonic(), len(jobs)
        trails = [(job.trail, job.queued_at) for job in jobs]
        for _, queued_at in trails:
            self._queued_s.observe(started - queued_at)
        self._batch.observe(count)
        try:
            try:
                results = self._work([job.item for job in jobs])
            finally:  # before anybody has an answer, also one that failed
                ended = time.monotonic()
                self._took(ended - started, count)
                for trail, queued_at in trails:
                    if trail is not None:
                        trail.add(self._queue_name, queued_at, started)
                        trail.add(self.name, started, ended)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the callers, not to this thread
            while jobs:  # the error knows this frame, which is to know nothing that knows the error
                jobs.pop().done.set_exception(error)
            return
        for job, result in zip(jobs, results, strict=True):
            job.done.set_result(result)

    def _took(self, seconds: float, jobs: int) -> None:
        self._stage.observe(seconds)
        with self._changed:
            each = seconds / jobs
            self._seconds += (each - self._seconds) * (_SMOOTHING if self._seconds else 1)


def _still_wanted(job: _Job[Item, Result]) -> bool:
    if not job.done.set_running_or_notify_cancel():
        return False
    if job.deadline.has_passed:
        job.done.set_exception(exceeded())
        return False
    return True
