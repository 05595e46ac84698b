"""Encoders behind a queue: photos are decoded in a pool, and one thread owns the encoder and feeds it batches."""

import asyncio
import queue
import threading
import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from catalogue.errors import NotReady, Overloaded
from models import Embedder, Prepared, ProductInput
from service import metrics


@dataclass(slots=True)
class _Job:
    item: Prepared
    done: Future[NDArray[np.float32]] = field(default_factory=Future)
    queued_at: float = field(default_factory=time.perf_counter)


class EncoderQueue:
    """Turns queries into vectors, several at a time when several wait.

    A batch is formed at once when the encoder is idle, and otherwise of what has gathered meanwhile: nothing ever
    waits for company.
    """

    def __init__(self, embedder: Embedder, *, max_batch: int, max_queue: int, decode_pool: Executor) -> None:
        self.embedder = embedder
        self._max_batch = max_batch
        self._jobs: queue.Queue[_Job | None] = queue.Queue(max_queue)
        self._pool = decode_pool
        self._closed = False
        self._closing = threading.Lock()
        self._owner = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._owner.start()

    async def embed(self, item: ProductInput) -> NDArray[np.float32]:
        """The unit vector of one query, float32 [dim].

        Raises what the embedder raises for a bad photo, Overloaded when the queue is full.
        """
        if self._jobs.full():
            raise _overloaded()
        loop = asyncio.get_running_loop()
        with metrics.stage("decode"):
            prepared = await loop.run_in_executor(self._pool, self.embedder.prepare, item)
        return await asyncio.wrap_future(self.submit(prepared))

    def submit(self, prepared: Prepared) -> Future[NDArray[np.float32]]:
        """The vector of a prepared input, in time; raises Overloaded when the queue is full."""
        job = _Job(prepared)
        with self._closing:  # nothing may come after what ends the queue: nobody would answer it
            if self._closed:
                raise NotReady("This model is served no more. Ask again.")
            try:
                self._jobs.put_nowait(job)
            except queue.Full:
                raise _overloaded() from None
        return job.done

    def close(self) -> None:
        """Finish what is queued and stop."""
        with self._closing:
            self._closed = True
        self._jobs.put(None)
        self._owner.join()

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            batch, last = self._gather(first)
            alive = [job for job in batch if job.done.set_running_or_notify_cancel()]  # the others' clients have gone
            if alive:
                self._encode(alive)
            if last:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        batch = [first]
        while len(batch) < self._max_batch:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, True
            batch.append(job)
        return batch, False

    def _encode(self, jobs: list[_Job]) -> None:
        now = time.perf_counter()
        for job in jobs:
            metrics.STAGE.labels("queue").observe(now - job.queued_at)
        metrics.BATCH.observe(len(jobs))
        try:
            with metrics.stage("encode"):
                vectors = self.embedder.encode([job.item for job in jobs])
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the callers, not to this thread
            for job in jobs:
                job.done.set_exception(error)
            return
        for job, vector in zip(jobs, vectors, strict=True):
            job.done.set_result(vector.copy())  # a view would keep the whole batch alive in the cache


def _overloaded() -> Overloaded:
    return Overloaded("Too many queries are waiting for the encoder. Try again in a second.", retry_after=1)
